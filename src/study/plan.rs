//! A study that was checked: its presets, methods and cells.

use std::path::PathBuf;

use metadrift_envs::Split;

use super::{
    check::{check_lists, check_methods, check_places},
    file::{self, Evaluation, StudyFile},
    methods::{self, Law, Length, Made, Method, Policy, Tasks},
    specialists,
};
use crate::{
    config::{Config, ConfigError, Experiment},
    control::privileged,
    evaluate::{Protocol, REPORTED},
    failure::{Coded, code, listed},
    presets,
    run_dir::sha256,
};

/// Iterations of a training that ends by its environment steps: the most that a configuration may have.
const UNLIMITED: u32 = metadrift_envs::rng::MAX_INDEX;

/// A study that cannot be run as it is.
#[derive(Debug, thiserror::Error)]
#[error("study {origin}: {} problem{}; nothing was trained\n{}", problems.len(), if problems.len() == 1 { "" } else { "s" }, listed(problems))]
pub struct StudyError {
    /// The file, or the name of a study of the program.
    pub origin: String,
    /// All problems.
    pub problems: Vec<String>,
}

impl Coded for StudyError {
    fn code(&self) -> u8 {
        code::CONFIG
    }
}

/// A preset of a study.
#[derive(Clone, Debug)]
pub struct PresetPlan {
    /// Its name.
    pub name: String,
    /// The preset, or the file, that it is read from.
    pub source: String,
    /// The preset under the study's protocol of evaluation.
    pub experiment: Experiment,
    /// The budget of a training.
    pub env_steps: u64,
}

/// A method on a preset with a seed.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Indices of method and preset.
    pub place: (usize, usize),
    /// Seed of the training.
    pub seed: u64,
    /// Its folder below `cells`.
    pub name: String,
    /// The training; none for a law.
    pub training: Option<(Experiment, Length)>,
    /// The experiment whose tasks and protocol the policy is evaluated by.
    pub judged: Experiment,
    /// The first cell with the same training: its folder has the run.
    pub trained_by: usize,
}

/// A study that was checked.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The file as it was read.
    pub file: StudyFile,
    /// Its presets.
    pub presets: Vec<PresetPlan>,
    /// Its methods.
    pub methods: Vec<Method>,
    /// Index of the method that all others are compared with.
    pub baseline: Option<usize>,
    /// Indices of the methods at 0 and 1 of the scale.
    pub scale: Option<(usize, usize)>,
    /// Its cells, by preset, method and seed.
    pub cells: Vec<Cell>,
}

impl Plan {
    /// The study that `what` names: one of the program, or a file that ends in `.toml`.
    ///
    /// # Errors
    /// If it cannot be read; [`StudyError`] with every problem if it cannot be run.
    pub fn read(what: &str) -> crate::failure::Result<Plan> {
        let text = file::text(what)?;
        Ok(Plan::parse(what, &text)?)
    }

    /// The study in `text`.
    ///
    /// # Errors
    /// [`StudyError`] with every problem.
    pub fn parse(origin: &str, text: &str) -> Result<Plan, StudyError> {
        let (file, mut problems) = file::parse(text);
        let plan = file.and_then(|file| Plan::check(file, &mut problems));
        match plan {
            Some(plan) if problems.is_empty() => Ok(plan),
            _ => Err(StudyError { origin: origin.to_owned(), problems }),
        }
    }

