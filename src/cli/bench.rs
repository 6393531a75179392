//! Arguments of the commands that measure and test this machine.

use clap::{Args, ValueEnum};
use metadrift_envs::rng::MAX_INDEX;

use super::{ComputeArgs, Format, FormatArgs};

/// `bench`
#[derive(Args, Clone, Debug)]
pub struct BenchArgs {
    /// Measure only these parts [default: env-step, policy, meta-iteration]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART")]
    pub only: Vec<BenchPart>,
    /// Numbers of tasks for `--only tasks`, which times a meta-iteration of each
    #[arg(long, value_delimiter = ',', default_values_t = [20, 80, 320], value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub tasks: Vec<u32>,
    /// A table, or one JSON object per line
    #[arg(long, default_value = "text")]
    pub format: Format,
    /// Device, arithmetic and threads.
    #[command(flatten)]
    pub compute: ComputeArgs,
}

/// Arguments of `selftest`.
#[derive(Args, Debug)]
pub struct SelftestArgs {
    /// Meta-iterations of the training that is compared; 0 leaves it out
    #[arg(long, default_value_t = 40, value_name = "N", value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_INDEX)))]
    pub iterations: u32,
    /// Format of the result.
    #[command(flatten)]
    pub output: FormatArgs,
    /// Device, arithmetic and threads.
    #[command(flatten)]
    pub compute: ComputeArgs,
}

/// Parts of `bench`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BenchPart {
    /// Environment steps per second
    EnvStep,
    /// Policy inferences per second
    Policy,
    /// Seconds per meta-iteration, by backend and phase
    MetaIteration,
    /// Time of a deployed policy to act (mean, median, 99.99 %, maximum) and to adapt
    Runtime,
    /// Training steps per second of a recurrent policy, by phase
    Rl2,
    /// Meta-iterations with increasing numbers of tasks
    Tasks,
    /// Meta-iterations with increasing numbers of lanes, steps, hidden units and actors
    Scaling,
    /// Whole trainings: plain PPO to its goal, and the flips (minutes)
    TimeToResult,
}
