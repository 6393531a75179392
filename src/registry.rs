//! The link between environments and learners: the shape of a policy for an environment.

use metadrift_agents::layout::{Head, Layout};
use metadrift_envs::{ActionSpace, EnvSpec, TaskSettings, obs_dim};

use crate::config::Experiment;

/// The policy network with hidden layers `hidden` for the observations of `spec` under `settings`: categorical for
/// indices, Gaussian for vectors.
pub fn layout(spec: &EnvSpec, settings: &TaskSettings, hidden: &[usize]) -> Layout {
    let head = match spec.action {
        ActionSpace::Discrete(n) => Head::Categorical(n),
        ActionSpace::Box { dim, .. } => Head::Gaussian(dim),
    };
    Layout::new(obs_dim(spec, settings), hidden, head)
}

/// The policy network of an experiment.
pub fn policy(config: &Experiment) -> Layout {
    layout(config.env().spec(), &config.task.settings(), &config.policy.hidden)
}
