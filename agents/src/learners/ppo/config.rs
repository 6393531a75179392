//! The section `[ppo_learner]` of a configuration.

use serde::{Deserialize, Serialize};

use crate::{
    keys::{Absent, INTEGER, Key, LAYERS, Legal, NOT_NEGATIVE, NUMBER, OwnConfig, SWITCH, WIDTHS, key, range},
    ranges::{OutOfRange, Range, check, check_in, check_widths},
};

/// The settings of plain PPO beside `[ppo]`, the section `[ppo_learner]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PpoLearnerConfig {
    /// Samples per gradient step; every epoch shuffles all samples of an iteration into new minibatches.
    pub minibatch: usize,
    /// Widths of the value network's hidden layers.
    pub value_hidden: Vec<usize>,
    /// Adam's learning rate for the value network; the policy's is `ppo.outer_lr`.
    pub value_lr: f64,
    /// True if both learning rates fall linearly to 0 over the iterations.
    pub anneal: bool,
    /// True if rewards are divided by the running standard deviation of the discounted return, for the value network.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub normalize_reward: bool,
    /// Mean return of the last 100 episodes at which training ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_at_return: Option<f64>,
}

impl Default for PpoLearnerConfig {
    fn default() -> Self {
        PpoLearnerConfig {
            minibatch: 256,
            value_hidden: vec![64, 64],
            value_lr: 1e-3,
            anneal: false,
            normalize_reward: false,
            stop_at_return: None,
        }
    }
}

impl OwnConfig for PpoLearnerConfig {
    const SECTION: &'static str = "ppo_learner";
    #[rustfmt::skip]
    const KEYS: &'static [Key] = &[
        key("ppo_learner.minibatch", INTEGER, Absent::Is("256"), range("1 to 100000000", "0"), "samples", "Samples per gradient step"),
        key("ppo_learner.value_hidden", WIDTHS, Absent::Is("[64, 64]"), LAYERS, "units", "Widths of the value network's hidden layers"),
        key("ppo_learner.value_lr", NUMBER, Absent::Is("1e-3"), NOT_NEGATIVE, "", "Adam's learning rate for the value network"),
        key("ppo_learner.anneal", SWITCH, Absent::Is("false"), Legal::Any, "", "Let both learning rates fall linearly to 0 over the iterations"),
        key("ppo_learner.normalize_reward", SWITCH, Absent::Is("false"), Legal::Any, "", "Divide rewards by the running standard deviation of the discounted return before the value network learns from them; reported returns are never divided"),
        key("ppo_learner.stop_at_return", NUMBER, Absent::Words("never"), range("a finite number", "inf"), "the reward's", "Training ends when the mean return of the last 100 episodes reaches it"),
    ];

    fn check(&self) -> Result<(), OutOfRange> {
        let minibatch = self.minibatch;
        check_in("ppo_learner.minibatch", minibatch, minibatch as f64, Range::Whole(1, 100_000_000))?;
        check_in("ppo_learner.value_lr", self.value_lr, self.value_lr, Range::NotNegative)?;
        check_widths("ppo_learner.value_hidden", &self.value_hidden)?;
        let stop = self.stop_at_return.unwrap_or(0.0);
        check("ppo_learner.stop_at_return", stop, stop.is_finite(), "a finite number")
    }
}
