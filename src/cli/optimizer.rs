//! Arguments of the commands on learned optimisers.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use metadrift_envs::Split;

use super::{Format, parse_split};

/// `optimizer`
#[derive(Clone, Debug, Subcommand)]
pub enum OptimizerCommand {
    /// Evolve an update rule over whole PPO trainings. A signal saves and stops it
    #[command(after_help = "Examples:\n  \
        metadrift optimizer train cartpole-physics --out rule.safetensors\n  \
        metadrift optimizer train cartpole-physics --out rule.safetensors --resume\n  \
        metadrift train cartpole-ppo --set ppo_learner.optimizer=learned --set \
        ppo_learner.optimizer_file=rule.safetensors")]
    Train(OptimizerTrainArgs),
    /// Search for Adam's best learning rates on the same trainings
    #[command(after_help = "Example:\n  metadrift optimizer tune cartpole-physics --out adam.json")]
    Tune(OptimizerTuneArgs),
    /// Train PPO on held-out dynamics by a rule and by Adam, paired by task and seed
    #[command(after_help = "Examples:\n  \
        metadrift optimizer evaluate rule.safetensors cartpole-physics --adam adam.json\n  \
        metadrift optimizer evaluate rule.safetensors pendulum-physics --ppo pendulum-ppo")]
    Evaluate(OptimizerEvaluateArgs),
}

/// The PPO trainings.
#[derive(Args, Clone, Debug)]
pub struct TrainingsArgs {
    /// Preset or file with the tasks: each training draws one and keeps its dynamics
    #[arg(value_name = "PRESET|FILE.toml")]
    pub tasks: String,
    /// Preset or file with the settings of PPO
    #[arg(long, value_name = "PRESET|FILE.toml", default_value = "cartpole-ppo")]
    pub ppo: String,
    /// Change one setting of PPO; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Iterations of each training, its budget
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub iterations: u64,
    /// Trainings side by side [default: all cores]. Results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub actors: Option<u16>,
}

/// `optimizer train`
#[derive(Args, Clone, Debug)]
pub struct OptimizerTrainArgs {
    /// The PPO trainings.
    #[command(flatten)]
    pub trainings: TrainingsArgs,
    /// File of the rule. Checkpoints and the history are in the folder FILE.train beside it
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Members of a generation, an even number
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = even)]
    pub population: u32,
    /// Generations
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub generations: u64,
    /// Trainings of each member in a generation
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub draws: u32,
    /// Standard deviation of the members' weights around their mean
    #[arg(long, value_name = "X", default_value_t = 0.1, value_parser = positive)]
    pub sigma: f64,
    /// Adam's learning rate for the mean of the population
    #[arg(long, value_name = "X", default_value_t = 0.03, value_parser = positive)]
    pub rate: f64,
    /// Seed of every random number
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: u64,
    /// Generations between two checkpoints, each with a line of progress
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub every: u64,
    /// Held-out trainings by which each line compares the rule with Adam
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub held_out: u32,
    /// Go on from the last checkpoint; the result is that of an uninterrupted training
    #[arg(long)]
    pub resume: bool,
}

/// `optimizer tune`
#[derive(Args, Clone, Debug)]
pub struct OptimizerTuneArgs {
    /// The PPO trainings.
    #[command(flatten)]
    pub trainings: TrainingsArgs,
    /// File of the best settings, for `optimizer evaluate --adam`
    #[arg(long, value_name = "FILE.json")]
    pub out: PathBuf,
    /// Settings of the first round; the best quarter of each round goes on
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub candidates: u32,
    /// Trainings of each candidate in the first round; each round has four times those of the one before
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub draws: u32,
    /// Seed of every random number
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: u64,
}

/// `optimizer evaluate`
#[derive(Args, Clone, Debug)]
pub struct OptimizerEvaluateArgs {
    /// File of the rule
    #[arg(value_name = "RULE")]
    pub rule: PathBuf,
    /// The PPO trainings.
    #[command(flatten)]
    pub trainings: TrainingsArgs,
    /// Settings that `optimizer tune` found for Adam
    #[arg(long, value_name = "FILE.json")]
    pub adam: Option<PathBuf>,
    /// Held-out tasks: from the training distribution (in-dist) or beyond it (ood)
    #[arg(long, default_value = "ood", value_parser = parse_split)]
    pub split: Split,
    /// Trainings of each optimiser, every one with a task and a seed of its own
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub seeds: u32,
    /// Seed of the tasks and of the trainings' seeds
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: u64,
    /// Output for people or for programs
    #[arg(long, default_value = "text")]
    pub format: Format,
    /// Write one line per training and optimiser as CSV to this file, too
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
}

fn even(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(n) if (2..=100_000).contains(&n) && n % 2 == 0 => Ok(n),
        _ => Err("expected an even number from 2 to 100000".into()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if (x as f32).is_normal() && x > 0.0 => Ok(x),
        _ => Err("expected a positive number".into()),
    }
}
