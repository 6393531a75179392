//! `evaluate RUN`

use anyhow::{Context, Result};

use crate::{
    checkpoint,
    cli::{EvaluateArgs, Format},
    commands::print,
    device,
    evaluate::{Protocol, evaluate},
    run_dir::{Manifest, write_atomic},
    session::read_config,
    train::Trainer,
};

/// Runs the command.
///
/// # Errors
/// If the run has no valid checkpoint, or the result cannot be written.
pub fn run(args: &EvaluateArgs) -> Result<()> {
    let config = read_config(&args.run)?;
    let (newest, skipped) = checkpoint::newest(&args.run.join("checkpoints"))?;
    skipped.iter().for_each(|s| eprintln!("warning: skipped a damaged checkpoint: {s}"));
    let actors = args.compute.num_actors();
    let backend = args.compute.backend.unwrap_or(Manifest::read(&args.run)?.backend);
    let mut trainer = Trainer::new(config.clone(), device::open(args.compute.device)?, backend, actors)?;
    trainer.restore(&newest)?;
    let protocol = Protocol {
        split: args.split,
        tasks: args.tasks as usize,
        episodes: args.episodes.map_or(config.rollout.num_envs, |n| n as usize),
        adapt_steps: args.adapt_steps.map_or(config.adapt_steps(), usize::from),
        seed: args.seed,
    };
    let evaluation = evaluate(&config, &trainer.learner(), actors, &protocol)?;
    let json = serde_json::to_string_pretty(&evaluation)? + "\n";
    if let Some(path) = &args.out {
        write_atomic(path, json.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(print(&if args.format == Format::Json { json } else { evaluation.to_text() })?)
}