    fn check(file: StudyFile, problems: &mut Vec<String>) -> Option<Plan> {
        check_lists(&file, problems);
        let mut found = Vec::new();
        for asked in &file.methods {
            methods::find(asked).map_or_else(|problem| problems.push(problem), |method| found.push(method));
        }
        for asked in &file.method {
            methods::own(asked).map_or_else(|all| problems.extend(all), |method| found.push(method));
        }
        let methods = found;
        check_methods(&methods, problems);
        let presets: Vec<PresetPlan> = file.presets.iter().filter_map(|name| preset(&file, name, problems)).collect();
        check_places(&file, &presets, problems);
        let mut index = |key: &str, name: &String| {
            let at = methods.iter().position(|method| method.name == *name);
            let known = at.is_some() || file.methods.contains(name);
            (!known).then(|| problems.push(format!("{key}: `{name}` is none of the study's methods")));
            at
        };
        let baseline = file.baseline.as_ref().and_then(|name| index("baseline", name));
        let scale = file
            .scale
            .as_ref()
            .and_then(|scale| Some((index("scale.zero", &scale.zero)?, index("scale.one", &scale.one)?)));
        let mut plan = Plan { file, presets, methods, baseline, scale, cells: Vec::new() };
        for place in (0..plan.presets.len()).flat_map(|preset| (0..plan.methods.len()).map(move |m| (m, preset))) {
            match plan.cells_of(place) {
                Ok(cells) => {
                    let problem = cells.first().and_then(|cell| specialists::problem(&plan, cell));
                    let (method, preset) = (&plan.methods[place.0].name, &plan.presets[place.1].name);
                    problems.extend(problem.map(|why| format!("method `{method}` on {preset}: {why}")));
                    plan.cells.extend(cells);
                }
                Err(found) => problems.extend(found),
            }
        }
        let first = |cell: &Cell, cells: &[Cell]| cells.iter().position(|other| other.shares(cell));
        for at in 0..plan.cells.len() {
            plan.cells[at].trained_by = first(&plan.cells[at], &plan.cells[..at]).unwrap_or(at);
        }
        Some(plan)
    }

    /// The cells of a method on a preset, one for each seed.
    fn cells_of(&self, (method, preset): (usize, usize)) -> Result<Vec<Cell>, Vec<String>> {
        let (of, on) = (&self.methods[method], &self.presets[preset]);
        let cell = |seed: u64| {
            let config = Config { seed, ..Config::clone(&on.experiment) };
            let (training, judged) = match &of.made {
                Made::Law(_) => (None, Experiment::new(config)?),
                Made::Policy(policy) => {
                    let trained = training(policy, on, seed)?;
                    let judged = match policy.tasks {
                        Tasks::Preset => trained.clone(),
                        Tasks::Base => {
                            Experiment::new(Config { task: on.experiment.task.clone(), ..Config::clone(&trained) })?
                        }
                    };
                    (Some((trained, policy.length)), judged)
                }
            };
            let name = format!("{}--{}--s{seed}", of.name, on.name);
            Ok::<Cell, ConfigError>(Cell { place: (method, preset), seed, name, training, judged, trained_by: 0 })
        };
        let first = self.file.seeds.first().copied().unwrap_or(0);
        if of.made == Made::Law(Law::Controller) && privileged::controller(on.experiment.env()).is_none() {
            let env = on.experiment.env().spec().name;
            return Err(vec![format!(
                "method `{}` on {}: no controller with full knowledge is known for {env}",
                of.name, on.name
            )]);
        }
        if let Err(error) = cell(first) {
            let Made::Policy(policy) = &of.made else { return Err(vec![error.to_string()]) };
            return Err(culprits(policy, on, &error.to_string())
                .map(|text| format!("method `{}` on {}: {text}", of.name, on.name))
                .collect());
        }
        self.file.seeds.iter().map(|seed| cell(*seed).map_err(|error| vec![error.to_string()])).collect()
    }

    /// The protocol of evaluation of a cell on a split.
    pub fn protocol(&self, split: Split) -> Protocol {
        let Evaluation { tasks, episodes, adapt_steps, seed } = self.file.evaluation;
        Protocol { split, tasks, episodes, adapt_steps, seed, draw: REPORTED }
    }

    /// SHA-256 of everything that the results depend on.
    pub fn digest(&self) -> String {
        let settings: Vec<_> = self.cells.iter().map(|cell| (&cell.name, self.settings(cell))).collect();
        let whole = (settings, &self.file.baseline, self.scale);
        sha256(serde_json::to_string(&whole).expect("texts have a JSON form").as_bytes())
    }
}

impl Cell {
    /// Folder of the cell in the folder of the study.
    pub fn folder(&self, out: &std::path::Path) -> PathBuf {
        out.join("cells").join(&self.name)
    }

