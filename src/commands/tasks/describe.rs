//! `tasks describe PRESET`

use std::fmt::Write as _;

use anyhow::Result;
use metadrift_envs::{Channel, Split, Task, channels};

use crate::{
    audit::{self, Audit},
    commands::{aligned, print},
    course::{Course, budget, range, switches},
    life::Life,
    memory, presets,
    stats::mean,
};

/// Tasks of each split that ranges and budgets are taken from.
const DRAWN: u32 = 256;

/// Runs the command.
///
/// # Errors
/// As [`super::run`].
pub fn run(what: &str) -> Result<()> {
    let config = presets::load(what, &[])?;
    let env = config.env()?;
    let horizon = config.horizon()?;
    let mut text = format!("{}: {}\n\n", config.name, config.description);
    let _ = writeln!(text, "environment {}, episodes of at most {horizon} steps", env.spec().name);
    let _ = writeln!(text, "ranges and budgets are over {DRAWN} drawn tasks and the ticks that a lane lives through\n");
    for split in Split::ALL {
        let distribution = config.tasks(split)?;
        let tasks: Vec<Task> = (0..DRAWN).map(|index| distribution.sample(config.seed, 0, index)).collect();
        let life = Life::of(&config, split)?;
        memory::series(DRAWN, life.ticks()).check()?;
        let rows = rows(&tasks, &channels(env.spec()), Course::of(life));
        let _ = writeln!(text, "{split}: {} phases of {} ticks", life.phases, life.phase_steps);
        text += &if rows.len() > 1 { aligned(&rows) } else { "nothing differs from task to task\n".to_owned() };
        text.push('\n');
    }
    text += &measured(what, audit::stored(&config.name));
    Ok(print(&text)?)
}

/// A row for each channel that is not as in the unperturbed environment.
fn rows(tasks: &[Task], all: &[Channel], course: Course) -> Vec<[String; 7]> {
    let header = ["channel", "unit", "role", "lowest", "highest", "moves by", "switches"];
    let mut rows = vec![header.map(str::to_owned)];
    for (index, channel) in all.iter().enumerate() {
        let drifting: Vec<&Task> =
            tasks.iter().filter(|task| task.drifts.iter().any(|drift| drift.channel == index)).collect();
        let courses: Vec<Vec<f64>> = drifting.iter().map(|task| course.values(task, index)).collect();
        let fixed = tasks.iter().map(|task| task.values[index]);
        let (low, high) = if courses.is_empty() { range(fixed) } else { range(courses.iter().flatten().copied()) };
        if courses.is_empty() && (low, high) == (channel.default, channel.default) {
            continue;
        }
        let (role, moves, jumps) = if courses.is_empty() {
            let role = if low == high { "fixed" } else { "varies" };
            (role, String::new(), String::new())
        } else {
            let budgets: Vec<f64> = courses.iter().map(|values| budget(values)).collect();
            let counts: Vec<f64> = courses.iter().map(|values| switches(values).len() as f64).collect();
            ("drifts", format!("{:.3}", mean(&budgets)), format!("{:.1}", mean(&counts)))
        };
        let number = |x: f64| format!("{x:.4}");
        rows.push([channel.name.clone(), channel.unit.into(), role.into(), number(low), number(high), moves, jumps]);
    }
    rows
}

/// What `tasks audit` found, if it was asked.
fn measured(what: &str, audit: Option<Audit>) -> String {
    let Some(audit) = audit else {
        return format!("No audit yet. Run: metadrift tasks audit {what}\n");
    };
    let mut text = audit.to_text();
    for split in &audit.splits {
        if let Some(share) = split.last().solvable {
            let _ =
                writeln!(text, "{:<8} {:>3.0} % of the tasks solvable with full knowledge", split.split, 100.0 * share);
        }
    }
    text
}
