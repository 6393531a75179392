//! Arguments of the commands on tasks and environments.

use std::path::PathBuf;

use clap::{
    Args, Subcommand, ValueEnum,
    builder::{PathBufValueParser, TypedValueParser},
};
use metadrift_envs::Split;

use super::{ComputeArgs, Format, FormatArgs, LawsArgs, RanksArgs};
use crate::checkpoint::Which;

/// `tasks`
#[derive(Debug, Subcommand)]
pub enum TasksCommand {
    /// Draw tasks and print every value and drift
    #[command(after_help = "Example:\n  metadrift tasks sample cartpole-flip --split ood --count 3 --seed 1")]
    Sample {
        /// A preset's name or a file that ends in .toml
        #[arg(value_name = "PRESET|FILE.toml")]
        what: String,
        /// Split: train, in-dist or ood
        #[arg(long, default_value = "train")]
        split: Split,
        /// Number of tasks
        #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        count: u32,
        /// Seed of the draws
        #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
        seed: u64,
        /// A table, or one JSON object per line
        #[arg(long, default_value = "text")]
        format: Format,
    },
    /// Describe the tasks: ranges, drift, variation budget, and measured scores
    #[command(after_help = "Example:\n  metadrift tasks describe pendulum-physics")]
    Describe {
        /// A preset's name or a file that ends in .toml
        #[arg(value_name = "PRESET|FILE.toml")]
        what: String,
        /// Format of the result.
        #[command(flatten)]
        output: FormatArgs,
    },
    /// Measure random actions, the best laws without and with a short memory, and the oracle, on every split, and the gap
    #[command(
        after_help = "The best fixed feedback is searched on other tasks of the same split with the cross-entropy \
        method. If\nthe gap is zero, one fixed policy does as well as knowing the task: no adaptation is needed.\n\n\
        Example:\n  metadrift tasks audit cartpole-flip --format json"
    )]
    Audit(AuditArgs),
    /// List the words of the task language, with their fields, defaults and an example of each
    #[command(after_help = "Examples:\n  metadrift tasks laws\n  metadrift tasks laws sinusoid clock")]
    Laws(LawsArgs),
    /// Plot each drifting quantity over the life of some tasks, switches marked, as SVG
    #[command(after_help = "Example:\n  metadrift tasks plot cartpole-drift --split ood --out drift.svg")]
    Plot {
        /// A preset's name or a file that ends in .toml
        #[arg(value_name = "PRESET|FILE.toml")]
        what: String,
        /// Split: train, in-dist or ood
        #[arg(long, default_value = "train")]
        split: Split,
        /// Number of tasks, one colour each
        #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=8))]
        count: u32,
        /// Ticks to show [default: the life of a lane]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=10_000_000))]
        ticks: Option<u32>,
        /// Seed of the draws
        #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
        seed: u64,
        /// File of the picture
        #[arg(long, value_name = "FILE.svg", value_parser = ending("svg"))]
        out: PathBuf,
    },
}

/// `tasks audit`
#[derive(Args, Clone, Debug)]
pub struct AuditArgs {
    /// A preset's name or a file that ends in .toml
    #[arg(value_name = "PRESET|FILE.toml")]
    pub what: String,
    /// Change one setting; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Tasks of each split
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub tasks: u32,
    /// Lanes (initial states) on each task
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub lanes: u32,
    /// Rounds of the search for the best fixed feedback
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rounds: u32,
    /// Seed of tasks, initial states and search
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: u64,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub actors: Option<u16>,
    /// Ranks.
    #[command(flatten)]
    pub ranks: RanksArgs,
    /// Output for people or for programs
    #[arg(long, default_value = "text")]
    pub format: Format,
    /// Write the JSON form to this file, too
    #[arg(long, value_name = "FILE.json")]
    pub out: Option<PathBuf>,
    /// Print only warnings, errors and the result
    #[arg(short, long)]
    pub quiet: bool,
}

