//! The section `[context]` of a configuration.

use serde::{Deserialize, Serialize};

use crate::{
    keys::{Absent, INTEGER, Key, LAYERS, NOT_NEGATIVE, NUMBER, OwnConfig, WIDTHS, key, range},
    learners::ppo::PpoLearnerConfig,
    ranges::{OutOfRange, Range, check_in, check_widths},
};

/// `[context]`: the settings of a policy with a latent context, beside `[ppo]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContextConfig {
    /// Length of the code.
    pub code: usize,
    /// Widths of the hidden layers of encoder and predictor.
    pub hidden: Vec<usize>,
    /// Adam's learning rate for encoder and predictor.
    pub encoder_lr: f64,
    /// Passes of encoder and predictor over the experience of an iteration.
    pub encoder_epochs: usize,
    /// Samples per gradient step.
    pub minibatch: usize,
    /// Widths of the value network's hidden layers.
    pub value_hidden: Vec<usize>,
    /// Adam's learning rate for the value network.
    pub value_lr: f64,
}

impl Default for ContextConfig {
    fn default() -> Self {
        let PpoLearnerConfig { minibatch, value_hidden, value_lr, .. } = PpoLearnerConfig::default();
        ContextConfig {
            code: 4,
            hidden: vec![32],
            encoder_lr: 1e-3,
            encoder_epochs: 4,
            minibatch,
            value_hidden,
            value_lr,
        }
    }
}

impl ContextConfig {
    /// The settings of the PPO behind the encoder.
    pub fn ppo(&self) -> PpoLearnerConfig {
        let ContextConfig { minibatch, value_hidden, value_lr, .. } = self.clone();
        PpoLearnerConfig { minibatch, value_hidden, value_lr, ..PpoLearnerConfig::default() }
    }
}

impl OwnConfig for ContextConfig {
    const SECTION: &'static str = "context";
    #[rustfmt::skip]
    const KEYS: &'static [Key] = &[
        key("context.code", INTEGER, Absent::Is("4"), range("1 to 64", "0"), "", "Length of the code of the last transitions"),
        key("context.hidden", WIDTHS, Absent::Is("[32]"), LAYERS, "units", "Widths of the hidden layers of encoder and predictor"),
        key("context.encoder_lr", NUMBER, Absent::Is("1e-3"), NOT_NEGATIVE, "", "Adam's learning rate for encoder and predictor"),
        key("context.encoder_epochs", INTEGER, Absent::Is("4"), range("1 to 1000", "0"), "", "Passes of encoder and predictor over the experience of an iteration"),
        key("context.minibatch", INTEGER, Absent::Is("256"), range("1 to 100000000", "0"), "samples", "Samples per gradient step"),
        key("context.value_hidden", WIDTHS, Absent::Is("[64, 64]"), LAYERS, "units", "Widths of the value network's hidden layers"),
        key("context.value_lr", NUMBER, Absent::Is("1e-3"), NOT_NEGATIVE, "", "Adam's learning rate for the value network"),
    ];

    fn check(&self) -> Result<(), OutOfRange> {
        let ContextConfig { code, encoder_lr, encoder_epochs, .. } = *self;
        check_in("context.code", code, code as f64, Range::Whole(1, 64))?;
        check_widths("context.hidden", &self.hidden)?;
        check_in("context.encoder_lr", encoder_lr, encoder_lr, Range::NotNegative)?;
        check_in("context.encoder_epochs", encoder_epochs, encoder_epochs as f64, Range::Whole(1, 1000))?;
        check_in("context.minibatch", self.minibatch, self.minibatch as f64, Range::Whole(1, 100_000_000))?;
        check_widths("context.value_hidden", &self.value_hidden)?;
        check_in("context.value_lr", self.value_lr, self.value_lr, Range::NotNegative)
    }
}
