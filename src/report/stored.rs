//! The files of a study as they were written. Fields that a report does not draw are left out.

use std::{collections::BTreeMap, io, path::Path};

use serde::{Deserialize, Deserializer};

use super::Digests;
use crate::{
    failure::{During, Result},
    run_dir::{DIGESTED, read_own, sha256},
};

/// Largest file that is read (B).
const MAX_BYTES: u64 = 1 << 30;
/// The form of results that is read.
const SCHEMA: u32 = 1;

/// `results.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct Results {
    pub schema: u32,
    pub study: String,
    pub description: String,
    pub digest: String,
    pub evaluation: BTreeMap<String, u64>,
    pub baseline: Option<String>,
    pub scale: Option<[String; 2]>,
    pub methods: Vec<Method>,
    pub presets: Vec<Preset>,
    pub rows: Vec<Row>,
    pub cells: Vec<Cell>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Method {
    pub name: String,
    pub about: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Preset {
    pub name: String,
    pub description: String,
    pub role: String,
    pub env_steps: u64,
    pub training_box: BTreeMap<String, [f64; 2]>,
    pub splits: BTreeMap<String, Vec<Task>>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Task {
    pub fingerprint: String,
    pub values: BTreeMap<String, f64>,
    pub drifts: Vec<String>,
}

/// A row of the results; a value that is not finite is NaN.
#[derive(Clone, Debug, Deserialize)]
pub struct Row {
    pub method: String,
    pub preset: String,
    pub role: String,
    pub split: String,
    pub metric: String,
    pub at: Option<f64>,
    #[serde(deserialize_with = "number")]
    pub value: f64,
    #[serde(deserialize_with = "number")]
    pub low: f64,
    #[serde(deserialize_with = "number")]
    pub high: f64,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Cell {
    pub method: String,
    pub preset: String,
    pub seed: u64,
    pub run: Option<String>,
    pub command: Option<String>,
    #[serde(flatten)]
    pub result: CellResult,
}

/// The result of a cell, in `results.json` and in the cell's own `result.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct CellResult {
    pub settings: BTreeMap<String, String>,
    pub tasks: BTreeMap<String, String>,
    pub ended: String,
    pub iterations: u64,
    pub env_steps: u64,
    pub evaluations: Vec<Evaluated>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Evaluated {
    HeldOut(HeldOut),
    /// Their metrics are among the rows.
    Lives {},
}

impl CellResult {
    /// The scores on held-out tasks of a split.
    pub fn held_out(&self, split: &str) -> Option<&HeldOut> {
        self.evaluations.iter().find_map(|evaluated| match evaluated {
            Evaluated::HeldOut(held) if held.split == split => Some(held),
            Evaluated::HeldOut(_) | Evaluated::Lives {} => None,
        })
    }
}

#[derive(Clone, Debug, Deserialize)]
pub struct HeldOut {
    pub split: String,
    pub curve: Vec<Phase>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Phase {
    pub returns: Vec<f64>,
    pub unadapted: Vec<f64>,
}

/// A cell's `result.json`.
#[derive(Debug, Deserialize)]
pub struct Sealed {
    pub cell: CellResult,
}

/// JSON has no NaN: it is written as null.
fn number<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(from)?.unwrap_or(f64::NAN))
}

/// Reads a file of JSON.
///
/// # Errors
/// If it cannot be read or has another form; the error names it.
pub fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = read_own(path, MAX_BYTES)?;
    serde_json::from_slice(&bytes).map_err(io::Error::from).during(|| format!("cannot read {}", path.display()))
}

impl Results {
    /// Reads the results of a study.
    ///
    /// # Errors
    /// If they cannot be read, or have the form of another version of the program.
    pub fn read(path: &Path) -> Result<Self> {
        let found: Results = read(path)?;
        if found.schema != SCHEMA {
            let reason = format!("they have form {}, and this program reads form {SCHEMA}", found.schema);
            return Err(io::Error::other(reason)).during(|| format!("cannot read the results in {}", path.display()));
        }
        Ok(found)
    }

    /// The row of a metric.
    pub fn find(&self, (method, preset, split): (&str, &str, &str), metric: &str, at: Option<f64>) -> Option<&Row> {
        let same = |row: &&Row| {
            (row.method.as_str(), row.preset.as_str(), row.split.as_str()) == (method, preset, split)
                && (row.metric.as_str(), row.at) == (metric, at)
        };
        self.rows.iter().find(same)
    }

    /// Digests of the first held-out tasks, as a run's manifest has them for a run of the evaluation's seed.
    pub fn digests(&self) -> Digests {
        let seed = self.evaluation.get("seed").copied().unwrap_or(0);
        let of_preset = |preset: &'_ Preset| -> Vec<((String, u64, String), String)> {
            let digest = |tasks: &[Task]| {
                let first = tasks.get(..DIGESTED as usize)?;
                let bytes = first.iter().map(|task| u64::from_str_radix(&task.fingerprint, 16).map(u64::to_le_bytes));
                Some(sha256(&bytes.collect::<Result<Vec<[u8; 8]>, _>>().ok()?.concat()))
            };
            let known = preset.splits.iter().filter_map(|(split, tasks)| Some((split.clone(), digest(tasks)?)));
            known.map(|(split, digest)| ((preset.name.clone(), seed, split), digest)).collect()
        };
        self.presets.iter().flat_map(of_preset).collect()
    }

    /// Number of adaptation steps.
    pub fn steps(&self) -> u64 {
        self.evaluation.get("adapt_steps").copied().unwrap_or(0)
    }

    /// Methods that have to find out by themselves what varies: neither the upper end of the scale nor one that observes the
    /// values of all channels where others do not.
    pub fn competes(&self, method: &str) -> bool {
        let level = |cell: &Cell| cell.result.settings.get("task.notify.level").cloned().unwrap_or_default();
        let sees = |cell: &Cell| level(cell).contains("value");
        let beside = |cell: &Cell| self.cells.iter().any(|other| other.preset == cell.preset && !sees(other));
        let knows = self.cells.iter().any(|cell| cell.method == method && sees(cell) && beside(cell));
        self.scale.as_ref().is_none_or(|[_, one]| one != method) && !knows
    }

    /// Returns of each task, the mean over seeds: in the last phase of a life, and of the unadapted policy there.
    pub fn per_task(&self, (method, preset, split): (&str, &str, &str)) -> Option<[Vec<f64>; 2]> {
        let cells: Vec<&Cell> =
            self.cells.iter().filter(|cell| cell.method == method && cell.preset == preset).collect();
        let last = |cell: &&Cell| cell.result.held_out(split)?.curve.last().cloned();
        let phases: Vec<Phase> = cells.iter().filter_map(last).collect();
        let over_seeds = |of: fn(&Phase) -> &Vec<f64>| -> Vec<f64> {
            let tasks = phases.iter().map(|phase| of(phase).len()).min().unwrap_or(0);
            (0..tasks).map(|task| crate::stats::mean(&phases.iter().map(|p| of(p)[task]).collect::<Vec<_>>())).collect()
        };
        (!phases.is_empty()).then(|| [over_seeds(|phase| &phase.returns), over_seeds(|phase| &phase.unadapted)])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn results(levels: [&str; 3]) -> Results {
        let cell = |method: &str, level: &str| {
            let returns = json!({ "returns": [1.0, 3.0], "unadapted": [0.0, 0.0] });
            let held = json!({ "kind": "held-out", "split": "ood", "curve": [returns] });
            let lives = json!({ "kind": "lives", "split": "ood", "lives": [] });
            json!({ "method": method, "preset": "p", "seed": 0, "settings": { "task.notify.level": format!("\"{level}\"") },
                    "tasks": {}, "ended": "none", "iterations": 0, "env_steps": 0, "evaluations": [lives, held] })
        };
        let cells: Vec<_> = ["top", "a", "b"].iter().zip(levels).map(|(method, level)| cell(method, level)).collect();
        let row = json!({ "method": "a", "preset": "p", "role": "control", "split": "ood", "metric": "mean", "at": 1.0,
                          "value": 2.0, "low": null, "high": 3.0 });
        let whole = json!({ "schema": 1, "study": "s", "description": "", "digest": "", "evaluation": { "adapt_steps": 1 },
                            "baseline": null, "scale": ["b", "top"], "methods": [], "presets": [], "rows": [row],
                            "cells": cells });
        serde_json::from_value(whole).unwrap()
    }

    #[test]
    fn methods_that_see_more_than_others_do_not_compete() {
        let found = |levels| ["top", "a", "b"].map(|method| results(levels).competes(method));
        assert_eq!(found(["none", "value", "none"]), [false, false, true]);
        assert_eq!(found(["value", "value", "value"]), [false, true, true]);
    }

    #[test]
    fn scores_of_a_task_are_means_over_seeds_and_null_is_no_number() {
        let mut found = results(["none"; 3]);
        let mut second = found.cells[1].clone();
        let Evaluated::HeldOut(held) = &mut second.result.evaluations[1] else { panic!("it is the second") };
        held.curve[0].returns = vec![2.0, 5.0];
        found.cells.push(second);
        assert_eq!(found.per_task(("a", "p", "ood")), Some([vec![1.5, 4.0], vec![0.0, 0.0]]));
        assert_eq!(found.per_task(("a", "p", "in-dist")), None);
        let row = found.find(("a", "p", "ood"), "mean", Some(1.0)).unwrap();
        assert!(row.low.is_nan() && row.high == 3.0);
    }
}
