//! The stored evaluations of a run.

use std::path::{Path, PathBuf};

use metadrift_envs::{Split, Task, channels};
use serde::Deserialize;

use super::{
    chart::{Chart, Line, Panel},
    page::{Block, Figure},
    replay, stored,
    table::{Cell, Table, short},
};
use crate::{
    config::Experiment,
    evaluate::{Protocol, REPORTED},
    failure::{During, Result},
    film::Gif,
    message::quoted,
};

/// The worst tasks that are listed.
const WORST: usize = 10;

/// An evaluation in `eval/`, of episodes or of examples.
#[derive(Debug, Deserialize)]
struct Evaluation {
    split: Split,
    iteration: Option<u64>,
    seed: u64,
    tasks: usize,
    #[serde(default)]
    lanes: usize,
    #[serde(default)]
    fingerprints: Vec<String>,
    curve: Vec<Point>,
}

#[derive(Debug, Deserialize)]
struct Point {
    deterministic: Option<Score>,
    stochastic: Option<Score>,
    loss: Option<Within>,
    accuracy: Option<Within>,
    success: Option<f64>,
    normalised: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Score {
    mean: f64,
    iqm: f64,
    worst_decile: f64,
    ci95: [f64; 2],
    gain: Within,
    returns: Vec<f64>,
    unadapted: Vec<f64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Within {
    mean: f64,
    ci95: [f64; 2],
}

impl Within {
    fn cell(self) -> Cell {
        Cell::interval(self.mean, self.ci95)
    }

    fn text(self) -> String {
        format!("{} [{}, {}]", short(self.mean), short(self.ci95[0]), short(self.ci95[1]))
    }
}

/// The evaluations in the folder of a run, and the answer that they give in one sentence.
///
/// # Errors
/// If one cannot be read.
pub fn blocks(dir: &Path, config: &Experiment) -> Result<(Vec<Block>, String)> {
    let mut found = Vec::new();
    for path in files(&dir.join("eval"))? {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        found.push((stem, stored::read::<Evaluation>(&path)?));
    }
    let make = |split: &str| format!("metadrift evaluate {} --split {split}", quoted(dir));
    if found.is_empty() {
        let commands = [make("in-dist"), make("ood")].join("\n");
        let blocks = vec![
            Block::Heading("Evaluation".to_owned()),
            Block::Code(
                "No evaluation is stored. These commands make them; then make the report again".to_owned(),
                commands,
            ),
        ];
        return Ok((blocks, "The run was not evaluated on held-out tasks yet.".to_owned()));
    }
    let first = found.iter().find(|(stem, _)| stem == "in-dist").or(found.first());
    let answer = first.map_or(String::new(), |(stem, evaluation)| evaluation.answer(stem));
    let shown = first.map(|(stem, _)| stem.clone());
    let of = |(stem, evaluation): &(String, Evaluation)| {
        let film = (Some(stem) == shown.as_ref()).then(|| evaluation.replay(dir, stem, config)).flatten();
        evaluation.blocks(stem, config).into_iter().chain(film).collect::<Vec<_>>()
    };
    Ok((found.iter().flat_map(of).collect(), answer))
}

/// The answer and the table of the evaluation `stem`, as Markdown, and the film of its worst task.
///
/// # Errors
/// If it cannot be read.
pub fn summary(dir: &Path, config: &Experiment, stem: &str) -> Result<(String, Option<Gif>)> {
    let found: Evaluation = stored::read(&dir.join("eval").join(format!("{stem}.json")))?;
    let text = format!("{}\n\n{}", found.answer(stem), found.table(stem).markdown());
    Ok(match found.replay(dir, stem, config) {
        Some(Block::Film(_, caption, gif)) => (format!("{text}\n{caption}\n"), Some(gif)),
        Some(Block::Text(reason)) => (format!("{text}\n{reason}\n"), None),
        _ => (text, None),
    })
}

/// Tasks by their returns, the worst first.
pub(super) fn worst_first(returns: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..returns.len()).collect();
    order.sort_by(|a, b| returns[*a].total_cmp(&returns[*b]).then(a.cmp(b)));
    order
}

/// The files of JSON in a folder, the shortest name first; none if there is no folder.
fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Ok(Vec::new()) };
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<PathBuf>>>();
    let mut paths = paths.during(|| format!("cannot list {}", dir.display()))?;
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    paths.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    Ok(paths)
}

