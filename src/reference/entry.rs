//! The form in which a word of the task language is described.

use serde::Serialize;

/// A law, a schedule, a field that all drifts have, a clock, or a table of `[task]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// Its spelling.
    pub name: &'static str,
    /// The kind of word.
    pub section: Section,
    /// Its meaning in one line.
    pub meaning: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
    /// Lines that may follow `[task]` and `env = "cartpole"`; they load.
    pub example: &'static str,
}

/// A field of an [`Entry`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Field {
    /// Its spelling.
    pub name: &'static str,
    /// Type and legal values in words.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Default: a TOML value or words; none if the field must be there.
    pub default: Option<&'static str>,
    /// Its meaning in one line.
    pub meaning: &'static str,
}

/// The kinds of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// A law: `law = "..."`.
    Law,
    /// A schedule: `kind = "..."`.
    Schedule,
    /// A field beside those of the schedule's kind.
    Timing,
    /// A clock: `clock = "..."`.
    Clock,
    /// A value of `apply = "..."`.
    Apply,
    /// A value of `on_bound = "..."`.
    OnBound,
    /// A key of `[task]`.
    Table,
}

impl Section {
    /// All sections, in the order of the documents.
    pub const ALL: [Section; 7] = [
        Section::Table,
        Section::Law,
        Section::Schedule,
        Section::Timing,
        Section::Clock,
        Section::Apply,
        Section::OnBound,
    ];

    /// Title and a line on how its words are used.
    pub fn title(self) -> (&'static str, &'static str) {
        match self {
            Section::Table => {
                ("Keys of [task]", "Keys with a number or a word only are in the list of configuration keys.")
            }
            Section::Law => (
                "Laws",
                "A law says from what distribution a number is drawn. A law stands in `task.vary`, and in place of any \
                 number of a schedule, of `task.actuator`, `task.sensor` or `task.list`.",
            ),
            Section::Schedule => (
                "Schedules",
                "A schedule in `task.drift` says how a channel moves over a clock. Each number may be a law, drawn \
                 once per task.",
            ),
            Section::Timing => ("Fields of every schedule", "These fields stand beside those of the schedule's kind."),
            Section::Clock => ("Clocks", "The field `clock` names the count that a schedule follows."),
            Section::Apply => {
                ("Values of apply", "The undrifted value comes from `task.base`, `task.vary` or the environment.")
            }
            Section::OnBound => {
                ("Values of on_bound", "The field `on_bound` says what happens to a value outside `bounds`.")
            }
        }
    }
}

/// A field that must be there.
pub(super) const fn needed(name: &'static str, kind: &'static str, meaning: &'static str) -> Field {
    Field { name, kind, default: None, meaning }
}

/// A field that may be left out.
pub(super) const fn may(name: &'static str, kind: &'static str, default: &'static str, meaning: &'static str) -> Field {
    Field { name, kind, default: Some(default), meaning }
}

/// A word.
pub(super) const fn entry(
    section: Section,
    name: &'static str,
    meaning: &'static str,
    fields: &'static [Field],
    example: &'static str,
) -> Entry {
    Entry { name, section, meaning, fields, example }
}
