//! `env show NAME`

use std::{f64::consts::PI, fmt::Write as _};

use metadrift_envs::{ActionSpace, Bounds, Channel, EnvSpec, channels};
use serde_json::{Value, json};

use crate::commands::aligned;

/// Everything a task file may want to know about an environment. The sensors of all observations have the same faults:
/// these are shown once.
pub(super) fn text(spec: &EnvSpec) -> String {
    let mut text = format!("{}: {}\n\n", spec.name, spec.doc);
    let _ = writeln!(text, "observations  {}", spec.observations.join(", "));
    let _ = writeln!(text, "actions       {}", actions(spec.action));
    let _ = writeln!(text, "horizon       {}\n", counted(spec.horizon as usize, "step"));
    let _ = writeln!(text, "Channels that a task may set ([task.vary]) or let drift ([task.drift]):\n");
    let mut rows = vec![["name", "unit", "default", "legal range", "meaning"].map(str::to_owned)];
    let (first, others) = spec.observations.split_first().map_or(("", &[][..]), |(first, rest)| (*first, rest));
    let own = format!("sensor_{first}_");
    for channel in channels(spec) {
        match channel.name.strip_prefix(&own).filter(|fault| is_fault(spec, fault)) {
            Some(fault) => rows.push(row(format!("sensor_OBS_{fault}"), &channel, first)),
            None if others.iter().any(|obs| of_sensor(&channel, obs, spec)) => {}
            None => rows.push(row(channel.name.clone(), &channel, "")),
        }
    }
    text += &aligned(&rows);
    if !first.is_empty() {
        let _ = writeln!(text, "\nOBS is one of: {}", spec.observations.join(", "));
    }
    text
}

/// The same for programs, with every channel.
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

/// Whether this is the name of a sensor fault, and not of one of an observation whose name begins alike.
fn is_fault(spec: &EnvSpec, fault: &str) -> bool {
    spec.observations
        .iter()
        .all(|obs| channels(spec).iter().any(|channel| channel.name == format!("sensor_{obs}_{fault}")))
}

fn of_sensor(channel: &Channel, obs: &str, spec: &EnvSpec) -> bool {
    let fault = channel.name.strip_prefix("sensor_").and_then(|rest| rest.strip_prefix(obs)?.strip_prefix('_'));
    fault.is_some_and(|fault| is_fault(spec, fault))
}

fn row(name: String, channel: &Channel, obs: &str) -> [String; 5] {
    let doc = match obs {
        "" => channel.doc.clone(),
        _ => channel.doc.replace(&format!(" {obs}"), " OBS"),
    };
    [name, channel.unit.into(), number(channel.default), interval(&channel.bounds), doc]
}

/// The legal values; an end that is the last number before a round one is shown as that, excluded.
fn interval(bounds: &Bounds) -> String {
    let open = if bounds.above_min { '(' } else { '[' };
    let (max, close) = if bounds.max == 1.0f64.next_down() { (1.0, ')') } else { (bounds.max, ']') };
    format!("{open}{}, {}{close}", number(bounds.min), number(max))
}

/// A number for people: parts of a half-turn as such.
fn number(value: f64) -> String {
    let parts = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 15.0]
        .into_iter()
        .find(|parts| (value.abs() - PI / parts).abs() <= f64::EPSILON * value.abs());
    match parts {
        Some(parts) => {
            let sign = if value < 0.0 { "-" } else { "" };
            if parts == 1.0 { format!("{sign}π") } else { format!("{sign}π/{parts}") }
        }
        None => value.to_string(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use metadrift_envs::EnvKind;

    #[test]
    fn every_channel_has_a_row_with_unit_and_meaning_and_sensors_share_theirs() {
        for kind in EnvKind::ALL {
            let (spec, text) = (kind.spec(), text(kind.spec()));
            for channel in channels(spec) {
                let shared = spec.observations.iter().find_map(|obs| {
                    let fault = channel.name.strip_prefix(&format!("sensor_{obs}_"))?;
                    is_fault(spec, fault).then(|| format!("sensor_OBS_{fault}"))
                });
                let name = shared.unwrap_or_else(|| channel.name.clone());
                let rows = text.lines().filter(|line| line.split_whitespace().next() == Some(&name));
                let rows: Vec<&str> = rows.collect();
                assert_eq!(rows.len(), 1, "{name}: {text}");
                assert!(rows[0].contains(channel.unit), "{}", rows[0]);
            }
        }
        let cartpole = text(EnvKind::CartPole.spec());
        for part in ["x, x_dot, theta, theta_dot", "0 or 1", "500 steps", "actuator_gain", "sensor_OBS_bias", "[0, 1)"]
        {
            assert!(cartpole.contains(part), "{part}: {cartpole}");
        }
        let pendulum = text(EnvKind::Pendulum.spec());
        assert!(pendulum.contains("1 number in [-2, 2]") && pendulum.contains("(0, π]"), "{pendulum}");
    }

    #[test]
    fn the_object_has_every_channel() {
        for kind in EnvKind::ALL {
            let object = object(kind.spec());
            assert_eq!(object["channels"].as_array().unwrap().len(), channels(kind.spec()).len());
        }
        assert_eq!(object(EnvKind::CartPole.spec())["channels"][0]["default"], 9.8);
    }

    #[test]
    fn numbers_are_as_people_write_them() {
        assert_eq!([PI, -PI, PI / 2.0, 0.5, 12.0f64.to_radians()].map(number), ["π", "-π", "π/2", "0.5", "π/15"]);
        assert_eq!(interval(&Bounds::above(0.0, PI / 2.0)), "(0, π/2]");
    }
}
