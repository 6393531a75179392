//! The actors: one job per task on a queue.

use metadrift_agents::{maml::Diverged, threads::run_jobs};
use metadrift_envs::Task;

use super::{
    buffer::{Rollout, Slab},
    collect::{Collection, Phase, collect},
};

/// Fills `rollout`: task i with parameters `params[i]` (`[tasks][num_params]`).
///
/// # Errors
/// If a policy's output is not finite; the rollout is then of no use.
///
/// # Panics
/// With the message of the first actor that panicked, after the others have finished.
pub fn collect_all(
    c: &Collection<'_>,
    tasks: &[Task],
    params: &[Vec<f32>],
    phase: &Phase,
    rollout: &mut Rollout,
) -> Result<(), Diverged> {
    assert_eq!((tasks.len(), params.len()), (rollout.shape().tasks, rollout.shape().tasks));
    let mut outcomes = vec![Ok(()); tasks.len()];
    let jobs = tasks.iter().zip(params).zip(rollout.slabs()).zip(&mut outcomes).enumerate().collect();
    run_jobs(jobs, c.num_actors, |(index, (((task, params), slab), outcome)): Job<'_>| {
        *outcome = collect(c, task, index as u32, params, phase, slab);
    });
    outcomes.into_iter().collect()
}

type Job<'a> = (usize, (((&'a Task, &'a Vec<f32>), Slab<'a>), &'a mut Result<(), Diverged>));
