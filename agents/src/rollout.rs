//! The buffer that actors write to: one column per quantity, axes `[tasks, steps, envs, ...]`, reused in every
//! iteration. Examples without an environment fit in, too: episodes of one step whose action is the label.

mod beside;
mod labelled;
mod ranks;

use std::ops::Range;

use crate::{
    advantage::{self, Estimate, Estimator},
    batch::{Batch, Trajectories},
    threads::run_jobs,
    value::Values,
};

/// Extents of a [`Rollout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Number of tasks; one actor at a time works on a task.
    pub tasks: usize,
    /// Number of steps of every lane, valid or not.
    pub steps: usize,
    /// Number of lanes per task.
    pub envs: usize,
    /// Number of values per observation.
    pub obs_dim: usize,
    /// Number of values stored per action.
    pub act_dim: usize,
}

/// One phase's experience of all tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    shape: Shape,
    /// The tasks whose steps are here; all, unless other ranks hold the rest.
    held: Range<usize>,
    /// Number of values of an observation that are the environment's own.
    own_obs: usize,
    /// Time limit of an episode (steps).
    horizon: u32,
    /// True if actions are labels, see [`Rollout::of_examples`].
    labelled: bool,
    obs: Vec<f32>,
    next_obs: Vec<f32>,
    action: Vec<f32>,
    log_prob: Vec<f32>,
    lesson: Vec<f32>,
    reward: Vec<f32>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    episode_step: Vec<u32>,
    valid_steps: Vec<u32>,
    /// Weights of the lanes in an adaptation, `[tasks, envs]`; empty if all count alike.
    weight: Vec<f32>,
}

/// One task's part of a [`Rollout`], for one actor to write: the columns without the task axis.
#[derive(Debug)]
pub struct Slab<'a> {
    /// Number of lanes.
    pub envs: usize,
    /// Observations before the step, `[steps, envs, obs_dim]`.
    pub obs: &'a mut [f32],
    /// True observations after the step, `[steps, envs, obs_dim]`.
    pub next_obs: &'a mut [f32],
    /// Sampled actions, `[steps, envs, act_dim]`.
    pub action: &'a mut [f32],
    /// Log-probabilities of the actions, `[steps, envs]`.
    pub log_prob: &'a mut [f32],
    /// Actions of a teacher in the same states, `[steps, envs, act_dim]`; empty without one.
    pub lesson: &'a mut [f32],
    /// Rewards, `[steps, envs]`.
    pub reward: &'a mut [f32],
    /// True if the episode terminated, `[steps, envs]`.
    pub terminated: &'a mut [bool],
    /// True if the time limit cut the episode, `[steps, envs]`.
    pub truncated: &'a mut [bool],
    /// Steps within the episode, from 0, `[steps, envs]`.
    pub episode_step: &'a mut [u32],
    /// Number of valid steps of each lane, `[envs]`.
    pub valid_steps: &'a mut [u32],
}

/// One step of a [`Slab`]: the columns without task and step axes.
#[derive(Debug)]
pub struct Row<'a> {
    /// Observations before the step, `[envs, obs_dim]`.
    pub obs: &'a mut [f32],
    /// True observations after the step, `[envs, obs_dim]`.
    pub next_obs: &'a mut [f32],
    /// Sampled actions, `[envs, act_dim]`.
    pub action: &'a mut [f32],
    /// Log-probabilities of the actions, `[envs]`.
    pub log_prob: &'a mut [f32],
    /// Actions of a teacher in the same states, `[envs, act_dim]`; empty without one.
    pub lesson: &'a mut [f32],
    /// Rewards, `[envs]`.
    pub reward: &'a mut [f32],
    /// True if the episode terminated, `[envs]`.
    pub terminated: &'a mut [bool],
    /// True if the time limit cut the episode, `[envs]`.
    pub truncated: &'a mut [bool],
    /// Steps within the episode, from 0, `[envs]`.
    pub episode_step: &'a mut [u32],
}

