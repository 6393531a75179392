//! Arguments of `export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::checkpoint::Which;

/// `export`
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    /// Folder of the run
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Folder to write, which must be new or empty
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// Forms beside the policy itself, its description and its test vectors
    #[arg(long, value_enum, default_value = "all")]
    pub format: ExportFormat,
    /// Largest change of each component of a command from one step to the next, in its unit, which the exported policy keeps
    /// [default: no limit]
    #[arg(long, value_name = "CHANGE", allow_negative_numbers = true, value_parser = rate)]
    pub rate_limit: Option<f32>,
    /// Checkpoint: an iteration, `best` on held-out tasks (see evaluation.every), or `last`
    #[arg(long, value_name = "STEP|best|last", default_value = "last")]
    pub checkpoint: Which,
}

fn rate(text: &str) -> Result<f32, String> {
    text.parse().ok().filter(|rate: &f32| *rate > 0.0 && rate.is_finite()).ok_or("it must be a positive number".into())
}

/// Forms that `export` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// A crate with the policy inside
    Rust,
    /// A header, the policy as an array, and a program that checks them
    C,
    /// Graphs of the policy and of its adaptation step, with cases to check them by
    Onnx,
    /// The library as WebAssembly, with sources in JavaScript, one of which checks it
    Wasm,
    /// A web page in one file: policy, environment and adaptation, to play with
    Page,
    /// All of these
    All,
}

impl ExportFormat {
    /// True if `other` is asked for.
    pub fn has(self, other: ExportFormat) -> bool {
        self == other || self == ExportFormat::All
    }
}
