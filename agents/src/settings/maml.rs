//! The section `[maml]`: adaptation, and the step of the meta-policy.

use serde::{Deserialize, Serialize};

use super::{
    PpoConfig,
    choices::{BaselineChoice, InnerEstimator, Outer, Risk, SamplingTerm, Subset, UpdateRule, is_default},
};
use crate::{
    objective::InnerLoss,
    ranges::{OutOfRange, Range, check, check_in, check_widths},
};

/// Largest number of adaptation steps.
pub const MAX_ADAPT_STEPS: u64 = 100;

/// The inner loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MamlConfig {
    /// Step size of the adaptation; the starting point if it is learned.
    pub inner_lr: f64,
    /// Number of gradient steps of the adaptation: each on new episodes, or all on those of the task before (continual) or on
    /// the same examples. 0 leaves out adaptation: one policy for all tasks, with the baseline of MAML.
    pub inner_steps: usize,
    /// True if the second derivatives are left out (FOMAML): cheaper and biased.
    pub first_order: bool,
    /// The inner step.
    #[serde(skip_serializing_if = "is_default")]
    pub update_rule: UpdateRule,
    /// Estimator of the second derivative of the inner loss.
    #[serde(skip_serializing_if = "is_default")]
    pub estimator: InnerEstimator,
    /// Lambda of loaded DiCE.
    #[serde(skip_serializing_if = "is_default_lambda")]
    pub dice_lambda: f64,
    /// The term by which the meta-policy is credited for the data that adaptation saw.
    #[serde(skip_serializing_if = "is_default")]
    pub sampling_term: SamplingTerm,
    /// The parameters that adaptation changes.
    #[serde(skip_serializing_if = "is_default")]
    pub adapts: Subset,
    /// Number of context parameters, or rank of the changes.
    #[serde(skip_serializing_if = "is_default_size")]
    pub adapts_size: usize,
    /// The step of the meta-policy.
    #[serde(skip_serializing_if = "is_default")]
    pub outer: Outer,
    /// Largest divergence of the adapted policies in a step of TRPO.
    #[serde(skip_serializing_if = "is_default_kl")]
    pub max_kl: f64,
    /// The figure of the returns after adaptation that is to grow.
    #[serde(skip_serializing_if = "is_default")]
    pub risk: Risk,
    /// Weight of the variance, or share of the worst tasks; 0 without a risk.
    #[serde(skip_serializing_if = "is_default")]
    pub risk_level: f64,
    /// The values that advantages are measured from.
    #[serde(skip_serializing_if = "is_default")]
    pub baseline: BaselineChoice,
    /// Widths of the hidden layers of a value network.
    #[serde(skip_serializing_if = "is_default_hidden")]
    pub value_hidden: Vec<usize>,
    /// Adam's learning rate for a value network.
    #[serde(skip_serializing_if = "is_default_value_lr")]
    pub value_lr: f64,
    /// Passes of a value network over the experience of an iteration.
    #[serde(skip_serializing_if = "is_default_epochs")]
    pub value_epochs: usize,
    /// Mean return after adaptation at which training ends, over the tasks of the last five iterations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_at_return: Option<f64>,
    /// True if one inner rate per parameter is learned along with the policy (Meta-SGD, Li et al. 2017, arXiv
    /// 1707.09835).
    pub learn_inner_lr: bool,
    /// True if adaptation may change the exploration noise of a Gaussian policy.
    pub adapt_log_std: bool,
    /// Number of tasks that share one graph; 0 chooses (one on a CPU, all on a GPU). More than one needs the tch
    /// backend.
    pub tasks_per_chunk: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's interface")]
