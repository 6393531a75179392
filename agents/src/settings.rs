//! The settings that every learner gets: the sections of a configuration that several learners share.

use serde::{Deserialize, Serialize};

use crate::{
    objective::InnerLoss,
    ranges::{OutOfRange, Range, check, check_in},
};

/// Largest number of adaptation steps.
pub const MAX_ADAPT_STEPS: u64 = 100;

/// The settings of a run as a learner sees them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Seed of every random number of the run.
    pub seed: u64,
    /// Number of planned iterations.
    pub iterations: u64,
    /// Time limit of an episode (steps).
    pub horizon: u32,
    /// Number of values in one observation without a window.
    pub obs_dim: usize,
    /// Number of the environment's channels.
    pub channels: usize,
    /// The section `[rollout]`.
    pub rollout: RolloutConfig,
    /// The section `[policy]`.
    pub policy: PolicyConfig,
    /// The section `[maml]`.
    pub maml: MamlConfig,
    /// The section `[ppo]`.
    pub ppo: PpoConfig,
    /// The learner's own section, every key filled in; empty if it has none.
    pub own: toml::Table,
}

impl Settings {
    /// Steps of `episodes_per_env` episodes, at least one, that all last to the time limit.
    pub fn whole_episodes(&self) -> usize {
        (self.horizon as usize).saturating_mul(self.rollout.episodes_per_env.max(1) as usize)
    }

    /// Episodes that a lane runs in one phase, or with one task.
    pub fn episodes(&self) -> Episodes {
        match self.rollout.episodes_per_env {
            0 => Episodes::Endless,
            n => Episodes::Count(n),
        }
    }
}

/// Length of a lane's run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Episodes {
    /// The lane runs to the end of this many episodes; the rest of its rows is padding.
    Count(u32),
    /// The lane runs from episode to episode until the buffer is full.
    Endless,
}

/// Experience per iteration and phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RolloutConfig {
    /// Number of tasks drawn for each iteration.
    pub num_tasks: usize,
    /// Number of lanes of each task, or in all where lanes live on.
    pub num_envs: usize,
    /// Number of steps of each lane per phase; 0 lets `episodes_per_env` episodes last to the time limit.
    pub num_steps: usize,
    /// Number of episodes after which a lane stops; 0 runs from episode to episode until `num_steps`.
    pub episodes_per_env: u32,
}

impl Default for RolloutConfig {
    fn default() -> Self {
        RolloutConfig { num_tasks: 20, num_envs: 20, num_steps: 0, episodes_per_env: 1 }
    }
}

/// The policy network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// Widths of the hidden tanh layers.
    pub hidden: Vec<usize>,
    /// Initial log standard deviation of a Gaussian policy, in units of the action bound.
    pub init_log_std: f32,
    /// Number of the last transitions that the policy sees beside the observation.
    #[serde(skip_serializing_if = "is_default")]
    pub window: usize,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        PolicyConfig { hidden: vec![64, 64], init_log_std: 0.0, window: 0 }
    }
}

/// The inner loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MamlConfig {
    /// Step size of the adaptation; the starting point if it is learned.
    pub inner_lr: f64,
    /// Number of gradient steps of the adaptation, each on fresh data; 0 leaves out
    /// adaptation: one policy for all tasks, with the linear baseline.
    pub inner_steps: usize,
    /// True if the second derivatives are left out (FOMAML): cheaper and biased.
    pub first_order: bool,
    /// Estimator of the second derivative of the inner loss.
    #[serde(skip_serializing_if = "is_default")]
    pub estimator: InnerEstimator,
    /// Lambda of loaded DiCE.
    #[serde(skip_serializing_if = "is_default_lambda")]
    pub dice_lambda: f64,
    /// The term by which the meta-policy is credited for the data that adaptation saw.
    #[serde(skip_serializing_if = "is_default")]
    pub sampling_term: SamplingTerm,
    /// True if one inner rate per parameter is learned along with the policy (Meta-SGD, Li et al. 2017, arXiv
    /// 1707.09835).
    pub learn_inner_lr: bool,
    /// True if adaptation may change the exploration noise of a Gaussian policy.
    pub adapt_log_std: bool,
    /// Number of tasks that share one graph; 0 chooses (one on a CPU, all on a GPU). More than one needs the tch
    /// backend.
    pub tasks_per_chunk: usize,
}

/// Estimators of the second derivative of the inner loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InnerEstimator {
    /// The score function ([`InnerLoss::Score`]).
    Score,
    /// The low-variance curvature estimate ([`InnerLoss::LVC`]).
    #[default]
    Lvc,
    /// DiCE ([`InnerLoss::DICE`]).
    Dice,
    /// Loaded DiCE ([`InnerLoss::LoadedDice`]).
    LoadedDice,
}

/// The credit of the meta-policy for the data that adaptation saw (E-MAML, Stadie et al. 2018, arXiv 1803.01118;
/// Al-Shedivat et al. 2018, arXiv 1710.03641).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SamplingTerm {
    /// None.
    #[default]
    None,
    /// The return after adaptation.
    Plain,
    /// That return beyond the mean of the other tasks of the iteration: the same in the mean, with less noise.
    LeaveOneOut,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's interface")]
fn is_default_lambda(lambda: &f64) -> bool {
    *lambda == DICE_LAMBDA
}

/// The default of `maml.dice_lambda`: most of the cross terms at a fraction of their noise.
const DICE_LAMBDA: f64 = 0.9;

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
        let once = self.sampling_term == SamplingTerm::None || self.estimator == InnerEstimator::Score;
        check("maml.sampling_term", word(&self.sampling_term), once, TWICE)?;
        let steps = self.sampling_term == SamplingTerm::None || self.inner_steps > 0;
        check("maml.sampling_term", word(&self.sampling_term), steps, "none if maml.inner_steps = 0")
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
            estimator: InnerEstimator::default(),
            dice_lambda: DICE_LAMBDA,
            sampling_term: SamplingTerm::default(),
            learn_inner_lr: false,
            adapt_log_std: true,
            tasks_per_chunk: 0,
        }
    }
}

/// The reason why some estimators refuse the sampling term.
const TWICE: &str = "none unless maml.estimator = \"score\": the second derivatives of lvc and DiCE estimate the effect of the \
                     data already, which would count twice";

/// The word of a configuration file for `value`.
fn word<T: Serialize>(value: &T) -> String {
    toml::Value::try_from(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The outer loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PpoConfig {
    /// Adam's learning rate.
    pub outer_lr: f64,
    /// Passes over the experience of an iteration; MAML redoes the adaptation in each.
    pub outer_epochs: usize,
    /// Half width of the clipping range of the ratio of the new policy to the collecting one: 1 ± this.
    pub clip_eps: f64,
    /// Weight of KL(old meta-policy || meta-policy) on the states visited before adaptation.
    pub kl_coef: f64,
    /// Weight of the policy's entropy.
    pub ent_coef: f64,
    /// Euclidean norm to which a larger gradient is scaled down.
    pub max_grad_norm: f64,
    /// Discount factor.
    pub gamma: f64,
    /// Trace decay of the advantage estimate.
    pub gae_lambda: f64,
}

impl Default for PpoConfig {
    fn default() -> Self {
        PpoConfig {
            outer_lr: 1e-3,
            outer_epochs: 5,
            clip_eps: 0.2,
            kl_coef: 5e-4,
            ent_coef: 0.0,
            max_grad_norm: 0.5,
            gamma: 0.99,
            gae_lambda: 0.97,
        }
    }
}