impl Evaluation {
    fn answer(&self, stem: &str) -> String {
        let (Some(last), steps) = (self.curve.last(), self.curve.len() - 1) else { return String::new() };
        let place = format!(
            "On {} held-out tasks ({stem}), after {steps} adaptation step{}",
            self.tasks,
            if steps == 1 { "" } else { "s" }
        );
        match (&last.deterministic, last.loss) {
            (Some(score), _) if steps > 0 => format!(
                "{place}, the policy returns {} per episode, {} more than unadapted (95 % intervals).",
                Within { mean: score.mean, ci95: score.ci95 }.text(),
                score.gain.text()
            ),
            (Some(score), _) => {
                format!(
                    "{place}, the policy returns {} per episode.",
                    Within { mean: score.mean, ci95: score.ci95 }.text()
                )
            }
            (None, Some(loss)) => format!("{place}, the loss is {} (95 % interval).", loss.text()),
            (None, None) => String::new(),
        }
    }

    fn blocks(&self, stem: &str, config: &Experiment) -> Vec<Block> {
        let of = self.iteration.map_or(String::new(), |iteration| format!(", policy after iteration {iteration}"));
        let mut blocks = vec![Block::Heading(format!(
            "Evaluation {stem}: {} {} tasks, seed {}{of}",
            self.tasks, self.split, self.seed
        ))];
        blocks.push(Block::Table(self.table(stem)));
        blocks.extend(self.figure(stem).map(Block::Figure));
        blocks.extend(self.worst(stem, config).map(Block::Table));
        blocks
    }