fn is_default_size(size: &usize) -> bool {
    *size == ADAPTS_SIZE
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's interface")]
fn is_default_kl(kl: &f64) -> bool {
    *kl == MAX_KL
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's interface")]
fn is_default_lambda(lambda: &f64) -> bool {
    *lambda == DICE_LAMBDA
}

fn is_default_hidden(hidden: &[usize]) -> bool {
    *hidden == VALUE_HIDDEN
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's interface")]
fn is_default_value_lr(lr: &f64) -> bool {
    *lr == VALUE_LR
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's interface")]
fn is_default_epochs(epochs: &usize) -> bool {
    *epochs == VALUE_EPOCHS
}

/// The default of `maml.value_hidden`.
const VALUE_HIDDEN: [usize; 2] = [64, 64];
/// The default of `maml.value_lr`.
const VALUE_LR: f64 = 1e-3;
/// The default of `maml.value_epochs`.
const VALUE_EPOCHS: usize = 2;
/// The default of `maml.dice_lambda`: most of the cross terms at a fraction of their noise.
const DICE_LAMBDA: f64 = 0.9;
/// The default of `maml.adapts_size`.
const ADAPTS_SIZE: usize = 4;
/// The default of `maml.max_kl`, that of the TRPO of the first MAML.
const MAX_KL: f64 = 0.01;

impl MamlConfig {
    /// Checks every number against its legal range, and that the choices go together.
    ///
    /// # Errors
    /// The first key that is out of range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        check_in("maml.inner_lr", self.inner_lr, self.inner_lr, Range::NotNegative)?;
        let most = Range::Whole(0, MAX_ADAPT_STEPS);
        check_in("maml.inner_steps", self.inner_steps, self.inner_steps as f64, most)?;
        check_in("maml.dice_lambda", self.dice_lambda, self.dice_lambda, Range::Between(0.0, 1.0))?;
        let loaded = self.estimator == InnerEstimator::LoadedDice || is_default_lambda(&self.dice_lambda);
        check("maml.dice_lambda", self.dice_lambda, loaded, "left out unless maml.estimator = \"loaded-dice\"")?;
        let read = !self.first_order
            || self.estimator == InnerEstimator::default()
            || self.sampling_term != SamplingTerm::None;
        check(
            "maml.estimator",
            word(&self.estimator),
            read,
            "left out with maml.first_order: there are no second derivatives",
        )?;
        let once = self.sampling_term == SamplingTerm::None || self.estimator == InnerEstimator::Score;
        check("maml.sampling_term", word(&self.sampling_term), once, TWICE)?;
        let steps = self.sampling_term == SamplingTerm::None || self.inner_steps > 0;
        check("maml.sampling_term", word(&self.sampling_term), steps, "none if maml.inner_steps = 0")?;
        let rule = self.update_rule == UpdateRule::Gradient || self.inner_steps > 0;
        check("maml.update_rule", word(&self.update_rule), rule, "gradient if maml.inner_steps = 0")?;
        check_in("maml.adapts_size", self.adapts_size, self.adapts_size as f64, Range::Whole(1, 1024))?;
        let sized = matches!(self.adapts, Subset::Context | Subset::LowRank) || is_default_size(&self.adapts_size);
        check("maml.adapts_size", self.adapts_size, sized, "left out unless maml.adapts is context or low-rank")?;
        check_in("maml.max_kl", self.max_kl, self.max_kl, Range::Positive)?;
        let trpo = self.outer == Outer::Trpo || is_default_kl(&self.max_kl);
        check("maml.max_kl", self.max_kl, trpo, "left out unless maml.outer = \"trpo\"")?;
        let (level, words) = match self.risk {
            Risk::Mean => (self.risk_level == 0.0, "left out unless maml.risk is variance or cvar"),
            Risk::Variance => {
                (self.risk_level > 0.0 && self.risk_level <= 1e6, "above 0 with maml.risk = \"variance\"")
            }
            Risk::Cvar => {
                (self.risk_level > 0.0 && self.risk_level <= 1.0, "above 0, at most 1 with maml.risk = \"cvar\"")
            }
        };
        check("maml.risk_level", self.risk_level, level, words)?;
        self.check_baseline()?;
        let goal = self.stop_at_return.unwrap_or(0.0);
        check("maml.stop_at_return", goal, goal.is_finite(), "a finite number")
    }

    fn check_baseline(&self) -> Result<(), OutOfRange> {
        let (lr, epochs) = (self.value_lr, self.value_epochs);
        check_widths("maml.value_hidden", &self.value_hidden)?;
        check_in("maml.value_lr", lr, lr, Range::NotNegative)?;
        check_in("maml.value_epochs", epochs, epochs as f64, Range::Whole(1, 1000))?;
        let read = |default: bool| default || self.baseline == BaselineChoice::Network;
        let hidden = format!("{:?}", self.value_hidden);
        check("maml.value_hidden", hidden, read(is_default_hidden(&self.value_hidden)), NO_NETWORK)?;
        check("maml.value_lr", lr, read(is_default_value_lr(&lr)), NO_NETWORK)?;
        check("maml.value_epochs", epochs, read(is_default_epochs(&epochs)), NO_NETWORK)
    }

    /// Checks that the outer step reads every key of `[ppo]` that differs from its default.
    ///
    /// # Errors
    /// The first key that has no effect.
    pub fn check_outer(&self, ppo: &PpoConfig) -> Result<(), OutOfRange> {
        let usual = PpoConfig::default();
        let unread = |key, value: f64, usual: f64, words| check(key, value, value == usual, words);
        if self.outer != Outer::Ppo {
            unread("ppo.clip_eps", ppo.clip_eps, usual.clip_eps, ONLY_PPO)?;
        }
        if self.outer == Outer::PolicyGradient {
            let once = ppo.outer_epochs == 1;
            check("ppo.outer_epochs", ppo.outer_epochs, once, "1 with maml.outer = \"policy-gradient\"")?;
        }
        if self.outer == Outer::Trpo {
            unread("ppo.outer_lr", ppo.outer_lr, usual.outer_lr, NOT_TRPO)?;
            unread("ppo.outer_epochs", ppo.outer_epochs as f64, usual.outer_epochs as f64, NOT_TRPO)?;
            unread("ppo.kl_coef", ppo.kl_coef, usual.kl_coef, NOT_TRPO)?;
            if self.baseline == BaselineChoice::Linear {
                unread("ppo.max_grad_norm", ppo.max_grad_norm, usual.max_grad_norm, NOT_TRPO)?;
            }
        }
        Ok(())
    }

    /// The inner loss.
    pub fn inner_loss(&self) -> InnerLoss {
        match self.estimator {
            InnerEstimator::Score => InnerLoss::Score,
            InnerEstimator::Lvc => InnerLoss::LVC,
            InnerEstimator::Dice => InnerLoss::DICE,
            InnerEstimator::LoadedDice => InnerLoss::LoadedDice(self.dice_lambda),
        }
    }

    /// True if inner rates are learned: without inner steps there are none to learn.
    pub fn learns_rates(&self) -> bool {
        self.learn_inner_lr && self.inner_steps > 0
    }
}

impl Default for MamlConfig {
    fn default() -> Self {
        MamlConfig {
            inner_lr: 0.1,
            inner_steps: 1,
            first_order: false,
            update_rule: UpdateRule::default(),
            estimator: InnerEstimator::default(),
            dice_lambda: DICE_LAMBDA,
            sampling_term: SamplingTerm::default(),
            adapts: Subset::default(),
            adapts_size: ADAPTS_SIZE,
            outer: Outer::default(),
            max_kl: MAX_KL,
            risk: Risk::default(),
            risk_level: 0.0,
            baseline: BaselineChoice::default(),
            value_hidden: VALUE_HIDDEN.to_vec(),
            value_lr: VALUE_LR,
            value_epochs: VALUE_EPOCHS,
            stop_at_return: None,
            learn_inner_lr: false,
            adapt_log_std: true,
            tasks_per_chunk: 0,
        }
    }
}

/// The reason why some estimators refuse the sampling term.
const TWICE: &str = "none unless maml.estimator = \"score\": the second derivatives of lvc and DiCE estimate the \
                     effect of the data already, which would count twice";

/// The range of a value network's keys without one.
const NO_NETWORK: &str = "left out unless maml.baseline = \"network\"";

/// The reason why a key must keep its default.
const ONLY_PPO: &str = "left out or at its default: only maml.outer = \"ppo\" clips";
const NOT_TRPO: &str =
    "left out or at its default: maml.outer = \"trpo\" does not read it (--learner trpo-maml resets them all)";

/// The word of a configuration file for `value`.
fn word<T: Serialize>(value: &T) -> String {
    toml::Value::try_from(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
