//! The display of a study's progress: a bar on a terminal, one line for each finished cell in a pipe or a file.

use std::sync::Mutex;

use super::{
    cell::CellResult,
    methods::Length,
    plan::{Cell, Plan},
    scores::SPLITS,
};
use crate::{evaluate::evaluation_steps, logging::pieces::Pieces, stats::mean};

/// The progress of a study on stderr.
pub struct Progress<'a> {
    plan: &'a Plan,
    /// Finished cells and their work.
    done: Mutex<(usize, u64)>,
    shown: Pieces,
}

impl<'a> Progress<'a> {
    /// The progress of making the cells `missing`.
    pub fn new(plan: &'a Plan, missing: &[usize], quiet: bool) -> Self {
        let total = missing.iter().map(|at| work(plan, *at)).sum();
        Progress { plan, done: Mutex::default(), shown: Pieces::new("cell", missing.len(), total, quiet) }
    }

    /// Shows a finished cell.
    pub fn cell(&self, at: usize, result: &CellResult) {
        let mut done = self.done.lock().expect("no thread panics with it");
        *done = (done.0 + 1, done.1 + work(self.plan, at));
        self.shown.show(*done, &format!("{}: {}", self.plan.cells[at].name, returns(result)));
    }

    /// Ends the bar and leaves it on the screen as it is.
    pub fn finish(&self) {
        self.shown.finish();
    }
}

/// Steps of an evaluation that take about the time of one of training, which learns from it, too.
pub(crate) const FASTER: u64 = 20;

/// The work of a cell, in environment steps of training: its training, if it is its own, and its evaluations.
pub fn work(plan: &Plan, at: usize) -> u64 {
    let cell = &plan.cells[at];
    let training = if cell.trained_by == at { training_steps(plan, cell) } else { 0 };
    training + steps_of_evaluations(plan, cell) / FASTER
}

/// Planned environment steps of a cell's training.
pub fn training_steps(plan: &Plan, cell: &Cell) -> u64 {
    let limited = cell.training.as_ref().is_some_and(|(config, _)| config.max_env_steps > 0);
    if limited { plan.presets[cell.place.1].env_steps * policies(plan, cell) } else { 0 }
}

/// Number of policies of a cell: specialists are one for each held-out task.
fn policies(plan: &Plan, cell: &Cell) -> u64 {
    let specialists = matches!(cell.training, Some((_, Length::Each)));
    if specialists { (plan.file.evaluation.tasks * SPLITS.len()) as u64 } else { 1 }
}

/// Environment steps of a cell's evaluations, at most: likeliest and sampled actions, and those of the unadapted policy.
fn steps_of_evaluations(plan: &Plan, cell: &Cell) -> u64 {
    let splits = if policies(plan, cell) > 1 { 1 } else { SPLITS.len() as u64 };
    evaluation_steps(&cell.judged, &plan.protocol(SPLITS[0])) * splits * policies(plan, cell)
}

/// Mean returns on held-out tasks of the training distribution, before and after adaptation.
fn returns(result: &CellResult) -> String {
    let scores = result.held_out(SPLITS[0]);
    let ends = scores.and_then(|scores| Some((scores.phases.first()?, scores.phases.last()?)));
    ends.map_or(String::new(), |(first, last)| format!("{:.1} -> {:.1}", mean(&first.returns), mean(&last.returns)))
}
