//! What an iteration has to teach, and how it is dealt out.

use crate::{advantage::Fit, batch::Batch};

/// An iteration's experience, ready to learn from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lesson {
    /// Advantages as they were estimated: each minibatch normalises its own.
    pub batch: Batch,
    /// What the value network should answer, `[samples]`.
    pub target: Vec<f32>,
    /// Mean of the values it did answer, a value for each sample.
    pub value_mean: f64,
    /// How well these explain what was earned.
    pub fit: Fit,
    /// Standard deviation up to which advantages are rounding.
    pub noise: f64,
}

/// The samples `rows` as a batch of their own.
pub(super) fn deal(lesson: &Lesson, rows: &[u32], batch: &mut Batch) {
    let all = &lesson.batch;
    let act_dim = all.action.len() / all.len();
    deal_obs(lesson, rows, &mut batch.obs);
    batch.action.clear();
    batch.log_prob.clear();
    batch.advantage.clear();
    for row in rows.iter().map(|row| *row as usize) {
        batch.action.extend_from_slice(&all.action[row * act_dim..(row + 1) * act_dim]);
        batch.log_prob.push(all.log_prob[row]);
        batch.advantage.push(all.advantage[row]);
    }
}

pub(super) fn deal_obs(lesson: &Lesson, rows: &[u32], obs: &mut Vec<f32>) {
    let dim = lesson.batch.obs.len() / lesson.batch.len();
    obs.clear();
    rows.iter().for_each(|row| obs.extend_from_slice(&lesson.batch.obs[*row as usize * dim..][..dim]));
}

/// To mean 0 and standard deviation 1, the latter by the unbiased estimate; all to 0 if it is no larger than `noise`. One
/// value alone stays as it is.
pub(super) fn normalise(values: &mut [f32], noise: f64) {
    let count = values.len() as f64;
    if count < 2.0 {
        return;
    }
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / count;
    let squares = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>();
    let deviation = (squares / (count - 1.0)).sqrt();
    // what is not a number goes on and is found
    let scale = if deviation <= noise { 0.0 } else { 1.0 / deviation };
    values.iter_mut().for_each(|v| *v = ((f64::from(*v) - mean) * scale) as f32);
}
