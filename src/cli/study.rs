//! Arguments of `study`, `compare`, `score` and `runs`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use metadrift_envs::Split;

use super::{ComputeArgs, Format, FormatArgs, parse_split};

/// `study`
#[derive(Args, Clone, Debug)]
pub struct StudyArgs {
    /// A study of the program (quick, full, lives, bounds, ns-gym, cadm, packer, actuator-inversion), or a file that ends in .toml
    #[arg(value_name = "STUDY.toml|NAME", required_unless_present = "list_methods")]
    pub what: Option<String>,
    /// Folder of the study. If it has some of the study's cells, the others are made; several processes may share it
    #[arg(long, value_name = "DIR", required_unless_present_any = ["dry_run", "list_methods", "show"])]
    pub out: Option<PathBuf>,
    /// Cells that are made at the same time, each on one thread; with 1, one cell has all cores [default: all cores].
    /// Results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// List the cells, their environment steps and the time that they take, and stop
    #[arg(long, conflicts_with_all = ["list_methods", "show"])]
    pub dry_run: bool,
    /// Print the study's file, the start of one of your own, and stop
    #[arg(long, conflicts_with = "list_methods")]
    pub show: bool,
    /// List the methods that a study may name, and stop
    #[arg(long)]
    pub list_methods: bool,
    /// Output for people or for programs
    #[arg(long, default_value = "text")]
    pub format: Format,
    /// Print only warnings, errors and the result
    #[arg(short, long)]
    pub quiet: bool,
}

/// `compare`
#[derive(Args, Clone, Debug)]
pub struct CompareArgs {
    /// Folders of runs on the same tasks; the others are compared with the first
    #[arg(value_name = "RUN", required = true, num_args = 2..)]
    pub runs: Vec<PathBuf>,
    /// Held-out tasks: from the training distribution (in-dist) or beyond it (ood)
    #[arg(long, default_value = "in-dist", value_parser = parse_split)]
    pub split: Split,
    /// Output for people or for programs
    #[arg(long, default_value = "text")]
    pub format: Format,
    /// Device, arithmetic and threads.
    #[command(flatten)]
    pub compute: ComputeArgs,
}

/// `score`
#[derive(Args, Clone, Debug)]
pub struct ScoreArgs {
    /// Folders of runs of one learner, several seeds of each preset; a run that is named twice, as by the link
    /// `latest`, counts once
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// Episode of a life that counts, from 0. The published policies look back on transitions that are collected before
    /// their episode begins, so that it is between 0 and 1 here
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub episode: u8,
    /// Output for people or for programs
    #[arg(long, default_value = "text")]
    pub format: Format,
    /// Device, arithmetic and threads.
    #[command(flatten)]
    pub compute: ComputeArgs,
}

/// `runs`
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// List the runs under a folder, the newest last
    List(RunsListArgs),
}

/// `runs list`
#[derive(Args, Clone, Debug)]
pub struct RunsListArgs {
    /// Folder of the runs
    #[arg(default_value = "runs", value_name = "DIR")]
    pub dir: PathBuf,
    /// Output for people or for programs.
    #[command(flatten)]
    pub output: FormatArgs,
}
