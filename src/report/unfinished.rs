//! The report on a study of which cells are missing.

use std::path::Path;

use super::{
    page::{Block, Part},
    stored::{self, CellResult, Sealed},
    study::SPLITS,
    table::{Cell, Table},
};
use crate::{
    failure::{During, Result},
    message,
    stats::mean,
    study::Outline,
};

/// The cells of a study on the disk.
struct Found {
    /// Name and result of each finished cell.
    finished: Vec<(String, CellResult)>,
    /// Names of the others.
    missing: Vec<String>,
    /// Reasons why results cannot be used.
    damaged: Vec<String>,
}

impl Found {
    /// The results of the cells with these names.
    fn read(cells: &Path, names: Vec<String>) -> Self {
        let mut found = Found { finished: Vec::new(), missing: Vec::new(), damaged: Vec::new() };
        for name in names {
            let path = cells.join(&name).join("result.json");
            let there = std::fs::symlink_metadata(&path).is_ok();
            match there.then(|| stored::read::<Sealed>(&path)) {
                Some(Ok(sealed)) => found.finished.push((name, sealed.cell)),
                Some(Err(error)) => {
                    found.damaged.push(message::of_error(&error));
                    found.missing.push(name);
                }
                None => found.missing.push(name),
            }
        }
        found
    }

    fn table(&self) -> Table {
        let head = ["cell", "ended", "in-dist before", "in-dist after", "ood before", "ood after"];
        Table {
            name: "cells".to_owned(),
            caption: "Cells that are finished: mean returns per episode before and after adaptation".to_owned(),
            head: head.map(str::to_owned).into(),
            rows: self.finished.iter().map(|(name, cell)| row(name, cell)).collect(),
            note: "Single trainings: there are no intervals before all cells are finished.".to_owned(),
        }
    }
}

/// The report on the cells that are in folder `dir`.
///
/// # Errors
/// If the folder or the study's outline cannot be read.
pub fn part(dir: &Path) -> Result<Part> {
    let outline = Outline::read(dir)?;
    let cells = dir.join("cells");
    let names = outline.as_ref().map_or_else(|| folders(&cells), |outline| Ok(outline.cells.clone()))?;
    let found = Found::read(&cells, names);
    let (there, missing) = (found.finished.len(), found.missing.len());
    let table = found.table();
    let mut notices = found.damaged;
    if outline.is_none() {
        notices.push("The folder does not say which cells the study has: an older version made it.".to_owned());
    }
    if dir.join("results.json").is_file() {
        notices.push("results.json belongs to an earlier version of the study and is not shown.".to_owned());
    }
    let all = there + missing;
    let mut blocks = vec![Block::Table(table), Block::Code("Missing cells".to_owned(), found.missing.join("\n"))];
    if let Some(outline) = &outline {
        blocks.push(Block::Code("This command makes them".to_owned(), outline.command(dir)));
        blocks.push(Block::Code(format!("The study's file, {}", outline.origin), outline.text.clone()));
    }
    let unnamed = || Outline { study: dir.display().to_string(), ..Outline::default() };
    let Outline { study, description, .. } = outline.unwrap_or_else(unnamed);
    let answer = format!("The study is not finished: {there} of {all} cells are there, {missing} are missing.");
    Ok(Part { kind: "Study", name: study, asked: description, answer, notices, blocks })
}

fn folders(dir: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(dir).and_then(|entries| {
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<std::io::Result<Vec<_>>>()
    });
    let mut names = entries.during(|| format!("cannot list {}", dir.display()))?;
    names.sort();
    Ok(names)
}

fn row(name: &str, cell: &CellResult) -> Vec<Cell> {
    let mut row = vec![Cell::text(name), Cell::text(&cell.ended)];
    for (split, _) in SPLITS {
        let held = cell.held_out(split);
        let ends = held.and_then(|held| held.curve.first().zip(held.curve.last()));
        let score = |returns: Option<&Vec<f64>>| returns.map_or(Cell::default(), |returns| Cell::number(mean(returns)));
        row.extend([score(ends.map(|(first, _)| &first.returns)), score(ends.map(|(_, last)| &last.returns))]);
    }
    row
}
