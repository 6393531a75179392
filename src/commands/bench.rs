//! `bench`
use crate::cli::BenchArgs;
use anyhow::Result;
/// x
pub fn run(_c: &BenchArgs) -> Result<()> {
    Ok(())
}
