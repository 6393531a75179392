//! The command line.

mod adapt;
mod bench;
mod estimators;
mod evaluate;
mod export;
mod live;
mod optimizer;
mod ranks;
mod reference;
mod report;
mod study;
mod tasks;
mod tune;

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use metadrift_agents::backend::BackendChoice;
use metadrift_envs::Split;

use crate::{checkpoint::Which, device::DeviceChoice};

pub use adapt::AdaptArgs;
pub use bench::{BenchArgs, BenchPart, SelftestArgs};
pub use estimators::{EstimatorName, EstimatorsArgs, Mode};
pub use evaluate::EvaluateArgs;
pub use export::{ExportArgs, ExportFormat};
pub use live::{DetectorName, LearningArgs, LiveArgs, Switch, TestName};
pub use optimizer::{OptimizerCommand, OptimizerEvaluateArgs, OptimizerTrainArgs, OptimizerTuneArgs, TrainingsArgs};
pub use ranks::RanksArgs;
pub use reference::{CompletionsArgs, ConfigCommand, LawsArgs, LearnersCommand, ManArgs, ReferenceFormat};
pub use report::ReportArgs;
pub use study::{CompareArgs, RunsCommand, RunsListArgs, ScoreArgs, StudyArgs};
pub use tasks::{AuditArgs, EnvCommand, PolicyChoice, RecordArgs, TasksCommand, TraceArgs};
pub use tune::TuneArgs;

