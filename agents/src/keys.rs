//! Descriptions of configuration keys, and sections that belong to one learner alone.

use serde::{Serialize, de::DeserializeOwned};
use toml::Table;

use crate::ranges::OutOfRange;

/// One key: its type, its default, what it may be, and what it does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    /// Path, as `--set` takes it.
    pub key: &'static str,
    /// Type in words.
    pub kind: &'static str,
    /// The value that holds when the key is left out.
    pub default: Absent,
    /// Values that are accepted.
    pub legal: Legal,
    /// Unit; empty for a number without one.
    pub unit: &'static str,
    /// One line on what it does.
    pub meaning: &'static str,
}

/// The value of a key that is left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Absent {
    /// Nothing: the key must be there.
    Required,
    /// This value, as TOML.
    Is(&'static str),
    /// A rule in words; there is no value to write.
    Words(&'static str),
}

/// Values that a key accepts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Legal {
    /// In words, as an error message says them, with a value that is refused.
    Range {
        /// The words.
        words: &'static str,
        /// A TOML value outside.
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
    /// The value as TOML, where there is one.
    pub fn value(self) -> Option<toml::Value> {
        let Absent::Is(text) = self else { return None };
        toml::from_str::<Table>(&format!("v = {text}")).ok()?.remove("v")
    }

    /// For people.
    pub fn text(self) -> &'static str {
        match self {
            Absent::Required => "required",
            Absent::Is(text) | Absent::Words(text) => text,
        }
    }
}

impl Legal {
    /// For people.
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

/// A range in words, and a value outside.
pub const fn range(words: &'static str, refused: &'static str) -> Legal {
    Legal::Range { words, refused }
}

/// Whole numbers.
pub const INTEGER: &str = "whole number";
/// Real numbers.
pub const NUMBER: &str = "number";
/// Switches.
pub const SWITCH: &str = "true or false";
/// Widths of layers.
pub const WIDTHS: &str = "list of whole numbers";
/// 0, or a positive number that `f32` holds.
pub const NOT_NEGATIVE: Legal = range("0, or from 1.2e-38 to 3.4e38", "-1.0");
/// Widths of hidden layers.
pub const LAYERS: Legal = range("at most 8 widths of 1 to 4096", "[0]");

/// The settings in a learner's own section.
pub trait OwnConfig: Serialize + DeserializeOwned + Default + 'static {
    /// Name of the section.
    const SECTION: &'static str;
    /// Its keys, in the order of the documents.
    const KEYS: &'static [Key];

    /// Refuses the first value outside its legal range.
    ///
    /// # Errors
    /// With key, value and range.
    fn check(&self) -> Result<(), OutOfRange>;
}

/// An [`OwnConfig`] without its type.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Name of the section.
    pub name: &'static str,
    /// Its keys, in the order of the documents.
    pub keys: &'static [Key],
    /// The section with every key filled in.
    pub resolve: fn(Table) -> Result<Table, toml::de::Error>,
    /// [`OwnConfig::check`] on a resolved section.
    pub check: fn(&Table) -> Result<(), OutOfRange>,
}

impl Section {
    /// The section of `C`.
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
