//! The change that an adaptation makes to a policy.

use metadrift_agents::{
    host_policy::HostPolicy,
    layout::{Head, LOG_STD, Layout},
};

/// The Kullback-Leibler divergence of the policy `after` from the policy `before` (both `[num_params]`), the mean over
/// `obs` `[steps, obs_dim]` (nats): of all actions, not only those that were taken.
pub fn divergence(layout: &Layout, before: &[f32], after: &[f32], obs: &[f32]) -> f64 {
    let steps = obs.len() / layout.obs_dim();
    let outputs = |params: &[f32]| {
        let policy = HostPolicy::new(layout, params);
        let mut out = vec![0.0; steps * policy.outputs()];
        policy.forward(obs, &mut out, &mut policy.scratch());
        out
    };
    let (old, new) = (outputs(before), outputs(after));
    let free = |params: &[f32]| layout.log_std().map_or_else(Vec::new, |range| params[range].to_vec());
    let (old_std, new_std) = (free(before), free(after));
    let sum: f64 = (0..steps)
        .map(|step| {
            let at = |out: &[f32], k: usize| f64::from(out[k * steps + step]);
            match layout.head() {
                Head::Categorical(count) => {
                    categorical((0..count).map(|k| at(&old, k)).collect(), (0..count).map(|k| at(&new, k)).collect())
                }
                Head::Gaussian(dim) => {
                    (0..dim).map(|k| normal((at(&old, k), old_std[k].into()), (at(&new, k), new_std[k].into()))).sum()
                }
                Head::StateGaussian(dim) => {
                    let log_std = |out: &[f32], k| at(out, dim + k).clamp(LOG_STD[0], LOG_STD[1]);
                    (0..dim).map(|k| normal((at(&old, k), log_std(&old, k)), (at(&new, k), log_std(&new, k)))).sum()
                }
            }
        })
        .sum();
    sum / steps as f64
}

/// KL(softmax(old) || softmax(new)) of logits.
fn categorical(old: Vec<f64>, new: Vec<f64>) -> f64 {
    let log_softmax = |logits: &[f64]| {
        let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total = logits.iter().map(|logit| (logit - most).exp()).sum::<f64>().ln() + most;
        logits.iter().map(|logit| logit - total).collect::<Vec<f64>>()
    };
    log_softmax(&old).iter().zip(log_softmax(&new)).map(|(old, new)| old.exp() * (old - new)).sum()
}

/// KL of two normal distributions, given as (mean, logarithm of the standard deviation).
fn normal((mean, log_std): (f64, f64), (other, other_log_std): (f64, f64)) -> f64 {
    let ratio = (2.0 * (log_std - other_log_std)).exp();
    let distance = (mean - other) * (-other_log_std).exp();
    0.5 * (ratio + distance * distance - 1.0) - (log_std - other_log_std)
}

/// The Euclidean length of the way from the parameters `before` to `after`, `[num_params]`.
pub fn step_norm(before: &[f32], after: &[f32]) -> f64 {
    before.iter().zip(after).map(|(a, b)| (f64::from(*b) - f64::from(*a)).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divergences_are_those_by_hand() {
        // a policy without layers below the head: bias logits 0, 0 and ln 3, 0, so probabilities 1/2, 1/2 and 3/4, 1/4
        let layout = Layout::new(1, &[], Head::Categorical(2));
        let (even, odd) = (vec![0.0; 4], vec![0.0, 0.0, 3f32.ln(), 0.0]);
        let by_hand = 0.5 * (0.5f64 / 0.75).ln() + 0.5 * (0.5f64 / 0.25).ln();
        assert!((divergence(&layout, &even, &odd, &[0.3, -2.0]) - by_hand).abs() < 1e-6);
        // N(0, 1) and N(1, 2^2): ln 2 + (1 + 1) / 8 - 1/2
        let layout = Layout::new(1, &[], Head::Gaussian(1));
        let (unit, wide) = (vec![0.0; 3], vec![0.0, 1.0, 2f32.ln()]);
        let by_hand = 2f64.ln() + 2.0 / 8.0 - 0.5;
        assert!((divergence(&layout, &unit, &wide, &[0.3]) - by_hand).abs() < 1e-6);
        assert_eq!(divergence(&layout, &wide, &wide, &[0.3]), 0.0);
        assert_eq!(step_norm(&[1.0, 2.0], &[4.0, -2.0]), 5.0);
    }
}
