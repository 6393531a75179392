//! Lives in a world that moves as an evaluation of cells.

use std::collections::BTreeMap;

use metadrift_agents::agent::Agent;
use metadrift_envs::Split;
use serde::{Deserialize, Serialize};

use super::{
    cell::{CellResult, Evaluated},
    methods::{Law, Made},
    plan::{Cell, Plan},
    scores::SPLITS,
};
use crate::{
    failure::Result,
    live::{Learning, Lived, Policy, Protocol, live, metrics::Life},
    stats::{
        aggregate::{Matrix, total_mean, worst_decile},
        bootstrap::Resample,
        compare::paired_difference,
    },
};

/// The lives of a study: its table `[lives]`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct LivesConfig {
    /// Number of lives for each seed and split.
    pub lives: usize,
    /// Number of episodes of a life.
    pub episodes: u32,
    /// True if the guard watches over policies that adapt by gradient steps.
    #[serde(default = "yes")]
    pub guard: bool,
}

fn yes() -> bool {
    true
}

impl LivesConfig {
    /// Settings that a cell's result depends on, by their keys.
    pub fn settings(self) -> BTreeMap<String, String> {
        let all = [
            ("lives", self.lives.to_string()),
            ("episodes", self.episodes.to_string()),
            ("guard", self.guard.to_string()),
        ];
        all.into_iter().map(|(key, value)| (format!("study.lives.{key}"), value)).collect()
    }

    /// Problems of the table.
    pub fn problems(self) -> Option<String> {
        let legal = (1..=1_000_000).contains(&self.lives) && (1..=100_000).contains(&self.episodes);
        (!legal).then(|| "lives: `lives` is 1 to 1000000, `episodes` 1 to 100000".to_owned())
    }
}

/// The way in which a method learns in its lives, where a study says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct LifeLearning {
    /// Gradient steps of an adaptation.
    pub steps: Option<usize>,
    /// Way back to the unadapted policy before an adaptation.
    pub anchor: Option<f32>,
    /// Number of the last episodes that an adaptation learns from.
    pub window: Option<u32>,
    /// Episodes in which the weight of data halves.
    pub half_life: Option<f64>,
    /// True if steps count by their probability under the policy that adapts.
    pub importance: Option<bool>,
}

impl LifeLearning {
    /// The way of learning `usual` with what is said here in its place.
    pub fn over(self, usual: Learning) -> Learning {
        Learning {
            steps: self.steps.unwrap_or(usual.steps),
            anchor: self.anchor.unwrap_or(usual.anchor),
            window: self.window.unwrap_or(usual.window),
            half_life: self.half_life.unwrap_or(usual.half_life),
            importance: self.importance.unwrap_or(usual.importance),
            ..usual
        }
    }

    /// Values that are not legal: the ranges are those of the options of `live`.
    pub fn problems(self) -> Vec<&'static str> {
        let wrong = [
            (self.steps.is_some_and(|steps| !(1..=100).contains(&steps)), "live.steps is 1 to 100"),
            (self.anchor.is_some_and(|share| !(0.0..=1.0).contains(&share)), "live.anchor is 0 to 1"),
            (self.window.is_some_and(|window| !(1..=1000).contains(&window)), "live.window is 1 to 1000"),
            (self.half_life.is_some_and(|half| !(half > 0.0 && half.is_finite())), "live.half_life is above 0"),
        ];
        wrong.into_iter().filter(|(is, _)| *is).map(|(_, problem)| problem).collect()
    }
}

/// The settings of a way of learning that a cell's result depends on, by their keys.
pub fn learning_settings(learning: &Learning) -> BTreeMap<String, String> {
    let Learning { steps, anchor, window, half_life, importance, .. } = learning;
    let all = [
        ("steps", steps.to_string()),
        ("anchor", anchor.to_string()),
        ("window", window.to_string()),
        ("half_life", half_life.to_string()),
        ("importance", importance.to_string()),
    ];
    all.into_iter().map(|(key, value)| (format!("study.live.{key}"), value)).collect()
}

/// The lives of a cell on a split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LifeScores {
    /// The split.
    pub split: Split,
    /// The lives, `[lives]`.
    pub lives: Vec<Life>,
}