/// Meta-reinforcement learning on control tasks whose dynamics drift.
#[derive(Debug, Parser)]
#[command(name = "metadrift", version, propagate_version = true, max_term_width = 110)]
#[command(
    after_help = "Example:\n  metadrift train cartpole-flip\n  metadrift evaluate runs/cartpole-flip/latest --split ood\n\n\
        docs/glossary.md explains the words, such as lane, phase, support and gap."
)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a policy
    #[command(after_help = "Examples:\n  metadrift train cartpole-flip --seed 1\n  \
        metadrift train cartpole-flip --learner rl2\n  \
        metadrift train my.toml --set maml.inner_lr=0.2 --set rollout.num_tasks=40 --max-time 10m")]
    Train(TrainArgs),
    /// Resume an interrupted run. The result is identical to that of an uninterrupted one
    #[command(after_help = "Example:\n  metadrift resume runs/cartpole-flip/latest")]
    Resume(ResumeArgs),
    /// Evaluate a run on held-out tasks, before and after adaptation
    #[command(after_help = "Example:\n  metadrift evaluate runs/cartpole-flip/latest --split ood --adapt-steps 3")]
    Evaluate(EvaluateArgs),
    /// Adapt a run's policy to logged episodes of a real plant, and say what changed and whether to trust it
    #[command(
        after_help = "Examples:\n  metadrift adapt runs/cartpole-flip/latest --episodes log.csv --out adapted\n  \
        metadrift adapt adapted --episodes more.csv --out adapted-2\n\ndocs/adapt.md has the form of a log."
    )]
    Adapt(AdaptArgs),
    /// Live through long tasks that change, one lane each: the policy learns from what it does
    #[command(after_help = "Examples:\n  metadrift live runs/cartpole-switch/latest --episodes 40\n  \
        metadrift live runs/cartpole-flip/latest --guard off --log adaptations.jsonl\n  \
        metadrift live --learner adaptive-control --preset cartpole-switch\n  \
        metadrift live --verify adaptations.jsonl")]
    Live(Box<LiveArgs>),
    /// Write a run's policy and its adaptation as files for other programs, and as a web page to play with
    #[command(after_help = "Examples:\n  metadrift export runs/cartpole-flip/latest --to flip --format c\n  \
        metadrift export runs/cartpole-flip/latest --to flip-page --format page")]
    Export(ExportArgs),
    /// Compare methods on presets and seeds under equal budgets; the same command goes on where it stopped
    #[command(after_help = "Examples:\n  metadrift study quick --out runs/quick\n  \
        metadrift study quick --show > my.toml\n  metadrift study my.toml --out runs/mine --dry-run")]
    Study(StudyArgs),
    /// Search for settings: trials proposed one after the other, those that do well trained further. The journal is Optuna's
    #[command(after_help = "Examples:\n  metadrift tune rates.toml --out runs/rates --dry-run\n  \
        metadrift tune rates.toml --out runs/rates\n  \
        metadrift train runs/rates/best.toml\n\nrates.toml:\n  \
        [tune]\n  name = \"rates\"\n  base = \"cartpole-flip\"\n  trials = 30\n  \
        halving = { first = 10 }\n\n  \
        [tune.space]\n  \"maml.inner_lr\" = { low = 0.01, high = 1.0, log = true }\n  \
        \"ppo.outer_epochs\" = { low = 1, high = 10 }\n  \
        \"policy.activation\" = [\"tanh\", \"relu\"]\n\ndocs/tuning.md explains all keys.")]
    Tune(TuneArgs),
    /// Compare runs on the same held-out tasks: each beside the first, with the intervals of paired differences
    #[command(after_help = "Example:\n  metadrift compare runs/cartpole-flip/a runs/cartpole-flip/b --split ood")]
    Compare(CompareArgs),
    /// Write a report on runs and studies: one HTML file with tables and figures, for any browser and for print
    #[command(after_help = "Examples:\n  metadrift report runs/quick --out report.html\n  \
        metadrift report runs/cartpole-flip/latest --out report.html --assets report")]
    Report(ReportArgs),
    /// List runs with their state and results
    #[command(subcommand, after_help = "Example:\n  metadrift runs list")]
    Runs(RunsCommand),
    /// Score runs by the metric of the published benchmark that their preset belongs to
    #[command(after_help = "Example:\n  metadrift score runs/double-integrator-aib/* runs/complex-ode-aib/*")]
    Score(ScoreArgs),
    /// List the presets that come with the program, or show one
    #[command(subcommand, after_help = "Example:\n  metadrift presets show cartpole-flip > my.toml")]
    Presets(PresetsCommand),
    /// List the learners, or describe one
    #[command(subcommand, after_help = "Example:\n  metadrift learners show ppo")]
    Learners(LearnersCommand),
    /// Measure estimators of the meta-gradient against exact values
    #[command(after_help = "Examples:\n  metadrift estimators\n  \
        metadrift estimators --problem p2 --episodes 6 --svg estimators.svg\n  \
        metadrift estimators --inner-steps 3 --mode monte-carlo --replications 1000000")]
    Estimators(EstimatorsArgs),
    /// Learn an optimiser for PPO, and measure it beside Adam
    #[command(
        subcommand,
        after_help = "Examples:\n  metadrift optimizer train cartpole-physics --out rule.safetensors\n  \
        metadrift optimizer evaluate rule.safetensors cartpole-physics"
    )]
    Optimizer(OptimizerCommand),
    /// Explain the configuration keys
    #[command(subcommand, after_help = "Example:\n  metadrift config keys maml")]
    Config(ConfigCommand),
    /// Draw, describe, plot and measure the tasks of a preset or file
    #[command(
        subcommand,
        after_help = "Examples:\n  metadrift tasks describe cartpole-flip\n  \
        metadrift tasks plot cartpole-drift --out drift.svg"
    )]
    Tasks(TasksCommand),
    /// List and check environments, write traces, replay actions
    #[command(subcommand, after_help = "Example:\n  metadrift env show pendulum")]
    Env(EnvCommand),
    /// Record an episode, or the ticks around a sudden change, as a GIF: the oracle controller, or a trained policy
    /// before and after adaptation
    #[command(after_help = "Examples:\n  metadrift record cartpole-flip --out flip.gif\n  \
        metadrift record cartpole-flip --run runs/cartpole-flip/latest --split ood --task 3 --out adapted.gif")]
    Record(RecordArgs),
    /// Report what this machine and build have: libtorch, devices, processor features
    #[command(after_help = "Example:\n  metadrift doctor")]
    Doctor(FormatArgs),
    /// Measure this machine: environment steps, policy inferences, one meta-iteration
    #[command(after_help = "Example:\n  metadrift bench --format json > bench.jsonl")]
    Bench(BenchArgs),
    /// Check this device and backend against the reference: meta-gradients, and a short training
    #[command(after_help = "Example:\n  metadrift selftest --device cuda")]
    Selftest(SelftestArgs),
    /// Print the completions of a shell
    #[command(
        after_help = "Example:\n  metadrift completions bash > ~/.local/share/bash-completion/completions/metadrift"
    )]
    Completions(CompletionsArgs),
    /// Print the manual page, or write one for each command to a folder
    #[command(after_help = "Example:\n  metadrift man ~/.local/share/man/man1")]
    Man(ManArgs),
}

/// Device, arithmetic and threads.
#[derive(Args, Clone, Debug)]
pub struct ComputeArgs {
    /// Device of the tensors: cpu, cuda, cuda:N or auto
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub device: DeviceChoice,
    /// Arithmetic of the learner: native (CPU), tch (libtorch, CPU or GPU), or auto. They agree up to rounding; a
    /// resumed run keeps its own [default: auto]
    #[arg(long, value_name = "BACKEND", value_parser = parse_backend)]
    pub backend: Option<BackendChoice>,
    /// Threads that step environments and compute gradients [default: all cores]. Results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub actors: Option<u16>,
}

impl ComputeArgs {
    /// Threads to use: as asked, or one per core.
    pub fn num_actors(&self) -> usize {
        threads(self.actors)
    }
}

/// Threads to use: as asked, or one per core.
pub fn threads(asked: Option<u16>) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    asked.map_or_else(cores, usize::from)
}

