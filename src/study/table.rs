//! The results as CSV, and as a table for people.

use std::fmt::Write as _;

use super::results::{ALL, Results, Row};
use crate::{config::Role, failure::Result};

/// The rows as CSV.
///
/// # Errors
/// If a row cannot be formed.
pub fn to_csv(results: &Results) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    results.rows.iter().try_for_each(|row| writer.serialize(row))?;
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// Widest name of a method that is not cut off.
const NAME: usize = 16;

/// The table for people, at most 80 columns wide.
pub fn to_text(results: &Results) -> String {
    let first = results.rows.first();
    let (seeds, tasks) = first.map_or((0, 0), |row| (row.seeds, row.tasks));
    let steps = results.evaluation["adapt_steps"];
    let s = |count: u64| if count == 1 { "" } else { "s" };
    let mut text = format!(
        "{}: {seeds} seed{}, {tasks} tasks of each split, {steps} adaptation step{}\n",
        results.study,
        s(seeds as u64),
        s(steps),
    );
    for preset in &results.presets {
        for split in ["in-dist", "ood"] {
            let role = if preset.role == Role::Adaptation { "adaptation" } else { "control" };
            let _ = write!(text, "\n{} ({role}), {split}, {} steps of training\n", preset.name, preset.env_steps);
            let minus = results
                .baseline
                .as_ref()
                .map_or(String::new(), |name| format!("minus {name}").chars().take(NAME).collect());
            let norm = if results.scale.is_some() { "norm" } else { "" };
            text += &columns(["method", "before", "after", "95 % interval", "worst", norm, &minus]);
            for method in &results.methods {
                text += &line(results, (&method.name, &preset.name, split), steps as f64);
            }
            text += &lives(results, (&preset.name, split));
        }
    }
    for split in ["in-dist", "ood"] {
        for (role, name) in [(Role::Adaptation, "adaptation"), (Role::Control, "control")] {
            text += &overall(results, (role, name), split);
        }
    }
    text + &legend(results, seeds)
}

/// The mean normalised scores over the presets of a role, if there are any.
fn overall(results: &Results, (role, name): (Role, &str), split: &str) -> String {
    let rows = results.rows.iter().filter(|row| row.preset == ALL && row.role == role && row.split == split);
    let lines: Vec<String> = rows
        .map(|Row { method, value, low, high, .. }| {
            format!("{method:<NAME$} {value:>6.2} {:>16}\n", format!("[{low:.2}, {high:.2}]"))
        })
        .collect();
    if lines.is_empty() {
        return lines.concat();
    }
    let head = format!("\nall {name} presets with a scale, {split}: mean normalised score after\n");
    head + &lines.concat()
}

fn columns([method, before, after, interval, worst, norm, minus]: [&str; 7]) -> String {
    let method: String = method.chars().take(NAME).collect();
    let line = format!("{method:<NAME$} {before:>6} {after:>6} {interval:>16} {worst:>6} {norm:>5} {minus:>16}");
    line.trim_end().to_owned() + "\n"
}

fn line(results: &Results, place: (&str, &str, &str), last: f64) -> String {
    let find = |metric, at| results.find(place, metric, Some(at));
    let number = |row: Option<&Row>| row.map_or(String::new(), |row| short(row.value));
    let interval =
        |row: Option<&Row>| row.map_or(String::new(), |row| format!("[{}, {}]", short(row.low), short(row.high)));
    let norm = find("normalised", last).map_or(String::new(), |row| format!("{:.2}", row.value));
    let after = find("mean", last);
    let (before, worst) = (find("mean", 0.0), find("worst_decile", last));
    columns([
        place.0,
        &number(before),
        &number(after),
        &interval(after),
        &number(worst),
        &norm,
        &interval(find("difference", last)),
    ])
}

/// The lives of all methods on a preset's split, if there are any.
fn lives(results: &Results, (preset, split): (&str, &str)) -> String {
    let columns = |[method, returned, interval, regret, share, recovers, harm]: [&str; 7]| {
        let line =
            format!("{method:<NAME$} {returned:>6} {interval:>16} {regret:>7} {share:>9} {recovers:>9} {harm:>7}");
        line.trim_end().to_owned() + "\n"
    };
    let mut text = columns(["lives", "return", "95 % interval", "regret", "relative", "recovers", "harmed"]);
    for method in &results.methods {
        let find = |metric| results.find((&method.name, preset, split), metric, None);
        let Some(returned) = find("live_return") else { return String::new() };
        let figure = |metric, show: fn(f64) -> String| find(metric).map_or(String::new(), |row| show(row.value));
        text += &columns([
            &method.name,
            &short(returned.value),
            &format!("[{}, {}]", short(returned.low), short(returned.high)),
            &figure("live_regret", short),
            &figure("live_relative_regret", |value| format!("{value:.2}")),
            &figure(
                "live_recovery_ticks",
                |ticks| if ticks.is_finite() { format!("{ticks:.0}") } else { "never".into() },
            ),
            &figure("live_harm", |share| format!("{:.1} %", 100.0 * share)),
        ]);
    }
    text
}

/// A number in at most six characters if it is below 100,000.
fn short(value: f64) -> String {
    match value.abs() {
        large if large >= 999.5 => format!("{value:.0}"),
        _ => format!("{value:.1}"),
    }
}

fn legend(results: &Results, seeds: usize) -> String {
    let mut text =
        "\nbefore, after: mean return per episode, most likely actions\nworst: mean of each policy's worst tenth of \
                    tasks, after"
            .to_owned();
    if let Some([zero, one]) = &results.scale {
        let _ = write!(text, "\nnorm: 0 = {zero}, 1 = {one}, where they differ by 3 standard errors");
    }
    if let Some(baseline) = &results.baseline {
        let _ = write!(text, "\nminus {baseline}: 95 % interval of the difference after, on the same seeds and tasks");
    }
    if results.rows.iter().any(|row| row.metric == "live_return") {
        text += "\nlives: mean return of an episode; regret against full knowledge, and relative to the\nbaseline's; changes \
                 recovered from; lives that adaptation made worse (docs/living.md)";
    }
    text += "\nintervals: bootstrap of seeds and tasks";
    if seeds < 5 {
        text += "; too narrow below 5 seeds";
    }
    text + "\n"
}
