//! One task's samples in the precision of the computation.

use super::scalar::Scalar;
use crate::batch::Batch;

/// The columns of a [`Batch`].
#[derive(Debug)]
pub(super) struct Samples<T> {
    /// Number of samples.
    pub len: usize,
    /// `[samples, obs_dim]`
    pub obs: Vec<T>,
    /// `[samples, act_dim]`; indices for a categorical head.
    pub action: Vec<f32>,
    /// `[samples]`
    pub log_prob: Vec<T>,
    /// `[samples]`
    pub advantage: Vec<T>,
    /// One over the number of samples: a weighted sum is a mean.
    pub weight: T,
}

impl<T: Scalar> Samples<T> {
    pub fn new(batch: &Batch) -> Self {
        let column = |values: &[f32]| values.iter().map(|v| T::of_f32(*v)).collect();
        Samples {
            len: batch.len(),
            obs: column(&batch.obs),
            action: batch.action.clone(),
            log_prob: column(&batch.log_prob),
            advantage: column(&batch.advantage),
            weight: T::of(1.0 / batch.len() as f64),
        }
    }
}
