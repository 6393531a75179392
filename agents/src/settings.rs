//! The settings that every learner gets: the sections of a configuration that several learners share.

use serde::{Deserialize, Serialize};

use crate::{
    init::Init,
    inputs::Moments,
    layout::{Activation, Head, Layout},
};

mod choices;
mod maml;

pub(crate) use choices::is_default;
pub use choices::{BaselineChoice, InnerEstimator, Outer, Risk, SamplingTerm, Subset, UpdateRule};
pub use maml::{MAX_ADAPT_STEPS, MamlConfig};

/// The settings of a run as a learner sees them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Seed of every random number of the run.
    pub seed: u64,
    /// Number of planned iterations.
    pub iterations: u64,
    /// Environment steps after which training ends; 0 for no such limit.
    pub max_env_steps: u64,
    /// Time limit of an episode (steps).
    pub horizon: u32,
    /// Number of values in one observation without a window.
    pub obs_dim: usize,
    /// Number of the environment's channels.
    pub channels: usize,
    /// Examples of a task, if tasks are made of labelled examples rather than of episodes.
    pub examples: Option<Shots>,
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

    /// The planned length of the run.
    pub fn plan(&self) -> Plan {
        Plan { iterations: self.iterations, env_steps: self.max_env_steps }
    }

    /// Episodes that a lane runs in one phase, or with one task.
    pub fn episodes(&self) -> Episodes {
        match self.rollout.episodes_per_env {
            0 => Episodes::Endless,
            n => Episodes::Count(n),
        }
    }
}

/// The planned length of a run: it ends with the iteration in which the first of the two is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Number of iterations.
    pub iterations: u64,
    /// Number of environment steps; 0 for no such limit.
    pub env_steps: u64,
}

impl Plan {
    /// A plan of so many iterations.
    pub fn iterations(iterations: u64) -> Plan {
        Plan { iterations, env_steps: 0 }
    }

    /// The share of the run that is done after `iteration` iterations and `env_steps` environment steps, 0 to 1: learning
    /// rates that shrink towards the end follow it, so that they reach it whichever limit comes first.
    pub fn done(&self, iteration: u32, env_steps: u64) -> f64 {
        let by_iteration = f64::from(iteration) / self.iterations as f64;
        let by_steps = if self.env_steps == 0 { 0.0 } else { env_steps as f64 / self.env_steps as f64 };
        by_iteration.max(by_steps).min(1.0)
    }

    /// True if a run of that many iterations and environment steps is at its end.
    pub fn is_over(&self, iteration: u64, env_steps: u64) -> bool {
        iteration >= self.iterations || (self.env_steps > 0 && env_steps >= self.env_steps)
    }
}

/// Labelled examples of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shots {
    /// Number of examples that adaptation sees.
    pub support: usize,
    /// Number of other examples, on which the adapted network is judged.
    pub query: usize,
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

/// The activations by name; [`Activation`] itself belongs to a crate without dependencies.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Activation", rename_all = "kebab-case")]
enum ActivationName {
    Tanh,
    Relu,
}

/// The policy network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// The function between the layers, of the networks beside the policy, too.
    #[serde(skip_serializing_if = "is_default", with = "ActivationName")]
    pub activation: Activation,
    /// The distribution of the first weights, of the networks beside the policy, too.
    #[serde(skip_serializing_if = "is_default")]
    pub init: Init,
    /// The source of a Gaussian policy's log standard deviations.
    #[serde(skip_serializing_if = "is_default")]
    pub log_std: LogStd,
    /// Initial log standard deviation of a Gaussian policy, in units of the action bound.
    pub init_log_std: f32,
    /// True if the policy's observations are normalised.
    #[serde(skip_serializing_if = "is_default")]
    pub normalize_obs: bool,
    /// Number of the last transitions that the policy sees beside the observation.
    #[serde(skip_serializing_if = "is_default")]
    pub window: usize,
}

/// The source of a Gaussian policy's log standard deviations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogStd {
    /// Free parameters, the same for every state.
    #[default]
    Free,
    /// Outputs of the network.
    State,
}

impl PolicyConfig {
    /// Statistics of the observations of a policy of shape `layout`, if it normalises them.
    pub(crate) fn moments(&self, layout: &Layout) -> Option<Moments> {
        self.normalize_obs.then(|| Moments::new(layout.obs_dim()))
    }

    /// The head of a policy whose actions are those of `head`.
    pub fn head(&self, head: Head) -> Head {
        match (self.log_std, head) {
            (LogStd::State, Head::Gaussian(dim)) => Head::StateGaussian(dim),
            _ => head,
        }
    }
}

impl Default for PolicyConfig {
    fn default() -> Self {
        PolicyConfig {
            hidden: vec![64, 64],
            activation: Activation::default(),
            init: Init::default(),
            log_std: LogStd::default(),
            init_log_std: 0.0,
            normalize_obs: false,
            window: 0,
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_ends_at_the_nearer_of_its_limits() {
        let plan = Plan { iterations: 100, env_steps: 1000 };
        assert_eq!(
            [plan.done(0, 0), plan.done(10, 500), plan.done(90, 100), plan.done(50, 1200)],
            [0.0, 0.5, 0.9, 1.0]
        );
        assert!(plan.is_over(100, 0) && plan.is_over(1, 1000) && !plan.is_over(99, 999));
        let plan = Plan::iterations(4);
        assert_eq!(plan.done(1, u64::MAX), 0.25);
        assert!(!plan.is_over(3, u64::MAX));
    }
}
