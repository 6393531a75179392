//! The legal range of every number outside `[task]`.
//!
//! Counts name random streams, which end at 2^24. Numbers that `f32` computes with must be numbers there, too: one that
//! rounds to 0 or to infinity is refused.

use std::fmt::Display;

use metadrift_envs::rng::MAX_INDEX;

use super::{Config, ConfigError};

/// Most tasks or lanes.
pub const MAX_WIDTH: u64 = 100_000;
/// Most steps of a lane in one phase.
pub const MAX_STEPS: u64 = 1_000_000;
/// Most adaptation steps.
pub const MAX_ADAPT_STEPS: u64 = 100;

/// A set of legal numbers.
enum Range {
    /// Whole numbers from the first to the second.
    Whole(u64, u64),
    /// 0, or a positive number that `f32` holds.
    NotNegative,
    /// A positive number that `f32` holds.
    Positive,
    /// Above 0 and below 1, in `f32` too.
    Share,
    /// Above 0 and below 1.
    Discount,
    /// From the first to the second.
    Between(f64, f64),
}

impl Range {
    fn has(&self, value: f64) -> bool {
        let held = |x: f64| (x as f32).is_normal() && x > 0.0;
        match *self {
            Range::Whole(low, high) => (low as f64..=high as f64).contains(&value),
            Range::NotNegative => value == 0.0 || held(value),
            Range::Positive => held(value),
            Range::Share => held(value) && (value as f32) < 1.0,
            Range::Discount => value > 0.0 && value < 1.0,
            Range::Between(low, high) => (low..=high).contains(&value),
        }
    }

    fn legal(&self) -> String {
        match self {
            Range::Whole(low, u64::MAX) => format!("{low} or more"),
            Range::Whole(low, high) => format!("{low} to {high}"),
            Range::NotNegative => "0, or from 1.2e-38 to 3.4e38".to_owned(),
            Range::Positive => "from 1.2e-38 to 3.4e38".to_owned(),
            Range::Share | Range::Discount => "above 0 and below 1".to_owned(),
            Range::Between(low, high) => format!("{low} to {high}"),
        }
    }
}

impl Config {
    /// Every number outside `[task]` against its legal range.
    pub(super) fn check_ranges(&self) -> Result<(), ConfigError> {
        use Range::{Between, Discount, NotNegative, Positive, Share, Whole};
        let (r, m, p) = (&self.rollout, &self.maml, &self.ppo);
        check_in("iterations", self.iterations, self.iterations as f64, Whole(1, u64::from(MAX_INDEX)))?;
        check_in("rollout.num_tasks", r.num_tasks, r.num_tasks as f64, Whole(1, MAX_WIDTH))?;
        check_in("rollout.num_envs", r.num_envs, r.num_envs as f64, Whole(1, MAX_WIDTH))?;
        check_in("rollout.num_steps", r.num_steps, r.num_steps as f64, Whole(0, MAX_STEPS))?;
        let episodes = r.episodes_per_env;
        check_in("rollout.episodes_per_env", episodes, episodes.into(), Whole(0, MAX_STEPS))?;
        let log_std = self.policy.init_log_std;
        check_in("policy.init_log_std", log_std, log_std.into(), Between(-10.0, 3.0))?;
        check_in("maml.inner_lr", m.inner_lr, m.inner_lr, NotNegative)?;
        check_in("maml.inner_steps", m.inner_steps, m.inner_steps as f64, Whole(0, MAX_ADAPT_STEPS))?;
        check_in("ppo.outer_lr", p.outer_lr, p.outer_lr, NotNegative)?;
        check_in("ppo.outer_epochs", p.outer_epochs, p.outer_epochs as f64, Whole(1, 1000))?;
        check_in("ppo.clip_eps", p.clip_eps, p.clip_eps, Share)?;
        check_in("ppo.kl_coef", p.kl_coef, p.kl_coef, NotNegative)?;
        check_in("ppo.ent_coef", p.ent_coef, p.ent_coef, NotNegative)?;
        check_in("ppo.max_grad_norm", p.max_grad_norm, p.max_grad_norm, Positive)?;
        check_in("ppo.gamma", p.gamma, p.gamma, Discount)?;
        check_in("ppo.gae_lambda", p.gae_lambda, p.gae_lambda, Between(0.0, 1.0))?;
        let l = &self.ppo_learner;
        check_in("ppo_learner.minibatch", l.minibatch, l.minibatch as f64, Whole(1, 100_000_000))?;
        check_in("ppo_learner.value_lr", l.value_lr, l.value_lr, NotNegative)?;
        let keep = self.checkpoint.keep;
        check_in("checkpoint.every", self.checkpoint.every, self.checkpoint.every as f64, Whole(1, u64::MAX))?;
        check_in("checkpoint.keep", keep, keep as f64, Whole(1, u64::MAX))?;
        widths("policy.hidden", &self.policy.hidden)?;
        widths("ppo_learner.value_hidden", &self.ppo_learner.value_hidden)
    }
}

/// `shown` is the value as it was given.
fn check_in(key: &'static str, shown: impl Display, value: f64, range: Range) -> Result<(), ConfigError> {
    if range.has(value) {
        return Ok(());
    }
    Err(ConfigError::OutOfRange { key, value: shown.to_string(), legal: range.legal().into() })
}

fn widths(key: &'static str, hidden: &[usize]) -> Result<(), ConfigError> {
    let legal = hidden.len() <= 8 && hidden.iter().all(|width| (1..=4096).contains(width));
    super::check(key, format!("{hidden:?}"), legal, "at most 8 widths of 1 to 4096")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_f32_does_not_hold_is_refused() {
        // the smallest and the largest normal number of IEEE 754 single precision
        let (smallest, largest) = (1.175_494_350_822_287_5e-38, 3.402_823_466_385_288_6e38);
        for (range, zero) in [(Range::NotNegative, true), (Range::Positive, false)] {
            assert_eq!(range.has(0.0), zero);
            assert!(range.has(smallest) && range.has(largest) && range.has(0.3));
            for wrong in [smallest / 4.0, 1e-300, 1e39, 1e300, -0.3, -1e-300, f64::NAN, f64::INFINITY] {
                assert!(!range.has(wrong), "{wrong}");
            }
        }
        assert!(!Range::Share.has(1.0 - 1e-9) && !Range::Share.has(1e-50) && Range::Share.has(0.2));
        assert!(Range::Discount.has(1.0 - 1e-9) && !Range::Discount.has(1.0));
    }
}
