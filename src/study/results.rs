//! The results of a study: one number a row, each with its interval, and everything that a report draws.

use std::collections::BTreeMap;

use metadrift_agents::threads::run_jobs;
use serde::Serialize;

use super::{
    cell::CellResult,
    measure::{OnPreset, overall},
    plan::Plan,
    scores::SPLITS,
    shown::{CellShown, MethodShown, PresetShown},
};
use crate::config::Role;

/// The name in the place of a preset's for all presets of a role.
pub const ALL: &str = "all";

/// A number of the results.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The method.
    pub method: String,
    /// The preset, or [`ALL`] for the mean over the presets of a role.
    pub preset: String,
    /// The preset's role.
    pub role: Role,
    /// The split.
    pub split: &'static str,
    /// The metric, as docs/studies.md defines it.
    pub metric: &'static str,
    /// The number of adaptation steps before, or tau of a profile; none for a metric of the whole curve.
    pub at: Option<f64>,
    /// Number of seeds.
    pub seeds: usize,
    /// Number of tasks.
    pub tasks: usize,
    /// The value.
    pub value: f64,
    /// The lower end of its 95 % interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The results in the shape of their JSON form.
#[derive(Debug, Serialize)]
pub struct Results {
    /// Version of this form.
    pub schema: u32,
    /// The study's name.
    pub study: String,
    /// One line on what it asks.
    pub description: String,
    /// SHA-256 of everything that the results depend on.
    pub digest: String,
    /// The protocol of evaluation.
    pub evaluation: BTreeMap<&'static str, u64>,
    /// The method that others are compared with.
    pub baseline: Option<String>,
    /// The methods at 0 and 1 of the scale.
    pub scale: Option<[String; 2]>,
    /// The methods.
    pub methods: Vec<MethodShown>,
    /// The presets.
    pub presets: Vec<PresetShown>,
    /// The numbers.
    pub rows: Vec<Row>,
    /// Scores per task of each cell.
    pub cells: Vec<CellShown>,
}

impl Results {
    /// The results of all cells, `[cells]` in the order of the plan, computed on so many threads.
    ///
    /// # Panics
    /// If there are not as many as cells.
    pub fn new(plan: &Plan, found: &[CellResult], threads: usize) -> Self {
        assert_eq!(found.len(), plan.cells.len(), "a result for each cell");
        let mut rows: Vec<Row> = Vec::new();
        let mut measured = Vec::new();
        for (preset, split) in (0..plan.presets.len()).flat_map(|preset| SPLITS.map(|split| (preset, split))) {
            let on = OnPreset::new(plan, found, preset, split);
            let mut of_methods: Vec<Vec<Row>> = vec![Vec::new(); plan.methods.len()];
            let jobs = of_methods.iter_mut().enumerate().collect();
            run_jobs(jobs, threads, |(method, rows): (usize, &mut Vec<Row>)| *rows = on.measure(plan, method));
            rows.extend(of_methods.into_iter().flatten());
            measured.push(on);
        }
        rows.extend(overall(plan, &measured));
        let asked = plan.file.evaluation;
        let evaluation = [
            ("tasks", asked.tasks as u64),
            ("episodes", asked.episodes as u64),
            ("adapt_steps", asked.adapt_steps as u64),
            ("seed", asked.seed),
        ];
        let name = |at: usize| plan.methods[at].name.clone();
        Results {
            schema: 1,
            study: plan.file.name.clone(),
            description: plan.file.description.clone(),
            digest: plan.digest(),
            evaluation: evaluation.into_iter().collect(),
            baseline: plan.baseline.map(name),
            scale: plan.scale.map(|(zero, one)| [name(zero), name(one)]),
            methods: plan
                .methods
                .iter()
                .map(|it| MethodShown { name: it.name.clone(), about: it.about.clone() })
                .collect(),
            presets: (0..plan.presets.len()).map(|at| PresetShown::of(plan, at)).collect(),
            rows,
            cells: plan.cells.iter().zip(found).map(|(cell, result)| CellShown::of(plan, cell, result)).collect(),
        }
    }

    /// The row of a metric.
    pub fn find(&self, (method, preset, split): (&str, &str, &str), metric: &str, at: Option<f64>) -> Option<&Row> {
        let same = |row: &&Row| {
            (row.method.as_str(), row.preset.as_str(), row.split) == (method, preset, split)
                && (row.metric, row.at) == (metric, at)
        };
        self.rows.iter().find(same)
    }
}
