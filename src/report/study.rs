//! The report on a study that is finished.

use std::{collections::BTreeSet, path::Path};

use super::{
    page::{Block, Figure, Part},
    replay,
    run_evaluations::worst_first,
    stored::{Preset, Results, Row},
    study_figures::{curves, heat, profiles},
    table::{Cell, Table, short},
};

/// The splits, and their names for people.
pub(super) const SPLITS: [(&str, &str); 2] = [("in-dist", "tasks as in training"), ("ood", "tasks beyond training")];
/// The worst tasks of each method that are listed.
const WORST: usize = 3;

/// The report on the results of a study in folder `dir`.
pub fn part(dir: &Path, results: &Results, mut notices: Vec<String>) -> Part {
    notices.extend(mixed(results));
    notices.extend(troubled(results));
    let mut blocks = vec![facts(results)];
    for preset in &results.presets {
        blocks.extend(of_preset(dir, results, preset));
    }
    blocks.extend(overall(results));
    blocks.extend(super::study_settings::blocks(dir, results));
    Part {
        kind: "Study",
        name: results.study.clone(),
        asked: results.description.clone(),
        answer: answer(results),
        notices,
        blocks,
    }
}

fn seeds(results: &Results) -> usize {
    results.cells.iter().map(|cell| cell.seed).collect::<BTreeSet<_>>().len()
}

fn facts(results: &Results) -> Block {
    let asked = |name: &str| results.evaluation.get(name).map_or(String::new(), u64::to_string);
    let budgets: BTreeSet<u64> = results.presets.iter().map(|preset| preset.env_steps).collect();
    let budgets: Vec<String> = budgets.iter().map(u64::to_string).collect();
    let scale = results.scale.as_ref().map(|[zero, one]| format!("0 = {zero}, 1 = {one}"));
    Block::Facts(vec![
        ("seeds", seeds(results).to_string()),
        ("tasks of each split", asked("tasks")),
        ("episodes of a task", asked("episodes")),
        ("adaptation steps", asked("adapt_steps")),
        ("environment steps of a training", budgets.join(" or ")),
        ("compared with", results.baseline.clone().unwrap_or_else(|| "none".into())),
        ("scale of normalised scores", scale.unwrap_or_else(|| "none".into())),
        ("digest of the study", results.digest.chars().take(16).collect()),
    ])
}

/// Presets of which cells have other tasks than the rest.
fn mixed(results: &Results) -> Vec<String> {
    let held = |cell: &super::stored::Cell| SPLITS.map(|(split, _)| cell.result.tasks.get(split).cloned());
    let names = results.presets.iter().filter_map(|preset| {
        let cells: Vec<_> = results.cells.iter().filter(|cell| cell.preset == preset.name).collect();
        let first = held(cells.first()?);
        let other: BTreeSet<&str> =
            cells.iter().filter(|cell| held(cell) != first).map(|cell| cell.method.as_str()).collect();
        let other: Vec<&str> = other.into_iter().collect();
        (!other.is_empty()).then(|| {
            format!(
                "{}: {} met other tasks than the rest: another version of the preset",
                preset.name,
                other.join(", ")
            )
        })
    });
    names.collect()
}

/// Trainings that did not end well.
fn troubled(results: &Results) -> Option<String> {
    let bad = results.cells.iter().filter(|cell| !["finished", "none"].contains(&cell.result.ended.as_str()));
    let names: Vec<String> = bad
        .map(|cell| format!("{} on {}, seed {} ({})", cell.method, cell.preset, cell.seed, cell.result.ended))
        .collect();
    (!names.is_empty())
        .then(|| format!("These trainings did not finish; their last good policies count: {}.", names.join("; ")))
}

/// The competing method with the largest difference to the baseline, or with the largest mean where there is none; the first
/// of equals.
fn best<'a>(results: &'a Results, preset: &Preset) -> Option<&'a Row> {
    let metric = if results.baseline.is_some() { "difference" } else { "mean" };
    let rows = results.rows.iter().filter(|row| {
        (row.preset.as_str(), row.split.as_str(), row.metric.as_str()) == (&preset.name, "in-dist", metric)
            && row.at == Some(results.steps() as f64)
            && results.competes(&row.method)
    });
    rows.filter(|row| row.value.is_finite()).rev().max_by(|a, b| a.value.total_cmp(&b.value))
}

