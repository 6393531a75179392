//! Sinks for the metrics of a run: event files for TensorBoard, CSV, JSON lines, a progress line.
//!
//! Learners return numbers and never log; the runner hands them to a [`Logger`] once per iteration:
//!
//! ```text
//! log(iteration, metrics, timing) --+-- metrics ---------> metrics.csv, metrics.jsonl   byte-equal after a resume
//!                                   +-- timing ----------> timing.csv                   differs from run to run
//!                                   +-- both ------------> tb/events.out.tfevents...
//! evaluation(iteration, values) --------+----------------> evaluations.csv              byte-equal after a resume
//!                                       +----------------> tb/events.out.tfevents...
//! evaluation at the end, its summary, a film --------------> tb/events.out.tfevents...
//! ```
//!
//! Values that depend on the clock (seconds, steps per second) are `timing` and stay out of the two metrics files, so
//! that a run of n iterations and a run of k, a resume and n - k more write the same bytes there.
//!
//! A full disk or a missing directory never stops a run. The first error of a sink is reported, lost values are counted
//! ([`Logger::dropped`]), and every later iteration tries again.

pub mod files;
mod logger;
pub mod pieces;
pub mod progress;
pub mod tensorboard;

use std::io;

pub use files::{CsvFile, JsonLinesFile};
pub use logger::Logger;
pub use progress::{Progress, ProgressLine};
pub use tensorboard::TensorBoard;

use serde::{Deserialize, Serialize};

/// A destination of metrics. It returns errors and never panics; [`Logger`] decides what they mean.
///
/// A sink that returned an error must be usable again: the next call is a fresh try.
pub trait Sink {
    /// Name of the destination, for messages.
    fn target(&self) -> String;

    /// Writes the values of one step. `wall_time` is in seconds since 1970 (s).
    ///
    /// Returns the number of `values` that it had no place for while the others were written: the first row of a CSV
    /// file fixes its columns. With an error, none of them was written.
    fn scalars(&mut self, step: u64, wall_time: f64, values: &[(&str, f64)]) -> io::Result<usize>;

    /// Writes a text in Markdown. Sinks without a place for text ignore it.
    fn text(&mut self, _tag: &str, _markdown: &str) -> io::Result<()> {
        Ok(())
    }

    /// Writes the settings of the run. Sinks without a place for them ignore them.
    fn hparams(&mut self, _values: &[(String, Hparam)]) -> io::Result<()> {
        Ok(())
    }

    /// Writes the distribution of `values` at a step. Sinks without a place for it ignore it.
    fn distribution(&mut self, _step: u64, _tag: &str, _values: &[f64]) -> io::Result<()> {
        Ok(())
    }

    /// Writes which scalars belong into one chart. Sinks without charts ignore it.
    fn charts(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Writes a film, a GIF of `size` (pixels), at the step of the latest scalars. Sinks without pictures ignore it.
    fn film(&mut self, _tag: &str, _gif: &[u8], _size: (u16, u16)) -> io::Result<()> {
        Ok(())
    }

    /// Notes the end of the run, temporary or final.
    fn end(&mut self, _outcome: Outcome) -> io::Result<()> {
        Ok(())
    }

    /// Makes everything written so far durable (fsync), and opens a file that is not open yet.
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

/// The way a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All iterations are done.
    Finished,
    /// Stopped by a signal; it can be resumed.
    Interrupted,
    /// Stopped by an error.
    Failed,
}

/// The part of an iteration that a sink gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// The values that a resume repeats to the bit.
    Metrics,
    /// The values that depend on the clock.
    Timing,
    /// Both, and evaluations during training.
    Both,
    /// Evaluations during training.
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
    /// Progress after an iteration without environment steps.
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

/// The start of the logs: new or resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// A new run.
    New,
    /// A run that resumes after this iteration; the entries of later ones are dropped, for it logs them again.
    After(u64),
}
