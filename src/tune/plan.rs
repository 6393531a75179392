//! A search that was checked: its base, parameters, rungs and objectives.

use std::{collections::BTreeMap, path::Path};

use metadrift_agents::device::Device;

use super::{
    file::{self, Direction, Sampler, TuneFile},
    objective,
    space::Parameter,
};
use crate::{
    config::{ConfigError, Experiment},
    evaluate::evaluation_steps,
    failure::{Coded, Result, code, listed},
    memory::{Arithmetic, Training},
    presets,
    study::FASTER,
};

/// A search that cannot be run as it is.
#[derive(Debug, thiserror::Error)]
#[error("search {origin}: {} problem{}; nothing was trained\n{}", problems.len(), if problems.len() == 1 { "" } else { "s" }, listed(problems))]
pub struct TuneError {
    /// The file, or the folder.
    pub origin: String,
    /// All problems.
    pub problems: Vec<String>,
}

impl Coded for TuneError {
    fn code(&self) -> u8 {
        code::CONFIG
    }
}

/// A search that was checked.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The file as it was read.
    pub file: TuneFile,
    /// The configuration that all trials start from.
    pub base: Experiment,
    /// The parameters.
    pub parameters: Vec<Parameter>,
    /// Number of trials.
    pub trials: usize,
    /// Iterations after which trials are compared; the last are those of a whole training.
    pub rungs: Vec<u64>,
    /// The better direction of each objective.
    pub directions: Vec<Direction>,
}

/// Most trials of a search.
const MOST: usize = 100_000;

impl Plan {
    /// The search in the file at `path`.
    ///
    /// # Errors
    /// If it cannot be read; [`TuneError`] with every problem if it cannot be run.
    pub fn read(path: &str) -> Result<Plan> {
        let unreadable = |source| ConfigError::Unreadable { path: path.into(), source };
        let text = presets::read(Path::new(path)).map_err(unreadable)?;
        Ok(Plan::parse(path, &text)?)
    }

    /// The search in `text`.
    ///
    /// # Errors
    /// [`TuneError`] with every problem.
    pub fn parse(origin: &str, text: &str) -> Result<Plan, TuneError> {
        let (file, mut problems) = file::parse(text);
        let plan = file.and_then(|file| Plan::check(file, &mut problems));
        match plan {
            Some(plan) if problems.is_empty() => Ok(plan),
            _ => Err(TuneError { origin: origin.to_owned(), problems }),
        }
    }

    fn check(file: TuneFile, problems: &mut Vec<String>) -> Option<Plan> {
        check_numbers(&file, problems);
        let parameters = file::parameters(&file.space, file.sampler, problems);
        let trials = trials(&file, &parameters, problems);
        let base = match presets::load(&file.base, &file.set) {
            Ok(base) => base,
            Err(error) => {
                problems.push(format!("base: {error}"));
                return None;
            }
        };
        let rungs = rungs(&file, base.iterations, problems);
        let directions = file.objectives.iter().map(|objective| objective.direction).collect();
        let plan = Plan { file, base, parameters, trials, rungs, directions };
        for parameter in &plan.parameters {
            let mut told: Vec<String> = Vec::new();
            let ends = match parameter.choices() {
                Some(choices) => (0..choices).map(|at| at as f64).collect(),
                None => vec![parameter.at(0.0), parameter.at(1.0)],
            };
            for value in ends {
                let set = format!("{}={}", parameter.key, parameter.text(value));
                let loaded = presets::load(&plan.file.base, &[&plan.file.set[..], &[set]].concat());
                told.extend(loaded.err().map(|error| format!("space: {}: {error}", parameter.key)));
            }
            told.dedup();
            problems.extend(told);
        }
        let of_data = |error: ConfigError| format!("base: {error}");
        problems.extend(plan.base.check_data().err().map(of_data));
        problems
            .extend(objective::splits(&plan).into_iter().filter_map(|s| plan.base.check_split(s).err()).map(of_data));
        Some(plan)
    }

    /// The configuration of a training of a trial.
    ///
    /// # Errors
    /// If the values are refused together.
    pub fn experiment(&self, point: &[f64], seed: u64) -> Result<Experiment, ConfigError> {
        let values = self.parameters.iter().zip(point);
        let own = values.map(|(parameter, value)| format!("{}={}", parameter.key, parameter.text(*value)));
        let sets = self.file.set.iter().cloned().chain(own).chain([format!("seed={seed}")]);
        presets::load(&self.file.base, &sets.collect::<Vec<_>>())
    }

