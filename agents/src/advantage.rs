//! Generalised advantage estimation (Schulman et al. 2016, arXiv 1506.02438) with time limits told from deaths.

use crate::{
    baseline::LinearBaseline,
    batch::{Batch, Trajectories},
};

/// Advantages of one task, not yet normalised, `[steps, envs]`; padding stays 0.
///
/// delta = reward + gamma next_value - value, where `next_value` is 0 after a terminal step and the value of the true
/// next observation otherwise; the recursion is cut where an episode ends or the data do.
pub fn gae(data: &Trajectories<'_>, value: &[f64], next_value: &[f64], gamma: f64, gae_lambda: f64) -> Vec<f64> {
    let [advantage] = traces(data, value, next_value, gamma, [gae_lambda]);
    advantage
}

/// The same for each of several decays.
fn traces<const N: usize>(
    data: &Trajectories<'_>,
    value: &[f64],
    next_value: &[f64],
    gamma: f64,
    decays: [f64; N],
) -> [Vec<f64>; N] {
    let mut advantages = decays.map(|_| vec![0.0; data.reward.len()]);
    for (env, start, end) in data.episodes() {
        let mut running = [0.0; N];
        for t in (start..end).rev() {
            let at = data.row(t, env);
            let bootstrap = if data.terminated[at] { 0.0 } else { next_value[at] };
            let delta = f64::from(data.reward[at]) + gamma * bootstrap - value[at];
            for ((running, decay), advantage) in running.iter_mut().zip(decays).zip(&mut advantages) {
                *running = delta + gamma * decay * *running;
                advantage[at] = *running;
            }
        }
    }
    advantages
}

/// Fits the baseline, estimates advantages, normalises them over this task's samples to mean 0 and standard deviation
/// 1, and leaves the padding out.
///
/// Returns the batch and the share of the returns' variance that the baseline explains.
pub fn prepare(data: &Trajectories<'_>, gamma: f64, gae_lambda: f64) -> (Batch, f64) {
    let (value, next_value) = LinearBaseline::fit(data, gamma).values(data);
    let [advantage, returns] = traces(data, &value, &next_value, gamma, [gae_lambda, 1.0]);
    let rows: Vec<usize> =
        (0..data.envs).flat_map(|env| (0..data.valid_steps[env] as usize).map(move |t| data.row(t, env))).collect();
    let (act_dim, pick) = (data.act_dim(), |column: &[f64]| rows.iter().map(|&at| column[at]).collect::<Vec<_>>());
    let advantage = pick(&advantage);
    let (mean, variance) = moments(&advantage);
    let scale = 1.0 / (variance.sqrt() + 1e-8);
    let mut batch = Batch {
        obs: Vec::with_capacity(rows.len() * data.obs_dim()),
        action: Vec::with_capacity(rows.len() * act_dim),
        log_prob: rows.iter().map(|&at| data.log_prob[at]).collect(),
        advantage: advantage.iter().map(|advantage| ((advantage - mean) * scale) as f32).collect(),
    };
    for &at in &rows {
        batch.obs.extend_from_slice(data.obs_at(data.obs, at));
        batch.action.extend_from_slice(&data.action[at * act_dim..(at + 1) * act_dim]);
    }
    // the residual of the bootstrapped return, and that return itself
    let residual = pick(&returns);
    let whole: Vec<f64> = rows.iter().map(|&at| returns[at] + value[at]).collect();
    (batch, 1.0 - moments(&residual).1 / moments(&whole).1.max(1e-12))
}

