//! Gradients on the minibatches of plain PPO: many short passes over a few hundred samples of one network.

use super::{Ask, NativeBackend, data::Samples, head::Sums, pass::Loss, scalar::Scalar, task::Task};
use crate::{
    batch::Batch,
    objective::{ClippedLoss, ObjectiveStats},
};

/// Work space for one network's minibatches.
pub struct Minibatches<T>(Task<T>);

impl NativeBackend {
    /// Work space for minibatches of this backend's network.
    pub fn minibatches<T: Scalar>(&self) -> Minibatches<T> {
        Minibatches(Task::new(&self.layout, self.isa))
    }
}

impl<T: Scalar> Minibatches<T> {
    /// Gradient of PPO's clipped loss by the policy's parameters, `[num_params]`; `kl` and `inner_loss` stay 0.
    pub fn clipped(&mut self, params: &[T], batch: &Batch, loss: &ClippedLoss) -> (Vec<T>, ObjectiveStats) {
        let (gradient, sums) = self.gradient(params, &Samples::new(batch), Loss::Clipped(loss));
        let Sums { gain, entropy, outside, moved, .. } = sums;
        let loss = -gain - loss.ent_coef * entropy;
        let stats = ObjectiveStats { loss, entropy, clip_fraction: outside, approx_kl: moved, ..Default::default() };
        (gradient, stats)
    }

    /// Gradient of minus the mean log-likelihood of the actions of `batch`, each times its advantage, `[num_params]`; and
    /// that loss.
    pub fn likelihood(&mut self, params: &[T], batch: &Batch) -> (Vec<T>, f64) {
        let (gradient, sums) = self.gradient(params, &Samples::new(batch), Loss::Likelihood);
        (gradient, -sums.gain)
    }

    /// Gradient of half the mean squared error of a value network, `[num_params]`, and that loss; `obs` is `[samples,
    /// obs_dim]` and `target` `[samples]`.
    pub fn squared(&mut self, params: &[T], obs: &[f32], target: &[f32]) -> (Vec<T>, f64) {
        let (gradient, sums) = self.gradient(params, &Samples::of_values(obs, target), Loss::Squared);
        (gradient, sums.loss)
    }

    fn gradient(&mut self, params: &[T], data: &Samples<T>, loss: Loss<'_, T>) -> (Vec<T>, Sums) {
        let mut answer = Default::default();
        self.0.answer(Ask::Gradient { params, data, loss, answer: &mut answer });
        answer
    }
}
