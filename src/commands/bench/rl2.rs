//! Steps per second of RL² with its own settings: 256 lives of 500 steps, a memory of 64 behind an embedding of 64, and 4
//! epochs of backpropagation through all of it.

use metadrift_agents::{backend::BackendChoice, device::Device};

use super::{Row, meta_iteration::timings};
use crate::{failure::Result, presets, train::Trainer};

/// Name of a variant, and the trainer's timings that it adds up.
const PARTS: [(&str, &[&str]); 3] = [
    ("train", &["time/iteration_s"]),
    ("rollout", &["time/rollout_s"]),
    ("update", &["time/advantage_s", "time/update_s"]),
];

/// One row per part.
pub(super) fn measure(threads: usize) -> Result<Vec<Row>> {
    let config = presets::load("cartpole-flip", &["learner=rl2".to_owned()])?;
    let mut trainer = Trainer::new(config, Device::Cpu, BackendChoice::Native, threads)?;
    let repeats = timings(&mut trainer)?;
    let steps = trainer.env_steps() as f64 / (repeats.len() + 1) as f64;
    let row = |&(variant, names): &(&'static str, &[&str])| {
        let seconds = |timing: &Vec<(&str, f64)>| -> f64 {
            timing.iter().filter(|(name, _)| names.contains(name)).map(|(_, seconds)| seconds).sum()
        };
        let rates = repeats.iter().map(|timing| steps / seconds(timing)).collect();
        Row::new(("rl2", "cartpole", variant, "steps/s"), steps as usize, threads, rates)
    };
    Ok(PARTS.iter().map(row).collect())
}
