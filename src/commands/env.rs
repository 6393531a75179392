//! `env`
use crate::cli::EnvCommand;
use anyhow::Result;
/// x
pub fn run(_c: &EnvCommand) -> Result<()> {
    Ok(())
}
