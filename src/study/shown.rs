//! Methods, presets and cells in the results: everything that a report draws and that is no statistic.

use std::collections::BTreeMap;

use metadrift_envs::{Split, Task, channels};
use serde::Serialize;

use super::{
    cell::{CellResult, leaves_a_run},
    methods::Made,
    plan::{Cell, Plan},
    scores::{SPLITS, digests, tasks},
};
use crate::{config::Role, course::range};

/// Tasks of training by which the ranges of a preset's channels are found.
const BOX_TASKS: u32 = 256;

/// A method.
#[derive(Debug, Serialize)]
pub struct MethodShown {
    /// Its name.
    pub name: String,
    /// One line on what it is.
    pub about: String,
}

/// A preset.
#[derive(Debug, Serialize)]
pub struct PresetShown {
    /// Its name.
    pub name: String,
    description: String,
    /// Its role.
    pub role: Role,
    env: String,
    /// Environment steps of a training.
    pub env_steps: u64,
    /// Least and largest value in training of each channel that varies on any split.
    training_box: BTreeMap<String, [f64; 2]>,
    /// The evaluated tasks of each split.
    splits: BTreeMap<String, Vec<TaskShown>>,
}

/// A task.
#[derive(Debug, Serialize)]
struct TaskShown {
    fingerprint: String,
    /// Values of the channels that vary, before any drift.
    values: BTreeMap<String, f64>,
    /// Channels that drift.
    drifts: Vec<String>,
}

/// A cell.
#[derive(Debug, Serialize)]
pub struct CellShown {
    method: String,
    preset: String,
    seed: u64,
    /// Folder of its training below that of the study: that of another cell if the two have the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    /// The command that makes its training, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(flatten)]
    result: CellResult,
}

impl PresetShown {
    /// A preset's tasks, and what varies in them.
    pub(super) fn of(plan: &Plan, at: usize) -> Self {
        let of = &plan.presets[at];
        let spec = of.experiment.env().spec();
        let cell = plan.cells.iter().find(|cell| cell.place.1 == at).expect("a preset has cells");
        let seed = plan.file.evaluation.seed;
        let training: Vec<Task> =
            (0..BOX_TASKS).map(|index| of.experiment.tasks(Split::Train).sample(seed, 0, index)).collect();
        let held: Vec<(Split, Vec<Task>)> = SPLITS.map(|split| (split, tasks(plan, cell, split))).into();
        let all: Vec<&Task> = training.iter().chain(held.iter().flat_map(|(_, tasks)| tasks)).collect();
        let names: Vec<String> = channels(spec).into_iter().map(|channel| channel.name).collect();
        let varies = |channel: &usize| all.iter().any(|task| task.values[*channel] != all[0].values[*channel]);
        let varying: Vec<usize> = (0..names.len()).filter(varies).collect();
        let ends = |channel: usize| {
            let values = training.iter().map(|task| task.values[channel]);
            let (low, high) = range(values);
            [low, high]
        };
        let task = |(task, fingerprint): (&Task, String)| TaskShown {
            fingerprint,
            values: varying.iter().map(|channel| (names[*channel].clone(), task.values[*channel])).collect(),
            drifts: task.drifts.iter().map(|drift| names[drift.channel].clone()).collect(),
        };
        let split = |(split, tasks): &(Split, Vec<Task>)| {
            (split.to_string(), tasks.iter().zip(digests(cell, tasks)).map(task).collect())
        };
        PresetShown {
            name: of.name.clone(),
            description: of.experiment.description.clone(),
            role: of.experiment.role,
            env: of.experiment.task.env.clone(),
            env_steps: of.env_steps,
            training_box: varying.iter().map(|channel| (names[*channel].clone(), ends(*channel))).collect(),
            splits: held.iter().map(split).collect(),
        }
    }
}

impl CellShown {
    /// A cell with the command of its training.
    pub(super) fn of(plan: &Plan, cell: &Cell, result: &CellResult) -> Self {
        let (method, preset) = (&plan.methods[cell.place.0], &plan.presets[cell.place.1]);
        let command = match &method.made {
            Made::Policy(policy) => policy.command(preset, cell.seed),
            Made::Law(_) => None,
        };
        let run = leaves_a_run(cell).then(|| format!("cells/{}/run", plan.cells[cell.trained_by].name));
        CellShown {
            run,
            method: method.name.clone(),
            preset: preset.name.clone(),
            seed: cell.seed,
            command,
            result: result.clone(),
        }
    }
}
