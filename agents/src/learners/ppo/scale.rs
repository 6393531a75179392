//! The spread of discounted returns, by which rewards are divided for the value network.

use serde::{Deserialize, Serialize};

use crate::{rollout::Rollout, state::Misfit};

/// Running mean and variance of every lane's discounted sum of rewards since its episode began, over all steps of the
/// run. These are the statistics of VecNormalize (OpenAI Baselines; NormalizeReward in Gymnasium), which divides rewards
/// by the standard deviation and does not shift them. Here one divisor holds for a whole iteration, whose steps it
/// includes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReturnScale {
    /// Discounted sum of each lane's rewards since its episode began, `[lanes]`.
    returns: Vec<f64>,
    /// Number of steps seen.
    count: u64,
    mean: f64,
    /// Sum of squared distances to the mean.
    squares: f64,
}

impl ReturnScale {
    /// The statistics of `lanes` lanes at the beginning of their first episodes.
    pub(super) fn new(lanes: usize) -> Self {
        ReturnScale { returns: vec![0.0; lanes], count: 0, mean: 0.0, squares: 0.0 }
    }

    /// Adds a rollout, all of whose steps must be valid, step by step and lane by lane (Welford's recursion), so that
    /// the sums depend neither on the actors nor on the division of the steps into iterations.
    pub(super) fn add(&mut self, rollout: &Rollout, gamma: f64) {
        for t in 0..rollout.shape().steps {
            let lanes = rollout.tasks().flat_map(|data| (0..data.envs).map(move |env| (data, data.row(t, env))));
            for (earned, (data, row)) in self.returns.iter_mut().zip(lanes) {
                *earned = gamma * *earned + f64::from(data.reward[row]);
                self.count += 1;
                let distance = *earned - self.mean;
                self.mean += distance / self.count as f64;
                self.squares += distance * (*earned - self.mean);
                if data.terminated[row] || data.truncated[row] {
                    *earned = 0.0;
                }
            }
        }
    }

    /// One over the standard deviation; `None` if all returns were the same, for there is no scale then.
    pub(super) fn unit(&self) -> Option<f64> {
        let deviation = (self.squares / self.count as f64).sqrt();
        (deviation > 0.0).then(|| 1.0 / deviation)
    }