impl Slab<'_> {
    /// Number of steps of every lane.
    pub fn steps(&self) -> usize {
        self.reward.len() / self.envs
    }

    /// The columns of step `t`.
    pub fn row(&mut self, t: usize) -> Row<'_> {
        let rows = t * self.envs..(t + 1) * self.envs;
        let obs_dim = self.obs.len() / self.reward.len();
        let act_dim = self.action.len() / self.reward.len();
        let lesson_dim = self.lesson.len() / self.reward.len();
        let wide = |width: usize| rows.start * width..rows.end * width;
        Row {
            obs: &mut self.obs[wide(obs_dim)],
            next_obs: &mut self.next_obs[wide(obs_dim)],
            action: &mut self.action[wide(act_dim)],
            log_prob: &mut self.log_prob[rows.clone()],
            lesson: &mut self.lesson[wide(lesson_dim)],
            reward: &mut self.reward[rows.clone()],
            terminated: &mut self.terminated[rows.clone()],
            truncated: &mut self.truncated[rows.clone()],
            episode_step: &mut self.episode_step[rows],
        }
    }

    /// Zeroes everything behind a lane's valid steps, so that equal experience gives equal bytes whatever the buffer
    /// held before.
    pub fn clear_padding(&mut self) {
        let (steps, envs) = (self.steps(), self.envs);
        let obs_dim = self.obs.len() / self.reward.len();
        let act_dim = self.action.len() / self.reward.len();
        for env in 0..envs {
            for t in self.valid_steps[env] as usize..steps {
                let row = self.row(t);
                row.obs[env * obs_dim..(env + 1) * obs_dim].fill(0.0);
                row.next_obs[env * obs_dim..(env + 1) * obs_dim].fill(0.0);
                row.action[env * act_dim..(env + 1) * act_dim].fill(0.0);
                (row.log_prob[env], row.reward[env], row.episode_step[env]) = (0.0, 0.0, 0);
                (row.terminated[env], row.truncated[env]) = (false, false);
            }
        }
    }
}

impl Rollout {
    /// A buffer for `shape` whose observations are all the environment's own; episodes last `horizon` steps at most.
    pub fn new(shape: Shape, horizon: u32) -> Self {
        let lanes = shape.tasks * shape.envs;
        let rows = lanes * shape.steps;
        Rollout {
            shape,
            held: 0..shape.tasks,
            own_obs: shape.obs_dim,
            horizon,
            labelled: false,
            obs: vec![0.0; rows * shape.obs_dim],
            next_obs: vec![0.0; rows * shape.obs_dim],
            action: vec![0.0; rows * shape.act_dim],
            log_prob: vec![0.0; rows],
            lesson: Vec::new(),
            reward: vec![0.0; rows],
            terminated: vec![false; rows],
            truncated: vec![false; rows],
            episode_step: vec![0; rows],
            valid_steps: vec![0; lanes],
            weight: Vec::new(),
        }
    }

    /// The buffer with observations of which only the first `own_obs` values are the environment's own; a baseline
    /// makes less use of values that settings append, see [`crate::baseline::LinearBaseline::fit_own`].
    pub fn with_own_obs(self, own_obs: usize) -> Self {
        Rollout { own_obs, ..self }
    }

    /// The buffer with room for the actions of a teacher.
    pub fn with_lessons(self) -> Self {
        Rollout { lesson: vec![0.0; self.action.len()], ..self }
    }

    /// The same experience seen otherwise: `obs` and `next_obs` `[tasks, steps, envs, obs_dim]` take the place of its
    /// observations.
    pub fn seen_as(&self, obs_dim: usize, obs: Vec<f32>, next_obs: Vec<f32>) -> Rollout {
        Rollout { shape: Shape { obs_dim, ..self.shape }, own_obs: obs_dim, obs, next_obs, ..self.clone() }
    }

