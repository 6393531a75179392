//! Generalised advantage estimation (Schulman et al. 2016, arXiv 1506.02438) that tells time limits from terminations.

use crate::{
    baseline::LinearBaseline,
    batch::{Batch, Trajectories},
    prelude::*,
};

/// Advantages of one task before normalisation, `[steps, envs]`; padding stays 0.
///
/// delta = reward + gamma next_value - value, where `next_value` is 0 after a terminal step and the value of the true
/// next observation otherwise. The recursion is cut where an episode or the data end.
pub fn gae(data: &Trajectories<'_>, value: &[f64], next_value: &[f64], gamma: f64, gae_lambda: f64) -> Vec<f64> {
    let mut advantage = vec![0.0; data.reward.len()];
    for (env, start, end) in data.episodes() {
        let mut running = 0.0;
        for t in (start..end).rev() {
            let at = data.row(t, env);
            let bootstrap = if data.terminated[at] { 0.0 } else { next_value[at] };
            let delta = f64::from(data.reward[at]) + gamma * bootstrap - value[at];
            running = delta + gamma * gae_lambda * running;
            advantage[at] = running;
        }
    }
    advantage
}

/// Summary of the baseline on one task's experience, or on that of several tasks ([`Estimate::of_all`]).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// Explained variance, see [`Fit::explained_variance`].
    pub explained_variance: f64,
    /// Mean value of the visited states.
    pub value_mean: f64,
    /// Number of tasks without information: every action earned the same there, and all advantages are 0.
    pub uninformative: usize,
}

impl Estimate {
    /// Means over `tasks`, and the number of tasks without information.
    pub fn of_all<'a>(tasks: impl ExactSizeIterator<Item = &'a Estimate> + Clone) -> Estimate {
        let mean = |of: fn(&Estimate) -> f64| tasks.clone().map(of).sum::<f64>() / tasks.len() as f64;
        Estimate {
            explained_variance: mean(|task| task.explained_variance),
            value_mean: mean(|task| task.value_mean),
            uninformative: tasks.clone().map(|task| task.uninformative).sum(),
        }
    }
}

impl core::fmt::Display for Estimate {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "explained variance {:.3}, mean value {:.6}", self.explained_variance, self.value_mean)?;
        if self.uninformative > 0 { f.write_str(", no information") } else { Ok(()) }
    }
}

/// Fits the baseline, estimates advantages, normalises them over this task's samples to mean 0 and standard deviation
/// 1, and leaves the padding out. Where every action earned the same, all advantages are 0: see [`informative`].
pub fn prepare(data: &Trajectories<'_>, gamma: f64, gae_lambda: f64) -> (Batch, Estimate) {
    prepare_own(data, data.obs_dim(), gamma, gae_lambda)
}

/// [`prepare`] for observations of which only the first `own_obs` numbers are the environment's own, see
/// [`LinearBaseline::fit_own`].
pub fn prepare_own(data: &Trajectories<'_>, own_obs: usize, gamma: f64, gae_lambda: f64) -> (Batch, Estimate) {
    let (value, next_value) = LinearBaseline::fit_own(data, own_obs, gamma).values(data);
    prepare_from(data, &value, &next_value, gamma, gae_lambda)
}

/// [`prepare`] from given values before and after every step, `[steps, envs]` each.
pub fn prepare_from(
    data: &Trajectories<'_>,
    value: &[f64],
    next_value: &[f64],
    gamma: f64,
    gae_lambda: f64,
) -> (Batch, Estimate) {
    let advantage = gae(data, value, next_value, gamma, gae_lambda);
    let rows: Vec<usize> = data.rows().collect();
    let act_dim = data.act_dim();
    let pick = |column: &[f64]| rows.iter().map(|&at| column[at]).collect::<Vec<_>>();
    let advantage = pick(&advantage);
    let (mean, variance) = moments(&advantage);
    let noise = rounding(data, gamma, gae_lambda);
    // the comparison lets NaN through, so that it is found later
    let nothing = !informative(data) || variance.sqrt() <= noise;
    let scale = if nothing { 0.0 } else { 1.0 / variance.sqrt() };
    let mut batch = Batch {
        obs: Vec::with_capacity(rows.len() * data.obs_dim()),
        action: Vec::with_capacity(rows.len() * act_dim),
        log_prob: rows.iter().map(|&at| data.log_prob[at]).collect(),
        advantage: advantage.iter().map(|advantage| ((advantage - mean) * scale) as f32).collect(),
        episodes: data.episodes().map(|(_, start, end)| (end - start) as u32).collect(),
        spread: if nothing { 0.0 } else { variance.sqrt() },
        target: Vec::new(),
        adapted: 0.0,
    };
    for &at in &rows {
        batch.obs.extend_from_slice(data.obs_at(data.obs, at));
        batch.action.extend_from_slice(&data.action[at * act_dim..(at + 1) * act_dim]);
    }
    let mut fit = Fit::default();
    fit.add(data, value, gamma);
    let estimate = Estimate {
        explained_variance: fit.explained_variance(),
        value_mean: moments(&pick(value)).0,
        uninformative: usize::from(nothing),
    };
    (batch, estimate)
}

