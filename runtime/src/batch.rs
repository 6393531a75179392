//! The learner's view of a rollout.

use crate::prelude::*;

/// One task's experience as it was collected: borrowed columns with the axes of the rollout buffer.
///
/// The valid steps of a lane come first; the rest is padding, which nothing here may read (with one episode per lane,
/// it begins where the episode ends).
#[derive(Clone, Copy, Debug)]
pub struct Trajectories<'a> {
    /// Number of lanes.
    pub envs: usize,
    /// Observation before the step, `[steps, envs, obs_dim]`.
    pub obs: &'a [f32],
    /// The true observation after the step, never that of a reset, `[steps, envs, obs_dim]`.
    pub next_obs: &'a [f32],
    /// The sampled action (index, or unclipped vector), `[steps, envs, act_dim]`.
    pub action: &'a [f32],
    /// Log-probability of `action` under the policy that sampled it, `[steps, envs]`.
    pub log_prob: &'a [f32],
    /// Reward of the step, `[steps, envs]`.
    pub reward: &'a [f32],
    /// True if the episode terminated, so that nothing is earned after it, `[steps, envs]`.
    pub terminated: &'a [bool],
    /// True if the time limit cut the episode, so that its value goes on, `[steps, envs]`.
    pub truncated: &'a [bool],
    /// Step within the episode, from 0, `[steps, envs]`.
    pub episode_step: &'a [u32],
    /// Number of valid steps of each lane, `[envs]`.
    pub valid_steps: &'a [u32],
}

impl Trajectories<'_> {
    /// Number of values in one observation.
    pub fn obs_dim(&self) -> usize {
        self.obs.len() / self.reward.len()
    }

    /// Number of values stored per action.
    pub fn act_dim(&self) -> usize {
        self.action.len() / self.reward.len()
    }

    /// Row of (`step`, `env`) in the `[steps, envs]` columns.
    pub fn row(&self, step: usize, env: usize) -> usize {
        step * self.envs + env
    }

    /// The observation of `row` in `column` `[steps, envs, obs_dim]`.
    pub fn obs_at<'b>(&self, column: &'b [f32], row: usize) -> &'b [f32] {
        let dim = self.obs_dim();
        &column[row * dim..(row + 1) * dim]
    }

    /// Rows of all valid steps, lane after lane.
    pub fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.envs).flat_map(move |env| (0..self.valid_steps[env] as usize).map(move |t| self.row(t, env)))
    }

    /// Stretches of steps that belong to one episode, as (env, first step, one past the last step).
    pub fn episodes(&self) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
        (0..self.envs).flat_map(move |env| {
            let valid = self.valid_steps[env] as usize;
            let mut start = 0;
            core::iter::from_fn(move || {
                if start == valid {
                    return None;
                }
                let ended = |&t: &usize| {
                    let row = self.row(t, env);
                    self.terminated[row] || self.truncated[row]
                };
                let end = (start..valid).find(ended).map_or(valid, |t| t + 1);
                Some((env, core::mem::replace(&mut start, end), end))
            })
        })
    }
}

/// The valid steps of one task with their advantages, ready for a loss: lane after lane, without padding.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch<T = f32> {
    /// Observations, `[samples, obs_dim]`.
    pub obs: Vec<f32>,
    /// Actions, `[samples, act_dim]`.
    pub action: Vec<f32>,
    /// Log-probabilities under the policy that sampled, `[samples]`.
    pub log_prob: Vec<T>,
    /// Advantages, `[samples]`: mean 0 and standard deviation 1 over this task, or all 0 if every action earned the
    /// same.
    pub advantage: Vec<T>,
    /// Numbers of samples of the episodes, in order; empty where no loss looks at whole episodes.
    pub episodes: Vec<u32>,
    /// Standard deviation of the advantages before it was made 1; 0 if they are all 0, or if nobody asks.
    pub spread: f64,
    /// Targets of a value network, in the rewards' own unit, `[samples]`; empty without one.
    pub target: Vec<f32>,
    /// Share of the adaptation that lay behind the policy that sampled, as a value network sees it; 0 without one.
    pub adapted: f32,
}

impl<T: PartialEq + Default> Batch<T> {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.log_prob.len()
    }

    /// True if there are no samples.
    pub fn is_empty(&self) -> bool {
        self.log_prob.is_empty()
    }

    /// True if an advantage differs from 0.
    pub fn tells(&self) -> bool {
        self.advantage.iter().any(|advantage| *advantage != T::default())
    }
}
