//! Every word of the task language.

pub use super::entry::{Entry, Field, Section};
use super::{laws, schedules, tables};

/// The start of a file in which the examples load.
pub const EXAMPLE_HEAD: &str = "name = \"example\"\n[task]\nenv = \"cartpole\"\n";

/// Every word, in the order of the documents.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    [tables::TABLES, laws::LAWS, schedules::SCHEDULES, tables::TIMING, tables::CHOICES].into_iter().flatten()
}
