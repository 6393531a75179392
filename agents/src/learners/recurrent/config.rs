//! The section `[recurrent]` of a configuration.

use serde::{Deserialize, Serialize};

use crate::{
    keys::{Absent, INTEGER, Key, Legal, NOT_NEGATIVE, NUMBER, OwnConfig, SWITCH, key, range},
    ranges::{LANES, OutOfRange, Range, check_in, check_lanes},
};

/// `[recurrent]`: the settings of recurrent policies, beside `[ppo]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecurrentConfig {
    /// Lives of an iteration, each on a task of its own.
    pub lanes: usize,
    /// Width of the tanh layer below the memory.
    pub embedding: usize,
    /// Width of the memory.
    pub hidden: usize,
    /// Minibatches of an epoch.
    pub minibatches: usize,
    /// Steps that derivatives run back through time.
    pub stretch: usize,
    /// Weight of the value's error beside the policy's loss.
    pub value_coef: f64,
    /// The learning rate falls linearly to 0 over the iterations.
    pub anneal: bool,
    /// Share of the progress whose loss is a collapse, after which training goes on from the best policy, at half the rate
    /// for a while.
    pub collapse: f64,
    /// Number of first iterations that imitate the privileged controller; if missing, none with `rl2` and all with
    /// `distill`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imitate: Option<u64>,
}

impl Default for RecurrentConfig {
    fn default() -> Self {
        RecurrentConfig {
            lanes: 256,
            embedding: 64,
            hidden: 64,
            minibatches: 4,
            stretch: 96,
            value_coef: 0.25,
            anneal: true,
            collapse: 0.5,
            imitate: None,
        }
    }
}

impl OwnConfig for RecurrentConfig {
    const SECTION: &'static str = "recurrent";
    #[rustfmt::skip]
    const KEYS: &'static [Key] = &[
        key("recurrent.lanes", INTEGER, Absent::Is("256"), range(LANES, "33"), "lanes", "Lives of an iteration, each on a task of its own"),
        key("recurrent.embedding", INTEGER, Absent::Is("64"), range("1 to 4096", "0"), "units", "Width of the tanh layer below the memory"),
        key("recurrent.hidden", INTEGER, Absent::Is("64"), range("1 to 4096", "0"), "units", "Width of the memory"),
        key("recurrent.minibatches", INTEGER, Absent::Is("4"), range("1 to 256", "0"), "", "Minibatches of an epoch; each has whole lives"),
        key("recurrent.stretch", INTEGER, Absent::Is("96"), range("1 to 1000000", "0"), "steps", "Steps that derivatives run back through time"),
        key("recurrent.value_coef", NUMBER, Absent::Is("0.25"), NOT_NEGATIVE, "", "Weight of the value's error beside the policy's loss"),
        key("recurrent.anneal", SWITCH, Absent::Is("true"), Legal::Any, "", "Let the learning rate fall linearly to 0 over the iterations"),
        key("recurrent.collapse", NUMBER, Absent::Is("0.5"), range("0.1 to 1", "1.5"), "", "Share of the progress whose loss is a collapse: PPO goes on from the best policy so far, at half the rate for a while; 1 never does"),
        key("recurrent.imitate", INTEGER, Absent::Words("0 with rl2, all with distill"), range("0 to 1000000000", "1000000001"), "iterations", "First iterations that imitate the privileged controller, before PPO"),
    ];

    fn check(&self) -> Result<(), OutOfRange> {
        check_lanes("recurrent.lanes", self.lanes)?;
        let width = |key, width: usize| check_in(key, width, width as f64, Range::Whole(1, 4096));
        width("recurrent.embedding", self.embedding)?;
        width("recurrent.hidden", self.hidden)?;
        check_in("recurrent.minibatches", self.minibatches, self.minibatches as f64, Range::Whole(1, 256))?;
        check_in("recurrent.stretch", self.stretch, self.stretch as f64, Range::Whole(1, 1_000_000))?;
        check_in("recurrent.value_coef", self.value_coef, self.value_coef, Range::NotNegative)?;
        check_in("recurrent.collapse", self.collapse, self.collapse, Range::Between(0.1, 1.0))?;
        let imitate = self.imitate.unwrap_or(0);
        check_in("recurrent.imitate", imitate, imitate as f64, Range::Whole(0, 1_000_000_000))
    }
}
