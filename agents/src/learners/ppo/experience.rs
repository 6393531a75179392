//! An iteration's experience with advantages and targets, and minibatches of it.

use super::{Ppo, scale::ReturnScale};
use crate::{
    advantage::{Fit, gae, informative, rounding},
    batch::{Batch, Trajectories},
    settings::PpoConfig,
    value::Values,
};

/// An iteration's experience, ready to learn from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Experience {
    /// The samples; advantages are not normalised, since each minibatch normalises its own.
    pub batch: Batch,
    /// Targets of the value network, in the unit of its answers, `[samples]`.
    pub target: Vec<f32>,
    /// Mean of the network's values over the samples, in the rewards' unit.
    pub value_mean: f64,
    /// Agreement of these values with the rewards earned.
    pub fit: Fit,
    /// Standard deviation up to which advantages are rounding.
    pub noise: f64,
}

impl Ppo {
    /// Adds advantages and targets of `data`, all of whose steps must be valid, to `experience`. If every action earned
    /// the same, the advantages are 0: the errors of the value network are no advantages.
    pub fn prepare(&self, data: &Trajectories<'_>, experience: &mut Experience) {
        let unit = self.unit();
        let (value, next_value) = Values::new(&self.value, self.normalizer(), unit).of(data, &[]);
        let PpoConfig { gamma, gae_lambda, .. } = self.ppo;
        let advantage = gae(data, &value, &next_value, gamma, gae_lambda);
        let told = if informative(data) { 1.0 } else { 0.0 };
        let before = experience.batch.len() as f64;
        let sum = experience.value_mean * before + value.iter().sum::<f64>();
        experience.value_mean = sum / (before + value.len() as f64);
        experience.fit.add(data, &value, gamma);
        experience.noise = experience.noise.max(rounding(data, gamma, gae_lambda));
        experience.batch.obs.extend_from_slice(data.obs);
        experience.batch.action.extend_from_slice(data.action);
        experience.batch.log_prob.extend_from_slice(data.log_prob);
        experience.batch.advantage.extend(advantage.iter().map(|a| (*a * told) as f32));
        experience.target.extend(advantage.iter().zip(&value).map(|(a, v)| ((a + v) * unit) as f32));
    }

    /// The value network's answer to a state whose value is 1 in the rewards' own unit. A value in divided rewards is the
    /// value divided likewise, and a minibatch normalises its advantages, so that rewards themselves need no division.
    fn unit(&self) -> f64 {
        self.scale.as_ref().and_then(ReturnScale::unit).unwrap_or(1.0 - self.ppo.gamma)
    }
}

/// Copies the samples `rows` to `batch`.
pub(super) fn minibatch(experience: &Experience, rows: &[u32], batch: &mut Batch) {
    let all = &experience.batch;
    let act_dim = all.action.len() / all.len();
    minibatch_obs(experience, rows, &mut batch.obs);
    batch.action.clear();
    batch.log_prob.clear();
    batch.advantage.clear();
    for row in rows.iter().map(|row| *row as usize) {
        batch.action.extend_from_slice(&all.action[row * act_dim..(row + 1) * act_dim]);
        batch.log_prob.push(all.log_prob[row]);
        batch.advantage.push(all.advantage[row]);
    }
}

pub(super) fn minibatch_obs(experience: &Experience, rows: &[u32], obs: &mut Vec<f32>) {
    let dim = experience.batch.obs.len() / experience.batch.len();
    obs.clear();
    rows.iter().for_each(|row| obs.extend_from_slice(&experience.batch.obs[*row as usize * dim..][..dim]));
}

/// Normalises `values` to mean 0 and standard deviation 1 (by the unbiased estimate), or to 0 if the standard deviation
/// is no larger than `noise`. A single value stays as it is.
pub(super) fn normalise(values: &mut [f32], noise: f64) {
    let count = values.len() as f64;
    if count < 2.0 {
        return;
    }
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / count;
    let squares = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>();
    let deviation = (squares / (count - 1.0)).sqrt();
    // NaN goes through, so that it is found later
    let scale = if deviation <= noise { 0.0 } else { 1.0 / deviation };
    values.iter_mut().for_each(|v| *v = ((f64::from(*v) - mean) * scale) as f32);
}
