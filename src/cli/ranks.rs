//! Options of a training that several processes share.

use std::time::Duration;

use clap::Args;

use super::parse_time;

/// Ranks that share a training or an evaluation.
#[derive(Args, Clone, Debug)]
pub struct RanksArgs {
    /// Share the work with the other processes that mpirun or srun has started: each takes a part of the tasks.
    /// Results do not depend on their number (docs/cluster.md)
    #[arg(long)]
    pub distributed: bool,
    /// Time that a rank waits for the others before it ends them all: 90s, 10m, 2h
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "10m", requires = "distributed")]
    pub rank_timeout: Duration,
}
