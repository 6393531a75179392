//! `env check NAME`

use anyhow::Result;

use crate::{
    check::check,
    commands::{aligned, print},
};

/// An environment that does not do what every environment must do.
#[derive(Debug, thiserror::Error)]
#[error("{name} fails {failed} of {count} checks")]
pub struct CheckFailed {
    /// Its name.
    pub name: String,
    /// Checks that fail.
    pub failed: usize,
    /// Checks done.
    pub count: usize,
}

/// Runs the command.
///
/// # Errors
/// [`CheckFailed`] after the list; a [`metadrift_envs::TaskError`] on an unknown name.
pub fn run(name: &str) -> Result<()> {
    let checks = check(super::find(name, "env check")?);
    let mut rows = vec![["", "what is claimed", "how it was tried, or what is wrong"].map(str::to_owned)];
    rows.extend(checks.iter().map(|check| {
        let state = if check.failure.is_none() { "OK" } else { "FAILED" };
        [state.to_owned(), check.name.to_owned(), check.failure.as_ref().unwrap_or(&check.detail).clone()]
    }));
    print(&aligned(&rows))?;
    let failed = checks.iter().filter(|check| check.failure.is_some()).count();
    if failed > 0 {
        return Err(CheckFailed { name: name.to_owned(), failed, count: checks.len() }.into());
    }
    Ok(())
}