/// `train`
#[derive(Args, Clone, Debug)]
pub struct TrainArgs {
    /// A preset's name (see `metadrift presets list`) or a file that ends in .toml
    #[arg(value_name = "PRESET|FILE.toml")]
    pub what: String,
    /// Learner, with its own settings in place of those chosen for the preset's; see `metadrift learners list`
    #[arg(long, value_name = "NAME")]
    pub learner: Option<String>,
    /// Change one setting; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Folder of the data, for tasks of examples that need any
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Seed of every random number [default: that of the configuration]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,
    /// Meta-iterations [default: those of the configuration]
    #[arg(long, value_name = "N")]
    pub iterations: Option<u64>,
    /// Save and stop after this time: 90s, 10m, 2h, 1d
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub max_time: Option<Duration>,
    /// Result for people or, as one object, for programs
    #[arg(long, default_value = "text", conflicts_with = "smoke")]
    pub format: Format,
    /// Device, arithmetic and threads.
    #[command(flatten)]
    pub compute: ComputeArgs,
    /// Ranks.
    #[command(flatten)]
    pub ranks: RanksArgs,
    /// Folder of the run; must be new or empty [default: runs/PRESET/DATE-sSEED-SETTINGS-DIGITS]
    #[arg(long, value_name = "DIR", group = "place")]
    pub run_dir: Option<PathBuf>,
    /// Name of the run: its folder is runs/PRESET/NAME, which must be new or empty
    #[arg(long, value_name = "NAME", group = "place", conflicts_with = "smoke")]
    pub name: Option<String>,
    /// Resume the run if its folder (--run-dir or --name) holds one of the same settings; begin it if not
    #[arg(long, requires = "place", conflicts_with_all = ["smoke", "dry_run"])]
    pub resume_if_exists: bool,
    /// Try every part once: train an iteration, save, resume, evaluate
    #[arg(long, conflicts_with_all = ["iterations", "max_time", "dry_run", "distributed"])]
    pub smoke: bool,
    /// Show the resolved configuration and what a run would need, and stop
    #[arg(long, conflicts_with = "distributed")]
    pub dry_run: bool,
    /// Leave out the evaluation on held-out tasks at the end
    #[arg(long, conflicts_with = "smoke")]
    pub no_evaluate: bool,
    /// Print only warnings, errors and the result
    #[arg(short, long)]
    pub quiet: bool,
}

/// `resume`
#[derive(Args, Clone, Debug)]
pub struct ResumeArgs {
    /// Folder of the run
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Checkpoint to resume from: an iteration, `best` on held-out tasks (see evaluation.every), or `last`. Later ones
    /// are set aside
    #[arg(long, value_name = "STEP|best|last", default_value = "last")]
    pub checkpoint: Which,
    /// Extend the run to this many meta-iterations. Learners whose steps shrink towards the planned end (reptile,
    /// distill-window, rl2, distill, ppo with ppo_learner.anneal) then go on as if the end had been planned later
    #[arg(long, value_name = "N")]
    pub iterations: Option<u64>,
    /// Save and stop after this time: 90s, 10m, 2h, 1d
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub max_time: Option<Duration>,
    /// Folder of the data, if they are no longer where the run had them
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Leave out the evaluation on held-out tasks at the end
    #[arg(long)]
    pub no_evaluate: bool,
    /// Result for people or, as one object, for programs
    #[arg(long, default_value = "text")]
    pub format: Format,
    /// Device, arithmetic and threads.
    #[command(flatten)]
    pub compute: ComputeArgs,
    /// Ranks.
    #[command(flatten)]
    pub ranks: RanksArgs,
    /// Print only warnings, errors and the result
    #[arg(short, long)]
    pub quiet: bool,
}

/// `--format`
#[derive(Args, Clone, Copy, Debug)]
pub struct FormatArgs {
    /// Output for people or for programs
    #[arg(long, default_value = "text")]
    pub format: Format,
}

/// Text for people or JSON for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text for people.
    Text,
    /// JSON for programs.
    Json,
}

/// `presets`
#[derive(Debug, Subcommand)]
pub enum PresetsCommand {
    /// List names with one line each
    List(FormatArgs),
    /// Print a preset: the start of a file of your own
    Show {
        /// Name of the preset
        name: String,
        /// TOML as it is written, or JSON with every default resolved
        #[arg(long, default_value = "text")]
        format: Format,
    },
}

fn parse_time(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let seconds = match unit {
        "s" | "" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err("write 90s, 10m, 2h or 1d".into()),
    };
    let time = number.parse().map(|n: f64| Duration::try_from_secs_f64(n * seconds));
    time.ok().and_then(Result::ok).ok_or_else(|| "write 90s, 10m, 2h or 1d".into())
}

fn parse_backend(text: &str) -> Result<BackendChoice, String> {
    match text {
        "auto" => Ok(BackendChoice::Auto),
        "native" => Ok(BackendChoice::Native),
        "tch" => Ok(BackendChoice::Tch),
        _ => Err("expected native, tch or auto".into()),
    }
}

fn parse_split(text: &str) -> Result<Split, String> {
    match text.parse() {
        Ok(Split::Train) => Err("held-out tasks only: in-dist or ood".into()),
        Ok(split) => Ok(split),
        Err(_) => Err("expected in-dist or ood".into()),
    }
}

#[cfg(test)]
mod tests;
