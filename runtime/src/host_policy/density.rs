//! Log-probabilities of actions that were taken before.

use super::{HALF_LOG_TAU, HostPolicy};
use crate::{
    layout::{Head, LOG_STD},
    vector_math::{exp, ln},
};

impl HostPolicy {
    /// Writes the log-probabilities of `action` `[envs, act_dim]` to `log_prob` `[envs]`, by the head outputs `out`
    /// `[outputs, envs]`, as [`forward`](Self::forward) left them.
    pub fn log_probs(&self, out: &[f32], action: &[f32], log_prob: &mut [f32]) {
        let envs = log_prob.len();
        let at = |k: usize, env: usize| out[k * envs + env];
        for (env, (log_prob, action)) in log_prob.iter_mut().zip(action.chunks_exact(self.head.act_dim())).enumerate() {
            *log_prob = match self.head {
                Head::Categorical(count) => {
                    let most = (0..count).fold(f32::NEG_INFINITY, |most, k| most.max(at(k, env)));
                    let total: f32 = (0..count).map(|k| exp(at(k, env) - most)).sum();
                    at(action[0] as usize, env) - most - ln(total)
                }
                Head::Gaussian(dim) => (0..dim).map(|k| normal(action[k] - at(k, env), self.net.log_std[k])).sum(),
                Head::StateGaussian(dim) => {
                    let log_std = |k| at(dim + k, env).clamp(LOG_STD[0] as f32, LOG_STD[1] as f32);
                    (0..dim).map(|k| normal(action[k] - at(k, env), log_std(k))).sum()
                }
            };
        }
    }
}

/// Logarithm of the density of a normal variable at `distance` from its mean: the bits that a draw of the action had.
fn normal(distance: f32, log_std: f32) -> f32 {
    let z = distance * exp(-log_std);
    -0.5 * z * z - log_std - HALF_LOG_TAU
}