    fn table(&self, stem: &str) -> Table {
        type Column = (&'static str, fn(&Point) -> Option<Cell>);
        let columns: [Column; 9] = [
            ("mean", |p| p.deterministic.as_ref().map(|s| Cell::interval(s.mean, s.ci95))),
            ("iqm", |p| p.deterministic.as_ref().map(|s| Cell::number(s.iqm))),
            ("worst tenth", |p| p.deterministic.as_ref().map(|s| Cell::number(s.worst_decile))),
            ("gain", |p| p.deterministic.as_ref().map(|s| s.gain.cell())),
            ("sampled", |p| p.stochastic.as_ref().map(|s| Cell::interval(s.mean, s.ci95))),
            ("success", |p| p.success.map(Cell::number)),
            ("normalised", |p| p.normalised.map(Cell::number)),
            ("loss", |p| p.loss.map(Within::cell)),
            ("accuracy", |p| p.accuracy.map(Within::cell)),
        ];
        let there: Vec<&Column> = columns.iter().filter(|(_, of)| self.curve.iter().any(|p| of(p).is_some())).collect();
        let row = |(k, point): (usize, &Point)| {
            let first = Cell { text: k.to_string(), ..Cell::number(k as f64) };
            std::iter::once(first).chain(there.iter().map(|(_, of)| of(point).unwrap_or_default())).collect()
        };
        let head = std::iter::once("steps").chain(there.iter().map(|(name, _)| *name)).map(str::to_owned);
        Table {
            name: format!("evaluation-{stem}"),
            caption: format!("Evaluation {stem}, by adaptation steps, or phases of a life for policies with a memory"),
            head: head.collect(),
            rows: self.curve.iter().enumerate().map(row).collect(),
            note: "Most likely actions unless sampled. Gain: over the unadapted policy on the same ticks. In brackets: 95 % \
                   bootstrap intervals over tasks."
                .to_owned(),
        }
    }

    fn figure(&self, stem: &str) -> Option<Figure> {
        type Way = (&'static str, fn(&Point) -> Option<(f64, [f64; 2])>);
        let ways: [Way; 3] = [
            ("most likely actions", |p| p.deterministic.as_ref().map(|s| (s.mean, s.ci95))),
            ("sampled actions", |p| p.stochastic.as_ref().map(|s| (s.mean, s.ci95))),
            ("loss", |p| p.loss.map(|it| (it.mean, it.ci95))),
        ];
        let line = |(name, of): Way| {
            let values: Vec<(f64, (f64, [f64; 2]))> =
                self.curve.iter().enumerate().filter_map(|(k, point)| Some((k as f64, of(point)?))).collect();
            let points = values.iter().map(|(k, (mean, _))| (*k, *mean)).collect();
            let band = values.iter().map(|(_, (_, [low, high]))| (*low, *high)).collect();
            (!values.is_empty()).then(|| Line::new(name.to_owned(), points, band))
        };
        let lines: Vec<Line> = ways.into_iter().filter_map(line).collect();
        let losses = self.curve.iter().any(|point| point.loss.is_some());
        let quantity = if losses { "mean loss" } else { "mean return per episode" };
        let chart = Chart {
            title: format!("Adaptation curve, {stem}"),
            x_label: "adaptation steps".to_owned(),
            y_label: quantity.to_owned(),
            whole: true,
            half: false,
            panels: vec![Panel { title: String::new(), lines }],
        };
        (self.curve.len() > 1).then(|| Figure {
            name: format!("curve-{stem}"),
            caption: format!(
                "Adaptation, {stem}: {quantity} by adaptation steps. Bands: 95 % bootstrap intervals over tasks."
            ),
            svg: chart.svg(),
        })
    }

    /// The worst tasks after the last step, with the values of what varies if the tasks can still be drawn.
    fn worst(&self, stem: &str, config: &Experiment) -> Option<Table> {
        let (score, before) = (self.curve.last()?.deterministic.as_ref()?, self.curve.first()?.deterministic.as_ref()?);
        let tasks = self.drawn(config);
        let names: Vec<String> = channels(config.env().spec()).into_iter().map(|channel| channel.name).collect();
        let varies = |at: &usize| tasks.iter().any(|task| task.values[*at] != tasks[0].values[*at]);
        let varying: Vec<usize> = (0..names.len()).filter(varies).collect();
        let order = worst_first(&score.returns);
        let row = |at: usize| {
            let of = |values: &[f64]| values.get(at).map_or(Cell::text("–"), |value| Cell::number(*value));
            let mut row = vec![Cell { text: at.to_string(), ..Cell::number(at as f64) }];
            row.extend([of(&before.returns), of(&score.returns), of(&score.unadapted)]);
            row.extend(varying.iter().map(|channel| Cell::number(tasks[at].values[*channel])));
            row.push(Cell::text(self.fingerprints.get(at).map_or("", String::as_str)));
            row
        };
        let fixed = ["task", "before", "after", "unadapted"].map(str::to_owned);
        let head = fixed.into_iter().chain(varying.iter().map(|at| names[*at].clone()));
        let unknown = "The tasks of this evaluation cannot be drawn by this program: the preset has changed since.";
        let known =
            "Returns of the most likely actions; unadapted: on the same ticks as after. Values before any drift.";
        Some(Table {
            name: format!("worst-{stem}"),
            caption: format!("The worst tasks of {}, {stem}", score.returns.len()),
            head: head.chain(["digest".to_owned()]).collect(),
            rows: order.into_iter().take(WORST).map(row).collect(),
            note: if tasks.is_empty() { unknown } else { known }.to_owned(),
        })
    }

    /// The replay of the worst task; none on examples, or if its task cannot be drawn.
    fn replay(&self, dir: &Path, stem: &str, config: &Experiment) -> Option<Block> {
        let score = self.curve.last()?.deterministic.as_ref()?;
        let tasks = self.drawn(config);
        let task = tasks.get(*worst_first(&score.returns).first()?)?;
        let (episodes, adapt_steps) = (self.lanes, self.curve.len() - 1);
        let protocol = Protocol { split: self.split, tasks: 1, episodes, adapt_steps, seed: self.seed, draw: REPORTED };
        Some(replay::block(dir, (stem, config), task, (&protocol, self.iteration)))
    }

    /// The tasks of the evaluation; none if this program draws others.
    fn drawn(&self, config: &Experiment) -> Vec<Task> {
        let draw = |index: usize| config.tasks(self.split).sample(self.seed, REPORTED, index as u32);
        let tasks: Vec<Task> = (0..self.fingerprints.len()).map(draw).collect();
        let same =
            tasks.iter().zip(&self.fingerprints).all(|(task, known)| format!("{:016x}", task.fingerprint()) == *known);
        if same { tasks } else { Vec::new() }
    }
}
