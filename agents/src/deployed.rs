//! A policy on its way out of the program: the parts that the crate `metadrift-runtime` acts and adapts by.

use crate::{layout::Layout, objective::InnerLoss};

/// The policy of an agent before adaptation, and its way of adapting.
#[derive(Clone, Debug)]
pub struct Deployed {
    /// Shape of the network, with the normaliser of its observations.
    pub layout: Layout,
    /// Parameters before adaptation, `[num_params]`.
    pub params: Vec<f32>,
    /// Its gradient steps, if it takes any.
    pub descent: Option<Descent>,
}

/// A way of adapting by gradient steps.
#[derive(Clone, Debug)]
pub struct Descent {
    /// The loss whose gradient is taken.
    pub loss: InnerLoss,
    /// Discount factor.
    pub gamma: f64,
    /// Trace decay of the advantages.
    pub gae_lambda: f64,
    /// Step size of each parameter, `[num_params]`.
    pub rates: Vec<f32>,
}

/// The reason why a policy stays in the program, in words that go on behind "the policy cannot be exported: ".
#[derive(Clone, Debug, thiserror::Error)]
#[error("the policy cannot be exported: {0}")]
pub struct NotDeployed(pub &'static str);
