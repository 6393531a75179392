//! The native kernels as a backend.

use super::{LifeGradients, Minibatches, NativeBackend, Prepared, PreparedLives};
use crate::{
    backend::{self, Backend, BackendChoice, LifeProblem, Problem},
    batch::{Batch, Lives, MetaBatch},
    layout::Layout,
    objective::{ClippedLoss, InnerLoss, LifeObjective, LifeStats, Objective, ObjectiveStats},
    params::Params,
};

impl Backend for NativeBackend {
    fn choice(&self) -> BackendChoice {
        BackendChoice::Native
    }

    fn layout(&self) -> &Layout {
        self.layout()
    }

    fn adapt(&self, inner: InnerLoss, params: &[Vec<f32>], rates: &[f32], support: &[Batch]) -> Vec<Vec<f32>> {
        self.adapt(inner, params, rates, support)
    }

    fn gradients(&self, inner: InnerLoss, params: &[Vec<f32>], support: &[Batch]) -> Vec<Vec<f32>> {
        self.gradients(inner, params, support)
    }

    fn problem<'a>(&'a self, theta: &[f32], data: &MetaBatch) -> Box<dyn Problem + 'a> {
        Box::new((self, self.prepare(theta, data)))
    }

    fn minibatches(&self) -> Box<dyn backend::Minibatches + '_> {
        Box::new(self.minibatches::<f32>())
    }

    fn lives(&self) -> Box<dyn LifeProblem> {
        Box::new((Vec::new(), LifeGradients::new(self.layout.clone(), self.threads)))
    }
}

impl LifeProblem for (Vec<PreparedLives<f32>>, LifeGradients<f32>) {
    fn prepare(&mut self, groups: &[Lives], stretch: usize) {
        self.0 = groups.iter().map(|lives| PreparedLives::new(lives, stretch)).collect();
    }

    fn gradient(&mut self, params: &[f32], minibatch: &[u32], objective: &LifeObjective) -> (Vec<f32>, LifeStats) {
        let lives: Vec<_> = minibatch.iter().map(|at| &self.0[*at as usize]).collect();
        self.1.gradient(params, &lives, objective)
    }
}

impl Problem for (&NativeBackend, Prepared<f32>) {
    fn gradient(&mut self, at: &Params, objective: &Objective) -> (Vec<f32>, ObjectiveStats) {
        let ([by_policy, by_rates, by_rule], stats) = self.0.meta_gradient_at(at.point(), &mut self.1, objective);
        ([by_policy, by_rule, by_rates].concat(), stats)
    }
}

impl backend::Minibatches for Minibatches<f32> {
    fn clipped(&mut self, params: &[f32], batch: &Batch, loss: &ClippedLoss) -> (Vec<f32>, ObjectiveStats) {
        self.clipped(params, batch, loss)
    }

    fn likelihood(&mut self, params: &[f32], batch: &Batch) -> (Vec<f32>, f64) {
        self.likelihood(params, batch)
    }

    fn squared(&mut self, params: &[f32], obs: &[f32], target: &[f32]) -> (Vec<f32>, f64) {
        self.squared(params, obs, target)
    }
}