/// `env`
#[derive(Debug, Subcommand)]
pub enum EnvCommand {
    /// List names with one line each
    List(FormatArgs),
    /// Show observations, actions and every quantity that a task may set or let drift
    Show {
        /// Name of the environment
        name: String,
        /// Format of the result.
        #[command(flatten)]
        output: FormatArgs,
    },
    /// Check the contract of an environment: determinism, effect of every channel, bounds, f32 against f64
    #[command(after_help = "Example:\n  metadrift env check cartpole")]
    Check {
        /// Name of the environment
        name: String,
        /// Format of the result.
        #[command(flatten)]
        output: FormatArgs,
    },
    /// Write every step of a task to a CSV file: parameters, events, state, observation, action, reward
    #[command(
        after_help = "Examples:\n  metadrift env trace cartpole-drift --task ood/3 --policy oracle --out trace.csv\n  \
        metadrift env trace cartpole-flip --run RUN --task in-dist/3 --episodes 20 --out log.csv"
    )]
    Trace(TraceArgs),
    /// Run action sequences in f64 and print states, observations, rewards and terminations as JSON lines
    #[command(after_help = "Each line of FILE is a JSON object with env, initial_state and actions, and optionally \
        params and integrator; other keys are ignored. initial_state is an array of numbers or {\"seed\": 42}, the \
        state that Gymnasium draws for that seed, to the bit. `-` reads standard input.\n\nExample:\n  \
        echo '{\"env\":\"pendulum\",\"initial_state\":[3.14,0],\"actions\":[2,2,-1]}' | metadrift env replay -")]
    Replay {
        /// File of JSON lines; `-` is standard input
        #[arg(value_name = "FILE.jsonl")]
        file: PathBuf,
    },
}

/// `record`
#[derive(Args, Clone, Debug)]
pub struct RecordArgs {
    /// A preset's name or a file that ends in .toml
    #[arg(value_name = "PRESET|FILE.toml")]
    pub what: String,
    /// Folder of a run: its policy acts, before and after adaptation by gradient steps, or as it adapts by itself
    /// [default: the oracle controller]
    #[arg(long, value_name = "RUN")]
    pub run: Option<PathBuf>,
    /// Its checkpoint: an iteration, `best` on held-out tasks (see evaluation.every), or `last`
    #[arg(long, value_name = "STEP|best|last", default_value = "last", requires = "run")]
    pub checkpoint: Which,
    /// Split of the task: train, in-dist or ood
    #[arg(long, default_value = "in-dist")]
    pub split: Split,
    /// Index of the task in its split
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(..1 << 24))]
    pub task: u32,
    /// Seed of task, initial state and actions
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: u64,
    /// File of the film
    #[arg(long, value_name = "FILE.gif", value_parser = ending("gif"))]
    pub out: PathBuf,
    /// Device, arithmetic and threads.
    #[command(flatten)]
    pub compute: ComputeArgs,
}

/// Refuses a file name whose ending is not that of the format.
fn ending(format: &'static str) -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(move |path| {
        let right = path.extension().is_some_and(|end| end.eq_ignore_ascii_case(format));
        right.then_some(path).ok_or_else(|| format!("it is written as {format}: the name must end in .{format}"))
    })
}

/// The acting policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PolicyChoice {
    /// A policy to which every action is equally likely.
    Random,
    /// A controller that knows the state and every parameter.
    Oracle,
}

/// `env trace`
#[derive(Args, Clone, Debug)]
pub struct TraceArgs {
    /// A preset's name or a file that ends in .toml
    #[arg(value_name = "PRESET|FILE.toml")]
    pub what: String,
    /// Task: SPLIT/INDEX, or SPLIT/ITERATION/INDEX for one of a training run
    #[arg(long, value_name = "ID", default_value = "train/0")]
    pub task: String,
    /// Acting policy
    #[arg(long, default_value = "random", conflicts_with = "run")]
    pub policy: PolicyChoice,
    /// Folder of a run whose policy acts, by its most likely actions; it adapts as in an evaluation
    #[arg(long, value_name = "RUN")]
    pub run: Option<PathBuf>,
    /// Write a log for `metadrift adapt` instead: this many episodes (lanes) of the run's policy as it is, with drawn actions,
    /// those that an evaluation adapts on. A folder adapted k times goes on in phase k
    #[arg(long, value_name = "N", requires = "run", conflicts_with_all = ["steps", "policy"],
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub episodes: Option<u32>,
    /// Number of steps [default: as many as training takes in a task]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub steps: Option<u32>,
    /// Seed of task, initial states and actions
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: u64,
    /// File of the steps
    #[arg(long, value_name = "FILE.csv")]
    pub out: PathBuf,
}
