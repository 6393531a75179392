//! The normaliser of a policy's inputs.

use crate::prelude::*;

/// Shift and factor of every number of an observation, as they stand at some time: (x - mean) / sqrt(variance + 1e-8).
#[derive(Clone, Debug, PartialEq)]
pub struct Normalizer {
    mean: Vec<f32>,
    factor: Vec<f32>,
}

impl Normalizer {
    /// The normaliser with that shift and factor of each number, both `[obs_dim]`.
    ///
    /// # Panics
    /// If their lengths differ.
    pub fn new(mean: Vec<f32>, factor: Vec<f32>) -> Self {
        assert_eq!(mean.len(), factor.len(), "shift and factor belong to different observations");
        Normalizer { mean, factor }
    }

    /// Shift and factor of each number, both `[obs_dim]`.
    pub fn numbers(&self) -> [&[f32]; 2] {
        [&self.mean, &self.factor]
    }

    /// Normalises `obs` `[samples, obs_dim]`.
    pub fn apply(&self, obs: &mut [f32]) {
        for obs in obs.chunks_exact_mut(self.mean.len()) {
            for ((x, mean), factor) in obs.iter_mut().zip(&self.mean).zip(&self.factor) {
                *x = (*x - mean) * factor;
            }
        }
    }
}
