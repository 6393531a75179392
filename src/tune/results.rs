//! The results of a search: its trials, the best of them as configurations, the importance of its parameters.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use serde::Serialize;

use super::{
    importance::{FEWEST, importance},
    journal::State,
    order::{best_first, front},
    plan::Plan,
    progress::numbers,
    trial::Trial,
};
use crate::{
    config::{Config, ConfigError},
    failure::{Coded, Result, code},
    message::quoted,
    output,
};

/// A search none of whose trials is finished.
#[derive(Debug, thiserror::Error)]
#[error("none of the {trials} trials has a value; the first failed: {reason}")]
pub struct NoneFinished {
    trials: usize,
    reason: String,
}

impl Coded for NoneFinished {
    fn code(&self) -> u8 {
        code::DIVERGED
    }
}

/// The results, in the shape of their JSON form.
#[derive(Debug, Serialize)]
pub struct Results {
    search: String,
    objectives: Vec<Sought>,
    /// Iterations after which trials were compared.
    rungs: Vec<u64>,
    trials: Vec<TrialShown>,
    /// Numbers of the finished trials that no other beats in all objectives, the best first; with one objective there is
    /// one.
    best: Vec<u64>,
}

/// An objective, and the importance of the parameters for it.
#[derive(Debug, Serialize)]
struct Sought {
    metric: String,
    direction: super::Direction,
    /// Share of the variance after the first rung that a parameter explains alone; none with too few trials.
    importance: Option<BTreeMap<String, f64>>,
}

/// A trial.
#[derive(Debug, Serialize)]
struct TrialShown {
    number: u64,
    /// `finished`, `stopped` before the last rung, `failed`, or `open`.
    state: &'static str,
    /// Settings by key, as TOML; none of a trial of another program that has others.
    settings: BTreeMap<String, String>,
    /// Values by objective after each rung that it reached.
    scores: Vec<Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

impl Results {
    /// The results of `trials`.
    pub fn new(plan: &Plan, trials: &[Trial]) -> Self {
        let sought = |(of, objective): (usize, &super::Objective)| Sought {
            metric: objective.metric.clone(),
            direction: objective.direction,
            importance: importance(plan, trials, of).map(|shares| {
                plan.parameters.iter().zip(shares).map(|(parameter, share)| (parameter.key.clone(), share)).collect()
            }),
        };
        let finished: Vec<&Trial> =
            trials.iter().filter(|trial| trial.point.is_some() && trial.values().is_some()).collect();
        let costs: Vec<Vec<f64>> = finished.iter().filter_map(|trial| trial.costs(plan)).collect();
        let mut best = best_first(&costs);
        if plan.directions.len() == 1 {
            best.truncate(1);
        } else {
            let front = front(&costs);
            best.retain(|at| front.contains(at));
        }
        Results {
            search: plan.file.name.clone(),
            objectives: plan.file.objectives.iter().enumerate().map(sought).collect(),
            rungs: plan.rungs.clone(),
            trials: trials.iter().map(|trial| TrialShown::of(plan, trial)).collect(),
            best: best.into_iter().map(|at| finished[at].number).collect(),
        }
    }

    /// Writes them and the best configurations into the search's folder.
    ///
    /// # Errors
    /// If no trial is finished, or a file cannot be written.
    pub fn write(&self, plan: &Plan, trials: &[Trial], out: &Path) -> Result<()> {
        if self.best.is_empty() {
            let reason = self.trials.iter().find_map(|trial| trial.failure.clone()).unwrap_or_default();
            return Err(NoneFinished { trials: self.trials.len(), reason }.into());
        }
        output::write(&out.join("results.json"), (serde_json::to_string_pretty(self)? + "\n").as_bytes())?;
        for number in &self.best {
            let trial = trials.iter().find(|trial| trial.number == *number).expect("it is one of them");
            output::write(&out.join(self.file(*number)), configuration(plan, trial)?.as_bytes())?;
        }
        Ok(())
    }

    /// The file of a best configuration.
    fn file(&self, number: u64) -> String {
        if self.objectives.len() == 1 { "best.toml".to_owned() } else { format!("best-{number:04}.toml") }
    }

