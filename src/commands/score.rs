//! `score RUN...`

use std::collections::HashSet;

use metadrift_envs::Split;
use serde::Serialize;

use super::print_as;
use crate::{
    checkpoint::Which,
    cli::ScoreArgs,
    config::{Config, ConfigError, Experiment},
    device,
    evaluate::{Protocol, evaluate_on},
    failure::{Result, WrongUsage},
    memory::{self, Arithmetic},
    presets,
    published::{AIB, AIB_EPISODES, AIB_PUBLISHED, Entry},
    stats::{grouped_iqm, mean},
    trained::Trained,
};

/// A split's scores, of one preset or of several.
#[derive(Serialize)]
struct Cell {
    split: &'static str,
    /// Interquartile mean over runs.
    iqm: f64,
    /// 95 % bootstrap interval, resampling runs within each preset; absent if one has a single run.
    #[serde(skip_serializing_if = "Option::is_none")]
    ci95: Option<[f64; 2]>,
    /// Score of each run.
    runs: Vec<f64>,
}

/// A line of the table.
#[derive(Serialize)]
struct Line {
    name: String,
    runs: usize,
    scores: Vec<Cell>,
}

/// The result, in the shape of its JSON form.
#[derive(Serialize)]
struct Scores {
    benchmark: &'static str,
    episode: u8,
    presets: Vec<Line>,
    /// All presets whose contexts no single policy can serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    apart: Option<Line>,
}

/// Scores of the runs of a preset, `[splits][runs]`.
type Columns = [Vec<f64>; 3];

/// Runs the command.
///
/// # Errors
/// If a run is of no benchmark, or has no valid checkpoint.
pub fn run(args: &ScoreArgs) -> Result<()> {
    let mut columns: Vec<Columns> = AIB.iter().map(|_| Columns::default()).collect();
    let device = device::open(args.compute.device)?;
    let actors = args.compute.num_actors();
    let mut seen = HashSet::new();
    let mut first = None;
    for path in &args.runs {
        let run = Trained::open(path, Which::Last, device, args.compute.backend, actors)?;
        run.config.check_control()?;
        // `latest` is a link to one of the others
        if !seen.insert(run.dir.clone()) {
            continue;
        }
        let learner = run.config.learner.name;
        let (known, of) = first.get_or_insert_with(|| (learner, run.dir.clone()));
        if *known != learner {
            let message = format!(
                "a score belongs to one learner: {} is of {known}, {} of {learner}; name the runs of one of them",
                of.display(),
                run.dir.display()
            );
            return Err(WrongUsage(message).into());
        }
        let at = entry(&run)?;
        let arithmetic = Arithmetic::of(&run.config, run.agent.computes_by(), device, actors)?;
        for (column, split) in columns[at].iter_mut().zip(Split::ALL) {
            column.push(score(&run, split, args.episode, &AIB[at], (actors, arithmetic))?);
        }
    }
    let line = |name: &str, presets: &[&Columns]| Line {
        name: name.to_owned(),
        runs: presets.iter().map(|columns| columns[0].len()).sum(),
        scores: (0..3).map(|split| cell(split, presets)).collect(),
    };
    let known: Vec<(&Entry, &Columns)> =
        AIB.iter().zip(&columns).filter(|(_, columns)| !columns[0].is_empty()).collect();
    let apart: Vec<&Columns> = known.iter().filter(|(entry, _)| entry.apart).map(|(_, columns)| *columns).collect();
    let scores = Scores {
        benchmark: "Actuator Inversion Benchmark (arXiv 2602.06550 v2)",
        episode: args.episode,
        presets: known.iter().map(|(entry, columns)| line(entry.preset, &[columns])).collect(),
        apart: (apart.len() > 1).then(|| line("all but friction", &apart)),
    };
    print_as(args.format, &scores, || text(&scores))
}

/// The benchmark's entry that `run` was trained on.
fn entry(run: &Trained) -> Result<usize> {
    let known = |entry: &Entry| {
        let preset = presets::load(entry.preset, &[]).expect("it is a preset");
        preset.task == run.config.task
    };
    AIB.iter().position(known).ok_or_else(|| {
        let names: Vec<&str> = AIB.iter().map(|entry| entry.preset).collect();
        let message = format!(
            "{}: its tasks are those of no benchmark, which are the presets {}",
            run.dir.display(),
            names.join(", ")
        );
        ConfigError::NotFound(message).into()
    })
}

/// Score of a run on a split: the mean return of episode `episode` of a life over all contexts, most likely actions.
fn score(
    run: &Trained,
    split: Split,
    episode: u8,
    entry: &Entry,
    (actors, arithmetic): (usize, Arithmetic),
) -> Result<f64> {
    // phases of one episode each
    let mut config = Config::clone(&run.config);
    config.evaluation.steps = Some(0);
    config.rollout.episodes_per_env = 1;
    let config = Experiment::new(config)?;
    let tasks = config.tasks(split).each();
    let usual = Protocol::of(&config, split);
    let protocol = Protocol { tasks: tasks.len(), episodes: AIB_EPISODES, adapt_steps: episode.into(), ..usual };
    memory::evaluation(&config, tasks.len(), AIB_EPISODES, arithmetic).check()?;
    let seen = evaluate_on(&config, &*run.agent, actors, &protocol, &tasks)?;
    let returns = &seen.curve[usize::from(episode)].deterministic.returns;
    Ok((mean(returns) / entry.largest).clamp(0.0, 1.0))
}

fn cell(split: usize, presets: &[&Columns]) -> Cell {
    let groups: Vec<Vec<f64>> = presets.iter().map(|columns| columns[split].clone()).collect();
    let (iqm, interval) = grouped_iqm(&groups, 0);
    let ci95 = groups.iter().all(|runs| runs.len() > 1).then_some(interval);
    Cell { split: Split::ALL[split].name(), iqm, ci95, runs: groups.concat() }
}

/// The table for people, at most 80 columns wide.
fn text(scores: &Scores) -> String {
    let Scores { benchmark, episode, presets, apart } = scores;
    let mut text = format!(
        "{benchmark}\n\
         score: mean return over 20 contexts x {AIB_EPISODES} episodes, as a share of the largest;\n\
         episode {episode} of a life, most likely actions; interquartile mean over runs and its\n\
         95 % interval\n\n\
         {:<29} {:>4} {:<14} {:<14} ood\n",
        "preset", "runs", "train", "in-dist"
    );
    for Line { name, runs, scores } in presets.iter().chain(apart) {
        let cell = |cell: &Cell| {
            let interval = cell.ci95.map_or(String::new(), |[low, high]| format!("{low:.2}-{high:.2}"));
            format!("{:.2} {interval:<9}", cell.iqm)
        };
        let cells: Vec<String> = scores.iter().map(cell).collect();
        text += format!("{name:<30} {runs:>3} {}", cells.join(" ")).trim_end();
        text += "\n";
    }
    text += "\npublished, over the whole suite but contexts that one policy can serve\n";
    text += &format!("{:<48} {:<13} ood\n", "", "all splits");
    for (name, all, ood) in AIB_PUBLISHED {
        text += &format!("{name:<48} {all:<13.2} {ood:.2}\n");
    }
    text
}
