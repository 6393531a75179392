//! Arguments of `tune`.

use std::path::PathBuf;

use clap::Args;

use super::Format;

/// `tune`
#[derive(Args, Clone, Debug)]
pub struct TuneArgs {
    /// File that describes the search; docs/tuning.md has its form
    #[arg(value_name = "SPACE.toml")]
    pub what: String,
    /// Folder of the search. If it has some of the search, that goes on; several processes may work on it
    #[arg(long, value_name = "DIR", required_unless_present = "dry_run")]
    pub out: Option<PathBuf>,
    /// Trials that this process works on at the same time, each on one thread; with 1, a trial has all cores
    /// [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// Show the trials, their environment steps and the time that they take, and stop
    #[arg(long)]
    pub dry_run: bool,
    /// Output for people or for programs
    #[arg(long, default_value = "text")]
    pub format: Format,
    /// Print only warnings, errors and the result
    #[arg(short, long)]
    pub quiet: bool,
}
