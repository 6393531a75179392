//! `evaluate RUN`

use std::path::Path;

use anyhow::{Context, Result};

use crate::{
    checkpoint,
    cli::{EvaluateArgs, Format},
    commands::print,
    device,
    evaluate::{Evaluation, Protocol, evaluate},
    memory::{self, Arithmetic},
    message, output,
    run_dir::{Manifest, write_atomic},
    session::read_config,
    train::Trainer,
};

/// Runs the command.
///
/// # Errors
/// If the run has no valid checkpoint, or the result cannot be written.
pub fn run(args: &EvaluateArgs) -> Result<()> {
    args.out.as_deref().map_or(Ok(()), output::check)?;
    let config = read_config(&args.run)?;
    let (newest, skipped) = checkpoint::newest(&args.run.join("checkpoints"))?;
    skipped.iter().for_each(|s| message::warn(&format!("skipped a damaged checkpoint: {s}")));
    let actors = args.compute.num_actors();
    let device = device::open(args.compute.device)?;
    let backend = args.compute.backend.map_or_else(|| Manifest::backend_of(&args.run), Ok)?;
    let mut trainer = Trainer::new(config.clone(), device, backend, actors)?;
    trainer.restore(&newest)?;
    let usual = Protocol::of(&config, args.split);
    let protocol = Protocol {
        tasks: args.tasks.map_or(usual.tasks, |n| n as usize),
        episodes: args.episodes.map_or(usual.episodes, |n| n as usize),
        adapt_steps: args.adapt_steps.map_or(usual.adapt_steps, usize::from),
        seed: args.seed,
        ..usual
    };
    let arithmetic = Arithmetic::of(&config, trainer.learner().backend().choice(), device, actors)?;
    memory::evaluation(&config, protocol.tasks, protocol.episodes, arithmetic)?.check()?;
    let evaluation = evaluate(&config, &trainer.learner(), actors, &protocol)?;
    let json = serde_json::to_string_pretty(&evaluation)? + "\n";
    let shown = if args.format == Format::Json { json.clone() } else { evaluation.to_text() };
    print(&shown)?;
    if let Some(path) = &args.out {
        let text = if path.extension().is_some_and(|end| end == "csv") { evaluation.to_csv() } else { json };
        output::write(path, text.as_bytes())?;
    }
    keep(&args.run, &protocol.file_stem(&config), &evaluation)
}

/// Stores a result with its run, as JSON and as one row per task.
///
/// # Errors
/// If the run's folder takes no files.
pub(super) fn keep(run: &Path, stem: &str, evaluation: &Evaluation) -> Result<()> {
    let json = serde_json::to_string_pretty(evaluation)? + "\n";
    for (ending, text) in [("json", json), ("csv", evaluation.to_csv())] {
        let file = run.join("eval").join(format!("{stem}.{ending}"));
        write_atomic(&file, text.as_bytes()).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
