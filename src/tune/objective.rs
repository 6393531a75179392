//! Objectives: metrics by their names, of held-out tasks or of the training.

use std::{fs::File, path::Path};

use metadrift_agents::{backend::BackendChoice, device::Device};
use metadrift_envs::Split;

use super::plan::Plan;
use crate::{
    config::{Experiment, nearest},
    evaluate::{Protocol, VALIDATION, held_out},
    failure::{During, Result},
    memory::{self, Arithmetic},
    session::kept,
    train::{self, Trainer},
};

/// The metric of a search that names none: the mean return after the last adaptation step, with the most likely
/// actions, on held-out tasks of the training distribution; on examples, minus the mean loss.
pub const SCORE: &str = "score";

/// The place of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An evaluation on held-out tasks.
    HeldOut(Split),
    /// The last row of the training's metrics.
    Training,
}

impl Source {
    /// The place of the metric that is named so.
    pub fn of(metric: &str) -> Source {
        match metric.strip_prefix("eval/").and_then(|rest| rest.split('/').next()) {
            Some("ood") => Source::HeldOut(Split::Ood),
            Some(_) => Source::HeldOut(Split::InDist),
            None if metric == SCORE => Source::HeldOut(Split::InDist),
            None => Source::Training,
        }
    }
}

/// The protocol of a search: the held-out tasks by which checkpoints are chosen, never those of a report.
pub fn protocol(config: &Experiment, split: Split) -> Protocol {
    Protocol { draw: VALIDATION, ..Protocol::of(config, split) }
}

/// The splits on which trials are evaluated.
pub fn splits(plan: &Plan) -> Vec<Split> {
    let asked = |split: &Split| plan.file.objectives.iter().any(|o| Source::of(&o.metric) == Source::HeldOut(*split));
    [Split::InDist, Split::Ood].into_iter().filter(asked).collect()
}

/// The values of the objectives of the policy in run folder `dir`; not a number where there is none.
///
/// # Errors
/// If the policy cannot be read, or does not adapt to finite numbers.
pub fn values(plan: &Plan, config: &Experiment, dir: &Path, actors: usize) -> Result<Vec<f64>> {
    let mut named: Vec<(String, f64)> = Vec::new();
    for split in splits(plan) {
        let trained = kept::policy(dir, actors)?;
        let protocol = protocol(config, split);
        let arithmetic = Arithmetic::of(config, trained.agent.computes_by(), Device::Cpu, actors)?;
        memory::evaluation(config, protocol.tasks, protocol.episodes, arithmetic).check()?;
        let found = held_out(config, (&*trained.agent, trained.iteration), actors, &protocol)?;
        if split == Split::InDist {
            named.push((SCORE.to_owned(), found.score()));
        }
        named.extend(found.scalars());
    }
    if plan.file.objectives.iter().any(|objective| Source::of(&objective.metric) == Source::Training) {
        named.extend(last_row(&dir.join("metrics.csv"))?);
    }
    let value = |metric: &str| named.iter().find(|(name, _)| name == metric).map_or(f64::NAN, |(_, value)| *value);
    Ok(plan.file.objectives.iter().map(|objective| value(&objective.metric)).collect())
}

/// Names and numbers of the last row of a table.
fn last_row(path: &Path) -> Result<Vec<(String, f64)>> {
    let told = || format!("cannot read {}", path.display());
    let mut table = csv::Reader::from_reader(File::open(path).during(told)?);
    let names = table.headers().during(told)?.clone();
    let last = table.records().last().transpose().during(told)?.unwrap_or_default();
    let number = |(name, text): (&str, &str)| Some((name.to_owned(), text.parse().ok()?));
    Ok(names.iter().zip(last.iter()).filter_map(number).collect())
}

/// The metrics that a search asks for and that its trials do not have, each with the nearest that they have. Evaluates the
/// first weights on two tasks and, for metrics of the training, trains one iteration.
///
/// # Errors
/// If the base cannot be trained or evaluated.
pub fn unknown(plan: &Plan, actors: usize) -> Result<Vec<String>> {
    let config = &plan.base;
    if plan.file.objectives.iter().all(|objective| objective.metric == SCORE) {
        return Ok(Vec::new());
    }
    let mut known = vec![SCORE.to_owned()];
    for split in splits(plan) {
        let learner = train::learner(config, Device::Cpu, BackendChoice::Native, actors)?;
        let protocol = Protocol { tasks: 2, ..protocol(config, split) };
        let found = held_out(config, (&*learner.agent(), 0), actors, &protocol)?;
        known.extend(found.scalars().into_iter().map(|(name, _)| name));
    }
    let asked = plan.file.objectives.iter().map(|objective| &objective.metric);
    if asked.clone().any(|metric| Source::of(metric) == Source::Training) {
        let mut trainer = Trainer::new(config.clone(), Device::Cpu, BackendChoice::Native, actors)?;
        known.push("env_steps".to_owned());
        known.extend(trainer.iterate()?.metrics.iter().map(|(name, _)| name.to_string()));
    }
    let told = |metric: &String| {
        let near = nearest(metric, known.iter().map(String::as_str));
        let near = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        format!("objectives: trials have no metric `{metric}`{near}")
    };
    Ok(asked.filter(|metric| !known.contains(metric)).map(told).collect())
}
