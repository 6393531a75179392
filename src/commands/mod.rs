//! What each command does: from arguments to output.

pub mod bench;
pub mod doctor;
pub mod env;
pub mod evaluate;
pub mod presets;
pub mod record;
pub mod selftest;
pub mod tasks;
pub mod train;

use std::{io, path::Path};

use anyhow::{Context, Result};

pub use crate::message::print;

/// Refuses a file that cannot be written before any work goes into what it is to hold. Nothing is left behind.
///
/// # Errors
/// If its folder does not exist or takes no files, or the name is a folder's.
pub(crate) fn writable(file: &Path) -> Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let tried = match file.is_dir() {
        true => Err(io::ErrorKind::IsADirectory.into()),
        false => tempfile::tempfile_in(folder).map(drop),
    };
    // tempfile names its own path in the error
    let plain = |error: io::Error| error.raw_os_error().map_or(error, io::Error::from_raw_os_error);
    tried.map_err(plain).with_context(|| format!("cannot write {}", file.display()))
}

/// Columns as wide as their widest cell.
pub(crate) fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
