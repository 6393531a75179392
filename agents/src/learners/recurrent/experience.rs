//! Lives with advantages and targets.

use crate::{
    advantage::informative,
    batch::{Batch, Lives, Trajectories},
    layout::Layout,
    recurrent::{RecurrentPolicy, before},
    report::Metrics,
    rollout::Rollout,
    settings::PpoConfig,
    threads::run_jobs,
};

/// The unit of the value's answers: the root mean square of the first iteration's returns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale(pub Option<f64>);

/// An iteration's lives, ready to learn from.
pub(super) struct Experience {
    pub groups: Vec<Lives>,
    pub returns: Returns,
    pub informative: bool,
}

impl Experience {
    /// Makes the actions those of the teacher, all of the same weight.
    pub fn imitate(&mut self, rollout: &Rollout) {
        for (task, lives) in self.groups.iter_mut().enumerate() {
            lives.batch.action.copy_from_slice(rollout.lessons(task));
            lives.batch.advantage.fill(1.0);
        }
        self.informative = true;
    }

    pub fn new(
        rollout: &Rollout,
        layout: &Layout,
        params: &[f32],
        ppo: &PpoConfig,
        scale: &mut Scale,
        threads: usize,
    ) -> Self {
        let unit = scale.0.unwrap_or(1.0);
        let mut estimated: Vec<Estimated> = rollout.tasks().map(|_| Estimated::default()).collect();
        let jobs = rollout.tasks().zip(&mut estimated).collect();
        run_jobs(jobs, threads, |(data, slot): (Trajectories<'_>, &mut Estimated)| {
            *slot = Estimated::new(&data, layout, params, ppo, unit);
        });
        let all = || estimated.iter().flat_map(|group| group.target.iter());
        let count = all().count() as f64;
        let unit = *scale.0.get_or_insert_with(|| (all().map(|x| x * x).sum::<f64>() / count).sqrt().max(1e-6));
        let advantages = || estimated.iter().flat_map(|group| group.advantage.iter());
        let mean = advantages().sum::<f64>() / count;
        let deviation = (advantages().map(|a| (a - mean).powi(2)).sum::<f64>() / count).sqrt();
        let tells = rollout.tasks().any(|data| informative(&data));
        let factor = if tells && deviation > 0.0 { 1.0 / deviation } else { 0.0 };
        let groups = rollout.tasks().zip(estimated).map(|(data, group)| group.lives(&data, (mean, factor), unit));
        let groups = groups.collect();
        Experience { groups, returns: returns(rollout), informative: tells }
    }
}

/// A group's inputs, advantages and targets, rows by step and then by lane.
#[derive(Default)]
struct Estimated {
    inputs: Vec<f32>,
    advantage: Vec<f64>,
    target: Vec<f64>,
}

impl Estimated {
    fn new(data: &Trajectories<'_>, layout: &Layout, params: &[f32], ppo: &PpoConfig, unit: f64) -> Self {
        let lanes = data.envs;
        let rows = data.reward.len();
        let mut policy = RecurrentPolicy::new(layout, params, lanes);
        let width = layout.inputs();
        let (obs_dim, act_dim) = (data.obs_dim(), data.act_dim());
        let mut inputs = vec![0.0; rows * width];
        let mut values = Vec::with_capacity(rows + lanes);
        for t in 0..rows / lanes {
            let step = t * lanes..(t + 1) * lanes;
            policy.observe(&data.obs[step.start * obs_dim..step.end * obs_dim]);
            values.extend(policy.values().iter().map(|v| f64::from(*v) * unit));
            for row in step.clone() {
                let input = &mut inputs[row * width..(row + 1) * width];
                input[..obs_dim].copy_from_slice(data.obs_at(data.obs, row));
                if t > 0 {
                    let last = row - lanes;
                    let action = &data.action[last * act_dim..(last + 1) * act_dim];
                    let ended = data.terminated[last] || data.truncated[last];
                    before(layout.head(), action, data.reward[last], ended, &mut input[obs_dim..]);
                }
            }
            let action = &data.action[step.start * act_dim..step.end * act_dim];
            let ended = |lane: usize| data.terminated[step.start + lane] || data.truncated[step.start + lane];
            policy.outcome(action, &data.reward[step.clone()], ended);
        }
        policy.observe(&data.next_obs[(rows - lanes) * obs_dim..]);
        values.extend(policy.values().iter().map(|v| f64::from(*v) * unit));
        let advantage = advantages(data, &values, ppo);
        let target = advantage.iter().zip(&values).map(|(a, v)| a + v).collect();
        Estimated { inputs, advantage, target }
    }

    fn lives(self, data: &Trajectories<'_>, (mean, factor): (f64, f64), unit: f64) -> Lives {
        let batch = Batch {
            action: data.action.to_vec(),
            log_prob: data.log_prob.to_vec(),
            advantage: self.advantage.iter().map(|a| ((a - mean) * factor) as f32).collect(),
            ..Batch::default()
        };
        let target = self.target.iter().map(|x| (x / unit) as f32).collect();
        Lives { lanes: data.envs, inputs: self.inputs, batch, target }
    }
}

/// Advantages along whole lives, `[steps * lanes]`: a death ends the return, a time limit does not, for the life goes on
/// with the next tick. `values` `[(steps + 1) * lanes]`.
fn advantages(data: &Trajectories<'_>, values: &[f64], ppo: &PpoConfig) -> Vec<f64> {
    let lanes = data.envs;
    let mut advantage = vec![0.0; data.reward.len()];
    for lane in 0..lanes {
        let mut running = 0.0;
        for row in (lane..data.reward.len()).step_by(lanes).rev() {
            let alive = f64::from(u8::from(!data.terminated[row]));
            let delta = f64::from(data.reward[row]) + ppo.gamma * alive * values[row + lanes] - values[row];
            running = delta + ppo.gamma * ppo.gae_lambda * alive * running;
            advantage[row] = running;
        }
    }
    advantage
}

/// Mean returns of lives; only episodes that could last to the time limit count.
#[derive(Clone, Copy, Debug)]
pub struct Returns {
    /// Over all episodes.
    pub mean: f64,
    /// Over the first episodes of the lanes.
    pub first: f64,
    /// Over the last ones.
    pub last: f64,
    /// Standard error of `first`, a measure of the noise in all three.
    pub error: f64,
}

impl Returns {
    /// The metrics of a learner of lives after `env_steps` steps.
    pub fn metrics(&self, env_steps: u64) -> Metrics {
        vec![
            ("return", self.mean),
            ("return/first_episode", self.first),
            ("return/last_episode", self.last),
            ("env_steps", env_steps as f64),
        ]
    }
}

/// Mean returns of the lives in `rollout`.
pub fn returns(rollout: &Rollout) -> Returns {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for data in rollout.tasks() {
        let mut latest = vec![None; data.envs];
        for (lane, start, end) in data.episodes() {
            let earned = (start..end).map(|t| f64::from(data.reward[data.row(t, lane)])).sum::<f64>();
            if rollout.counts(start) {
                if start == 0 {
                    first.push(earned);
                }
                latest[lane] = Some(earned);
            }
        }
        last.extend(latest.into_iter().flatten());
    }
    let of_first = mean(&first);
    let squares: f64 = first.iter().map(|earned| (earned - of_first).powi(2)).sum();
    let error = (squares / (first.len() as f64 - 1.0).max(1.0) / first.len() as f64).sqrt();
    Returns { mean: mean(&rollout.returns()), first: of_first, last: mean(&last), error }
}
