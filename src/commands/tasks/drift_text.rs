//! A drift in words.

use crate::failure::Result;

use metadrift_envs::{Clock, Drift};
use serde_json::{Map, Value};

/// Longest list that is written out.
const LONGEST: usize = 8;

/// Fields of schedules that are lengths or points of time.
const TIMES: [&str; 13] = [
    "dwell",
    "dwell_range",
    "at",
    "start",
    "over",
    "period",
    "midpoint",
    "width",
    "mean_dwell",
    "relax_time",
    "every",
    "hold",
    "window",
];

/// Order of the fields, times behind the others; further ones follow by name.
const ORDER: [&str; 8] = ["mean", "start", "from", "to", "states", "values", "low", "amplitude"];

/// The drift in the words of task files: the kind of schedule, its numbers to four digits, and the timing if it is not
/// the default. `tasks sample --format json` has every digit.
///
/// # Errors
/// If a part of it has no JSON form.
pub(super) fn of(drift: &Drift) -> Result<String> {
    let unit = match drift.timing.clock {
        Clock::LifetimeStep => "ticks",
        Clock::EpisodeStep => "steps",
        Clock::Episode => "episodes",
        Clock::Task => "tasks",
        Clock::AdaptRound => "rounds",
    };
    let mut parts = fields(&object(serde_json::to_value(&drift.schedule)?), unit);
    let mut timing = object(serde_json::to_value(drift.timing)?);
    timing.retain(|name, value| name != "hold" || *value != 1);
    parts.extend(fields(&timing, unit));
    Ok(parts.join(", "))
}

fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(fields) = value { fields } else { Map::new() }
}

/// The kind, then each field in words; fields without effect are left out.
fn fields(of: &Map<String, Value>, unit: &str) -> Vec<String> {
    // `law` names the kind of a law, or is a field that holds a law
    let kind = ["kind", "law"].into_iter().find(|name| of.get(*name).is_some_and(Value::is_string));
    let mut rest: Vec<(&str, &Value)> = of.iter().map(|(name, value)| (name.as_str(), value)).collect();
    rest.retain(|(name, _)| Some(*name) != kind);
    let is_walk = kind.is_some_and(|name| of[name] == "random_walk" || of[name] == "jumps");
    // the start of a walk is a value, not a time
    let is_time = |name: &str| TIMES.contains(&name) && !(is_walk && name == "start");
    let place = |name: &str| ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len());
    rest.sort_by_key(|(name, _)| (is_time(name), place(name)));
    let named = |(name, value): (&str, &Value)| match value {
        Value::Null | Value::Bool(false) => None,
        Value::Bool(true) => Some(name.to_owned()),
        Value::Number(zero) if name == "phase" && zero.as_f64() == Some(0.0) => None,
        other if is_time(name) => Some(format!("{name} {} {unit}", words(other, unit))),
        other => Some(format!("{name} {}", words(other, unit))),
    };
    kind.map(|name| words(&of[name], unit)).into_iter().chain(rest.into_iter().filter_map(named)).collect()
}

fn words(value: &Value, unit: &str) -> String {
    match value {
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), four_digits),
        Value::String(text) => text.clone(),
        Value::Object(of) => format!("({})", fields(of, unit).join(", ")),
        Value::Array(all) if all.len() <= LONGEST => {
            format!("[{}]", all.iter().map(|one| words(one, unit)).collect::<Vec<_>>().join(", "))
        }
        Value::Array(all) => {
            let numbers = || all.iter().filter_map(Value::as_f64);
            let (low, high) = (numbers().fold(f64::INFINITY, f64::min), numbers().fold(f64::NEG_INFINITY, f64::max));
            format!("({} from {} to {})", all.len(), four_digits(low), four_digits(high))
        }
        other => other.to_string(),
    }
}

/// A number with four significant digits, or all before the point, without zeros at the end.
fn four_digits(number: f64) -> String {
    let size = if number == 0.0 { 0.0 } else { number.abs().log10().floor() };
    if !(-4.0..15.0).contains(&size) {
        return format!("{number:.3e}");
    }
    let text = format!("{number:.*}", (3.0 - size).max(0.0) as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use metadrift_envs::{CartPole, Env, Noise, Purpose, Schedule, Stream, Task, Timing};
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    fn text(schedule: &Value, timing: Timing) -> String {
        let noise = Noise::of(Stream::new(1, Purpose::Drift));
        let schedule = Schedule::deserialize(schedule).unwrap();
        let task = Task::nominal(&CartPole::SPEC);
        let task = task.with_timed_drift(&CartPole::SPEC, "actuator_gain", schedule, timing, noise).unwrap();
        of(&task.drifts[0]).unwrap()
    }

    #[test]
    fn a_drift_reads_as_a_task_file_writes_it() {
        let usual = Timing::default();
        let wave = json!({"kind": "sinusoid", "mean": 1, "amplitude": 0.3, "period": 772.04, "phase": 0});
        assert_eq!(text(&wave, usual), "sinusoid, mean 1, amplitude 0.3, period 772 ticks");
        let ramp = json!({"kind": "linear", "from": 1, "to": -1, "start": -3290.998, "over": 12.3456, "returns": true});
        let timing = Timing { clock: Clock::Episode, hold: 2, bounds: Some([-1.0, 1.5]), ..usual };
        assert_eq!(
            text(&ramp, timing),
            "linear, from 1, to -1, returns, start -3291 episodes, over 12.35 episodes, bounds [-1, 1.5], \
             clock episode, hold 2 episodes"
        );
        let pieces = json!({"kind": "piecewise", "law": {"law": "uniform", "low": 0.5, "high": 1}, "mean_dwell": 15});
        assert_eq!(text(&pieces, usual), "piecewise, law (uniform, low 0.5, high 1), mean_dwell 15 ticks");
        let long: Vec<f64> = (0..100).map(f64::from).map(|k| k / 100.0).collect();
        let trace = text(&json!({"kind": "trace", "values": long}), usual);
        assert!(trace.starts_with("trace, values (100 from 0 to 0.99)"), "{trace}");
    }

    #[test]
    fn numbers_keep_four_digits() {
        let written = [772.04, -3290.998, 0.3, 1e-9, 0.000_123_46, 0.0, 12345.6, 1.0].map(four_digits);
        assert_eq!(written, ["772", "-3291", "0.3", "1.000e-9", "0.0001235", "0", "12346", "1"]);
    }
}
