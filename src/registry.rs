//! Where environments and learners meet: the shape of a policy for an environment.

use metadrift_agents::layout::{Head, Layout};
use metadrift_envs::{ActionSpace, EnvSpec};

/// A policy network with these hidden layers for `spec`: categorical for indices, Gaussian for vectors.
pub fn layout(spec: &EnvSpec, hidden: &[usize]) -> Layout {
    let head = match spec.action {
        ActionSpace::Discrete(n) => Head::Categorical(n),
        ActionSpace::Box { dim, .. } => Head::Gaussian(dim),
    };
    Layout::new(spec.obs_dim(), hidden, head)
}
