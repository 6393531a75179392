//! `tasks sample|describe|audit|laws|plot`

mod audit;
mod describe;
mod drift_text;
mod laws;
mod plot;
mod sample;

pub(in crate::commands) use describe::differing;

use std::process::ExitCode;

use crate::{cli::TasksCommand, failure::Result};

/// Runs the command.
///
/// # Errors
/// On an unknown preset, a configuration that does not hold together, and output that cannot be written.
pub fn run(command: &TasksCommand) -> Result<ExitCode> {
    match command {
        TasksCommand::Audit(args) => return audit::run(args),
        TasksCommand::Laws(args) => laws::run(args)?,
        TasksCommand::Sample { what, split, count, seed, format } => sample::run(what, *split, *count, *seed, *format)?,
        TasksCommand::Describe { what, output } => describe::run(what, output.format)?,
        TasksCommand::Plot { what, split, count, ticks, seed, out } => {
            plot::run(what, plot::Asked { split: *split, count: *count, seed: *seed, ticks: *ticks }, out)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