    /// Each reason for which trials failed, its beginning, with the first of them.
    fn failures(&self) -> String {
        let mut told: Vec<&str> = Vec::new();
        let mut text = String::new();
        for trial in &self.trials {
            let reason = trial.failure.as_deref().and_then(|failure| failure.lines().next());
            if let Some(reason) = reason.filter(|reason| !told.contains(reason)) {
                told.push(reason);
                let line: String = format!("  trial {} failed: {reason}", trial.number).chars().take(80).collect();
                let _ = writeln!(text, "{line}");
            }
        }
        text
    }

    /// The results for people, at most 80 columns wide unless a name is longer.
    pub fn to_text(&self, plan: &Plan, out: &Path) -> String {
        let count = |state: &str| self.trials.iter().filter(|trial| trial.state == state).count();
        let mut text = format!(
            "search {}: {} trials: {} finished, {} stopped early, {} failed\n",
            self.search,
            self.trials.len(),
            count("finished"),
            count("stopped"),
            count("failed")
        );
        text += &self.failures();
        let metrics: Vec<&str> = self.objectives.iter().map(|sought| sought.metric.as_str()).collect();
        for number in &self.best {
            let trial = self.trials.iter().find(|trial| trial.number == *number).expect("it is one of them");
            let values = trial.scores.last().map_or(String::new(), |values| numbers(values));
            let _ = writeln!(text, "\ntrial {number}: {} {values}", metrics.join(", "));
            text += &rows(trial.settings.iter().map(|(key, value)| (key.as_str(), value.clone())));
            let path = out.join(self.file(*number));
            let _ = writeln!(text, "  metadrift train {}", quoted(path));
        }
        for sought in &self.objectives {
            let Some(shares) = &sought.importance else {
                let _ =
                    writeln!(text, "\nimportance for {}: needs {FEWEST} trials with different values", sought.metric);
                continue;
            };
            let _ = writeln!(text, "\nimportance for {} after {} iterations (fANOVA)", sought.metric, plan.rungs[0]);
            let mut largest: Vec<(&String, &f64)> = shares.iter().collect();
            largest.sort_by(|a, b| b.1.total_cmp(a.1));
            text += &rows(largest.into_iter().map(|(key, share)| (key.as_str(), format!("{share:.2}"))));
        }
        text
    }
}

impl TrialShown {
    fn of(plan: &Plan, trial: &Trial) -> Self {
        let point = trial.point.iter().flatten();
        let settings = plan.parameters.iter().zip(point);
        TrialShown {
            number: trial.number,
            state: match trial.state {
                State::Complete => "finished",
                State::Pruned => "stopped",
                State::Fail => "failed",
                State::Running | State::Waiting => "open",
            },
            settings: settings.map(|(parameter, value)| (parameter.key.clone(), parameter.text(*value))).collect(),
            scores: trial.scores.clone(),
            failure: trial.failure.clone(),
        }
    }
}

/// Keys with their values, one below the other.
fn rows<'a>(all: impl Iterator<Item = (&'a str, String)> + Clone) -> String {
    let width = all.clone().map(|(key, _)| key.len()).max().unwrap_or(0);
    all.map(|(key, value)| format!("  {key:<width$}  {value}\n")).collect()
}

/// The configuration of a trial as a file that `train` takes, with the base's seed.
fn configuration(plan: &Plan, trial: &Trial) -> Result<String, ConfigError> {
    let point = trial.point.as_deref().unwrap_or_default();
    let found = plan.experiment(point, plan.base.seed)?;
    let values = trial.scores.last().map_or(String::new(), |values| numbers(values));
    let metrics: Vec<&str> = plan.file.objectives.iter().map(|sought| sought.metric.as_str()).collect();
    let told = format!("# search {}, trial {}: {} {values}", plan.file.name, trial.number, metrics.join(", "));
    let text = Config::clone(&found).to_toml();
    Ok(format!("{}\n{text}", told.replace(['\n', '\r'], " ")))
}