/// The answer: the best method on each preset.
fn answer(results: &Results) -> String {
    let steps = results.steps();
    let of_preset = |preset: &Preset| {
        let Row { method, value, low, high, .. } = best(results, preset)?;
        let within = format!("[{}, {}]", short(*low), short(*high));
        Some(match &results.baseline {
            None => format!("on {} {method} is best with a return of {} {within}", preset.name, short(*value)),
            Some(baseline) if *low > 0.0 => {
                format!("on {} {method} returns {} {within} more than {baseline}", preset.name, short(*value))
            }
            Some(baseline) => format!(
                "on {} no method is better than {baseline} beyond its interval (the best, {method}: {} {within})",
                preset.name,
                short(*value)
            ),
        })
    };
    let all: Vec<String> = results.presets.iter().filter_map(of_preset).collect();
    let s = if steps == 1 { "" } else { "s" };
    if all.is_empty() {
        return "No method was compared on tasks as in training.".to_owned();
    }
    let noun = if results.baseline.is_some() { "differences" } else { "returns" };
    format!(
        "After {steps} adaptation step{s}, on tasks as in training: {} (mean {noun} per episode with 95 % intervals).",
        all.join("; ")
    )
}

fn of_preset(dir: &Path, results: &Results, preset: &Preset) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(format!("{} ({})", preset.name, preset.role))];
    if !preset.description.is_empty() {
        blocks.push(Block::Text(preset.description.clone()));
    }
    for (split, words) in SPLITS {
        blocks.push(Block::Table(scores(results, preset, (split, words))));
    }
    let figure = |figure: Option<Figure>| figure.map(Block::Figure);
    blocks.extend(figure(curves(results, preset)));
    blocks.extend(figure(profiles(results, preset)));
    blocks.extend(figure(heat(results, preset)));
    blocks.extend(best(results, preset).and_then(|best| replay::of_study(dir, results, preset, &best.method)));
    blocks.extend(SPLITS.iter().filter_map(|(split, _)| lives(results, preset, split)).map(Block::Table));
    for (split, words) in SPLITS {
        blocks.push(Block::Folded(worst(results, preset, (split, words))));
    }
    for (split, words) in SPLITS {
        blocks.push(Block::Folded(everything(results, preset, (split, words))));
    }
    blocks
}

/// The columns of a table of scores: name, metric, and whether it is of the last phase.
const COLUMNS: [(&str, &str, bool); 7] = [
    ("before", "mean", false),
    ("after", "mean", true),
    ("worst tenth", "worst_decile", true),
    ("gain", "gain", true),
    ("success", "success", true),
    ("normalised", "normalised", true),
    ("difference", "difference", true),
];

fn scores(results: &Results, preset: &Preset, (split, words): (&str, &str)) -> Table {
    let last = results.steps() as f64;
    let cell = |method: &str, (_, metric, after): (&str, &str, bool)| {
        let at = Some(if after { last } else { 0.0 });
        let row = results.find((method, &preset.name, split), metric, at);
        row.map_or(Cell::default(), |row| Cell::interval(row.value, [row.low, row.high]))
    };
    let there: Vec<(&str, &str, bool)> = COLUMNS
        .into_iter()
        .filter(|column| results.methods.iter().any(|method| !cell(&method.name, *column).numbers.is_empty()))
        .collect();
    let head = std::iter::once("method".to_owned()).chain(there.iter().map(|(name, metric, _)| {
        let minus = results.baseline.as_ref().filter(|_| *metric == "difference");
        minus.map_or((*name).to_owned(), |baseline| format!("minus {baseline}"))
    }));
    let row = |method: &str| {
        let numbers = there.iter().map(|column| cell(method, *column));
        std::iter::once(Cell::text(method)).chain(numbers).collect()
    };
    let mut table = Table {
        name: format!("scores-{}-{split}", preset.name),
        caption: format!("{}, {split}: {words}", preset.name),
        head: head.collect(),
        rows: results.methods.iter().map(|method| row(&method.name)).collect(),
        note: if split == "in-dist" { legend(results) } else { String::new() },
    };
    for column in 1..table.head.len() {
        table.mark(column, |method| results.competes(method));
    }
    table
}

/// The columns of a table of lives, each with its metric.
const LIVES: [(&str, &str); 7] = [
    ("return", "live_return"),
    ("worst tenth", "live_worst_decile"),
    ("gain", "live_gain"),
    ("regret", "live_regret"),
    ("relative regret", "live_relative_regret"),
    ("recovered", "live_recovered"),
    ("harmed", "live_harm"),
];

