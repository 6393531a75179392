//! The report on runs, studies and lives: one HTML file without scripts, and each figure and table as a file of its own.
//!
//! ```text
//! folder or file --[stored, run, lives]--> Part: answer, notices, tables, figures --[page, style.css]--> report.html
//!                                                                                --[assets]--> *.svg, *.csv, *.json
//! ```
//!
//! A report draws what a study or an evaluation stored and computes no statistic of its own, apart from smoothed curves and
//! the bins of heat maps.

mod assets;
pub mod chart;
mod heat;
mod lives;
mod page;
mod replay;
mod run;
mod run_evaluations;
pub mod stack;
mod stored;
mod study;
mod study_figures;
mod study_settings;
pub mod svg;
mod table;
mod unfinished;

use std::{collections::BTreeMap, path::Path, path::PathBuf};

pub use assets::write_assets;
pub use page::Page;
use page::Part;

use crate::{
    config::Experiment,
    failure::{Result, WrongUsage},
    film::Gif,
    study::Outline,
};

/// A part with the digests of its held-out tasks by preset, seed of the tasks, and split.
type Digests = BTreeMap<(String, u64, String), String>;

/// The report on the runs and studies in `folders`, among which may be files of lives.
///
/// # Errors
/// If one is none of them, or a file in it cannot be read.
pub fn page(folders: &[PathBuf]) -> Result<Page> {
    let mut parts: Vec<Part> = Vec::new();
    let mut known: BTreeMap<(String, u64, String), (String, String)> = BTreeMap::new();
    for dir in folders {
        let (mut part, digests) = part(dir)?;
        for (place, digest) in digests {
            let (of, first) = known.entry(place.clone()).or_insert_with(|| (part.name.clone(), digest.clone())).clone();
            if first != digest {
                let (preset, _, split) = place;
                part.notices.push(format!(
                    "Its {split} tasks of {preset} are not those of {of}, above: another version of the preset, or settings \
                     of its own. Do not compare the two."
                ));
            }
        }
        parts.push(part);
    }
    let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
    Ok(Page { title: format!("metadrift: {}", names.join(", ")), parts })
}

/// The answer and the table of evaluation `stem` of the run in folder `dir`, as Markdown, and the film of its worst task.
///
/// # Errors
/// If the evaluation cannot be read.
pub fn summary(dir: &Path, config: &Experiment, stem: &str) -> Result<(String, Option<Gif>)> {
    run_evaluations::summary(dir, config, stem)
}

fn part(dir: &Path) -> Result<(Part, Digests)> {
    if dir.is_file() {
        return Ok((lives::part(dir)?, Digests::new()));
    }
    let results = dir.join("results.json");
    if dir.join("config.toml").is_file() {
        return run::part(dir);
    }
    let outline = Outline::read(dir)?;
    if results.is_file() {
        let found = stored::Results::read(&results)?;
        match outline {
            Some(outline) if outline.digest != found.digest => {}
            _ => return Ok((study::part(dir, &found, Vec::new()), found.digests())),
        }
    }
    if dir.join("cells").is_dir() {
        return Ok((unfinished::part(dir)?, Digests::new()));
    }
    let message = format!(
        "{} is neither a run, which has a config.toml, nor a study, which has a results.json or cells, nor a file of lives",
        dir.display()
    );
    Err(WrongUsage(message).into())
}
