//! The report on a run.

use std::path::Path;

use super::{
    Digests,
    chart::{Chart, Line, Panel, smoothed},
    page::{Block, Figure, Part},
    run_evaluations,
    table::short,
};
use crate::{
    config::Experiment,
    failure::{During, Result},
    message::quoted_word,
    presets,
    run_dir::{Manifest, RunState, read_own, task_digests},
    session::read_config,
};

/// Largest table that is read (B).
const MAX_BYTES: u64 = 256 << 20;
/// Iterations of a run by which a window of one iteration grows by one more.
const PER_WINDOW: usize = 50;

/// The report on the run in folder `dir`.
///
/// # Errors
/// If its configuration, manifest or metrics cannot be read.
pub fn part(dir: &Path) -> Result<(Part, Digests)> {
    let config = read_config(dir)?;
    let manifest = Manifest::read_if_there(dir)?;
    let text = String::from_utf8_lossy(&read_own(&dir.join("config.toml"), MAX_BYTES)?).into_owned();
    let metrics = Series::read(&dir.join("metrics.csv"))?;
    let (evaluations, answer) = run_evaluations::blocks(dir, &config)?;
    let mut blocks = vec![facts(&config, manifest.as_ref(), &metrics)];
    blocks.extend(evaluations);
    blocks.push(Block::Heading("Training".to_owned()));
    blocks.extend(validation(dir)?);
    blocks.extend(metrics.figures());
    blocks.push(Block::Heading("Configuration and commands".to_owned()));
    let commands = manifest.iter().map(|it| it.command.iter().map(quoted_word).collect::<Vec<_>>().join(" "));
    blocks.push(Block::Code("The command that started the run".to_owned(), commands.collect()));
    blocks.push(Block::Code("config.toml".to_owned(), text.clone()));
    let digests = manifest.iter().flat_map(|it| &it.tasks).filter(|(split, _)| *split != "train");
    let digests = digests.map(|(split, digest)| ((config.name.clone(), config.seed, split.clone()), digest.clone()));
    let digests = digests.collect();
    let part = Part {
        kind: "Run",
        name: name(dir),
        asked: config.description.clone(),
        answer,
        notices: notices(&config, manifest.as_ref(), &text)?,
        blocks,
    };
    Ok((part, digests))
}

/// The last two parts of the path: the preset's folder and the run's own.
fn name(dir: &Path) -> String {
    let whole = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let parts: Vec<String> = whole.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    parts[parts.len().saturating_sub(2)..].join("/")
}

fn facts(config: &Experiment, manifest: Option<&Manifest>, metrics: &Series) -> Block {
    let last = |name: &str| metrics.column(name).and_then(|values| values.last().copied());
    let whole = |value: Option<f64>| value.map_or("0".to_owned(), |value| format!("{value:.0}"));
    let mut facts = vec![
        ("state", state(manifest)),
        ("preset", config.name.clone()),
        ("learner", config.method().to_owned()),
        ("seed", config.seed.to_string()),
        ("iterations", format!("{} of {}", whole(last("iteration")), config.iterations)),
        ("environment steps", whole(last("env_steps"))),
    ];
    if let Some(it) = manifest {
        facts.push(("started", it.started.clone()));
        facts.push(("time in iterations", format!("{} s", short(it.seconds))));
        facts.push(("program", format!("metadrift {}", it.version)));
        facts.push(("built from", it.build.commit.clone().unwrap_or_else(|| "not known".to_owned())));
        facts.push(("arithmetic", format!("{:?} on {}, {}", it.backend, it.device, it.machine.instructions)));
    }
    Block::Facts(facts)
}

fn state(manifest: Option<&Manifest>) -> String {
    match manifest.map(|manifest| &manifest.state) {
        None => "not known: there is no manifest".to_owned(),
        Some(RunState::Running) => "running, or killed".to_owned(),
        Some(RunState::Finished) => "finished".to_owned(),
        Some(RunState::Interrupted) => "interrupted; metadrift resume goes on".to_owned(),
        Some(RunState::Failed { message }) => format!("failed: {message}"),
    }
}

