//! `env list|show|check|trace|replay`

mod check;
mod replay;
mod show;
mod trace;

use metadrift_envs::{EnvKind, EnvSpec, TaskError};
use serde_json::json;

use crate::{
    cli::{EnvCommand, Format},
    commands::{aligned, print_as},
    failure::Result,
};

pub use check::CheckFailed;
pub use replay::{Fault, ReplayError};

/// Runs the command.
///
/// # Errors
/// On an unknown environment ([`TaskError`]), and on lines that cannot be replayed ([`ReplayError`]).
pub fn run(command: &EnvCommand) -> Result<()> {
    match command {
        EnvCommand::List(output) => list(output.format)?,
        EnvCommand::Show { name, output } => {
            let spec = find(name, "env show")?.spec();
            print_as(output.format, &show::object(spec), || show::text(spec))?;
        }
        EnvCommand::Check { name, output } => check::run(name, output.format)?,
        EnvCommand::Trace(args) => trace::run(args)?,
        EnvCommand::Replay { file } => replay::run(file)?,
    }
    Ok(())
}

/// The environment of that name; `path` says where the name was written.
fn find(name: &str, path: &str) -> Result<EnvKind, TaskError> {
    EnvKind::from_name(name).map_err(|error| match error {
        TaskError::UnknownEnv { name, known, .. } => TaskError::UnknownEnv { path: path.to_owned(), name, known },
        other => other,
    })
}

/// Names with one line each; the probes, which only tests need, last.
fn list(format: Format) -> Result<()> {
    let specs = || EnvKind::all().map(|kind| kind.spec());
    let is_probe = |spec: &&EnvSpec| spec.name.starts_with("probe-");
    let object = |spec: &EnvSpec| json!({ "name": spec.name, "description": spec.doc, "probe": is_probe(&spec) });
    let objects: Vec<serde_json::Value> = specs().map(object).collect();
    print_as(format, &objects, || {
        let row = |spec: &EnvSpec| [spec.name.to_owned(), spec.doc.to_owned()];
        let (probes, real): (Vec<&EnvSpec>, Vec<&EnvSpec>) = specs().partition(is_probe);
        let rows: Vec<[String; 2]> = real.iter().chain(&probes).map(|spec| row(spec)).collect();
        let lines: Vec<String> = aligned(&rows).lines().map(|line| format!("{line}\n")).collect();
        let (real, probes) = lines.split_at(real.len());
        format!("{}\nFor tests of learners, with known answers:\n{}", real.concat(), probes.concat())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_suggests_the_nearest_and_says_where() {
        let message = find("pendulm", "env show").unwrap_err().to_string();
        assert!(message.starts_with("env show: ") && message.contains("did you mean `pendulum`?"), "{message}");
    }
}
