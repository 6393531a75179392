//! Stepping a batch in tests.

use metadrift_envs::{ActionSpace, Env, Purpose, StepView, Stream, VecEnv, unit_f32};

/// The results of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Out {
    pub obs: Vec<f32>,
    pub next_obs: Vec<f32>,
    pub reward: Vec<f32>,
    pub terminated: Vec<bool>,
    pub truncated: Vec<bool>,
}

pub fn step<E: Env>(env: &mut VecEnv<E>, actions: &[f32]) -> Out {
    let lanes = env.num_envs();
    let mut out = Out {
        obs: Vec::new(),
        next_obs: vec![f32::NAN; lanes * env.obs_dim()],
        reward: vec![f32::NAN; lanes],
        terminated: vec![false; lanes],
        truncated: vec![false; lanes],
    };
    let view = StepView {
        next_obs: &mut out.next_obs,
        reward: &mut out.reward,
        terminated: &mut out.terminated,
        truncated: &mut out.truncated,
    };
    env.step(actions, view);
    out.obs = env.obs().to_vec();
    out
}

pub fn reset_stream(seed: u64) -> Stream {
    Stream::new(seed, Purpose::Reset).iteration(3).phase(1).task(5)
}

/// A random action for each lane; one and a half times the bound, so that clipping shows.
pub fn actions<E: Env>(tick: u32, first_lane: usize, lanes: usize) -> Vec<f32> {
    let action = |lane: usize, k: usize| {
        let word = Stream::new(9, Purpose::Action).env(lane as u32).block(tick)[k];
        match E::SPEC.action {
            ActionSpace::Discrete(count) => (unit_f32(word) * count as f32).floor(),
            ActionSpace::Box { bound, .. } => (3.0 * unit_f32(word) - 1.5) * bound as f32,
        }
    };
    let width = E::SPEC.act_dim();
    (first_lane..first_lane + lanes).flat_map(|lane| (0..width).map(move |k| action(lane, k))).collect()
}
