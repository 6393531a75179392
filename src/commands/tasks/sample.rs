//! `tasks sample PRESET`

use std::{collections::BTreeMap, fmt::Write as _};

use metadrift_envs::{Channel, Drift, Split, Task, TaskId, channels};
use serde::Serialize;

use super::drift_text;
use crate::{cli::Format, commands::print, failure::Result, presets};

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
    let config = presets::load_control(what, &[])?;
    let distribution = config.tasks(split);
    let all = channels(config.env().spec());
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

/// One line for the fixed values and one for each drift; values of the unperturbed environment are left out.
fn describe(text: &mut String, task: &Task, all: &[Channel]) -> Result<()> {
    let _ = write!(text, "{}/{}  {:016x}", task.id.split, task.id.index, task.fingerprint());
    for (channel, value) in all.iter().zip(&task.values).filter(|(channel, value)| channel.default != **value) {
        let _ = write!(text, "  {} {value:.6}", channel.name);
    }
    text.push('\n');
    for drift in &task.drifts {
        let _ = writeln!(text, "    {}: {}", all[drift.channel].name, drift_text::of(drift)?);
    }
    Ok(())
}
