//! `tasks plot PRESET --out FILE.svg`

use std::path::Path;

use metadrift_envs::{Split, Task, TaskError, channels};

use crate::{
    commands::print,
    course::{Course, switches},
    failure::Result,
    life::Life,
    output,
    plot::{Line, Panel, svg},
    presets,
};

/// Largest number of points of a line.
const POINTS: u64 = 4_000;

/// A request for a plot.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Split of the tasks.
    pub split: Split,
    /// Number of tasks.
    pub count: u32,
    /// Seed of the draws.
    pub seed: u64,
    /// Number of ticks to show; none: the life of a lane.
    pub ticks: Option<u32>,
}

/// Runs the command.
///
/// # Errors
/// As [`super::run`], and where nothing drifts.
pub fn run(what: &str, asked: Asked, out: &Path) -> Result<()> {
    output::check(out)?;
    let config = presets::load_control(what, &[])?;
    let life = Life::of(&config, asked.split);
    let distribution = config.tasks(asked.split);
    let tasks: Vec<Task> = (0..asked.count).map(|index| distribution.sample(asked.seed, 0, index)).collect();
    let ticks = asked.ticks.map_or(life.ticks(), u64::from);
    let course = Course { life, ticks, stride: ticks.div_ceil(POINTS) };
    let mut panels = Vec::new();
    for (index, channel) in channels(config.env().spec()).iter().enumerate() {
        if !tasks.iter().any(|task| task.drifts.iter().any(|drift| drift.channel == index)) {
            continue;
        }
        let lines = tasks.iter().map(|task| {
            let values = course.values(task, index);
            let switches = switches(&values);
            let points = course.points().map(|tick| tick as f64).zip(values).collect();
            Line { name: format!("{}/{}", task.id.split, task.id.index), points, switches }
        });
        let unit = if channel.unit == "1" { String::new() } else { format!(" ({})", channel.unit) };
        panels.push(Panel { title: format!("{}{unit}", channel.name), lines: lines.collect() });
    }
    if panels.is_empty() {
        let problem = format!("no channel drifts in the {} tasks of {}: there is nothing to plot", asked.split, what);
        return Err(TaskError::Invalid { path: "task.drift".into(), problem }.into());
    }
    let title = format!("{}: what drifts over the life of {} {} tasks", config.name, asked.count, asked.split);
    let picture = svg(&title, "tick of the task's life (dots: switches)", &panels);
    output::write(out, picture.as_bytes())?;
    Ok(print(&format!("{}\n", out.display()))?)
}
