//! `runs list`

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;
use serde_json::Value;

use super::{aligned, print_as};
use crate::{
    checkpoint,
    cli::{RunsCommand, RunsListArgs},
    failure::{During, Result},
    run_dir::{Manifest, RunState, read_own},
    session::read_config,
    stats::mean,
};

/// Folders below the one that is listed in which runs are looked for: `quick/cells/CELL/run`.
const DEPTH: usize = 4;
/// Largest evaluation that is read (B).
const MAX_BYTES: u64 = 256 << 20;

/// A run in the list.
#[derive(Serialize)]
struct Line {
    run: PathBuf,
    preset: String,
    /// The learner, or the recipe that the run has the settings of.
    learner: String,
    seed: u64,
    /// `running` (or killed), `finished`, `interrupted`, `failed`, or `damaged` if its files cannot be read.
    state: &'static str,
    /// Iterations of the newest checkpoint.
    iterations: u64,
    /// Mean return on held-out tasks after the last adaptation step, or minus the loss, by the run's last evaluation.
    last: Option<f64>,
    /// The best one during training, if there were evaluations then.
    best: Option<f64>,
    /// Time of its start (UTC).
    started: String,
}

/// Runs the command.
///
/// # Errors
/// If the folder cannot be read.
pub fn run(command: &RunsCommand) -> Result<()> {
    let RunsCommand::List(RunsListArgs { dir, output }) = command;
    let mut folders = Vec::new();
    find(dir, DEPTH, &mut folders).during(|| format!("cannot list {}", dir.display()))?;
    let mut lines: Vec<Line> = folders.iter().map(|run| line(run)).collect();
    lines.sort_by(|a, b| (&a.started, &a.run).cmp(&(&b.started, &b.run)));
    print_as(output.format, &lines, || text(&lines))
}

/// The folders of runs below `dir`; links, such as `latest`, are not followed.
fn find(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            continue;
        }
        let path = entry.path();
        if path.join("config.toml").is_file() && path.join("checkpoints").is_dir() {
            found.push(path);
        } else if depth > 1 {
            find(&path, depth - 1, found)?;
        }
    }
    Ok(())
}

fn line(run: &Path) -> Line {
    let manifest = Manifest::read(run).ok();
    let config = read_config(run).ok();
    let state = match manifest.as_ref().map(|manifest| &manifest.state) {
        _ if config.is_none() => "damaged",
        None => "damaged",
        Some(RunState::Running) => "running",
        Some(RunState::Finished) => "finished",
        Some(RunState::Interrupted) => "interrupted",
        Some(RunState::Failed { .. }) => "failed",
    };
    let steps = checkpoint::steps(&run.join("checkpoints")).unwrap_or_default();
    Line {
        run: run.to_owned(),
        preset: config.as_ref().map_or(String::new(), |config| config.name.clone()),
        learner: config.as_ref().map_or(String::new(), |config| config.method().to_owned()),
        seed: config.as_ref().map_or(0, |config| config.seed),
        state,
        iterations: steps.iter().map(|(step, _)| *step).max().unwrap_or(0),
        last: last(run),
        best: best(run),
        started: manifest.map_or(String::new(), |manifest| manifest.started),
    }
}

/// The result in `eval/in-dist.json`, or in that of the study's cell that the run belongs to.
fn last(run: &Path) -> Option<f64> {
    let read = |path: PathBuf| serde_json::from_slice::<Value>(&read_own(&path, MAX_BYTES).ok()?).ok();
    let Some(found) = read(run.join("eval").join("in-dist.json")) else {
        return of_cell(&read(run.parent()?.join("result.json"))?);
    };
    let point = found.get("curve")?.as_array()?.last()?;
    let returns = point.get("deterministic").and_then(|score| score.get("mean")?.as_f64());
    returns.or_else(|| Some(-point.get("loss")?.get("mean")?.as_f64()?))
}

/// The mean return on held-out tasks of the training distribution, after the last step, in the result of a study's cell.
fn of_cell(result: &Value) -> Option<f64> {
    let all = result["cell"]["evaluations"].as_array()?;
    let found = all.iter().find(|it| it["kind"] == "held-out" && it["split"] == "in-dist")?;
    let returns = found["curve"].as_array()?.last()?["returns"].as_array()?;
    let returns: Vec<f64> = returns.iter().map(Value::as_f64).collect::<Option<_>>()?;
    (!returns.is_empty()).then(|| mean(&returns))
}

/// The largest return in `evaluations.csv` on held-out tasks of the training distribution, after the last step.
fn best(run: &Path) -> Option<f64> {
    let bytes = read_own(&run.join("evaluations.csv"), MAX_BYTES).ok()?;
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let of_step = |name: &str| name.strip_prefix("eval/in-dist/return_k")?.parse::<usize>().ok();
    let headers = reader.headers().ok()?.clone();
    let column = headers.iter().enumerate().filter_map(|(at, name)| Some((of_step(name)?, at))).max()?.1;
    let values = reader.records().filter_map(|record| record.ok()?.get(column)?.parse::<f64>().ok());
    values.max_by(f64::total_cmp)
}

/// The list for people: the folder of each run, and the rest in columns below it, so that no folder is broken.
fn text(lines: &[Line]) -> String {
    if lines.is_empty() {
        return "there are no runs here; `metadrift train PRESET` makes one\n".to_owned();
    }
    let head = ["  learner", "seed", "state", "iterations", "last", "best", "started"].map(str::to_owned);
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1}"));
    let row = |line: &Line| {
        [
            format!("  {}", line.learner),
            line.seed.to_string(),
            line.state.to_owned(),
            line.iterations.to_string(),
            number(line.last),
            number(line.best),
            line.started.get(..16).unwrap_or_default().replace('T', " "),
        ]
    };
    let table = aligned(&std::iter::once(head).chain(lines.iter().map(row)).collect::<Vec<_>>());
    let (head, rows) = table.split_once('\n').unwrap_or_default();
    let runs = lines.iter().zip(rows.lines()).map(|(line, row)| format!("{}\n{row}\n", line.run.display()));
    format!("run\n{head}\n{}", runs.collect::<String>())
}