    /// `stored` in place of these statistics.
    pub(super) fn loaded(&self, stored: ReturnScale) -> Result<Self, Misfit> {
        let fits = stored.returns.len() == self.returns.len() && stored.squares >= 0.0;
        fits.then_some(stored).ok_or_else(|| Misfit("`return_scale` belongs to other lanes".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backend::{self, BackendChoice},
        device::Device,
        layout::{Head, Layout},
        learner::Learner,
        learners::ppo::{Experience, Ppo, PpoLearnerConfig, Run},
        network::Network,
        report::Stopwatch,
        rollout::Shape,
        settings::{MamlConfig, Plan, PpoConfig},
        state::State,
    };

    /// Rewards of two lanes, `[steps, lanes]`; lane 0 terminates at step 2, the time limit cuts lane 1 there.
    const REWARDS: [f32; 8] = [1.0, 3.0, 2.0, 1.0, 4.0, 1.0, 8.0, 5.0];
    /// With gamma = 1/2 the discounted sums are 1, 2.5, 5.25, 8 and 3, 2.5, 2.25, 5. Their sum is 29.5 and that of
    /// their squares 144.125, so the variance is 144.125 / 8 - (29.5 / 8)^2.
    const VARIANCE: f64 = 4.417_968_75;

    /// The steps `from..to` of the two lanes, with rewards times `factor`.
    fn rollout(from: usize, to: usize, factor: f32) -> Rollout {
        let shape = Shape { tasks: 1, steps: to - from, envs: 2, obs_dim: 1, act_dim: 1 };
        let mut rollout = Rollout::new(shape, 3);
        for mut slab in rollout.slabs() {
            slab.valid_steps.fill((to - from) as u32);
            for t in from..to {
                let row = slab.row(t - from);
                for env in 0..2 {
                    row.obs[env] = 0.3 * t as f32 - env as f32;
                    row.next_obs[env] = 0.3 * (t + 1) as f32 - env as f32;
                    row.action[env] = ((t + env) % 2) as f32;
                    row.log_prob[env] = -0.7;
                    row.reward[env] = factor * REWARDS[2 * t + env];
                    row.terminated[env] = t == 2 && env == 0;
                    row.truncated[env] = t == 2 && env == 1;
                }
            }
        }
        rollout
    }

    fn learner(normalize_reward: bool) -> Ppo {
        let network = |layout: Layout| {
            let params = (0..layout.num_params()).map(|i| 0.1 * (i % 5) as f32 - 0.2).collect();
            Network::new(backend::open(BackendChoice::Native, layout, Device::Cpu, 0, 1).unwrap(), params)
        };
        let policy = network(Layout::new(1, &[3], Head::Categorical(2)));
        let value = network(Layout::plain(1, &[3], 1));
        let ppo = PpoConfig { gamma: 0.5, gae_lambda: 1.0, ..PpoConfig::default() };
        let config = PpoLearnerConfig { normalize_reward, minibatch: 3, ..PpoLearnerConfig::default() };
        let run = Run { seed: 1, plan: Plan::iterations(2), lanes: 2, threads: 1 };
        Ppo::new((ppo, config, MamlConfig::default()), policy, value, run)
    }

    fn learned(mut learner: Ppo, data: &[Rollout]) -> Ppo {
        for (iteration, rollout) in data.iter().enumerate() {
            learner.learn(rollout, (iteration as u32, 0), &mut Stopwatch::start()).unwrap();
        }
        learner
    }

    fn state(learner: &Ppo) -> State {
        let mut state = State::default();
        learner.save(&mut state);
        state
    }

    #[test]
    fn the_variance_is_that_of_discounted_sums_and_the_division_into_iterations_does_not_matter() {
        let mut whole = ReturnScale::new(2);
        assert_eq!(whole.unit(), None);
        whole.add(&rollout(0, 4, 1.0), 0.5);
        assert!((whole.squares / 8.0 - VARIANCE).abs() < 1e-12 && (whole.mean - 3.6875).abs() < 1e-12, "{whole:?}");
        assert!((whole.unit().unwrap() - 1.0 / VARIANCE.sqrt()).abs() < 1e-12);
        for cut in 1..4 {
            let mut parts = ReturnScale::new(2);
            parts.add(&rollout(0, cut, 1.0), 0.5);
            parts.add(&rollout(cut, 4, 1.0), 0.5);
            assert_eq!(parts, whole);
        }
        let mut nothing = ReturnScale::new(2);
        nothing.add(&rollout(0, 4, 0.0), 0.5);
        assert_eq!(nothing.unit(), None);
    }

    #[test]
    fn targets_are_returns_of_the_divided_rewards_and_reported_values_are_not_divided() {
        let mut learner = learner(true);
        // a value network whose answer is always 1: one standard deviation
        learner.value.params.fill(0.0);
        *learner.value.params.last_mut().unwrap() = 1.0;
        let data = rollout(0, 4, 1.0);
        learner.scale.as_mut().unwrap().add(&data, 0.5);
        let mut experience = Experience::default();
        data.tasks().for_each(|data| learner.prepare(&data, &mut experience));
        // with lambda = 1: rewards to come, and behind the time limit and the end of the data the value, discounted
        let deviation = VARIANCE.sqrt();
        let earned = [3.0, 3.75, 4.0, 1.5, 4.0, 1.0, 8.0, 5.0];
        let discount = [0.0, 0.125, 0.0, 0.25, 0.0, 0.5, 0.5, 0.5];
        for ((target, earned), discount) in experience.target.iter().zip(earned).zip(discount) {
            assert!((f64::from(*target) - (earned / deviation + discount)).abs() < 1e-6, "{target} {earned}");
        }
        assert!((experience.value_mean - deviation).abs() < 1e-6, "{}", experience.value_mean);
    }

    #[test]
    fn the_unit_of_rewards_changes_nothing_and_without_normalisation_it_does() {
        // a power of two: no rounding differs
        let data = |factor| [rollout(0, 2, factor), rollout(2, 4, factor)];
        let params = |normalize, factor| {
            let learner = learned(learner(normalize), &data(factor));
            (learner.policy.params, learner.value.params)
        };
        assert_eq!(params(true, 1.0), params(true, 1024.0));
        assert_ne!(params(false, 1.0), params(false, 1024.0));
        // reported returns are not divided: the episodes earned 1 + 2 + 4 and 3 + 1 + 1
        assert_eq!(learned(learner(true), &data(1.0)).score.mean(), 6.0);
    }

    #[test]
    fn a_resumed_run_goes_on_alike_and_a_failed_iteration_changes_nothing() {
        let data = [rollout(0, 2, 1.0), rollout(2, 4, 1.0)];
        let whole = learned(learner(true), &data);
        let mut half = learned(learner(true), &data[..1]);
        let stored = state(&half);
        let mut resumed = learner(true);
        resumed.load(&stored).unwrap();
        resumed.learn(&data[1], (1, 0), &mut Stopwatch::start()).unwrap();
        assert_eq!(state(&resumed), state(&whole));
        assert!(half.learn(&rollout(2, 4, f32::NAN), (1, 0), &mut Stopwatch::start()).is_err());
        assert_eq!(state(&half), stored);
        // without normalisation checkpoints have no statistics, and do not pass for some that have
        let plain = state(&learned(learner(false), &data));
        assert!(!plain.values.contains_key("return_scale"));
        let misfit = learner(true).load(&plain).unwrap_err().to_string();
        assert!(misfit.contains("return_scale"), "{misfit}");
    }
}
