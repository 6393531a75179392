//! The display of a study's progress: a bar on a terminal, one line for each finished cell in a pipe or a file.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    cell::CellResult,
    methods::Length,
    plan::{Cell, Plan},
    scores::SPLITS,
};
use crate::{life::Life, logging::progress::duration, message, stats::mean};

/// The progress of a study on stderr.
pub struct Progress<'a> {
    plan: &'a Plan,
    /// Work of all missing cells (environment steps).
    total: u64,
    began: Instant,
    /// Finished cells and their work.
    done: Mutex<(usize, u64)>,
    cells: usize,
    bar: ProgressBar,
    quiet: bool,
}

impl<'a> Progress<'a> {
    /// The progress of making the cells `missing`.
    pub fn new(plan: &'a Plan, missing: &[usize], quiet: bool) -> Self {
        let total = missing.iter().map(|at| work(plan, *at)).sum();
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(missing.len() as u64), target);
        let style = ProgressStyle::with_template("cell {pos:>3}/{len} [{bar:8}] {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        bar.tick();
        Progress { plan, total, began: Instant::now(), done: Mutex::default(), cells: missing.len(), bar, quiet }
    }

    /// Shows a finished cell.
    pub fn cell(&self, at: usize, result: &CellResult) {
        let mut done = self.done.lock().expect("no thread panics with it");
        *done = (done.0 + 1, done.1 + work(self.plan, at));
        let cell = &self.plan.cells[at];
        let line = format!("{}: {}", cell.name, returns(result));
        let left = self.left(done.1);
        if !self.bar.is_hidden() {
            self.bar.set_message(format!("left {}  {line}", duration(left)));
            self.bar.set_position(done.0 as u64);
        } else if !self.quiet {
            let (count, all) = (done.0, self.cells);
            message::say(&format!("cell {count:>3}/{all}  {line}  left {}", duration(left)));
        }
    }

    /// Ends the bar and leaves it on the screen as it is.
    pub fn finish(&self) {
        if !self.bar.is_hidden() {
            self.bar.abandon();
        }
    }

    /// The time left at the mean pace so far.
    fn left(&self, done: u64) -> Duration {
        let share = self.total.saturating_sub(done) as f64 / done.max(1) as f64;
        Duration::try_from_secs_f64(self.began.elapsed().as_secs_f64() * share).unwrap_or(Duration::MAX)
    }
}

/// Steps of an evaluation that take about the time of one of training, which learns from it, too.
const FASTER: u64 = 20;

/// The work of a cell, in environment steps of training: its training, if it is its own, and its evaluations.
pub fn work(plan: &Plan, at: usize) -> u64 {
    let cell = &plan.cells[at];
    let training = if cell.trained_by == at { training_steps(plan, cell) } else { 0 };
    training + evaluation_steps(plan, cell) / FASTER
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
fn evaluation_steps(plan: &Plan, cell: &Cell) -> u64 {
    let asked = plan.file.evaluation;
    let phase = Life::evaluation(&cell.judged).phase_steps as u64;
    let phases = 2 * (2 * asked.adapt_steps as u64 + 1);
    let splits = if policies(plan, cell) > 1 { 1 } else { SPLITS.len() as u64 };
    (asked.tasks * asked.episodes) as u64 * phase * phases * splits * policies(plan, cell)
}

/// Mean returns on held-out tasks of the training distribution, before and after adaptation.
fn returns(result: &CellResult) -> String {
    let scores = result.held_out(SPLITS[0]);
    let ends = scores.and_then(|scores| Some((scores.phases.first()?, scores.phases.last()?)));
    ends.map_or(String::new(), |(first, last)| format!("{:.1} -> {:.1}", mean(&first.returns), mean(&last.returns)))
}