/// Relative size below which a sum of rewards is rounding: rewards are f32.
const ROUNDING: f64 = 1e-6;

/// Standard deviation up to which advantages are rounding: a sum of as many rewards as the trace reaches over is not
/// more exact than this.
pub fn rounding(data: &Trajectories<'_>, gamma: f64, gae_lambda: f64) -> f64 {
    let longest = data.valid_steps.iter().copied().max().unwrap_or(0);
    let reach = (1.0 / (1.0 - gamma * gae_lambda)).min(f64::from(longest));
    ROUNDING * largest(data) * reach
}

fn largest(data: &Trajectories<'_>) -> f64 {
    data.rows().fold(0.0, |largest, row| f64::from(data.reward[row].abs()).max(largest))
}

/// Says whether an action can have made a difference: lanes earned or ended differently at some step. A single lane is
/// informative if its rewards differ between steps, or if an episode terminated.
///
/// If it is false, the residual of a baseline is its own error, which must not be taken for an advantage.
pub fn informative(data: &Trajectories<'_>) -> bool {
    let small = ROUNDING * largest(data);
    let alike = |a: usize, b: usize| {
        let flags = |row: usize| (data.terminated[row], data.truncated[row]);
        // a NaN reward equals no other, so that it is found later
        (f64::from(data.reward[a]) - f64::from(data.reward[b])).abs() <= small && flags(a) == flags(b)
    };
    if data.envs == 1 {
        let first = f64::from(data.reward.first().copied().unwrap_or(0.0));
        return !data.rows().all(|row| !data.terminated[row] && (f64::from(data.reward[row]) - first).abs() <= small);
    }
    let steps = data.valid_steps.first().copied().unwrap_or(0);
    data.valid_steps.iter().any(|valid| *valid != steps) || !data.rows().all(|row| alike(row, row - row % data.envs))
}

/// Agreement of values with the rewards earned, as sums over samples.
///
/// Over the n steps from a sample to the end of its episode, or of the data, the rewards earn the return, the sum of
/// gamma^k reward_k. A value v predicts (1 - gamma^n) v for these steps, or all of v if the episode terminated. The fit
/// compares the return with this prediction, so no estimated value is part of the target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fit {
    samples: f64,
    /// Sum of squared differences between return and prediction.
    missed: f64,
    /// Sum of squared returns.
    returns: f64,
    /// Sum of squared shares 1 - gamma^n (1 if the episode terminated).
    shares: f64,
    /// Sum of returns times shares.
    products: f64,
    /// Largest reward.
    largest: f64,
}

impl Fit {
    /// Adds the valid steps of `data` with their values, `[steps, envs]`.
    pub fn add(&mut self, data: &Trajectories<'_>, value: &[f64], gamma: f64) {
        for (env, start, end) in data.episodes() {
            let cut = if data.terminated[data.row(end - 1, env)] { 0.0 } else { 1.0 };
            let mut returns = 0.0;
            let mut discount = 1.0;
            for t in (start..end).rev() {
                let at = data.row(t, env);
                returns = f64::from(data.reward[at]) + gamma * returns;
                discount *= gamma;
                let share = 1.0 - discount * cut;
                let missed = returns - share * value[at];
                self.samples += 1.0;
                self.missed += missed * missed;
                self.returns += returns * returns;
                self.shares += share * share;
                self.products += returns * share;
            }
        }
        self.largest = self.largest.max(largest(data));
    }

    /// The share of the best constant value's squared error that these values remove: 1 if they explain the rewards
    /// exactly, 0 if they are no better than the constant, negative if they are worse, and never below -1. If a
    /// constant explains everything, it is 1 if these values do so too.
    pub fn explained_variance(&self) -> f64 {
        let rest = self.returns - self.products * self.products / self.shares.max(f64::MIN_POSITIVE);
        let rounding = ROUNDING * self.largest;
        let rounding = rounding * rounding * self.samples;
        let explained = 1.0 - self.missed / rest.max(rounding).max(f64::MIN_POSITIVE);
        // `max` would turn NaN into a number
        if explained < -1.0 { -1.0 } else { explained }
    }
}

/// Mean and variance; the variance comes from the distances to the mean, so it is exact for long columns far from 0.
fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    (mean, values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One lane with one-dimensional observations, built step by step.
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
        // lambda reaches back: nothing terminates, so delta_0 = 1 and delta_1 = 2 + 49.5 - 2 = 49.5
        let open = Lane::new(&[1.0, 2.0], &[], &[]);
        assert_eq!(gae(&open.view(), &value[..2], &next_value[..2], 0.5, 0.5), [1.0 + 49.5 / 4.0, 49.5]);
    }

    #[test]
    fn a_time_limit_is_not_a_death() {
        // reward 1 for ever, cut every 10 steps: the value is 1 / (1 - gamma) everywhere and every advantage is 0
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
        // the lane dies at every third step: V = 1 + g + g^2, 1 + g, 1 by step in the episode
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
