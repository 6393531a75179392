//! The commands, from arguments to output.

pub mod bench;
pub mod compare;
pub mod config;
pub mod doctor;
pub mod env;
pub mod estimators;
pub mod evaluate;
pub mod learners;
pub mod manual;
pub mod optimizer;
pub mod presets;
pub mod record;
pub mod runs;
pub mod score;
pub mod selftest;
pub mod study;
pub mod tasks;
pub mod train;

use serde::Serialize;

use crate::cli::Format;
pub use crate::message::print;

/// Prints a result as text or, for programs, as one JSON value.
///
/// # Errors
/// As [`print`].
pub(crate) fn print_as(
    format: Format,
    value: &impl Serialize,
    text: impl FnOnce() -> String,
) -> crate::failure::Result<()> {
    Ok(print(&match format {
        Format::Text => text(),
        Format::Json => serde_json::to_string_pretty(value)? + "\n",
    })?)
}

/// A table with columns as wide as their widest cell.
pub(crate) fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
