//! `evaluate RUN`

use std::{path::Path, process::ExitCode};

use crate::{
    adapt,
    checkpoint::Which,
    cli::{EvaluateArgs, Format},
    commands::print,
    device,
    evaluate::{HeldOut, Protocol, decision_time, held_out},
    failure::{During, Failure, Result, WrongUsage},
    memory::{self, Arithmetic},
    message, output, ranks,
    run_dir::write_atomic,
    trained::Trained,
};

/// Runs the command.
///
/// # Errors
/// If the run has no valid checkpoint, or the result cannot be written; if ranks do not work together.
pub fn run(args: &EvaluateArgs) -> Result<ExitCode> {
    match args.ranks.distributed {
        true => ranks::run(args.ranks.rank_timeout, |rank| {
            let actors = args.compute.actors.map_or(rank.cores, usize::from);
            evaluate(args, actors, rank.number)
        }),
        false => evaluate(args, args.compute.num_actors(), 0),
    }
}

/// Evaluates, with the other ranks if there are any; rank 0 tells and stores the result.
fn evaluate(args: &EvaluateArgs, actors: usize, rank: usize) -> Result<ExitCode> {
    if rank == 0 {
        args.out.as_deref().map_or(Ok(()), output::check)?;
    }
    let device = device::open(args.compute.device)?;
    let Trained { dir, config, agent, iteration, .. } =
        Trained::open_with(&args.run, args.checkpoint, device, (args.compute.backend, actors), args.data.as_deref())?;
    if rank == 0 {
        adapt::tell(&dir);
    }
    let usual = Protocol::of(&config, args.split);
    let protocol = Protocol {
        tasks: args.tasks.map_or(usual.tasks, |n| n as usize),
        episodes: args.episodes.map_or(usual.episodes, |n| n as usize),
        adapt_steps: args.adapt_steps.map_or(usual.adapt_steps, usize::from),
        seed: args.seed,
        ..usual
    };
    let arithmetic = Arithmetic::of(&config, agent.computes_by(), device, actors)?;
    memory::evaluation(&config, protocol.tasks, protocol.episodes, arithmetic).check()?;
    config.check_split(protocol.split)?;
    if config.family().is_some() {
        let unread = [("--timing", args.timing), ("--episodes", args.episodes.is_some())];
        if let Some((option, _)) = unread.iter().find(|(_, given)| *given) {
            let message = format!("{option} needs an environment, but {} has tasks of examples", config.name);
            return Err(WrongUsage(message).into());
        }
    }
    ranks::check_read(&config, (&*agent, iteration))?;
    let mut evaluation = held_out(&config, (&*agent, iteration), actors, &protocol)?;
    ranks::close();
    if rank > 0 {
        return Ok(ExitCode::SUCCESS);
    }
    if let (HeldOut::Episodes(found), true) = (&mut evaluation, args.timing) {
        found.decision_us = Some(decision_time(&config, &*agent, &protocol)?);
    }
    let json = serde_json::to_string_pretty(&evaluation)? + "\n";
    let shown = if args.format == Format::Json { json.clone() } else { evaluation.to_text() };
    print(&shown)?;
    let asked = args.out.as_ref().map_or(Ok(()), |path| {
        let text = if path.extension().is_some_and(|end| end == "csv") { evaluation.to_csv() } else { json };
        output::write(path, text.as_bytes())
    });
    // a failure in one place must not keep the result from the other
    let stem = protocol.file_stem(&config) + &suffix(args.checkpoint);
    match keep(&dir, &stem, &evaluation) {
        // the result of a read-only run is still on standard output, and in the file of --out
        Err(error) if is_closed(&error) => {
            message::warn(&format!("{}; the run keeps no copy", message::of_error(&error)))
        }
        kept => kept?,
    }
    asked.map(|()| ExitCode::SUCCESS)
}

/// Says whether a file could not be written for lack of permission.
fn is_closed(error: &Failure) -> bool {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    error.io().is_some_and(|cause| matches!(cause.kind(), PermissionDenied | ReadOnlyFilesystem))
}

/// The part of a result's file name that names its checkpoint; empty for the last one.
fn suffix(which: Which) -> String {
    match which {
        Which::Last => String::new(),
        Which::Best => "-best".to_owned(),
        Which::Step(step) => format!("-step{step}"),
    }
}

/// Stores a result with its run, as JSON and as one row per task.
///
/// # Errors
/// If the run's folder takes no files.
pub(super) fn keep(run: &Path, stem: &str, evaluation: &HeldOut) -> Result<()> {
    let json = serde_json::to_string_pretty(evaluation)? + "\n";
    for (ending, text) in [("json", json), ("csv", evaluation.to_csv())] {
        let file = run.join("eval").join(format!("{stem}.{ending}"));
        write_atomic(&file, text.as_bytes()).during(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
