//! Exact settings and commands of a study.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use super::{
    page::Block,
    stored::{Cell as StudyCell, Results},
    table::{Cell, Table},
};
use crate::study::Outline;

/// Methods, cells, settings and commands.
pub fn blocks(dir: &Path, results: &Results) -> Vec<Block> {
    let about = |method: &super::stored::Method| vec![Cell::text(&method.name), Cell::text(&method.about)];
    let methods = Table {
        name: "methods".to_owned(),
        caption: "Methods".to_owned(),
        head: ["method", "is"].map(str::to_owned).into(),
        rows: results.methods.iter().map(about).collect(),
        note: String::new(),
    };
    let mut blocks = vec![
        Block::Heading("Configuration and commands".to_owned()),
        Block::Table(methods),
        Block::Folded(cells(results)),
    ];
    for preset in &results.presets {
        let text = settings(results, &preset.name);
        blocks.push(Block::Code(format!("Settings on {}", preset.name), text));
    }
    let file = Outline::read(dir).ok().flatten();
    match file {
        Some(file) => {
            blocks.push(Block::Code("The command of this study".to_owned(), file.command(dir)));
            blocks.push(Block::Code(format!("The study's file, {}", file.origin), file.text));
        }
        None => {
            blocks.push(Block::Text("The folder does not hold the study's file: an older version made it.".to_owned()))
        }
    }
    let commands: Vec<&str> = results.cells.iter().filter_map(|cell| cell.command.as_deref()).collect();
    blocks.push(Block::Code("The command of each training on its own".to_owned(), commands.join("\n")));
    blocks
}

fn cells(results: &Results) -> Table {
    let whole = |value: u64| Cell { text: value.to_string(), ..Cell::number(value as f64) };
    let row = |cell: &StudyCell| {
        let run = cell.run.clone().unwrap_or_else(|| "–".to_owned());
        vec![
            Cell::text(&cell.method),
            Cell::text(&cell.preset),
            whole(cell.seed),
            Cell::text(&cell.result.ended),
            whole(cell.result.iterations),
            whole(cell.result.env_steps),
            Cell::text(run),
        ]
    };
    Table {
        name: "cells".to_owned(),
        caption: "Cells: trainings and how they ended".to_owned(),
        head: ["method", "preset", "seed", "ended", "iterations", "steps", "run"].map(str::to_owned).into(),
        rows: results.cells.iter().map(row).collect(),
        note: "Cells with one run share its training. `none`: a method without training.".to_owned(),
    }
}

/// The settings that all cells of a preset share, then those of each method that differ.
fn settings(results: &Results, preset: &str) -> String {
    let cells: Vec<&StudyCell> = results.cells.iter().filter(|cell| cell.preset == preset).collect();
    let Some(first) = cells.first() else { return String::new() };
    let shared: BTreeMap<&String, &String> = first
        .result
        .settings
        .iter()
        .filter(|(key, value)| cells.iter().all(|cell| cell.result.settings.get(*key) == Some(value)))
        .collect();
    let mut text = "# all methods\n".to_owned();
    for (key, value) in &shared {
        let _ = writeln!(text, "{key} = {value}");
    }
    for method in &results.methods {
        let Some(cell) = cells.iter().find(|cell| cell.method == method.name) else { continue };
        let _ = writeln!(text, "\n# {}", method.name);
        let own = cell.result.settings.iter().filter(|(key, _)| !shared.contains_key(key) && *key != "seed");
        own.for_each(|(key, value)| {
            let _ = writeln!(text, "{key} = {value}");
        });
    }
    text
}
