//! The commands, from arguments to output.

pub mod adapt;
pub mod bench;
pub mod compare;
pub mod config;
pub mod doctor;
pub mod env;
pub mod estimators;
pub mod evaluate;
pub mod export;
pub mod learners;
pub mod live;
pub mod manual;
pub mod optimizer;
pub mod presets;
pub mod record;
pub mod report;
pub mod runs;
pub mod score;
pub mod selftest;
pub mod study;
pub mod tasks;
pub mod train;
pub mod tune;

use std::borrow::Cow;

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

/// A table as [`aligned`] makes it, whose last column is broken into lines so that none is wider than the terminal, or than
/// 80 columns where there is none.
pub(crate) fn fitted<const N: usize>(rows: &[[String; N]]) -> String {
    fitted_to(textwrap::termwidth(), rows)
}

fn fitted_to<const N: usize>(width: usize, rows: &[[String; N]]) -> String {
    let of = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0) + 2;
    let room = width.saturating_sub((0..N - 1).map(of).sum()).max(NARROWEST);
    let broken = |row: &[String; N]| {
        let lines = textwrap::wrap(&row[N - 1], room);
        let line = |(at, text): (usize, &Cow<'_, str>)| {
            let cell = |column: usize| if at == 0 { row[column].clone() } else { String::new() };
            std::array::from_fn(|column| if column + 1 < N { cell(column) } else { text.to_string() })
        };
        lines.iter().enumerate().map(line).collect::<Vec<[String; N]>>()
    };
    aligned(&rows.iter().flat_map(broken).collect::<Vec<_>>())
}

/// Width of a last column below which it is not broken further.
const NARROWEST: usize = 20;

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

#[cfg(test)]
mod tests {
    use super::fitted_to;

    #[test]
    fn the_last_column_goes_on_below_itself() {
        let rows = [["one", "short"], ["twenty", "as long as it takes to fill more"]].map(|row| row.map(str::to_owned));
        let text = "one     short\ntwenty  as long as it takes\n        to fill more\n";
        assert_eq!(fitted_to(28, &rows), text);
        // no narrower than 20, and as wide as there is room
        assert_eq!(fitted_to(5, &rows), text);
        assert_eq!(fitted_to(200, &rows).lines().count(), 2);
    }
}
