//! Whole trainings of plain PPO in memory, each on one task: what an optimiser is judged by.

use metadrift_agents::{
    backend::BackendChoice,
    device::Device,
    learner::{Ground, Learner},
    learners::ppo::{OptimizerChoice, PpoLearnerConfig},
    settings::Settings,
    threads::run_jobs,
};
use metadrift_envs::{Purpose, Split, Stream, Task};
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::{
    config::{Config, ConfigError, Experiment},
    registry,
    rollout::Lanes,
    stats::mean,
};

/// Trainings of one length with the same settings of PPO, on tasks of the same distribution.
#[derive(Clone, Debug)]
pub struct Problem {
    experiment: Experiment,
}

/// The optimiser of a training.
#[derive(Clone, Debug)]
pub enum Choice {
    /// Adam.
    Adam(AdamSettings),
    /// The learned rule of these weights.
    Rule(Vec<f32>),
}

/// Adam's settings beside those of the problem.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamSettings {
    /// Factor of the policy's learning rate.
    pub policy: f64,
    /// Factor of the value network's.
    pub value: f64,
    /// True if both fall linearly to 0; nothing leaves it to the problem.
    pub anneal: Option<bool>,
}

impl AdamSettings {
    /// Those of the problem.
    pub const GIVEN: AdamSettings = AdamSettings { policy: 1.0, value: 1.0, anneal: None };
}

/// A task and the seed of a training on it.
#[derive(Clone, Debug)]
pub struct Draw {
    split: Split,
    task: Task,
    seed: u64,
}

/// The place of draws.
#[derive(Clone, Copy, Debug)]
pub struct Within {
    /// Seed of the draws.
    pub seed: u64,
    /// Round, such as a generation.
    pub round: u32,
}

impl Problem {
    /// Trainings of `iterations` iterations by the settings of `ppo`, on tasks of `tasks`.
    ///
    /// # Errors
    /// If `ppo` has another learner, or a training is too short for an episode.
    pub fn new(tasks: &Experiment, ppo: &Experiment, iterations: u64) -> Result<Self, ConfigError> {
        if ppo.learner.name != "ppo" {
            return Err(ConfigError::NotFound(format!(
                "`{}` has learner = \"{}\", and optimisers are measured on plain PPO: name a preset or file with learner = \
                 \"ppo\" by --ppo",
                ppo.name, ppo.learner.name
            )));
        }
        let config = Config { iterations, max_env_steps: 0, task: tasks.task.clone(), ..Config::clone(ppo) };
        let experiment = Experiment::new(config)?;
        let steps = iterations.saturating_mul(experiment.demand().steps() as u64);
        let horizon = u64::from(experiment.horizon());
        if steps < horizon {
            return Err(ConfigError::NotFound(format!(
                "{iterations} iterations are {steps} steps of each lane, and an episode may last {horizon}: ask for more \
                 --iterations"
            )));
        }
        Ok(Problem { experiment })
    }

    /// Environment steps of a training.
    pub fn env_steps(&self) -> u64 {
        let lanes = self.experiment.settings().rollout.num_envs as u64;
        self.experiment.iterations * lanes * self.experiment.demand().steps() as u64
    }

    /// The draws with the first `count` indices.
    pub fn draws(&self, split: Split, within: Within, count: u32) -> Vec<Draw> {
        let Within { seed, round } = within;
        let draw = |index| {
            let stream = Stream::new(seed, Purpose::Evolution).phase(split as u8).iteration(round).task(index);
            let [low, high, ..] = stream.block(0);
            let task = self.experiment.tasks(split).sample(seed, round, index);
            Draw { split, task, seed: (u64::from(low) | u64::from(high) << 32) >> 1 }
        };
        (0..count).map(draw).collect()
    }

    /// The learning curve of a training: the mean return of the last 100 episodes after every iteration, from the first
    /// episode that ended. If numbers stop being finite, the lowest return stands for the rest.
    pub fn train(&self, choice: &Choice, draw: &Draw) -> Vec<f64> {
        let settings = self.settings(choice, draw.seed);
        let layout = registry::policy(&self.experiment);
        let ground =
            Ground { layout, device: Device::Cpu, backend: BackendChoice::Native, threads: 1, channels: Vec::new() };
        let mut learner: Box<dyn Learner> =
            (self.experiment.learner.build)(&settings, ground).expect("the native backend is always there");
        let mut lanes = Lanes::on_task(&self.experiment, 1, (draw.split, draw.task.clone()), draw.seed);
        let mut curve = Vec::new();
        for iteration in 0..self.experiment.iterations {
            let Ok(report) = learner.iterate(&mut lanes, iteration as u32) else {
                let worst = curve.iter().copied().min_by(f64::total_cmp).unwrap_or(f64::NEG_INFINITY);
                curve.extend((iteration..self.experiment.iterations).map(|_| worst));
                break;
            };
            curve.extend(Some(report.return_post).filter(|known| known.is_finite()));
        }
        curve
    }

    /// Mean returns over the training budget `[choices][draws]` of every choice on every draw: the means of the learning
    /// curves. They are the same for any number of threads.
    pub fn scores(&self, choices: &[Choice], draws: &[Draw], threads: usize) -> Vec<Vec<f64>> {
        let curves = self.curves(choices, draws, threads);
        curves.iter().map(|row| row.iter().map(|curve| mean(curve)).collect()).collect()
    }

    /// Learning curves `[choices][draws]` of every choice on every draw; see [`Problem::train`].
    pub fn curves(&self, choices: &[Choice], draws: &[Draw], threads: usize) -> Vec<Vec<Vec<f64>>> {
        let mut curves = vec![vec![Vec::new(); draws.len()]; choices.len()];
        let jobs = choices.iter().zip(&mut curves);
        let jobs =
            jobs.flat_map(|(choice, row)| row.iter_mut().zip(draws).map(move |(curve, draw)| (choice, draw, curve)));
        run_jobs(jobs.collect(), threads, |(choice, draw, curve): (&Choice, &Draw, &mut Vec<f64>)| {
            *curve = self.train(choice, draw);
        });
        curves
    }

    fn settings(&self, choice: &Choice, seed: u64) -> Settings {
        let mut settings = Settings { seed, ..self.experiment.settings().clone() };
        let mut own: PpoLearnerConfig = metadrift_agents::keys::own(&settings.own);
        match choice {
            Choice::Adam(adam) => {
                settings.ppo.outer_lr *= adam.policy;
                own.value_lr *= adam.value;
                own.anneal = adam.anneal.unwrap_or(own.anneal);
                (own.optimizer, own.optimizer_weights) = (OptimizerChoice::Adam, None);
            }
            Choice::Rule(weights) => {
                (own.optimizer, own.optimizer_weights) = (OptimizerChoice::Learned, Some(weights.clone()));
            }
        }
        settings.own = Table::try_from(own).expect("settings have a TOML form");
        settings
    }
}
