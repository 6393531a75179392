//! `tasks sample PRESET`

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;
use metadrift_envs::{Channel, Drift, Split, Task, TaskId, channels};
use serde::Serialize;
use serde_json::Value;

use crate::{cli::Format, commands::print, presets};

/// A task in its JSON form.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    id: TaskId,
    fingerprint: String,
    values: BTreeMap<&'a str, f64>,
    drifts: BTreeMap<&'a str, &'a Drift>,
}

/// Runs the command.
///
/// # Errors
/// As [`super::run`].
pub fn run(what: &str, split: Split, count: u32, seed: u64, format: Format) -> Result<()> {
    let config = presets::load(what, &[])?;
    let distribution = config.tasks(split)?;
    let all = channels(config.env()?.spec());
    let tasks = (0..count).map(|index| distribution.sample(seed, 0, index));
    let mut text = String::new();
    for task in tasks {
        match format {
            Format::Json => text += &(serde_json::to_string(&row(&task, &all))? + "\n"),
            Format::Text => describe(&mut text, &task, &all)?,
        }
    }
    Ok(print(&text)?)
}

fn row<'a>(task: &'a Task, all: &'a [Channel]) -> Row<'a> {
    let names = all.iter().map(|channel| channel.name.as_str());
    Row {
        id: task.id,
        fingerprint: format!("{:016x}", task.fingerprint()),
        values: names.zip(task.values.iter().copied()).collect(),
        drifts: task.drifts.iter().map(|drift| (all[drift.channel].name.as_str(), drift)).collect(),
    }
}

/// One line for what is fixed, one for each drift; what is as in the unperturbed environment is left out.
fn describe(text: &mut String, task: &Task, all: &[Channel]) -> Result<()> {
    let _ = write!(text, "{}/{}  {:016x}", task.id.split, task.id.index, task.fingerprint());
    for (channel, value) in all.iter().zip(&task.values).filter(|(channel, value)| channel.default != **value) {
        let _ = write!(text, "  {} {value:.6}", channel.name);
    }
    text.push('\n');
    for drift in &task.drifts {
        let parts = [serde_json::to_value(&drift.schedule)?, serde_json::to_value(drift.timing)?];
        let words = parts.iter().flat_map(fields).filter(|words| words != "hold 1");
        let words: Vec<String> = words.collect();
        let _ = writeln!(text, "    {}: {}", all[drift.channel].name, words.join(", "));
    }
    Ok(())
}

/// The fields of a schedule in words: its kind, then `mean 0.8`, `period 772 ticks`, and so on.
fn fields(object: &Value) -> Vec<String> {
    let Some(object) = object.as_object() else { return Vec::new() };
    let kind = object.get("kind").and_then(Value::as_str).map(str::to_owned);
    let others = object.iter().filter(|(name, value)| *name != "kind" && !value.is_null());
    let words = others.map(|(name, value)| {
        let ticks = if TICKS.contains(&name.as_str()) { " ticks" } else { "" };
        format!("{name} {}{ticks}", shown(value))
    });
    kind.into_iter().chain(words).collect()
}

/// Fields that are lengths of time on the schedule's clock.
const TICKS: [&str; 8] = ["period", "over", "relax_time", "width", "dwell", "mean_dwell", "every", "hold"];

/// A value with six significant digits at most.
fn shown(value: &Value) -> String {
    match value {
        Value::Number(number) => number.as_f64().map_or_else(String::new, |x| {
            let digits = (5 - x.abs().max(1e-9).log10().floor() as i32).clamp(0, 12) as usize;
            let text = format!("{x:.digits$}");
            if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
        }),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Object(_) => format!("({})", fields(value).join(", ")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn schedules_are_told_in_words() {
        let wave = json!({ "kind": "sinusoid", "mean": 1.0, "amplitude": 0.300000012, "period": 772.4, "phase": 0.0 });
        assert_eq!(fields(&wave).join(", "), "sinusoid, amplitude 0.3, mean 1, period 772.4 ticks, phase 0");
        let parts = json!({ "kind": "compose", "op": "sum", "of": [{ "kind": "constant", "value": -12345678.0 }] });
        assert_eq!(fields(&parts).join(", "), "compose, of [(constant, value -12345678)], op sum");
    }
}
