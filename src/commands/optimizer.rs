//! `optimizer`: an update rule learned by evolution over whole PPO trainings, beside Adam.

mod evaluate;
mod train;

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::{
    cli::{OptimizerCommand, OptimizerTuneArgs, TrainingsArgs, threads},
    failure::Result,
    message,
    optimizer::{AdamSettings, Problem, tune},
    output, presets,
};

/// Settings of Adam as `optimizer tune` writes them.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tuned {
    adam: AdamSettings,
    /// Mean return over the training budget in the last round of the search.
    score: f64,
    tasks: String,
    ppo: String,
    iterations: u64,
    /// Trainings of the whole search.
    trainings: u64,
    seed: u64,
}

/// Runs one of the commands.
///
/// # Errors
/// If tasks, settings or files are not usable, or a file cannot be written.
pub fn run(command: &OptimizerCommand) -> Result<()> {
    match command {
        OptimizerCommand::Train(args) => train::run(args),
        OptimizerCommand::Tune(args) => search(args),
        OptimizerCommand::Evaluate(args) => evaluate::run(args),
    }
}

/// The trainings that the arguments name.
fn problem(args: &TrainingsArgs) -> Result<Problem> {
    let tasks = presets::load_control(&args.tasks, &[])?;
    let ppo = presets::load_control(&args.ppo, &args.sets)?;
    Ok(Problem::new(&tasks, &ppo, args.iterations)?)
}

fn search(args: &OptimizerTuneArgs) -> Result<()> {
    output::check(&args.out)?;
    let trainings = &args.trainings;
    let problem = problem(trainings)?;
    let began = Instant::now();
    let (best, all) = tune(&problem, (args.candidates, args.draws), args.seed, threads(trainings.actors), |round| {
        message::say(&format!(
            "{:>5} candidates, {:>5} trainings each: best {:.2}; {:.0} s",
            round.len(),
            round[0].trainings,
            round[0].score,
            began.elapsed().as_secs_f64()
        ));
    });
    let tuned = Tuned {
        adam: best[0].adam,
        score: best[0].score,
        tasks: trainings.tasks.clone(),
        ppo: trainings.ppo.clone(),
        iterations: trainings.iterations,
        trainings: all,
        seed: args.seed,
    };
    output::write(&args.out, (serde_json::to_string_pretty(&tuned)? + "\n").as_bytes())?;
    let AdamSettings { policy, value, anneal } = tuned.adam;
    let fall = if anneal == Some(true) { ", both falling to 0" } else { "" };
    message::say(&format!("Adam: rate of the policy x {policy:.3}, of the values x {value:.3}{fall}"));
    message::say(&format!("{all} trainings; written to {}", args.out.display()));
    Ok(())
}
