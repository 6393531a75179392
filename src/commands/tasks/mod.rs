//! `tasks sample|describe|audit|plot`

mod audit;

use anyhow::Result;

use crate::cli::TasksCommand;

/// Runs the command.
///
/// # Errors
/// On an unknown preset, a configuration that does not hold together, and output that cannot be written.
pub fn run(command: &TasksCommand) -> Result<()> {
    match command {
        TasksCommand::Audit(args) => audit::run(args),
        _ => todo!(),
    }
}
