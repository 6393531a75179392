//! Training time until a preset reaches its target.

use std::time::Instant;

use metadrift_agents::{backend::BackendChoice, device::Device};
use metadrift_envs::Split;

use super::Row;
use crate::{
    evaluate::{Protocol, evaluate},
    failure::{Coded, Result, code},
    message, presets,
    train::Trainer,
};

/// Presets, each with the variant of its row and its number of seeds, from 0 on. Presets of plain PPO stop at their
/// return; the others train to the end and are then evaluated.
pub(super) const RESULTS: [(&str, &str, u64); 4] = [
    ("cartpole-ppo", "ppo", 5),
    ("pendulum-ppo", "ppo", 5),
    ("cartpole-flip", "flip", 1),
    ("pendulum-flip", "flip", 1),
];

/// One row; `n` is the number of seeds.
///
/// # Errors
/// If a preset of plain PPO does not reach its return.
pub(super) fn measure(
    (preset, variant, seeds): (&str, &'static str, u64),
    device: Device,
    backend: Option<BackendChoice>,
    threads: usize,
) -> Result<Row> {
    let mut seconds = Vec::new();
    let mut env = "";
    for seed in 0..seeds {
        let config = presets::load(preset, &[format!("seed={seed}")])?;
        env = config.env().spec().name;
        let began = Instant::now();
        let mut trainer = Trainer::new(config, device, backend.unwrap_or_default(), threads)?;
        while !trainer.is_over() && !trainer.solved() {
            trainer.iterate()?;
        }
        seconds.push(began.elapsed().as_secs_f64());
        tell(preset, seed, &trainer, threads)?;
    }
    Ok(Row::new(("time_to_result", env, variant, "s"), seeds as usize, threads, seconds))
}

/// A training that did not come to its goal.
#[derive(Debug, thiserror::Error)]
#[error("{preset}, seed {seed}: no mean return of {goal} after {steps} steps")]
struct NotReached {
    preset: String,
    seed: u64,
    goal: f64,
    steps: u64,
}

impl Coded for NotReached {
    fn code(&self) -> u8 {
        code::OTHER
    }
}

/// Reports the outcome of a training on standard error.
fn tell(preset: &str, seed: u64, trainer: &Trainer, threads: usize) -> Result<()> {
    let (config, steps) = (trainer.config(), trainer.env_steps());
    if let Some(goal) = trainer.goal() {
        if !trainer.solved() {
            return Err(NotReached { preset: preset.to_owned(), seed, goal, steps }.into());
        }
        message::say(&format!("[bench] {preset}, seed {seed}: a mean return of {goal} after {steps} steps"));
        return Ok(());
    }
    let protocol = Protocol::of(config, Split::InDist);
    let evaluation = evaluate(config, &*trainer.agent(), threads, &protocol)?;
    let after = evaluation.curve[1].deterministic.summary;
    message::say(&format!(
        "[bench] {preset}, seed {seed}: {:.1} after one step on 100 held-out tasks, worst tenth {:.1}",
        after.mean, after.worst_decile
    ));
    Ok(())
}