    /// True if both have the same training.
    fn shares(&self, other: &Cell) -> bool {
        self.training.is_some() && self.training == other.training
    }
}

/// The configuration of a training.
fn training(policy: &Policy, on: &PresetPlan, seed: u64) -> Result<Experiment, ConfigError> {
    with_sets(policy, on, seed, &policy.sets_on(&on.experiment.task.env, &on.name))
}

fn with_sets(policy: &Policy, on: &PresetPlan, seed: u64, own: &[String]) -> Result<Experiment, ConfigError> {
    let mut sets = vec![format!("learner={}", policy.learner), format!("seed={seed}")];
    match policy.length {
        Length::Budget | Length::Each => {
            sets.extend([format!("iterations={UNLIMITED}"), format!("max_env_steps={}", on.env_steps)])
        }
        Length::None => sets.push("iterations=1".to_owned()),
        Length::Own => {}
    }
    sets.extend(protocol_sets(&on.experiment));
    sets.extend_from_slice(own);
    let loaded = presets::load(&on.source, &sets)?;
    match policy.tasks {
        Tasks::Preset => Ok(loaded),
        Tasks::Base => {
            let mut config = Config::clone(&loaded);
            let task = &mut config.task;
            (task.vary, task.drift, task.actuator, task.sensor) = Default::default();
            (task.correlated, task.list, task.split, task.filter) = Default::default();
            Experiment::new(config)
        }
    }
}

/// The settings of a method that a preset refuses, each with the reason; `whole` if they are refused only together.
fn culprits(policy: &Policy, on: &PresetPlan, whole: &str) -> impl Iterator<Item = String> {
    let (mut kept, mut told) = (Vec::new(), Vec::new());
    if with_sets(policy, on, 0, &[]).is_ok() {
        for set in policy.sets_on(&on.experiment.task.env, &on.name) {
            kept.push(set);
            if let Err(error) = with_sets(policy, on, 0, &kept) {
                told.push(error.to_string());
                kept.pop();
            }
        }
    }
    if told.is_empty() {
        told.push(whole.to_owned());
    }
    told.into_iter()
}

/// The settings that give a configuration the protocol of `preset`, whoever learns.
fn protocol_sets(preset: &Experiment) -> Vec<String> {
    let asked = preset.evaluation;
    vec![
        format!("evaluation.tasks={}", asked.tasks),
        format!("evaluation.episodes={}", asked.episodes),
        format!("evaluation.steps={}", asked.steps),
        format!("evaluation.adapt_steps={}", asked.adapt_steps),
        "evaluation.every=0".to_owned(),
    ]
}

/// A preset under the protocol of the study.
fn preset(file: &StudyFile, name: &str, problems: &mut Vec<String>) -> Option<PresetPlan> {
    let Evaluation { tasks, episodes, adapt_steps, .. } = file.evaluation;
    let sets = [
        format!("evaluation.tasks={tasks}"),
        format!("evaluation.episodes={episodes}"),
        format!("evaluation.adapt_steps={adapt_steps}"),
    ];
    match presets::load_control(name, &[]).and_then(|_| presets::load_control(name, &sets)) {
        Ok(experiment) => {
            let env_steps = file.budget.presets.get(&experiment.name).copied().unwrap_or(file.budget.env_steps);
            Some(PresetPlan { name: experiment.name.clone(), source: name.to_owned(), experiment, env_steps })
        }
        Err(error) => {
            problems.push(error.to_string());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::SHIPPED;

    #[test]
    fn the_studies_of_the_program_can_be_run() {
        for (name, text) in SHIPPED {
            let plan = Plan::parse(name, text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(plan.file.name, *name);
            assert_eq!(plan.cells.len(), plan.methods.len() * plan.presets.len() * plan.file.seeds.len());
            // the policy of `ppo` serves `fine-tune`, too
            let of = |method: &str| plan.cells.iter().find(|cell| plan.methods[cell.place.0].name == method);
            if let Some(tuned) = of("fine-tune") {
                assert_eq!(of("ppo").map(|cell| cell.trained_by), Some(tuned.trained_by));
            }
        }
    }
}
