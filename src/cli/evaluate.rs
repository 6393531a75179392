//! Arguments of the command that evaluates a run.

use std::path::PathBuf;

use clap::Args;
use metadrift_envs::Split;

use super::{ComputeArgs, Format, RanksArgs, parse_split};
use crate::checkpoint::Which;

/// `evaluate`
#[derive(Args, Clone, Debug)]
pub struct EvaluateArgs {
    /// Folder of the run
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Checkpoint: an iteration, `best` on held-out tasks (see evaluation.every), or `last`
    #[arg(long, value_name = "STEP|best|last", default_value = "last")]
    pub checkpoint: Which,
    /// Held-out tasks: from the training distribution (in-dist) or beyond it (ood)
    #[arg(long, default_value = "in-dist", value_parser = parse_split)]
    pub split: Split,
    /// Number of tasks [default: evaluation.tasks of the run]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub tasks: Option<u32>,
    /// Episodes per adaptation step (lanes) [default: evaluation.episodes of the run]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub episodes: Option<u32>,
    /// Adaptation steps [default: evaluation.adapt_steps of the run]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub adapt_steps: Option<u8>,
    /// Seed of tasks, initial states and actions
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: u64,
    /// Also time single decisions, for one system alone; these figures differ from run to run
    #[arg(long)]
    pub timing: bool,
    /// Folder of the data, for tasks of examples whose data are no longer where the run had them
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Output for people or for programs
    #[arg(long, default_value = "text")]
    pub format: Format,
    /// Write the result to this file, too: one row per task if it ends in .csv (with examples per number of steps), else
    /// JSON. The run's folder `eval` keeps both in any case
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Device, arithmetic and threads.
    #[command(flatten)]
    pub compute: ComputeArgs,
    /// Ranks.
    #[command(flatten)]
    pub ranks: RanksArgs,
}
