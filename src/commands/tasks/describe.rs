//! `tasks describe PRESET`

use std::fmt::Write as _;

use metadrift_envs::{Channel, Split, Task, channels};
use serde::Serialize;

use crate::{
    audit::{self, Audit},
    cli::Format,
    commands::{aligned, print_as},
    config::Experiment,
    course::{Course, budget, range, switches},
    failure::Result,
    life::Life,
    memory,
    message::warn,
    presets,
    stats::mean,
};

/// Number of tasks of each split behind ranges and budgets.
const DRAWN: u32 = 256;

/// Description of a configuration's tasks.
#[derive(Serialize)]
struct Description {
    name: String,
    description: String,
    env: &'static str,
    /// Time limit (steps per episode).
    horizon: u32,
    /// Number of tasks behind ranges and means.
    drawn: u32,
    splits: Vec<SplitDescription>,
    audit: Option<Audit>,
}

/// The tasks of a split.
#[derive(Serialize)]
struct SplitDescription {
    split: Split,
    phases: usize,
    phase_steps: usize,
    channels: Vec<Row>,
}

/// A channel that differs from the unperturbed environment.
#[derive(Serialize)]
pub(in crate::commands) struct Row {
    channel: String,
    unit: &'static str,
    role: Role,
    lowest: f64,
    highest: f64,
    /// Mean over tasks of its total variation.
    moves_by: Option<f64>,
    /// Mean number of switches.
    switches: Option<f64>,
}

/// Difference of a channel from its default.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Role {
    /// One value other than the default, the same in all tasks.
    Fixed,
    /// Values that differ from task to task.
    Varies,
    /// A drift within a task.
    Drifts,
}

/// Runs the command.
///
/// # Errors
/// As [`super::run`].
pub fn run(what: &str, format: Format) -> Result<()> {
    let config = presets::load_control(what, &[])?;
    config.warnings()?.iter().for_each(|warning| warn(warning));
    let spec = config.env().spec();
    let mut splits = Vec::new();
    for split in Split::ALL {
        let life = Life::of(&config, split);
        let channels = differing(&config, split)?;
        splits.push(SplitDescription { split, phases: life.phases, phase_steps: life.phase_steps, channels });
    }
    let audit = audit::stored(&config.name);
    let horizon = config.horizon();
    let name = config.name.clone();
    let description = config.description.clone();
    let found = Description { name, description, env: spec.name, horizon, drawn: DRAWN, splits, audit };
    print_as(format, &found, || found.to_text(what))
}

/// The channels that differ from the unperturbed environment in tasks of `split`, with the values that they take.
///
/// # Errors
/// If the courses of their values do not fit into memory.
pub(in crate::commands) fn differing(config: &Experiment, split: Split) -> Result<Vec<Row>> {
    let distribution = config.tasks(split);
    let tasks: Vec<Task> = (0..DRAWN).map(|index| distribution.sample(config.seed, 0, index)).collect();
    let life = Life::of(config, split);
    memory::series(DRAWN, life.ticks()).check()?;
    Ok(rows(&tasks, &channels(config.env().spec()), Course::of(life)))
}

impl Description {
    fn to_text(&self, what: &str) -> String {
        let mut text = self.name.clone();
        if !self.description.is_empty() {
            let _ = write!(text, ": {}", self.description);
        }
        let _ = writeln!(text, "\n\nEnvironment {}, episodes of at most {} steps.", self.env, self.horizon);
        let _ = writeln!(text, "Ranges are over {} sampled tasks and all ticks of their life.\n", self.drawn);
        for split in &self.splits {
            let phases = if split.phases == 1 { "phase" } else { "phases" };
            let _ = writeln!(text, "{}: {} {phases} of {} ticks", split.split, split.phases, split.phase_steps);
            if split.channels.is_empty() {
                text += "nothing differs from task to task\n\n";
                continue;
            }
            let header = ["channel", "unit", "role", "lowest", "highest", "moves by", "switches"];
            let rows = split.channels.iter().map(Row::cells);
            let rows: Vec<[String; 7]> = [header.map(str::to_owned)].into_iter().chain(rows).collect();
            text += &aligned(&rows);
            text.push('\n');
        }
        text + &measured(what, self.audit.as_ref())
    }
}

impl Row {
    fn cells(&self) -> [String; 7] {
        let role = match self.role {
            Role::Fixed => "fixed",
            Role::Varies => "varies",
            Role::Drifts => "drifts",
        };
        let number = |x: f64| format!("{x:.4}");
        let mean = |x: Option<f64>, decimals: usize| x.map_or_else(String::new, |x| format!("{x:.decimals$}"));
        let (low, high) = (number(self.lowest), number(self.highest));
        let moves = mean(self.moves_by, 3);
        let switches = mean(self.switches, 1);
        [self.channel.clone(), self.unit.into(), role.into(), low, high, moves, switches]
    }
}

/// A row for each channel that differs from the unperturbed environment.
fn rows(tasks: &[Task], all: &[Channel], course: Course) -> Vec<Row> {
    let mut rows = Vec::new();
    for (index, channel) in all.iter().enumerate() {
        let drifting: Vec<&Task> =
            tasks.iter().filter(|task| task.drifts.iter().any(|drift| drift.channel == index)).collect();
        let courses: Vec<Vec<f64>> = drifting.iter().map(|task| course.values(task, index)).collect();
        let fixed = tasks.iter().map(|task| task.values[index]);
        let (lowest, highest) =
            if courses.is_empty() { range(fixed) } else { range(courses.iter().flatten().copied()) };
        if courses.is_empty() && (lowest, highest) == (channel.default, channel.default) {
            continue;
        }
        let over_tasks = |f: &dyn Fn(&[f64]) -> f64| {
            let each: Vec<f64> = courses.iter().map(|values| f(values)).collect();
            (!each.is_empty()).then(|| mean(&each))
        };
        rows.push(Row {
            channel: channel.name.clone(),
            unit: channel.unit,
            role: match courses.is_empty() {
                false => Role::Drifts,
                true if lowest == highest => Role::Fixed,
                true => Role::Varies,
            },
            lowest,
            highest,
            moves_by: over_tasks(&budget),
            switches: over_tasks(&|values| switches(values).len() as f64),
        });
    }
    rows
}

/// The results of `tasks audit`, if there are any.
fn measured(what: &str, audit: Option<&Audit>) -> String {
    let Some(audit) = audit else {
        let preset = !what.ends_with(".toml");
        let advice = if preset { "No audit yet. Run" } else { "To measure what knowing these tasks is worth, run" };
        return format!("{advice}: metadrift tasks audit {what}\n");
    };
    let mut text = audit.to_text();
    for split in &audit.splits {
        if let Some(share) = split.last().solvable {
            let _ = writeln!(text, "{:<8} {:>3.0} % of the tasks solvable by the oracle", split.split, 100.0 * share);
        }
    }
    text
}
