//! Arguments of the command that lives lives.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use metadrift_agents::runtime::detector::Test;
use metadrift_envs::Split;

use super::{ComputeArgs, Format, parse_split};
use crate::{checkpoint::Which, live::detector::Watch};

/// `live`
#[derive(Args, Clone, Debug)]
pub struct LiveArgs {
    /// Folder of the run; or --learner with --preset
    #[arg(value_name = "RUN", required_unless_present_any = ["learner", "verify"])]
    pub run: Option<PathBuf>,
    /// Live with this learner's policy before any training instead, such as adaptive-control, which needs none
    #[arg(long, value_name = "NAME", conflicts_with = "run", requires = "preset")]
    pub learner: Option<String>,
    /// Preset or file with the tasks [default: that of the run]
    #[arg(long, value_name = "PRESET|FILE.toml")]
    pub preset: Option<String>,
    /// Checkpoint: an iteration, `best` on held-out tasks (see evaluation.every), or `last`
    #[arg(long, value_name = "STEP|best|last", default_value = "last")]
    pub checkpoint: Which,
    /// Run whose policy lives the same episodes without adaptation, for the relative regret: usually plain PPO
    #[arg(long, value_name = "RUN")]
    pub reference: Option<PathBuf>,
    /// Tasks: from the training distribution (in-dist) or beyond it (ood)
    #[arg(long, default_value = "in-dist", value_parser = parse_split)]
    pub split: Split,
    /// Number of lives, each on a task of its own
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub lives: u32,
    /// Episodes of a life
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub episodes: u32,
    /// Seed of tasks, initial states and actions
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: u64,
    /// The way of learning.
    #[command(flatten)]
    pub learning: LearningArgs,
    /// Write a log of all adaptations to this file, chained by digests; --verify checks it
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Only check that a log is as it was written
    #[arg(long, value_name = "FILE", conflicts_with_all = ["run", "learner", "preset", "log"])]
    pub verify: Option<PathBuf>,
    /// Output for people or, as one object a line, for programs: a line for each life and episode, and the summary
    #[arg(long, default_value = "text")]
    pub format: Format,
    /// Device, arithmetic and threads.
    #[command(flatten)]
    pub compute: ComputeArgs,
}

/// Options of a policy that learns by gradient steps.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Learning, for policies that adapt by gradient steps")]
pub struct LearningArgs {
    /// Adapt after this many ticks within an episode, too, at least 1/250 of its time limit [default: after episodes only]
    #[arg(long, value_name = "TICKS", value_parser = clap::value_parser!(u32).range(1..))]
    pub every: Option<u32>,
    /// Gradient steps of an adaptation [default: 1]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub steps: Option<u8>,
    /// Way back to the unadapted policy before each adaptation: 1 begins anew, 0 goes on from the last, and a share mixes
    /// them [default: 0]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, value_parser = share)]
    pub anchor: Option<f64>,
    /// Number of the last episodes that an adaptation learns from [default: 1]
    #[arg(long, value_name = "EPISODES", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub window: Option<u32>,
    /// Episodes in which the weight of data halves [default: it does not]
    #[arg(long, value_name = "EPISODES", allow_negative_numbers = true, value_parser = positive)]
    pub half_life: Option<f64>,
    /// Weigh steps by their probability under the policy that adapts, against that under the one that took them, up to 5
    /// [default: on]
    #[arg(long, value_name = "on|off")]
    pub importance: Option<Switch>,
    /// Quantity whose change makes the policy forget what it has learned [default: none]
    #[arg(long, value_name = "QUANTITY")]
    pub detector: Option<DetectorName>,
    /// Test of the detector [default: cusum]
    #[arg(long, value_name = "TEST")]
    pub test: Option<TestName>,
    /// Height of the test's statistic that is an alarm, in standard deviations [default: 40; 5 for returns]
    #[arg(long, value_name = "HEIGHT", allow_negative_numbers = true, value_parser = positive)]
    pub threshold: Option<f64>,
    /// Take an adapted policy back once a sequential test shows that it is worse than the unadapted one [default: on]
    #[arg(long, value_name = "on|off")]
    pub guard: Option<Switch>,
    /// Probability that the guard takes back a policy that is never worse, in a whole life [default: 0.05]
    #[arg(long, value_name = "LEVEL", allow_negative_numbers = true, value_parser = level)]
    pub level: Option<f64>,
}

/// The quantity that a detector watches, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DetectorName {
    /// No detector
    None,
    /// Returns of episodes
    Returns,
    /// Errors of a model that predicts the next readings, at every tick
    Prediction,
    /// Notifications, where the preset gives them (task.notify)
    Notified,
}

impl DetectorName {
    /// The quantity.
    pub fn watch(self) -> Option<Watch> {
        match self {
            DetectorName::None => None,
            DetectorName::Returns => Some(Watch::Returns),
            DetectorName::Prediction => Some(Watch::Prediction),
            DetectorName::Notified => Some(Watch::Notified),
        }
    }
}

/// The test of a detector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TestName {
    /// Cumulative sums (Page 1954): the sum of what exceeds an allowance, never below 0
    Cusum,
    /// The test of Page and Hinkley (1970): the rise of the sum of deviations from the mean so far above its least value
    PageHinkley,
}

impl TestName {
    /// The test.
    pub fn test(self) -> Test {
        match self {
            TestName::Cusum => Test::Cusum,
            TestName::PageHinkley => Test::PageHinkley,
        }
    }
}

/// A choice that is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Yes
    On,
    /// No
    Off,
}

fn number(text: &str, legal: impl Fn(f64) -> bool, range: &str) -> Result<f64, String> {
    text.parse().ok().filter(|x| legal(*x)).ok_or_else(|| format!("it must be {range}"))
}

fn share(text: &str) -> Result<f64, String> {
    number(text, |x| (0.0..=1.0).contains(&x), "0 to 1")
}

fn level(text: &str) -> Result<f64, String> {
    number(text, |x| x > 0.0 && x < 1.0, "above 0 and below 1")
}

fn positive(text: &str) -> Result<f64, String> {
    number(text, |x| x > 0.0 && x.is_finite(), "a positive number")
}