/// Lives on one lane, if the study has them.
fn lives(results: &Results, preset: &Preset, split: &str) -> Option<Table> {
    let find = |method: &str, metric: &str| results.find((method, &preset.name, split), metric, None);
    let there: Vec<(&str, &str)> = LIVES
        .into_iter()
        .filter(|(_, metric)| results.methods.iter().any(|it| find(&it.name, metric).is_some()))
        .collect();
    if there.is_empty() {
        return None;
    }
    let row = |method: &str| {
        let cell = |(_, metric): &(&str, &str)| {
            find(method, metric).map_or(Cell::default(), |row| Cell::interval(row.value, [row.low, row.high]))
        };
        std::iter::once(Cell::text(method)).chain(there.iter().map(cell)).collect()
    };
    Some(Table {
        name: format!("lives-{}-{split}", preset.name),
        caption: format!("{}, {split}: long lives on one lane", preset.name),
        head: std::iter::once("method".to_owned()).chain(there.iter().map(|(name, _)| (*name).to_owned())).collect(),
        rows: results.methods.iter().map(|method| row(&method.name)).collect(),
        note: "Mean return of an episode; gain over the same policy unadapted; regret against full knowledge, and relative to the \
               baseline's; share of sudden changes recovered from before the next; share of lives that adaptation made worse."
            .to_owned(),
    })
}

fn legend(results: &Results) -> String {
    let few = if seeds(results) < 5 { ", too narrow below 5 seeds" } else { "" };
    format!(
        "Mean returns per episode, most likely actions, before and after adaptation. Worst tenth: of the tasks of each \
         policy. Gain: over the same policy unadapted. In brackets: 95 % bootstrap intervals of seeds and tasks{few}. \
         Marked: the best of the methods that do not see what varies, chosen afterwards, so that its interval flatters it."
    )
}

fn worst(results: &Results, preset: &Preset, (split, words): (&str, &str)) -> Table {
    let none = Vec::new();
    let tasks = preset.splits.get(split).unwrap_or(&none);
    let channels: BTreeSet<&String> = tasks.iter().flat_map(|task| task.values.keys()).collect();
    let drifting = tasks.iter().any(|task| !task.drifts.is_empty());
    let mut rows = Vec::new();
    for method in &results.methods {
        let Some([returns, unadapted]) = results.per_task((&method.name, &preset.name, split)) else { continue };
        let order = worst_first(&returns[..returns.len().min(tasks.len())]);
        for at in order.into_iter().take(WORST) {
            let task = &tasks[at];
            let values =
                channels.iter().map(|name| task.values.get(*name).map_or(Cell::text("–"), |v| Cell::number(*v)));
            let mut row = vec![Cell::text(&method.name), Cell { text: at.to_string(), ..Cell::number(at as f64) }];
            row.extend([Cell::number(returns[at]), Cell::number(unadapted[at])]);
            row.extend(values);
            row.extend(drifting.then(|| Cell::text(task.drifts.join(", "))));
            row.push(Cell::text(&task.fingerprint));
            rows.push(row);
        }
    }
    let fixed = ["method", "task", "after", "unadapted"].map(str::to_owned);
    let head = fixed.into_iter().chain(channels.iter().map(|name| (*name).clone()));
    Table {
        name: format!("worst-{}-{split}", preset.name),
        caption: format!("Worst {WORST} tasks of each method on {}, {split}: {words}", preset.name),
        head: head.chain(drifting.then(|| "drifts".to_owned())).chain(["digest".to_owned()]).collect(),
        rows,
        note: "Returns after the last step, means over seeds; values of the channels before any drift.".to_owned(),
    }
}

/// All rows of the results on a split.
fn everything(results: &Results, preset: &Preset, (split, words): (&str, &str)) -> Table {
    let rows = results.rows.iter().filter(|row| row.preset == preset.name && row.split == split);
    let row = |row: &Row| {
        let at = row.at.map_or(Cell::default(), |at| Cell { text: at.to_string(), ..Cell::number(at) });
        let value = Cell::interval(row.value, [row.low, row.high]);
        vec![Cell::text(&row.method), Cell::text(&row.metric), at, value]
    };
    Table {
        name: format!("numbers-{}-{split}", preset.name),
        caption: format!("All numbers on {}, {split}: {words}", preset.name),
        head: ["method", "metric", "at", "value"].map(str::to_owned).into(),
        rows: rows.map(row).collect(),
        note: "docs/studies.md defines the metrics. At: adaptation steps before; tau of profile.".to_owned(),
    }
}

/// The mean normalised scores over all presets of a role.
fn overall(results: &Results) -> Vec<Block> {
    let rows = results.rows.iter().filter(|row| row.preset == crate::study::ALL);
    let row = |row: &Row| {
        let words = [&row.method, &row.role, &row.split].map(Cell::text);
        words.into_iter().chain([Cell::interval(row.value, [row.low, row.high])]).collect()
    };
    let rows: Vec<Vec<Cell>> = rows.map(row).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let table = Table {
        name: "all-presets".to_owned(),
        caption: "Mean normalised score after adaptation, over the presets of a role that have a scale".to_owned(),
        head: ["method", "role", "split", "normalised"].map(str::to_owned).into(),
        rows,
        note: String::new(),
    };
    vec![Block::Heading("All presets".to_owned()), Block::Table(table)]
}
