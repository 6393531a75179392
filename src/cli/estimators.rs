//! Arguments of the command that measures estimators.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Format;
use crate::estimators::problem;

/// `estimators`
#[derive(Args, Clone, Debug)]
pub struct EstimatorsArgs {
    /// Decision problem that is small enough to enumerate
    #[arg(long, value_name = "NAME", default_value = "p2")]
    pub problem: problem::Name,
    /// Estimator of the meta-gradient, or all
    #[arg(long, value_name = "NAME", default_value = "all")]
    pub estimator: EstimatorName,
    /// Lambda of loaded-dice, from 0 (lvc) to 1 (dice) [default: 0.9]
    #[arg(long, value_name = "X", value_parser = share)]
    pub lambda: Option<f64>,
    /// Gradient steps of the adaptation
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=10))]
    pub inner_steps: u8,
    /// Episodes of each step
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub episodes: u32,
    /// The data: all that can occur, or sampled ones
    #[arg(long, value_name = "MODE", default_value = "enumeration")]
    pub mode: Mode,
    /// Adaptations that are sampled [default: 100000]
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u64).range(2..=1_000_000_000))]
    pub replications: Option<u64>,
    /// Seed of the sampled data [default: 0]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,
    /// Write the table as CSV to this file, too
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Draw relative errors and standard deviations for 1 to N episodes into this file
    #[arg(long, value_name = "FILE.svg")]
    pub svg: Option<PathBuf>,
    /// Threads [default: all cores]. Results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub actors: Option<u16>,
    /// Output for people or, as one object a line, for programs
    #[arg(long, default_value = "text")]
    pub format: Format,
}

/// The data of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Every data set with its probability: no noise
    Enumeration,
    /// Sampled data sets
    MonteCarlo,
}

/// Estimators of the meta-gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EstimatorName {
    /// All of them
    All,
    /// No second derivatives (FOMAML)
    FirstOrder,
    /// Score function: the derivative of the step on given data
    Score,
    /// Low-variance curvature, as ProMP and this program's default have it
    Lvc,
    /// DiCE
    Dice,
    /// Loaded DiCE
    LoadedDice,
    /// Score function with the sampling term (E-MAML)
    ScoreSampling,
    /// The same with a leave-one-out baseline of the sampling term
    ScoreSamplingLoo,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("must be a number from 0 to 1".to_owned()),
    }
}
