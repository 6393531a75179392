//! The link between environments and learners: the shape of a policy for an environment.

use metadrift_agents::layout::{Head, Layout};
use metadrift_envs::{ActionSpace, EnvSpec, TaskSettings, obs_dim};

use crate::{config::Experiment, rollout::window};

/// The head of a policy for `spec`: categorical for indices, Gaussian for vectors.
pub fn head(spec: &EnvSpec) -> Head {
    match spec.action {
        ActionSpace::Discrete(n) => Head::Categorical(n),
        ActionSpace::Box { dim, .. } => Head::Gaussian(dim),
    }
}

/// An MLP policy with hidden layers `hidden` for the observations of `spec` under `settings`.
pub fn layout(spec: &EnvSpec, settings: &TaskSettings, hidden: &[usize]) -> Layout {
    Layout::new(obs_dim(spec, settings), hidden, head(spec))
}

/// The policy network of an experiment, as its learner lays it out.
pub fn policy(config: &Experiment) -> Layout {
    let (settings, window) = (config.settings(), config.policy.window);
    let beside = if config.family().is_some() { 0 } else { window::width(config.env().spec(), window) };
    (config.learner.layout)(settings, settings.obs_dim + beside, config.head()).looking_back(window)
}

/// Length of the observations without a window.
pub fn own_obs_dim(config: &Experiment) -> usize {
    obs_dim(config.env().spec(), &config.task.settings())
}
