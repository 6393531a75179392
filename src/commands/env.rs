//! `env list|show|check|trace|replay`

mod check;
mod replay;
mod trace;

use std::fmt::Write as _;

use anyhow::Result;
use metadrift_envs::{ActionSpace, Channel, EnvKind, EnvSpec, TaskError, channels};

use crate::{
    cli::EnvCommand,
    commands::{aligned, print},
};

pub use check::CheckFailed;
pub use replay::{Fault, ReplayError};

/// Runs the command.
///
/// # Errors
/// On an unknown environment ([`TaskError`]), and on lines that cannot be replayed ([`ReplayError`]).
pub fn run(command: &EnvCommand) -> Result<()> {
    match command {
        EnvCommand::List => print(&list())?,
        EnvCommand::Show { name } => print(&show(find(name, "env show")?.spec()))?,
        EnvCommand::Check { name } => check::run(name)?,
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

/// Names and one line each; the probes, which only tests want, last.
fn list() -> String {
    let specs = || EnvKind::ALL.iter().map(|kind| kind.spec());
    let is_probe = |spec: &&EnvSpec| spec.name.starts_with("probe-");
    let width = specs().map(|spec| spec.name.len()).max().unwrap_or(0);
    let row = |spec: &EnvSpec| format!("{:<width$} {}\n", spec.name, spec.doc);
    let real: String = specs().filter(|spec| !is_probe(spec)).map(row).collect();
    let probes: String = specs().filter(is_probe).map(row).collect();
    format!("{real}\nFor tests of learners, with known answers:\n{probes}")
}

/// Everything a task file may want to know about an environment.
fn show(spec: &EnvSpec) -> String {
    let mut text = format!("{}: {}\n\n", spec.name, spec.doc);
    let _ = writeln!(text, "observations  {}", spec.observations.join(", "));
    let _ = writeln!(text, "actions       {}", actions(spec.action));
    let _ = writeln!(text, "horizon       {}\n", counted(spec.horizon as usize, "step"));
    let _ = writeln!(text, "What a task may set ([task.vary]) or let drift ([task.drift]):\n");
    let mut rows = vec![["name", "unit", "default", "legal range", "what it is"].map(str::to_owned)];
    rows.extend(
        described(spec)
            .into_iter()
            .map(|c| [c.name, c.unit.into(), c.default.to_string(), c.bounds.to_string(), c.doc]),
    );
    text += &aligned(&rows);
    let _ = writeln!(text, "\n{SENSOR} is one of the observations: {}", spec.observations.join(", "));
    text
}

/// Stands for any observation in the name of a channel.
const SENSOR: &str = "OBS";

/// The channels, those of the sensors once for all of them.
fn described(spec: &EnvSpec) -> Vec<Channel> {
    let first = spec.observations[0];
    let of = |obs: &str| format!("sensor_{obs}_");
    let others: Vec<String> = spec.observations[1..].iter().map(|obs| of(obs)).collect();
    let is_first = |channel: &Channel| channel.name.starts_with(&of(first));
    // `x` is the beginning of `x_dot`, too
    let is_other = |channel: &Channel| others.iter().any(|other| channel.name.starts_with(other));
    let mut channels = channels(spec);
    channels.retain(|channel| !is_other(channel));
    for channel in channels.iter_mut().filter(|channel| is_first(channel)) {
        channel.name = channel.name.replacen(first, SENSOR, 1);
        channel.doc = channel.doc.strip_suffix(first).map_or(channel.doc.clone(), |doc| format!("{doc}{SENSOR}"));
    }
    channels
}

/// The action space in words.
fn actions(space: ActionSpace) -> String {
    match space {
        ActionSpace::Discrete(2) => "0 or 1".into(),
        ActionSpace::Discrete(count) => format!("0, 1, … {}", count - 1),
        ActionSpace::Box { dim, bound } => {
            format!("{} in [-{bound}, {bound}]; the controller clips what lies outside", counted(dim, "number"))
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_names_every_environment_and_the_probes_last() {
        let text = list();
        let place = |name: &str| text.find(&format!("{name} ")).unwrap_or_else(|| panic!("{name}: {text}"));
        for kind in EnvKind::ALL {
            place(kind.spec().name);
        }
        assert!(place("cartpole") < place("pendulum") && place("pendulum") < text.find("For tests").unwrap());
        assert!(text.find("For tests").unwrap() < place("probe-sign"));
    }

    #[test]
    fn show_has_every_channel_with_unit_default_range_and_doc() {
        for kind in EnvKind::ALL {
            let text = show(kind.spec());
            for channel in channels(kind.spec()) {
                let fault = kind.spec().observations.iter().find_map(|obs| {
                    // the longest name that fits: `x_dot`, not `x`
                    let longer = |other: &&&str| other.starts_with(*obs) && *other != obs;
                    let rest = channel.name.strip_prefix(&format!("sensor_{obs}_"))?;
                    let taken = kind.spec().observations.iter().filter(longer);
                    let mut taken = taken.map(|other| format!("sensor_{other}_"));
                    (!taken.any(|other| channel.name.starts_with(&other))).then_some((rest, *obs))
                });
                let name = fault.map_or(channel.name.clone(), |(rest, _)| format!("sensor_OBS_{rest}"));
                let rows: Vec<_> = text.lines().filter(|row| row.split_whitespace().next() == Some(&name)).collect();
                assert_eq!(rows.len(), 1, "{name}: {text}");
                let doc = match fault.and_then(|(_, obs)| channel.doc.strip_suffix(obs)) {
                    Some(doc) => format!("{doc}OBS"),
                    None => channel.doc.clone(),
                };
                let (default, bounds) = (channel.default.to_string(), channel.bounds.to_string());
                for part in [channel.unit, &default, &bounds, &doc] {
                    assert!(rows[0].contains(part), "{part}: {}", rows[0]);
                }
            }
        }
        let cartpole = show(EnvKind::CartPole.spec());
        for part in ["x, x_dot, theta, theta_dot", "0 or 1", "500 steps", "actuator_gain", "OBS is one of the"] {
            assert!(cartpole.contains(part), "{part}: {cartpole}");
        }
        assert!(cartpole.contains("(0, π/2]") && cartpole.contains("[0, 1)"), "{cartpole}");
        assert_eq!(cartpole.lines().filter(|line| line.starts_with("sensor_")).count(), 8);
        assert!(show(EnvKind::Pendulum.spec()).contains("1 number in [-2, 2]"));
    }

    #[test]
    fn an_unknown_name_suggests_the_nearest_and_says_where() {
        let message = find("pendulm", "env show").unwrap_err().to_string();
        assert!(message.starts_with("env show: ") && message.contains("did you mean `pendulum`?"), "{message}");
    }
}
