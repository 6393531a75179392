//! Advantages as learners estimate them: by the linear baseline or by a value network.

pub use metadrift_runtime::advantage::{Estimate, Fit, gae, informative, prepare, rounding};
use metadrift_runtime::advantage::{prepare_from, prepare_own};

use crate::{
    batch::{Batch, Trajectories},
    settings::PpoConfig,
    value::Values,
};

/// The estimator of advantages, and the threads it runs on.
#[derive(Clone, Copy, Debug)]
pub struct Estimator {
    /// Discount factor.
    pub gamma: f64,
    /// Trace decay lambda.
    pub gae_lambda: f64,
    /// Number of threads.
    pub threads: usize,
}

impl Estimator {
    /// The estimator that `[ppo]` asks for.
    pub fn new(ppo: &PpoConfig, threads: usize) -> Self {
        Estimator { gamma: ppo.gamma, gae_lambda: ppo.gae_lambda, threads }
    }
}

/// [`prepare`] by the values of a network, if there is one, for a policy that has the given share of its adaptation behind
/// it. The samples then get targets to learn from, too: discounted returns, with the value of the last observation where a
/// time limit or the end of the data cut an episode. Otherwise for observations of which only the first `own_obs` numbers are
/// the environment's own, see [`LinearBaseline::fit_own`](crate::baseline::LinearBaseline::fit_own).
pub fn prepare_by(
    network: Option<(&Values, f32)>,
    data: &Trajectories<'_>,
    own_obs: usize,
    gamma: f64,
    gae_lambda: f64,
) -> (Batch, Estimate) {
    let Some((network, adapted)) = network else { return prepare_own(data, own_obs, gamma, gae_lambda) };
    let (value, next_value) = network.of(data, &[adapted]);
    let (batch, estimate) = prepare_from(data, &value, &next_value, gamma, gae_lambda);
    // with lambda = 1 an advantage is the return beyond the value
    let beyond = gae(data, &value, &next_value, gamma, 1.0);
    let target = data.rows().map(|at| (beyond[at] + value[at]) as f32).collect();
    (Batch { target, adapted, ..batch }, estimate)
}