/// Changes since the run was made: of its configuration, of its tasks, of the preset it names.
fn notices(config: &Experiment, manifest: Option<&Manifest>, text: &str) -> Result<Vec<String>> {
    let mut notices = Vec::new();
    let Some(manifest) = manifest else { return Ok(notices) };
    if !manifest.wrote(text.as_bytes()) {
        notices.push("config.toml was changed after the run wrote it; the results may not match it.".to_owned());
    }
    let now = task_digests(config)?;
    if !manifest.tasks.is_empty() && manifest.tasks != now {
        notices.push(format!(
            "The run was trained with another version of {}: by its settings, this program draws other tasks.",
            config.name
        ));
    } else if config.examples.is_none() && presets::all().any(|(name, _)| name == config.name) {
        let preset = presets::load(&config.name, &[format!("seed={}", config.seed)])?;
        if task_digests(&preset)? != now {
            notices.push(format!(
                "The tasks are not those of the preset {} of this program: the run was trained with another version of it, or \
                 with settings of its own.",
                config.name
            ));
        }
    }
    if let RunState::Failed { message } = &manifest.state {
        notices.push(format!("The run failed: {message}"));
    }
    Ok(notices)
}

/// A table of numbers over iterations.
pub(super) struct Series {
    names: Vec<String>,
    /// `[names][rows]`.
    columns: Vec<Vec<f64>>,
}

impl Series {
    /// The numbers in a file of CSV; none if there is no such file. What is no number is NaN.
    pub(super) fn read(path: &Path) -> Result<Series> {
        if std::fs::symlink_metadata(path).is_err() {
            return Ok(Series { names: Vec::new(), columns: Vec::new() });
        }
        let bytes = read_own(path, MAX_BYTES)?;
        Series::parse(&bytes).during(|| format!("cannot read {}", path.display()))
    }

    fn parse(bytes: &[u8]) -> Result<Series, std::io::Error> {
        let mut reader = csv::Reader::from_reader(bytes);
        let broken = |error: csv::Error| std::io::Error::other(error.to_string());
        let names: Vec<String> = reader.headers().map_err(broken)?.iter().map(str::to_owned).collect();
        let mut columns = vec![Vec::new(); names.len()];
        for record in reader.records() {
            let record = record.map_err(broken)?;
            columns
                .iter_mut()
                .zip(record.iter())
                .for_each(|(column, text)| column.push(text.parse().unwrap_or(f64::NAN)));
        }
        Ok(Series { names, columns })
    }

    /// The values of a column.
    pub(super) fn column(&self, name: &str) -> Option<&[f64]> {
        self.names.iter().position(|known| known == name).map(|at| self.columns[at].as_slice())
    }

    /// A column over the iterations.
    pub(super) fn points(&self, name: &str) -> Vec<(f64, f64)> {
        let both = self.column("iteration").zip(self.column(name));
        both.map_or(Vec::new(), |(x, y)| x.iter().copied().zip(y.iter().copied()).collect())
    }

    /// Columns in groups by the word before the `/`; a name without one is a group of its own.
    fn groups(&self) -> Vec<(String, Vec<String>)> {
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for name in self.names.iter().filter(|name| !["iteration", "env_steps"].contains(&name.as_str())) {
            let group = name.split_once('/').map_or(name.as_str(), |(group, _)| group);
            match groups.iter_mut().find(|(known, _)| known == group) {
                Some((_, names)) => names.push(name.clone()),
                None => groups.push((group.to_owned(), vec![name.clone()])),
            }
        }
        groups
    }