/// The lives of a cell; `agent` is the policy that it trained, if it trained one.
///
/// # Errors
/// If an adapted policy is not finite.
pub(super) fn of_cell(plan: &Plan, cell: &Cell, agent: Option<&dyn Agent>, actors: usize) -> Result<Vec<Evaluated>> {
    let Some(asked) = plan.file.lives else { return Ok(Vec::new()) };
    let policy = match (&plan.methods[cell.place.0].made, agent) {
        (Made::Law(Law::Controller), _) => Policy::Controller,
        (Made::Law(Law::Random), _) => Policy::Random,
        (Made::Policy(made), Some(agent)) if made.adapts => {
            let guard = made.learning.guard.filter(|_| asked.guard);
            Policy::Learning(agent, Learning { guard, ..made.learning })
        }
        (Made::Policy(_), agent) => Policy::Fixed(agent.expect("a policy was made")),
    };
    let mut all = Vec::new();
    for split in SPLITS {
        let (lives, episodes, seed) = (asked.lives, asked.episodes, plan.file.evaluation.seed);
        let mut found = Vec::with_capacity(lives);
        let protocol = Protocol { split, lives, episodes, seed };
        live(&cell.judged, (policy, None), &protocol, (actors, false), |life: Lived| found.push(Life::of(&life)))?;
        all.push(Evaluated::Lives(LifeScores { split, lives: found }));
    }
    Ok(all)
}

/// The lives of a method on a preset's split, `[seeds][lives]`; `None` if the study has none.
pub(super) fn of_method(
    plan: &Plan,
    found: &[CellResult],
    place: (usize, usize),
    split: Split,
) -> Option<Vec<Vec<Life>>> {
    plan.file.lives?;
    let of_split = |result: &CellResult| {
        result.evaluations.iter().find_map(|evaluated| match evaluated {
            Evaluated::Lives(scores) if scores.split == split => Some(scores.lives.clone()),
            Evaluated::Lives(_) | Evaluated::HeldOut(_) => None,
        })
    };
    plan.cells.iter().zip(found).filter(|(cell, _)| cell.place == place).map(|(_, result)| of_split(result)).collect()
}

/// The metrics of lives on the drawn seeds and lives, each with its name; `baseline` are those of the method that others are
/// compared with.
pub(super) fn values(
    own: &[Vec<Life>],
    baseline: Option<&[Vec<Life>]>,
    drawn: &Resample,
) -> Vec<(&'static str, Option<f64>, f64)> {
    let matrix = |lives: &[Vec<Life>], of: fn(&Life) -> f64| -> Matrix {
        let row = |seed: &usize| drawn.tasks.iter().map(|life| of(&lives[*seed][*life])).collect();
        drawn.seeds.iter().map(row).collect()
    };
    let returns = matrix(own, |life| life.mean_return);
    let regrets = |lives: &[Vec<Life>]| matrix(lives, |life| life.regret.unwrap_or(f64::NAN));
    let mut found = vec![
        ("live_return", None, total_mean(&returns)),
        ("live_worst_decile", None, worst_decile(&returns)),
        ("live_gain", None, total_mean(&matrix(own, |life| life.mean_return - life.unadapted))),
        ("live_harm", None, total_mean(&matrix(own, |life| f64::from(u8::from(life.harmed))))),
    ];
    if own[0][0].regret.is_some() {
        found.push(("live_regret", None, total_mean(&regrets(own))));
    }
    if let Some(baseline) = baseline {
        found.push(("live_difference", None, paired_difference(&returns, &matrix(baseline, |life| life.mean_return))));
        // without a loss of the baseline there is no unit
        if baseline.iter().flatten().any(|life| life.regret.is_some_and(|regret| regret != 0.0)) {
            found.push(("live_relative_regret", None, total_mean(&regrets(own)) / total_mean(&regrets(baseline))));
        }
    }
    if own.iter().flatten().any(|life| !life.recoveries.is_empty()) {
        let well: fn(&Life) -> f64 = |life| life.recoveries.iter().filter(|(_, recovered)| *recovered).count() as f64;
        let changes = total_mean(&matrix(own, |life| life.recoveries.len() as f64));
        found.push(("live_recovered", None, total_mean(&matrix(own, well)) / changes));
    }
    found
}
