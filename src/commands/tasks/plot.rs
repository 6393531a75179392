//! `tasks plot PRESET --out FILE.svg`

use std::path::Path;

use metadrift_envs::{Split, Task, TaskError, channels};

use crate::{
    commands::print,
    course::{Course, switches},
    failure::Result,
    life::Life,
    output, presets,
    report::{
        chart::{Line, Panel},
        stack::Stack,
        svg,
    },
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
            let name = format!("{}/{}", task.id.split, task.id.index);
            line(name, &course, course.values(task, index))
        });
        let unit = if channel.unit == "1" { String::new() } else { format!(" ({})", channel.unit) };
        panels.push(Panel { title: format!("{}{unit}", channel.name), lines: lines.collect() });
    }
    if panels.is_empty() {
        let problem = format!("no channel drifts in the {} tasks of {}: there is nothing to plot", asked.split, what);
        return Err(TaskError::Invalid { path: "task.drift".into(), problem }.into());
    }
    let title = format!("{}: what drifts over the life of {} {} tasks", config.name, asked.count, asked.split);
    let x_label = "tick of the task's life (dots: switches)".to_owned();
    let picture = Stack { title, x_label, panels, ..Stack::default() }.svg();
    output::write(out, svg::alone(&picture).as_bytes())?;
    Ok(print(&format!("{}\n", out.display()))?)
}

/// The line of a channel: square at a switch, which is marked, and without points where the value stays.
fn line(name: String, course: &Course, values: Vec<f64>) -> Line {
    let ticks: Vec<f64> = course.points().map(|tick| tick as f64).collect();
    let switched = switches(&values);
    let mut points = Vec::new();
    for (at, value) in values.iter().enumerate() {
        let same = |other: Option<&f64>| other == Some(value);
        if at > 0 && same(values.get(at - 1)) && same(values.get(at + 1)) {
            continue;
        }
        if switched.contains(&at) {
            points.push((ticks[at], values[at - 1]));
        }
        points.push((ticks[at], *value));
    }
    let dots = switched.into_iter().map(|at| (ticks[at], values[at])).collect();
    Line { name, points, dots, ..Line::default() }
}

#[cfg(test)]
mod tests {
    use metadrift_agents::settings::Episodes;

    use super::*;

    #[test]
    fn a_switch_is_drawn_square_and_marked() {
        let life = Life { horizon: 10, phase_steps: 10, episodes: Episodes::Endless, phases: 1 };
        let values = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0].to_vec();
        let line = line("a".into(), &Course { life, ticks: 6, stride: 1 }, values);
        assert_eq!(line.points, [(0.0, 0.0), (2.0, 0.0), (3.0, 0.0), (3.0, 1.0), (5.0, 1.0)]);
        assert_eq!(line.dots, [(3.0, 1.0)]);
    }
}
