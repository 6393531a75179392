//! Where the metrics of a run go: event files for TensorBoard, CSV, JSON lines, a progress line.
//!
//! Learners return numbers and never log; the runner hands them to a [`Logger`] once per iteration:
//!
//! ```text
//! log(iteration, metrics, timing) --+-- metrics ---------> metrics.csv, metrics.jsonl   byte-equal after a resume
//!                                   +-- timing ----------> timing.csv                   differs from run to run
//!                                   +-- both ------------> tb/events.out.tfevents...
//! evaluation(iteration, values) --------+----------------> evaluations.csv              byte-equal after a resume
//!                                       +----------------> tb/events.out.tfevents...
//! ```
//!
//! What the clock has a part in (seconds, steps per second) is `timing` and stays out of the two metrics files, so that
//! a run of n iterations and a run of k, a resume and n - k more write the same bytes there.
//!
//! A full disk or a missing directory never stops a run. The first error of a sink is reported, the values that did not
//! get through are counted ([`Logger::dropped`]), and every later iteration tries again.

pub mod files;
mod logger;
pub mod progress;
pub mod tensorboard;

use std::io;

pub use files::{CsvFile, JsonLinesFile};
pub use logger::Logger;
pub use progress::{Progress, ProgressLine};
pub use tensorboard::TensorBoard;

use serde::{Deserialize, Serialize};

/// A place metrics go to. Errors are returned, never turned into a panic; [`Logger`] decides what they mean.
///
/// A sink that returned an error must be usable again: the next call is a fresh try.
pub trait Sink {
    /// Where it writes, for messages.
    fn target(&self) -> String;

    /// One step's values. `wall_time` is in seconds since 1970 (s).
    ///
    /// Returns how many of `values` it had no place for while the others were written: the columns of a CSV file are
    /// fixed by its first row. With an error, none of them was written.
    fn scalars(&mut self, step: u64, wall_time: f64, values: &[(&str, f64)]) -> io::Result<usize>;

    /// A text in Markdown. Sinks without a place for text ignore it.
    fn text(&mut self, _tag: &str, _markdown: &str) -> io::Result<()> {
        Ok(())
    }

    /// The settings of the run. Sinks without a place for them ignore them.
    fn hparams(&mut self, _values: &[(String, Hparam)]) -> io::Result<()> {
        Ok(())
    }

    /// The run is over, for now or for good.
    fn end(&mut self, _outcome: Outcome) -> io::Result<()> {
        Ok(())
    }

    /// Makes everything written so far durable (fsync), and opens what is not open yet.
    fn flush(&mut self) -> io::Result<()>;
}

/// A setting of the run as TensorBoard's hparams table knows it.
#[derive(Clone, Debug, PartialEq)]
pub enum Hparam {
    /// A number.
    Number(f64),
    /// A string.
    Text(String),
    /// True or false.
    Bool(bool),
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All iterations are done.
    Finished,
    /// Stopped by a signal; it can be resumed.
    Interrupted,
    /// Stopped by an error.
    Failed,
}

/// Which part of an iteration a sink gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// The values that a resume repeats to the bit.
    Metrics,
    /// The values the clock has a part in.
    Timing,
    /// Both, and evaluations during training.
    Both,
    /// Only evaluations during training.
    Evaluation,
}

/// Progress of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// Iterations done.
    pub iteration: u64,
    /// Environment steps taken.
    pub env_steps: u64,
}

impl At {
    /// The end of an iteration of something that takes no environment steps.
    pub fn iteration(iteration: u64) -> Self {
        At { iteration, env_steps: 0 }
    }

    fn on(self, axis: XAxis) -> u64 {
        match axis {
            XAxis::Iteration => self.iteration,
            XAxis::EnvSteps => self.env_steps,
        }
    }
}

/// The x-axis of TensorBoard's charts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum XAxis {
    /// Iterations of the learner.
    #[default]
    Iteration,
    /// Environment steps taken for learning.
    EnvSteps,
}

/// The logs of a run: the `[log]` table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// The x-axis of TensorBoard's charts.
    pub x_axis: XAxis,
}

/// Whether the logs begin or go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// A new run.
    New,
    /// A run that goes on after this iteration: what was logged for later ones is dropped, for they come again.
    After(u64),
}
