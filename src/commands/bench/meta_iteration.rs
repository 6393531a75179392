//! Seconds per meta-iteration: 20 tasks x 20 lanes x 200 steps before and after one inner step, 5 outer epochs.

use std::time::{Duration, Instant};

use metadrift_agents::{backend::BackendChoice, device::Device, report::Metrics};

use super::{Row, subject::Subject};
use crate::{config::Experiment, failure::Result, train::Trainer};

const REPEATS: usize = 5;
/// Time after which no further repeat begins, on a slow machine.
const MAX_TIME: Duration = Duration::from_secs(12);

/// Name of a variant with the native backend and with tch, and the trainer's timings that it adds up.
const PARTS: [([&str; 2], &[&str]); 4] = [
    (["native-rollout", "tch-rollout"], &["time/rollout_s"]),
    (["native-inner", "tch-inner"], &["time/advantage_s", "time/adapt_s"]),
    (["native-outer", "tch-outer"], &["time/update_s"]),
    (["native-total", "tch-total"], &["time/iteration_s"]),
];

/// One row per part and backend; both backends if `backend` is none.
pub(super) fn measure(
    subject: &Subject,
    device: Device,
    backend: Option<BackendChoice>,
    threads: usize,
) -> Result<Vec<Row>> {
    if let Some(backend) = backend {
        return measure_backend(subject, device, backend, threads);
    }
    let mut rows = Vec::new();
    if device == Device::Cpu {
        rows = measure_backend(subject, device, BackendChoice::Native, threads)?;
    }
    if cfg!(feature = "torch") {
        rows.extend(measure_backend(subject, device, BackendChoice::Tch, threads)?);
    }
    Ok(rows)
}

fn measure_backend(subject: &Subject, device: Device, backend: BackendChoice, threads: usize) -> Result<Vec<Row>> {
    let config = config(subject, Size::USUAL)?;
    let lanes = config.rollout.num_tasks * config.rollout.num_envs;
    let mut trainer = Trainer::new(config, device, backend, threads)?;
    let repeats = timings(&mut trainer)?;
    let computes_by = trainer.agent().computes_by();
    let row = |&(variants, names): &([&'static str; 2], &[&str])| {
        let variant = variants[usize::from(computes_by == BackendChoice::Tch)];
        let sum = |timing: &Vec<(&str, f64)>| timing.iter().filter(|(n, _)| names.contains(n)).map(|(_, s)| s).sum();
        let env = subject.name();
        Row::new(("meta_iteration", env, variant, "s"), lanes, threads, repeats.iter().map(sum).collect())
    };
    Ok(PARTS.iter().map(row).collect())
}

/// The timing of some iterations, the first one left out: buffers and caches are cold.
pub(super) fn timings(trainer: &mut Trainer) -> Result<Vec<Metrics>> {
    trainer.iterate()?;
    let began = Instant::now();
    let mut repeats = Vec::new();
    while repeats.len() < REPEATS && (repeats.is_empty() || began.elapsed() < MAX_TIME) {
        repeats.push(trainer.iterate()?.timing);
    }
    Ok(repeats)
}

/// Extents of a meta-iteration.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub tasks: usize,
    pub lanes: usize,
    pub steps: usize,
    pub width: usize,
}

impl Size {
    pub const USUAL: Size = Size { tasks: 20, lanes: 20, steps: 200, width: 64 };
}

/// The configuration of that size. Lanes run on from episode to episode, so that an iteration of the usual size has
/// 160,000 steps whatever the policy does.
pub(super) fn config(subject: &Subject, size: Size) -> Result<Experiment> {
    let Subject { kind, param, low, high } = subject;
    let Size { tasks, lanes, steps, width } = size;
    let text = format!(
        "name = \"bench\"\n\
         [task]\nenv = \"{}\"\nhorizon = 200\n\
         [task.vary]\n{param} = {{ law = \"uniform\", low = {low:?}, high = {high:?} }}\n\
         [rollout]\nnum_tasks = {tasks}\nnum_envs = {lanes}\nnum_steps = {steps}\nepisodes_per_env = 0\n\
         [policy]\nhidden = [{width}, {width}]\n\
         [maml]\ninner_lr = 0.1\ninner_steps = 1\n\
         [ppo]\nouter_epochs = 5\ngamma = 0.99\ngae_lambda = 0.95\n",
        kind.spec().name
    );
    Ok(Experiment::parse("bench", &text, &[])?)
}

#[cfg(test)]
mod tests {
    use metadrift_agents::{settings::Episodes, source::Demand};

    use super::{super::subject::SUBJECTS, *};

    #[test]
    fn an_iteration_is_160_000_steps() {
        for subject in &SUBJECTS {
            let config = config(subject, Size::USUAL).unwrap();
            let Demand::Tasks { tasks, lanes, steps, episodes, phases, .. } = config.demand() else {
                panic!("a meta-learner asks for tasks")
            };
            assert_eq!(tasks * lanes * steps * phases, 160_000);
            assert_eq!(episodes, Episodes::Endless);
        }
    }
}
