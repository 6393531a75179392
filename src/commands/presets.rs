//! `presets list|show`

use std::fmt::Write as _;

use anyhow::Result;

use crate::{
    cli::PresetsCommand,
    commands::print,
    presets::{self, PRESETS},
};

/// Runs the command.
///
/// # Errors
/// On an unknown preset.
pub fn run(command: &PresetsCommand) -> Result<()> {
    match command {
        PresetsCommand::List => {
            let mut text = String::new();
            for (name, _) in PRESETS {
                let _ = writeln!(text, "{name:<22} {}", presets::load(name, &[])?.description);
            }
            print(&text)?;
        }
        PresetsCommand::Show { name } => print(presets::text(name)?)?,
    }
    Ok(())
}
