//! `study`

use std::{
    collections::BTreeSet,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use indicatif::ProgressBar;
use metadrift_agents::{
    learners::{self, recipes},
    stop::Stopped,
};
use serde_json::{Value, json};

use super::{aligned, fitted, print, print_as};
use crate::{
    cli::{Format, StudyArgs, threads},
    failure::{During, Result, WrongUsage, code},
    logging::progress::duration,
    message::{quoted, say},
    output,
    study::{self, BUILT_IN, Cell, Outline, Plan, Progress, Queue, Results},
    train,
};

/// Runs the command.
///
/// # Errors
/// If the study cannot be run as it is, its folder has cells of another one, or nothing can be written.
pub fn run(args: &StudyArgs) -> Result<ExitCode> {
    let what = args.what.as_deref().unwrap_or_default();
    let jobs = usize::from(args.jobs.unwrap_or_else(|| u16::try_from(threads(None)).unwrap_or(1)));
    if args.list_methods {
        list_methods(args.format)?;
    } else if args.show {
        print(&study::text(what)?)?;
    } else if args.dry_run {
        dry_run(&Plan::read(what)?, args, jobs)?;
    } else if let Some(out) = &args.out {
        return make(what, out, args, jobs);
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes the missing cells of a study, and its results.
fn make(what: &str, out: &Path, args: &StudyArgs, jobs: usize) -> Result<ExitCode> {
    let text = study::text(what)?;
    let plan = Plan::parse(what, &text)?;
    let queue = Queue::open(&plan, &Outline::of(&plan, what, text), out)?;
    let missing = &queue.missing;
    if !args.quiet {
        let (all, left) = (plan.cells.len(), missing.len());
        say(&format!("study {}: {all} cells, {} finished before, {jobs} at a time", plan.file.name, all - left));
    }
    let progress = Progress::new(&plan, missing, args.quiet);
    let ended = study::run(&plan, out, &queue, jobs, &|at, result| progress.cell(at, result));
    progress.finish();
    if let Err(Stopped(signal)) = ended? {
        let again = format!("metadrift study {} --out {}", quoted(what), quoted(out));
        say(&format!("stopped; finished cells are kept. The same command goes on: {again}"));
        return Ok(code::of_signal(signal));
    }
    let found = study::states(&plan, out)?.finished.into_iter().flatten().collect::<Vec<_>>();
    if found.len() != plan.cells.len() {
        let lost = plan.cells.len() - found.len();
        return Err(WrongUsage(format!("{lost} cells changed while the study ran; run it again")).into());
    }
    let results = Results::new(&plan, &found, jobs);
    output::write(&out.join("results.json"), (serde_json::to_string(&results)? + "\n").as_bytes())?;
    output::write(&out.join("results.csv"), &study::to_csv(&results)?)?;
    print_as(args.format, &results, || study::to_text(&results))?;
    Ok(ExitCode::SUCCESS)
}

fn list_methods(format: Format) -> Result<()> {
    let learners = learners::all().map(|entry| (entry.name, entry.about, "learner"));
    let recipes = recipes::ALL.iter().map(|recipe| (recipe.name, recipe.about, "recipe"));
    let taken = |name: &str| BUILT_IN.iter().any(|row| row.name == name);
    let others: Vec<_> = learners.chain(recipes).filter(|(name, ..)| !taken(name)).collect();
    let rows: Vec<_> = BUILT_IN.iter().map(|row| (row.name, row.about, "built-in")).chain(others).collect();
    let objects: Vec<Value> =
        rows.iter().map(|(name, about, kind)| json!({ "name": name, "about": about, "kind": kind })).collect();
    print_as(format, &objects, || {
        fitted(&rows.iter().map(|(name, about, _)| [(*name).to_owned(), (*about).to_owned()]).collect::<Vec<_>>())
    })
}

/// Seconds of a step of a cell's training; 0 without a training.
fn pace(cell: &Cell) -> Result<f64> {
    let Some((config, _)) = &cell.training else { return Ok(0.0) };
    train::pace(config).during(|| format!("cell {}", cell.name))
}

/// Time between two lines about measurements that no terminal shows.
const TOLD: Duration = Duration::from_secs(10);

/// Seconds of a step of the training of every cell, `[cells]`; seeds have the same.
fn paces(plan: &Plan) -> Result<Vec<f64>> {
    let trained = plan.cells.iter().filter(|cell| cell.training.is_some()).map(|cell| cell.place);
    let trainings = trained.collect::<BTreeSet<_>>().len();
    say(&format!("measures one iteration of each of {trainings} trainings"));
    // hidden unless on a terminal
    let (bar, mut told) = (ProgressBar::new(trainings as u64), Instant::now());
    let (mut paces, mut known) = (Vec::new(), (usize::MAX, usize::MAX, 0.0));
    for cell in &plan.cells {
        if (known.0, known.1) != cell.place {
            known = (cell.place.0, cell.place.1, pace(cell)?);
            bar.inc(u64::from(cell.training.is_some()));
            if bar.is_hidden() && told.elapsed() > TOLD {
                say(&format!("measured {} of {trainings}", bar.position()));
                told = Instant::now();
            }
        }
        paces.push(known.2);
    }
    bar.finish_and_clear();
    Ok(paces)
}

/// Lists the cells of a study with their environment steps and an estimate of their time.
fn dry_run(plan: &Plan, args: &StudyArgs, jobs: usize) -> Result<()> {
    let finished: Vec<bool> = match &args.out {
        Some(out) if out.exists() => study::states(plan, out)?.finished.iter().map(Option::is_some).collect(),
        _ => vec![false; plan.cells.len()],
    };
    let paces = paces(plan)?;
    let (mut rows, mut steps, mut total) = (Vec::new(), 0, 0.0);
    for (at, cell) in plan.cells.iter().enumerate() {
        let own = if cell.trained_by == at { study::training_steps(plan, cell) } else { 0 };
        let shared = study::training_steps(plan, cell) > 0 && own == 0;
        let time = if finished[at] { 0.0 } else { paces[at] * study::work(plan, at) as f64 };
        if !finished[at] {
            (steps, total) = (steps + own, total + time);
        }
        rows.push((cell.name.clone(), own, time / 60.0, finished[at], shared));
    }
    let minutes = total / 60.0 / jobs as f64;
    let about = |minutes: f64| duration(Duration::from_secs_f64(60.0 * minutes));
    let cells: Vec<Value> = rows
        .iter()
        .map(|(name, steps, minutes, finished, _)| json!({ "cell": name, "env_steps": steps, "minutes": minutes, "finished": finished }))
        .collect();
    let object = json!({ "study": plan.file.name, "digest": plan.digest(), "cells": cells, "env_steps": steps, "minutes": minutes });
    print_as(args.format, &object, || {
        let state = |finished: bool, shared: bool| match (finished, shared) {
            (true, _) => "finished",
            (false, true) => "shared",
            (false, false) => "",
        };
        let row = |(name, steps, minutes, finished, shared): &(String, u64, f64, bool, bool)| {
            [name.clone(), format!("{steps} steps"), about(*minutes), state(*finished, *shared).to_owned()]
        };
        let table = aligned(&rows.iter().map(row).collect::<Vec<_>>());
        format!(
            "{table}{} cells, {steps} environment steps, about {}, {jobs} cells at a time\n{}",
            rows.len(),
            about(minutes),
            if rows.iter().any(|row| row.4) { "shared: the training is that of another cell\n" } else { "" }
        )
    })
}