/// Mean and variance, the second from the distances to the first: exact for long columns far from 0, too.
fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    (mean, values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One lane, one-dimensional observations, built step by step.
    struct Lane {
        obs: Vec<f32>,
        next_obs: Vec<f32>,
        reward: Vec<f32>,
        terminated: Vec<bool>,
        truncated: Vec<bool>,
        episode_step: Vec<u32>,
        valid_steps: [u32; 1],
    }

    impl Lane {
        fn new(reward: &[f32], terminated: &[usize], truncated: &[usize]) -> Self {
            let n = reward.len();
            let flags = |at: &[usize]| (0..n).map(|t| at.contains(&t)).collect::<Vec<_>>();
            let mut step = 0;
            let episode_step = (0..n).map(|t| {
                let now = step;
                step = if terminated.contains(&t) || truncated.contains(&t) { 0 } else { step + 1 };
                now
            });
            Lane {
                episode_step: episode_step.collect(),
                obs: vec![0.0; n],
                next_obs: vec![0.0; n],
                reward: reward.to_vec(),
                terminated: flags(terminated),
                truncated: flags(truncated),
                valid_steps: [n as u32],
            }
        }

        fn view(&self) -> Trajectories<'_> {
            Trajectories {
                envs: 1,
                obs: &self.obs,
                next_obs: &self.next_obs,
                action: &self.reward,
                log_prob: &self.reward,
                reward: &self.reward,
                terminated: &self.terminated,
                truncated: &self.truncated,
                episode_step: &self.episode_step,
                valid_steps: &self.valid_steps,
            }
        }
    }

    #[test]
    fn gae_by_hand_with_a_termination_and_a_truncation_in_a_row() {
        let lane = Lane::new(&[1.0, 2.0, 3.0, 4.0], &[1], &[2]);
        // gamma = 1/2, lambda = 1/2, so the recursion's factor is 1/4
        let value = [1.0, 2.0, 4.0, 8.0];
        let next_value = [2.0, 99.0, 6.0, 10.0]; // 99 must not be read: step 1 is terminal
        // delta_0 = 1 + 1 - 1 = 1;  delta_1 = 2 + 0 - 2 = 0;  delta_2 = 3 + 3 - 4 = 2;  delta_3 = 4 + 5 - 8 = 1
        // A_1 = 0;  A_0 = 1 + 0/4 = 1;  A_2 = 2 (cut by the time limit);  A_3 = 1 (cut by the end of the data)
        assert_eq!(gae(&lane.view(), &value, &next_value, 0.5, 0.5), [1.0, 0.0, 2.0, 1.0]);
        // and with lambda reaching back: terminate nothing, delta_0 = 1, delta_1 = 2 + 49.5 - 2 = 49.5
        let open = Lane::new(&[1.0, 2.0], &[], &[]);
        assert_eq!(gae(&open.view(), &value[..2], &next_value[..2], 0.5, 0.5), [1.0 + 49.5 / 4.0, 49.5]);
    }

    #[test]
    fn a_time_limit_is_not_a_death() {
        // reward 1 for ever, cut every 10 steps: the value is 1 / (1 - gamma) everywhere, every advantage 0
        let cuts: Vec<usize> = (9..40).step_by(10).collect();
        let lane = Lane::new(&[1.0; 40], &[], &cuts);
        let (value, next_value) = LinearBaseline::fit(&lane.view(), 0.9).values(&lane.view());
        for v in value.iter().chain(&next_value) {
            assert!((v - 10.0).abs() < 0.02, "{v}");
        }
        for a in gae(&lane.view(), &value, &next_value, 0.9, 0.95) {
            assert!(a.abs() < 0.02, "{a}");
        }
    }

    #[test]
    fn a_death_is_worth_nothing_afterwards() {
        // dies at every third step: V = 1 + g + g^2, 1 + g, 1 by step in the episode
        let lane = Lane::new(&[1.0; 30], &(2..30).step_by(3).collect::<Vec<_>>(), &[]);
        let (value, next_value) = LinearBaseline::fit(&lane.view(), 0.5).values(&lane.view());
        for (t, v) in value.iter().enumerate() {
            // the ridge keeps the fit from being exact on so short a time scale
            assert!((v - [1.75, 1.5, 1.0][t % 3]).abs() < 0.05, "{t}: {v}");
        }
        assert_eq!(next_value[2], 0.0);
    }

    #[test]
    fn padding_changes_nothing_and_tasks_are_normalised_alone() {
        let lane = Lane::new(&[1.0, 0.5, 2.0, 1.0, 0.0, 3.0], &[2], &[]);
        let (batch, _) = prepare(&lane.view(), 0.9, 0.8);
        assert_eq!(batch.len(), 6);
        let mean = batch.advantage.iter().sum::<f32>() / 6.0;
        let variance = batch.advantage.iter().map(|a| (a - mean).powi(2)).sum::<f32>() / 6.0;
        assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-3);

        let mut padded = Lane::new(&[1.0, 0.5, 2.0, 1.0, 0.0, 3.0, 77.0, -5.0], &[2], &[7]);
        padded.obs[6] = f32::NAN;
        padded.valid_steps = [6];
        assert_eq!(prepare(&padded.view(), 0.9, 0.8).0, batch);

        let tenfold = Lane::new(&[10.0, 5.0, 20.0, 10.0, 0.0, 30.0], &[2], &[]);
        for (a, b) in prepare(&tenfold.view(), 0.9, 0.8).0.advantage.iter().zip(&batch.advantage) {
            assert!((a - b).abs() < 1e-5);
        }
    }
}
