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
    let learning = Learning { guard: Learning::default().guard.filter(|_| asked.guard), ..Learning::default() };
    let policy = match (&plan.methods[cell.place.0].made, agent) {
        (Made::Law(Law::Controller), _) => Policy::Controller,
        (Made::Law(Law::Random), _) => Policy::Random,
        (Made::Policy(made), Some(agent)) if made.adapts => Policy::Learning(agent, learning),
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
