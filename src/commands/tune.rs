//! `tune`

use std::{path::Path, process::ExitCode, time::Duration};

use metadrift_agents::stop::Stopped;
use serde_json::json;

use super::{aligned, print_as};
use crate::{
    cli::{TuneArgs, threads},
    failure::{Result, code},
    logging::progress::duration,
    message::{quoted, say},
    train,
    tune::{Plan, Progress, Results, Search, TuneError, unknown},
};

/// Runs the command.
///
/// # Errors
/// If the search cannot be run as it is, its folder has another one, or nothing can be written.
pub fn run(args: &TuneArgs) -> Result<ExitCode> {
    let jobs = usize::from(args.jobs.unwrap_or_else(|| u16::try_from(threads(None)).unwrap_or(1)));
    let plan = Plan::read(&args.what)?;
    let problems = unknown(&plan, threads(None))?;
    if !problems.is_empty() {
        return Err(TuneError { origin: args.what.clone(), problems }.into());
    }
    match &args.out {
        Some(out) if !args.dry_run => search(&plan, out, args, jobs),
        _ => dry_run(&plan, args, jobs).map(|()| ExitCode::SUCCESS),
    }
}

/// Works on the search until its end.
fn search(plan: &Plan, out: &Path, args: &TuneArgs, jobs: usize) -> Result<ExitCode> {
    let search = Search::open(plan, out)?;
    let before = search.trials()?;
    if !args.quiet {
        let (name, trials, begun) = (&plan.file.name, plan.trials, before.len());
        say(&format!("search {name}: {trials} trials, {begun} begun before, {jobs} at a time"));
    }
    let progress = Progress::new(plan, &before, args.quiet)?;
    let ended = search.run(jobs, &progress);
    progress.finish();
    if let Err(Stopped(signal)) = ended? {
        let again = format!("metadrift tune {} --out {}", quoted(&args.what), quoted(out));
        say(&format!("stopped; trials are kept. The same command goes on: {again}"));
        return Ok(code::of_signal(signal));
    }
    let trials = search.trials()?;
    let results = Results::new(plan, &trials);
    results.write(plan, &trials, out)?;
    print_as(args.format, &results, || results.to_text(plan, out))?;
    Ok(ExitCode::SUCCESS)
}

/// Tells how many trials are trained for how long, and how much time that takes.
fn dry_run(plan: &Plan, args: &TuneArgs, jobs: usize) -> Result<()> {
    say("measures one iteration of the base");
    let pace = train::pace(&plan.base)?;
    let rungs = plan.rungs.iter().zip(plan.expected()).zip(plan.work()?);
    let rungs: Vec<(u64, usize, u64, f64)> = rungs
        .map(|((iterations, trials), [work, steps])| {
            let count = trials as u64;
            (*iterations, trials, steps.saturating_mul(count), work.saturating_mul(count) as f64 * pace / 60.0)
        })
        .collect();
    let (steps, total) = rungs.iter().fold((0_u64, 0.0), |(a, b), rung| (a.saturating_add(rung.2), b + rung.3));
    let minutes = total / jobs as f64;
    let objects: Vec<_> = rungs
        .iter()
        .map(|(iterations, trials, steps, minutes)| {
            json!({ "iterations": iterations, "trials": trials, "env_steps": steps, "minutes": minutes })
        })
        .collect();
    let object = json!({
        "search": plan.file.name, "trials": plan.trials, "seeds": plan.file.seeds.len(), "rungs": objects,
        "env_steps": steps, "minutes": minutes,
    });
    print_as(args.format, &object, || {
        let about = |minutes: f64| duration(Duration::try_from_secs_f64(60.0 * minutes).unwrap_or(Duration::MAX));
        let row = |(iterations, trials, steps, minutes): &(u64, usize, u64, f64)| {
            let until = format!("to iteration {iterations}");
            [until, format!("{trials} trials"), format!("{steps} steps"), about(*minutes)]
        };
        let table = aligned(&rungs.iter().map(row).collect::<Vec<_>>());
        let seeds = plan.file.seeds.len();
        format!(
            "{table}{} trials of {seeds} training{}, {steps} environment steps, about {},\n{jobs} trials at a time\n",
            plan.trials,
            if seeds == 1 { "" } else { "s" },
            about(minutes),
        )
    })
}
