//! The episodes that an adaptation sees, apart from an evaluation.

use metadrift_agents::{
    agent::Agent,
    report::Diverged,
    rollout::{Rollout, Shape},
};
use metadrift_envs::{Purpose, Task};

use super::{Protocol, obs_dim};
use crate::{
    config::Experiment,
    life::Life,
    rollout::{Collection, Phase, collect_listed},
};

/// The experience of the policies of `agent`, one for each of `tasks`, in phase `k` of their lives: sampled episodes, which
/// the policies would adapt on in an evaluation by `protocol`. Each task has its place in the list that the protocol draws.
/// The policies have neither memory nor window.
///
/// # Errors
/// If an output of a policy is not finite.
pub fn support(
    config: &Experiment,
    agent: &dyn Agent,
    actors: usize,
    protocol: &Protocol,
    tasks: &[Task],
    k: u8,
) -> Result<Rollout, Diverged> {
    let (env, life) = (config.env(), Life::evaluation(config));
    let shape = Shape {
        tasks: tasks.len(),
        steps: life.phase_steps,
        envs: protocol.episodes,
        obs_dim: obs_dim(agent),
        act_dim: env.spec().act_dim(),
    };
    let mut rollout = Rollout::new(shape, life.horizon).with_own_obs(env.spec().obs_dim());
    let collection = Collection { env, horizon: life.horizon, num_actors: actors };
    let phase = Phase {
        resets: Purpose::EvaluationReset,
        draws: Purpose::EvaluationAction,
        ..Phase::training(protocol.seed, protocol.draw, life.start(0, k.into()), life.episodes)
    };
    collect_listed(&collection, tasks, agent.policies(), &phase, &mut rollout)?;
    Ok(rollout)
}
