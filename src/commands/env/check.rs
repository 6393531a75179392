//! `env check NAME`

use metadrift_envs::check::{Check, check};
use serde_json::json;

use crate::{
    cli::Format,
    commands::{aligned, print_as},
    failure::{Coded, Result, code},
};

/// The error if an environment breaks its contract.
#[derive(Debug, thiserror::Error)]
#[error("{name} fails {failed} of {count} checks")]
pub struct CheckFailed {
    /// Name of the environment.
    pub name: String,
    /// Number of failed checks.
    pub failed: usize,
    /// Number of checks.
    pub count: usize,
}

impl Coded for CheckFailed {
    fn code(&self) -> u8 {
        code::CHECK
    }
}

/// Runs the command.
///
/// # Errors
/// [`CheckFailed`] after the list; a [`metadrift_envs::TaskError`] on an unknown name.
pub fn run(name: &str, format: Format) -> Result<()> {
    let checks = check(super::find(name, "env check")?);
    let mut rows = vec![["", "property", "test or failure"].map(str::to_owned)];
    rows.extend(checks.iter().map(|check| {
        let state = if check.failure.is_none() { "OK" } else { "FAILED" };
        [state.to_owned(), check.name.to_owned(), check.failure.as_ref().unwrap_or(&check.detail).clone()]
    }));
    let failed = checks.iter().filter(|check| check.failure.is_some()).count();
    let object = |check: &Check| json!({ "name": check.name, "test": check.detail, "failure": check.failure });
    let objects: Vec<serde_json::Value> = checks.iter().map(object).collect();
    print_as(format, &json!({ "env": name, "passed": failed == 0, "checks": objects }), || aligned(&rows))?;
    if failed > 0 {
        return Err(CheckFailed { name: name.to_owned(), failed, count: checks.len() }.into());
    }
    Ok(())
}
