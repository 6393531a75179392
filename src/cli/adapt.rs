//! Arguments of the command that adapts to logged episodes.

use std::path::PathBuf;

use clap::Args;

use super::{ComputeArgs, Format};
use crate::checkpoint::Which;

/// `adapt`
#[derive(Args, Clone, Debug)]
pub struct AdaptArgs {
    /// Folder of the run, or of an earlier adaptation, which goes on
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Log of episodes of the run's policy: a row for each step, columns by name
    #[arg(long, value_name = "LOG.csv")]
    pub episodes: PathBuf,
    /// New folder of the adapted policy: it takes the place of a run in `evaluate`, `record` and `adapt`
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Checkpoint: an iteration, `best` on held-out tasks (see evaluation.every), or `last`
    #[arg(long, value_name = "STEP|best|last", default_value = "last")]
    pub checkpoint: Which,
    /// Output for people or for programs
    #[arg(long, default_value = "text")]
    pub format: Format,
    /// Device, arithmetic and threads.
    #[command(flatten)]
    pub compute: ComputeArgs,
}