    /// A figure for each group with values.
    fn figures(&self) -> Vec<Block> {
        let rows = self.columns.first().map_or(0, Vec::len);
        if rows == 0 {
            return vec![Block::Text("There is no iteration in metrics.csv yet.".to_owned())];
        }
        let window = window(rows);
        let how = match window {
            1 => "not smoothed".to_owned(),
            n => format!("means over the last {n} iterations; thin: each iteration"),
        };
        let line = |name: &String| {
            let points = self.points(name);
            let short = name.split_once('/').map_or(name.as_str(), |(_, rest)| rest);
            let behind = if window > 1 { points.clone() } else { Vec::new() };
            Line { behind, ..Line::new(short.to_owned(), smoothed(&points, window), Vec::new()) }
        };
        let figure = |(group, names): (String, Vec<String>)| {
            let lines: Vec<Line> = names.iter().map(line).collect();
            let known = lines.iter().any(|line| line.points.iter().any(|(_, y)| y.is_finite()));
            let chart = Chart {
                title: format!("{group} over iterations"),
                x_label: "iteration".to_owned(),
                y_label: group.clone(),
                whole: false,
                half: true,
                panels: vec![Panel { title: String::new(), lines }],
            };
            known.then(|| {
                let caption = format!("{}: {how}.", names.join(", "));
                Figure { name: format!("training-{group}"), caption, svg: chart.svg() }
            })
        };
        vec![Block::Figures(self.groups().into_iter().filter_map(figure).collect())]
    }
}

/// Iterations over which a run of `rows` iterations is smoothed.
fn window(rows: usize) -> usize {
    1 + rows / PER_WINDOW
}

/// The evaluations during training, if there were any.
fn validation(dir: &Path) -> Result<Option<Block>> {
    let table = Series::read(&dir.join("evaluations.csv"))?;
    let panel = |split: &str| {
        let start = format!("eval/{split}/return_k");
        let steps: Vec<&str> = table.names.iter().filter_map(|name| name.strip_prefix(&start)).collect();
        let line = |k: &&str| {
            let end =
                |which: &str| table.points(&format!("eval/{split}/return_{which}_k{k}")).into_iter().map(|(_, y)| y);
            let band = end("low").zip(end("high")).collect();
            let points = table.points(&format!("{start}{k}"));
            Line::new(format!("after {k} steps"), points, band)
        };
        let lines: Vec<Line> = steps.iter().map(line).collect();
        (!lines.is_empty()).then(|| Panel { title: split.to_owned(), lines })
    };
    let panels: Vec<Panel> = ["in-dist", "ood"].into_iter().filter_map(panel).collect();
    if panels.is_empty() {
        return Ok(None);
    }
    let (x_label, y_label) = ("iteration".to_owned(), "mean return per episode".to_owned());
    let chart =
        Chart { title: "Evaluations during training".to_owned(), x_label, y_label, whole: false, half: false, panels };
    let caption = "Evaluations during training on held-out tasks, most likely actions. Bands: 95 % bootstrap intervals over tasks.";
    let figure = Figure { name: "validation".to_owned(), caption: caption.to_owned(), svg: chart.svg() };
    Ok(Some(Block::Figure(figure)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_grouped_and_smoothed_by_the_length_of_the_run() {
        let table =
            Series::parse(b"iteration,return/pre,env_steps,return/post,entropy\n1,2,10,3,\n2,4,20,5,x\n").unwrap();
        let names = |group: &[&str]| group.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let of_returns = ("return".to_owned(), names(&["return/pre", "return/post"]));
        assert_eq!(table.groups(), [of_returns, ("entropy".to_owned(), names(&["entropy"]))]);
        assert_eq!(table.points("return/post"), [(1.0, 3.0), (2.0, 5.0)]);
        assert!(table.column("entropy").unwrap().iter().all(|value| value.is_nan()));
        // a figure for the returns, none for what has no value
        let [Block::Figures(figures)] = &table.figures()[..] else { panic!() };
        assert_eq!(figures.iter().map(|figure| figure.name.as_str()).collect::<Vec<_>>(), ["training-return"]);
        assert_eq!([49, 50, 150].map(window), [1, 2, 4]);
    }
}
