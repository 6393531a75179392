//! `env show NAME`

use std::fmt::Write as _;

use metadrift_envs::{ActionSpace, Bounds, Channel, EnvSpec, channels};
use serde_json::{Value, json};

use crate::commands::aligned;

/// The description of an environment for authors of task files.
pub(super) fn text(spec: &EnvSpec) -> String {
    let mut text = format!("{}: {}\n\n", spec.name, spec.doc);
    let _ = writeln!(text, "observations  {}", spec.observations.join(", "));
    let _ = writeln!(text, "actions       {}", actions(spec.action));
    let _ = writeln!(text, "horizon       {}\n", counted(spec.horizon as usize, "step"));
    let _ = writeln!(text, "Channels that a task may set ([task.vary]) or let drift ([task.drift]):\n");
    let mut rows = vec![["name", "unit", "default", "legal range", "meaning"].map(str::to_owned)];
    rows.extend(
        described(spec)
            .into_iter()
            .map(|c| [c.name, c.unit.into(), c.default.to_string(), c.bounds.to_string(), c.doc]),
    );
    text += &aligned(&rows);
    let _ = writeln!(text, "\n{SENSOR} is one of the observations: {}", spec.observations.join(", "));
    text
}

/// Placeholder of an observation in the name of a channel.
const SENSOR: &str = "OBS";

/// The channels; those of the sensors are listed once for all sensors.
fn described(spec: &EnvSpec) -> Vec<Channel> {
    let first = spec.observations[0];
    let of = |obs: &str| format!("sensor_{obs}_");
    let others: Vec<String> = spec.observations[1..].iter().map(|obs| of(obs)).collect();
    let is_first = |channel: &Channel| channel.name.starts_with(&of(first));
    // `x` also begins `x_dot`
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
            format!("{} in [-{bound}, {bound}]; values outside are clipped", counted(dim, "number"))
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The description for programs, with every channel.
pub(super) fn object(spec: &EnvSpec) -> Value {
    let action = match spec.action {
        ActionSpace::Discrete(count) => json!({ "kind": "discrete", "count": count }),
        ActionSpace::Box { dim, bound } => json!({ "kind": "box", "dim": dim, "bound": bound }),
    };
    let channel = |c: Channel| {
        let Bounds { min, max, above_min } = c.bounds;
        json!({
            "name": c.name, "unit": c.unit, "default": c.default, "min": min, "max": max,
            "min_is_legal": !above_min, "meaning": c.doc,
        })
    };
    json!({
        "name": spec.name, "description": spec.doc, "observations": spec.observations, "action": action,
        "horizon": spec.horizon, "channels": channels(spec).into_iter().map(channel).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use metadrift_envs::EnvKind;

    #[test]
    fn show_has_every_channel_with_unit_default_range_and_doc() {
        for kind in EnvKind::ALL {
            let text = text(kind.spec());
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
                let default = channel.default.to_string();
                let bounds = channel.bounds.to_string();
                for part in [channel.unit, &default, &bounds, &doc] {
                    assert!(rows[0].contains(part), "{part}: {}", rows[0]);
                }
            }
        }
        let cartpole = text(EnvKind::CartPole.spec());
        for part in ["x, x_dot, theta, theta_dot", "0 or 1", "500 steps", "actuator_gain", "OBS is one of the"] {
            assert!(cartpole.contains(part), "{part}: {cartpole}");
        }
        assert!(cartpole.contains("(0, π/2]") && cartpole.contains("[0, 1)"), "{cartpole}");
        assert_eq!(cartpole.lines().filter(|line| line.starts_with("sensor_")).count(), 8);
        assert!(text(EnvKind::Pendulum.spec()).contains("1 number in [-2, 2]"));
    }

    #[test]
    fn the_object_has_every_channel() {
        for kind in EnvKind::ALL {
            let object = object(kind.spec());
            assert_eq!(object["channels"].as_array().unwrap().len(), channels(kind.spec()).len());
        }
        assert_eq!(object(EnvKind::CartPole.spec())["channels"][0]["default"], 9.8);
    }
}