    /// Everything that the results depend on, by its name; the number of trials may be raised.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let base = self.base.flat().into_iter().filter(|(key, _)| key != "seed");
        let mut all: BTreeMap<String, String> = base.map(|(key, value)| (key, value.to_string())).collect();
        for parameter in &self.parameters {
            let (key, points) = (format!("tune.space.{}", parameter.key), parameter.points);
            all.insert(key, format!("{} {points:?}", parameter.distribution()));
        }
        let TuneFile { sampler, seed, seeds, objectives, halving, .. } = &self.file;
        let objectives = objectives.iter().map(|sought| format!("{} {:?}", sought.metric, sought.direction));
        all.extend([
            ("tune.sampler".to_owned(), format!("{sampler:?}")),
            ("tune.seed".to_owned(), seed.to_string()),
            ("tune.seeds".to_owned(), format!("{seeds:?}")),
            ("tune.objectives".to_owned(), objectives.collect::<Vec<_>>().join(", ")),
            ("tune.halving".to_owned(), format!("{halving:?}")),
        ]);
        all
    }

    /// Number of trials that are expected at each rung.
    pub fn expected(&self) -> Vec<usize> {
        let factor = self.file.halving.map_or(1, |halving| halving.factor as usize);
        let next = |count: &usize| Some((count / factor).max(1));
        std::iter::successors(Some(self.trials), next).take(self.rungs.len()).collect()
    }

    /// Work of a trial from one rung, or from its beginning, to the next, in environment steps of training: all of its
    /// trainings, and of these alone.
    ///
    /// # Errors
    /// If the backend is not available.
    pub fn work(&self) -> Result<Vec<[u64; 2]>> {
        let arithmetic = Arithmetic::of(&self.base, Default::default(), Device::Cpu, 1)?;
        let steps = u64::try_from(Training::of(&self.base, arithmetic).steps).unwrap_or(u64::MAX);
        let seeds = self.file.seeds.len() as u64;
        let judged = objective::splits(self).into_iter();
        let judged: u64 =
            judged.map(|split| evaluation_steps(&self.base, &objective::protocol(&self.base, split))).sum();
        let mut before = 0;
        let mut of_rung = |iterations: &u64| {
            let steps =
                steps.saturating_mul(iterations - std::mem::replace(&mut before, *iterations)).saturating_mul(seeds);
            [steps.saturating_add(seeds * judged / FASTER), steps]
        };
        Ok(self.rungs.iter().map(&mut of_rung).collect())
    }
}

/// Problems of the file that need no look at the base.
fn check_numbers(file: &TuneFile, problems: &mut Vec<String>) {
    if file.name.trim().is_empty() {
        problems.push("name is empty".to_owned());
    }
    let twice = file.seeds.iter().enumerate().any(|(at, seed)| file.seeds[..at].contains(seed));
    if file.seeds.is_empty() || twice {
        problems.push("seeds are to be at least one, each of them once".to_owned());
    }
    if let Some(seed) = file.seeds.iter().find(|seed| **seed > i64::MAX as u64) {
        problems.push(format!("seeds: {seed} is above {}", i64::MAX));
    }
    let metrics: Vec<&String> = file.objectives.iter().map(|objective| &objective.metric).collect();
    let twice = metrics.iter().enumerate().any(|(at, metric)| metrics[..at].contains(metric));
    if metrics.is_empty() || twice {
        problems.push("objectives are to be at least one, each of them once".to_owned());
    }
}

/// The number of trials.
fn trials(file: &TuneFile, parameters: &[Parameter], problems: &mut Vec<String>) -> usize {
    let told = if file.sampler == Sampler::Grid {
        let all = parameters.iter().map(|parameter| parameter.grid().len());
        let points = all.fold(1_usize, usize::saturating_mul);
        if file.trials.is_some() {
            problems.push(format!("trials is not read with sampler = \"grid\", which has {points} points"));
        }
        points
    } else {
        file.trials.map_or_else(
            || {
                problems.push("trials, their number, is missing".to_owned());
                1
            },
            |trials| trials as usize,
        )
    };
    if !(1..=MOST).contains(&told) {
        problems.push(format!("{told} trials: there are to be 1 to {MOST}"));
    }
    told
}

/// Iterations after which trials are compared.
fn rungs(file: &TuneFile, iterations: u64, problems: &mut Vec<String>) -> Vec<u64> {
    let Some(halving) = file.halving else { return vec![iterations] };
    if halving.factor < 2 {
        problems.push("halving.factor is to be at least 2".to_owned());
    }
    if !(1..iterations).contains(&halving.first) {
        problems.push(format!(
            "halving.first = {}: is to be at least 1 and below the {iterations} iterations",
            halving.first
        ));
    }
    if halving.factor < 2 || halving.first == 0 {
        return vec![iterations];
    }
    let rungs = std::iter::successors(Some(halving.first), |rung| rung.checked_mul(halving.factor));
    rungs.take_while(|rung| *rung < iterations).chain([iterations]).collect()
}

#[cfg(test)]
pub(in crate::tune) mod tests;
