//! Descriptions of configuration keys, and sections that belong to one learner alone.

use serde::{Serialize, de::DeserializeOwned};
use toml::Table;

use crate::ranges::OutOfRange;

/// One key: its type, default, legal values and meaning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    /// Path, as in `--set`.
    pub key: &'static str,
    /// Type in words.
    pub kind: &'static str,
    /// The value that holds when the key is left out.
    pub default: Absent,
    /// Values that are accepted.
    pub legal: Legal,
    /// Unit; empty for a dimensionless number.
    pub unit: &'static str,
    /// One line on its effect.
    pub meaning: &'static str,
}

/// The value of a key that is left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Absent {
    /// There is no default: the key is required.
    Required,
    /// The default is this value, as TOML.
    Is(&'static str),
    /// The default follows from a rule, given in words.
    Words(&'static str),
}

/// Values that a key accepts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Legal {
    /// A range, in the words of the error message, with a value that is refused.
    Range {
        /// The range in words.
        words: &'static str,
        /// A TOML value outside the range.
        refused: &'static str,
    },
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Any value of the type.
    Any,
    /// A table of the task language.
    Table,
}

impl Absent {
    /// The default as TOML, if it is a value.
    pub fn value(self) -> Option<toml::Value> {
        let Absent::Is(text) = self else { return None };
        toml::from_str::<Table>(&format!("v = {text}")).ok()?.remove("v")
    }

    /// The default as text for people.
    pub fn text(self) -> &'static str {
        match self {
            Absent::Required => "required",
            Absent::Is(text) | Absent::Words(text) => text,
        }
    }
}

impl Legal {
    /// The legal values as text for people.
    pub fn text(self) -> String {
        match self {
            Legal::Range { words, .. } => words.into(),
            Legal::OneOf(words) => words.join(", "),
            Legal::Any => "any".into(),
            Legal::Table => "see `metadrift tasks laws`".into(),
        }
    }
}

/// A description of a key.
pub const fn key(
    key: &'static str,
    kind: &'static str,
    default: Absent,
    legal: Legal,
    unit: &'static str,
    meaning: &'static str,
) -> Key {
    Key { key, kind, default, legal, unit, meaning }
}

/// A range in words, with a value outside it.
pub const fn range(words: &'static str, refused: &'static str) -> Legal {
    Legal::Range { words, refused }
}

/// Name of the type of whole numbers.
pub const INTEGER: &str = "whole number";
/// Name of the type of real numbers.
pub const NUMBER: &str = "number";
/// Name of the type of switches.
pub const SWITCH: &str = "true or false";
/// Name of the type of free text.
pub const TEXT: &str = "text";
/// Name of the type of words, of which some are known.
pub const WORD: &str = "word";
/// Name of the type of layer widths.
pub const WIDTHS: &str = "list of whole numbers";
/// The range of 0 and the positive numbers that `f32` holds.
pub const NOT_NEGATIVE: Legal = range("0, or from 1.2e-38 to 3.4e38", "-1.0");
/// The range of hidden layers' widths.
pub const LAYERS: Legal = range("at most 8 widths of 1 to 4096", "[0]");

/// The settings in a learner's own section. The type has `#[serde(deny_unknown_fields, default)]`: an empty section stands
/// for the defaults, and unknown keys are refused. Every key in [`OwnConfig::KEYS`] begins with the section's name and a
/// dot.
pub trait OwnConfig: Serialize + DeserializeOwned + Default + 'static {
    /// Name of the section.
    const SECTION: &'static str;
    /// Its keys, in the order of the documents.
    const KEYS: &'static [Key];

    /// Refuses the first value outside its legal range.
    ///
    /// # Errors
    /// Key, value and range of that value.
    fn check(&self) -> Result<(), OutOfRange>;
}

/// An [`OwnConfig`] without its type.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Name of the section.
    pub name: &'static str,
    /// Its keys, in the order of the documents.
    pub keys: &'static [Key],
    /// Fills in every key of the section.
    pub resolve: fn(Table) -> Result<Table, toml::de::Error>,
    /// Runs [`OwnConfig::check`] on a resolved section.
    pub check: fn(&Table) -> Result<(), OutOfRange>,
}

impl Section {
    /// The section described by `C`.
    pub const fn of<C: OwnConfig>() -> Section {
        Section { name: C::SECTION, keys: C::KEYS, resolve: resolve::<C>, check: check::<C> }
    }
}

/// The settings in a resolved section.
///
/// # Panics
/// If the section was not resolved.
pub fn own<C: OwnConfig>(section: &Table) -> C {
    section.clone().try_into().expect("the section was resolved")
}

fn resolve<C: OwnConfig>(section: Table) -> Result<Table, toml::de::Error> {
    let config: C = section.try_into()?;
    Ok(Table::try_from(config).expect("settings have a TOML form"))
}

fn check<C: OwnConfig>(section: &Table) -> Result<(), OutOfRange> {
    own::<C>(section).check()
}
