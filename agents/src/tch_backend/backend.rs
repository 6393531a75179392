//! libtorch as a backend.

use super::{TchBackend, Uploaded, UploadedLives};
use crate::{
    backend::{Backend, BackendChoice, LifeProblem, Minibatches, Problem},
    batch::{Batch, Lives, MetaBatch},
    layout::Layout,
    objective::{ClippedLoss, InnerLoss, LifeObjective, LifeStats, Objective, ObjectiveStats},
    params::Params,
};

impl Backend for TchBackend {
    fn choice(&self) -> BackendChoice {
        BackendChoice::Tch
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
        Box::new((self, self.upload(theta, data)))
    }

    fn minibatches(&self) -> Box<dyn Minibatches + '_> {
        Box::new(self)
    }

    fn lives(&self) -> Box<dyn LifeProblem> {
        Box::new((self.clone(), Vec::new()))
    }
}

impl LifeProblem for (TchBackend, Vec<UploadedLives>) {
    fn prepare(&mut self, groups: &[Lives], stretch: usize) {
        self.1 = groups.iter().map(|lives| self.0.upload_lives(lives, stretch)).collect();
    }

    fn gradient(&mut self, params: &[f32], minibatch: &[u32], objective: &LifeObjective) -> (Vec<f32>, LifeStats) {
        let lives: Vec<_> = minibatch.iter().map(|at| &self.1[*at as usize]).collect();
        self.0.life_gradient(params, &lives, objective)
    }
}

impl Problem for (&TchBackend, Uploaded) {
    fn gradient(&mut self, at: &Params, objective: &Objective) -> (Vec<f32>, ObjectiveStats) {
        let ([by_policy, by_rates, by_rule], stats) = self.0.meta_gradient_at(at.point(), &mut self.1, objective);
        ([by_policy, by_rule, by_rates].concat(), stats)
    }
}

impl Minibatches for &TchBackend {
    fn clipped(&mut self, params: &[f32], batch: &Batch, loss: &ClippedLoss) -> (Vec<f32>, ObjectiveStats) {
        TchBackend::clipped(self, params, batch, loss)
    }

    fn likelihood(&mut self, params: &[f32], batch: &Batch) -> (Vec<f32>, f64) {
        TchBackend::likelihood(self, params, batch)
    }

    fn squared(&mut self, params: &[f32], obs: &[f32], target: &[f32]) -> (Vec<f32>, f64) {
        TchBackend::squared(self, params, obs, target)
    }
}