    /// The buffer's extents.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// One disjoint slab per task that is held.
    pub fn slabs(&mut self) -> Vec<Slab<'_>> {
        let Shape { steps, envs, obs_dim, act_dim, .. } = self.shape;
        let rows = steps * envs;
        let mut obs = self.obs.chunks_exact_mut(rows * obs_dim);
        let mut next_obs = self.next_obs.chunks_exact_mut(rows * obs_dim);
        let mut action = self.action.chunks_exact_mut(rows * act_dim);
        let mut log_prob = self.log_prob.chunks_exact_mut(rows);
        let mut lesson = self.lesson.chunks_exact_mut(rows * act_dim);
        let mut reward = self.reward.chunks_exact_mut(rows);
        let mut terminated = self.terminated.chunks_exact_mut(rows);
        let mut truncated = self.truncated.chunks_exact_mut(rows);
        let mut episode_step = self.episode_step.chunks_exact_mut(rows);
        let mut valid_steps = self.valid_steps.chunks_exact_mut(envs);
        let mut next = || {
            Some(Slab {
                envs,
                obs: obs.next()?,
                next_obs: next_obs.next()?,
                action: action.next()?,
                log_prob: log_prob.next()?,
                lesson: lesson.next().unwrap_or_default(),
                reward: reward.next()?,
                terminated: terminated.next()?,
                truncated: truncated.next()?,
                episode_step: episode_step.next()?,
                valid_steps: valid_steps.next()?,
            })
        };
        self.held.clone().map_while(|_| next()).collect()
    }

    /// The learner's view of task `task`.
    ///
    /// # Panics
    /// If it is not held.
    pub fn task(&self, task: usize) -> Trajectories<'_> {
        let Shape { steps, envs, obs_dim, act_dim, .. } = self.shape;
        let task = self.held.clone().position(|held| held == task).expect("the task is held");
        let rows = steps * envs;
        let part = |width: usize| task * rows * width..(task + 1) * rows * width;
        Trajectories {
            envs,
            obs: &self.obs[part(obs_dim)],
            next_obs: &self.next_obs[part(obs_dim)],
            action: &self.action[part(act_dim)],
            log_prob: &self.log_prob[part(1)],
            reward: &self.reward[part(1)],
            terminated: &self.terminated[part(1)],
            truncated: &self.truncated[part(1)],
            episode_step: &self.episode_step[part(1)],
            valid_steps: &self.valid_steps[task * envs..(task + 1) * envs],
        }
    }

    /// Actions of a teacher in the states of task `task`, `[steps, envs, act_dim]`.
    ///
    /// # Panics
    /// If the buffer has no room for them.
    pub fn lessons(&self, task: usize) -> &[f32] {
        let rows = self.action.len() / self.held.len();
        &self.lesson[task * rows..(task + 1) * rows]
    }

    /// The learner's view of every task that is held, `[tasks]` without other ranks.
    pub fn tasks(&self) -> impl ExactSizeIterator<Item = Trajectories<'_>> {
        self.held.clone().map(|task| self.task(task))
    }

    /// Mean undiscounted return per episode of each task, `[tasks]`, over the episodes that [`counts`] selects; NaN if
    /// the rollout is shorter than the time limit.
    pub fn returns(&self) -> Vec<f64> {
        let whole = |&(_, start, _): &(usize, usize, usize)| counts(start, self.horizon, self.shape.steps);
        let mean = |data: Trajectories<'_>| {
            let earned =
                |(env, start, end)| (start..end).map(|t| f64::from(data.reward[data.row(t, env)])).sum::<f64>();
            let (sum, episodes) =
                data.episodes().filter(whole).fold((0.0, 0), |(sum, n), at| (sum + earned(at), n + 1));
            sum / f64::from(episodes)
        };
        self.per_task(mean)
    }

    /// True if an episode that begins at step `start` counts in a mean return, see [`counts`].
    pub fn counts(&self, start: usize) -> bool {
        counts(start, self.horizon, self.shape.steps)
    }

    /// Mean return of the lanes' episodes number `index` on each task, `[tasks]`; NaN where no lane had one that counts.
    pub fn returns_of(&self, index: usize) -> Vec<f64> {
        let mean = |data: Trajectories<'_>| {
            let mut seen = vec![0; data.envs];
            let (mut sum, mut episodes) = (0.0, 0);
            for (env, start, end) in data.episodes() {
                if seen[env] == index && self.counts(start) {
                    sum += (start..end).map(|t| f64::from(data.reward[data.row(t, env)])).sum::<f64>();
                    episodes += 1;
                }
                seen[env] += 1;
            }
            sum / f64::from(episodes)
        };
        self.per_task(mean)
    }

    /// Every task's valid steps with their advantages, `[tasks]`, empty for tasks that other ranks hold, and the baselines' summary, averaged over tasks; labels need
    /// no baseline. Values are those of a network, for policies that have the given share of their adaptation behind them, or
    /// of a linear baseline for each task.
    pub fn batches(&self, estimator: Estimator, network: Option<(&Values, f32)>) -> (Vec<Batch>, Option<Estimate>) {
        if self.labelled {
            return (self.tasks().map(|task| labelled::batch(&task)).collect(), None);
        }
        let Estimator { gamma, gae_lambda, threads } = estimator;
        let mut prepared = vec![(Batch::default(), Estimate::default()); self.held.len()];
        run_jobs(self.tasks().zip(&mut prepared).collect(), threads, |(data, slot): (_, &mut (Batch, Estimate))| {
            *slot = advantage::prepare_by(network, &data, self.own_obs, gamma, gae_lambda);
        });
        let (mut batches, estimates): (Vec<Batch>, Vec<Estimate>) = prepared.into_iter().unzip();
        self.weigh(&mut batches);
        let estimates = self.of_all_ranks(estimates);
        (self.among_all(batches), Some(Estimate::of_all(estimates.iter())))
    }

    /// Number of valid steps of all tasks.
    pub fn num_valid(&self) -> u64 {
        self.per_task(|data| data.valid_steps.iter().map(|&n| u64::from(n)).sum::<u64>()).iter().sum()
    }
}

/// Says whether an episode that begins at step `start` of a stretch of `steps` counts in a mean return: it does if it
/// could last to the time limit. Its own end plays no part, so the mean is not biased, and an episode that the end of
/// the data cuts off is never taken for a whole one.
pub fn counts(start: usize, horizon: u32, steps: usize) -> bool {
    start + horizon as usize <= steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_episodes_that_could_be_whole_count() {
        assert_eq!([0, 100, 150, 151, 200].map(|start| counts(start, 100, 250)), [true, true, true, false, false]);
    }
}
