//! `compare RUN RUN...`

use std::{collections::HashSet, fmt::Write as _, path::PathBuf};

use metadrift_envs::Split;
use serde::{Deserialize, Serialize};

use super::{evaluate::keep, print_as};
use crate::{
    checkpoint::Which,
    cli::CompareArgs,
    config::ConfigError,
    device,
    evaluate::{HeldOut, Protocol, held_out},
    failure::Result,
    memory::{self, Arithmetic},
    run_dir::read_own,
    stats::{Difference, Summary},
    trained::Trained,
};

/// Largest stored evaluation that is read (B).
const MAX_BYTES: u64 = 256 << 20;

/// The part of a stored evaluation that is compared.
#[derive(Deserialize)]
struct Stored {
    iteration: Option<u64>,
    fingerprints: Vec<String>,
    curve: Vec<StoredPoint>,
}

#[derive(Deserialize)]
struct StoredPoint {
    deterministic: StoredScore,
}

#[derive(Deserialize)]
struct StoredScore {
    returns: Vec<f64>,
}

/// A run beside the others.
#[derive(Serialize)]
struct Line {
    run: PathBuf,
    preset: String,
    /// The learner, or the recipe that the run has the settings of.
    learner: &'static str,
    seed: u64,
    iteration: u64,
    adapt_steps: usize,
    /// Returns of the most likely actions after the last step.
    #[serde(flatten)]
    summary: Summary,
    /// Difference to the first run, by task; absent for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    minus_first: Option<Difference>,
    returns: Vec<f64>,
}

/// The result in the shape of its JSON form.
#[derive(Serialize)]
struct Comparison {
    split: &'static str,
    tasks: usize,
    runs: Vec<Line>,
}

/// Runs the command.
///
/// # Errors
/// If a run has no valid checkpoint, or other tasks than the first.
pub fn run(args: &CompareArgs) -> Result<()> {
    let mut lines: Vec<Line> = Vec::new();
    let mut first: Option<(PathBuf, Vec<String>, usize)> = None;
    let mut seen = HashSet::new();
    for path in &args.runs {
        let device = device::open(args.compute.device)?;
        let actors = args.compute.num_actors();
        let run = Trained::open(path, Which::Last, device, args.compute.backend, actors)?;
        run.config.check_control()?;
        if !seen.insert(run.dir.clone()) {
            continue; // `latest` is a link to one of the others
        }
        let arithmetic = Arithmetic::of(&run.config, run.agent.computes_by(), device, actors)?;
        let (fingerprints, returns, adapt_steps) = scores(&run, args.split, (actors, arithmetic))?;
        let (of, known, steps) = first.get_or_insert_with(|| (run.dir.clone(), fingerprints.clone(), adapt_steps));
        if *known != fingerprints || *steps != adapt_steps {
            let what = if *known == fingerprints { "evaluation.adapt_steps" } else { "tasks" };
            let (there, here) = (of.display(), run.dir.display());
            let message = format!("{here}: its {what} are not those of {there}, so that the two cannot be compared");
            return Err(ConfigError::NotFound(message).into());
        }
        let minus_first = lines.first().map(|first| Difference::paired(&returns, &first.returns, 0));
        lines.push(Line {
            run: path.clone(),
            preset: run.config.name.clone(),
            learner: run.config.method(),
            seed: run.config.seed,
            iteration: run.iteration,
            adapt_steps,
            summary: Summary::of(&returns, 0),
            minus_first,
            returns,
        });
    }
    let tasks = lines[0].returns.len();
    let comparison = Comparison { split: args.split.name(), tasks, runs: lines };
    print_as(args.format, &comparison, || text(&comparison))
}

/// Fingerprints of the tasks, returns after the last step, and the number of steps: those stored with the run if they are
/// of its last checkpoint, else of an evaluation now, which is stored.
fn scores(run: &Trained, split: Split, how: (usize, Arithmetic)) -> Result<(Vec<String>, Vec<f64>, usize)> {
    let protocol = Protocol::of(&run.config, split);
    let stem = protocol.file_stem(&run.config);
    let last = |found: Stored| {
        let steps = found.curve.len().checked_sub(1)?;
        Some((found.fingerprints, found.curve.into_iter().next_back()?.deterministic.returns, steps))
    };
    let expected: Vec<String> = (0..protocol.tasks)
        .map(|index| run.config.tasks(split).sample(protocol.seed, protocol.draw, index as u32))
        .map(|task| format!("{:016x}", task.fingerprint()))
        .collect();
    let file = run.dir.join("eval").join(format!("{stem}.json"));
    let stored = read_own(&file, MAX_BYTES).ok().and_then(|bytes| serde_json::from_slice::<Stored>(&bytes).ok());
    let fits = |found: &Stored| {
        let whole = found.curve.len() == protocol.adapt_steps + 1;
        found.iteration == Some(run.iteration) && found.fingerprints == expected && whole
    };
    if let Some(found) = stored.filter(fits).and_then(last) {
        return Ok(found);
    }
    memory::evaluation(&run.config, protocol.tasks, protocol.episodes, how.1).check()?;
    let found = held_out(&run.config, (&*run.agent, run.iteration), how.0, &protocol)?;
    keep(&run.dir, &stem, &found)?;
    let HeldOut::Episodes(found) = found else { unreachable!("the run has an environment") };
    let point = found.curve.last().expect("there is a phase");
    Ok((found.fingerprints.clone(), point.deterministic.returns.clone(), protocol.adapt_steps))
}

/// The table for people, at most 80 columns wide.
fn text(comparison: &Comparison) -> String {
    let Comparison { split, tasks, runs } = comparison;
    let steps = runs[0].adapt_steps;
    let mut text = format!(
        "{tasks} {split} tasks, most likely actions after {steps} adaptation step{}\n\n\
         {:<3} {:<16} {:>4} {:>8} {:>8} {:>8} {:>9} {:>17}\n",
        if steps == 1 { "" } else { "s" },
        "run",
        "learner",
        "seed",
        "mean",
        "iqm",
        "worst",
        "minus a",
        "95 % interval"
    );
    let letter = |at: usize| if at < 26 { char::from(b'a' + at as u8).to_string() } else { (at + 1).to_string() };
    for (at, Line { learner, seed, summary, minus_first, .. }) in runs.iter().enumerate() {
        let Summary { mean, iqm, worst_decile, .. } = summary;
        let minus = minus_first.as_ref().map_or(String::new(), |Difference { mean, ci95: [low, high] }| {
            format!(" {mean:>+9.1} {:>17}", format!("[{low:.1}, {high:.1}]"))
        });
        let _ = writeln!(
            text,
            "{:<3} {learner:<16} {seed:>4} {mean:>8.1} {iqm:>8.1} {worst_decile:>8.1}{minus}",
            letter(at)
        );
    }
    text += "\n";
    for (at, line) in runs.iter().enumerate() {
        let _ = writeln!(text, "{:<3} {}, iteration {}", letter(at), line.run.display(), line.iteration);
    }
    text
}
