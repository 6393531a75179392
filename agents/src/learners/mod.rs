//! The learners, a module each, and the list of them.

use std::{fmt, ops::Deref, sync::OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use toml::Table;

use crate::{keys::Section, learner::Entry};

pub mod adaptive_control;
pub mod context;
pub mod continual;
pub mod distill;
pub mod distill_window;
pub mod maml;
pub mod ppo;
pub mod prototypes;
pub mod recipes;
mod recurrent;
pub mod reptile;
pub mod rl2;

pub use recurrent::RecurrentConfig;

/// The learners of this crate, the default first.
#[rustfmt::skip]
pub const ALL: &[&Entry] = &[
    &maml::ENTRY, &ppo::ENTRY, &rl2::ENTRY, &distill::ENTRY, &distill_window::ENTRY, &context::ENTRY,
    &adaptive_control::ENTRY, &reptile::ENTRY, &continual::ENTRY, &prototypes::ENTRY,
];

/// Names at the top of a configuration that no learner's section may have.
const COMMON: &[&str] = &[
    "name",
    "description",
    "role",
    "seed",
    "learner",
    "iterations",
    "max_env_steps",
    "task",
    "examples",
    "rollout",
    "evaluation",
    "policy",
    "maml",
    "ppo",
    "checkpoint",
    "log",
];

/// Learners of other crates, registered once at the start of the program.
static OWN: OnceLock<Vec<&'static Entry>> = OnceLock::new();

/// Sections of single learners, each once: two learners of a kind share theirs.
pub fn sections() -> impl Iterator<Item = Section> {
    let section = |entry: &Entry| entry.own.map(|own| own.name);
    let all: Vec<&'static Entry> = all().collect();
    let first =
        move |at: usize| all[..at].iter().all(|other| section(other) != section(all[at])).then_some(all[at])?.own;
    (0..self::all().count()).filter_map(first)
}

/// Registers learners of other crates by name, once per process and before any learner is looked up.
///
/// # Errors
/// If a name or section is already taken, if a section has a key without a default, or if this was called before.
pub fn register(own: &[&'static Entry]) -> Result<(), String> {
    for (index, entry) in own.iter().enumerate() {
        let others = || ALL.iter().chain(&own[..index]);
        if others().any(|other| other.name == entry.name) {
            return Err(format!("two learners have the name `{}`", entry.name));
        }
        if let Some(section) = entry.own {
            if COMMON.contains(&section.name) {
                return Err(format!("[{}] of `{}` is a common part of the configuration", section.name, entry.name));
            }
            if let Err(error) = (section.resolve)(Table::new()) {
                return Err(format!("[{}] of `{}` has no defaults: {error}", section.name, entry.name));
            }
        }
        let section = |entry: &Entry| entry.own.map(|section| section.name);
        if section(entry).is_some() && others().any(|other| section(other) == section(entry)) {
            return Err(format!("two learners have the section [{}]", section(entry).unwrap_or_default()));
        }
    }
    OWN.set(own.to_vec()).map_err(|_| "learners are registered already".to_owned())
}

/// All learners with a name: those of this crate, and the registered ones.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    ALL.iter().chain(OWN.get().into_iter().flatten()).copied()
}

/// A learner chosen by its name.
#[derive(Clone, Copy)]
pub struct Kind(&'static Entry);

impl Kind {
    /// The learner of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Kind> {
        all().find(|entry| entry.name == name).map(Kind)
    }
}

impl Default for Kind {
    fn default() -> Self {
        Kind(ALL[0])
    }
}

impl Deref for Kind {
    type Target = Entry;

    fn deref(&self) -> &Entry {
        self.0
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Two kinds are the same if their names are.
impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Kind {}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Kind::from_name(&name).ok_or_else(|| {
            if let Some(recipe) = recipes::find(&name) {
                return D::Error::custom(format!(
                    "`{name}` is a recipe, settings of learner = \"maml\": choose it with `--learner {name}`, or write {}",
                    recipe.sets.join(", ")
                ));
            }
            let recipes = recipes::ALL.iter().map(|recipe| recipe.name);
            let known: Vec<String> = all().map(|entry| entry.name).chain(recipes).map(|name| format!("`{name}`")).collect();
            D::Error::custom(format!(
                "unknown variant `{name}`, expected one of {} (`metadrift learners list`)",
                known.join(", ")
            ))
        })
    }
}
