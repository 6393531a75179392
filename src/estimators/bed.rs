//! The problems in the learner's own terms: a linear softmax policy over one-hot states, batches, and meta-gradients.

use metadrift_agents::{
    batch::{Batch, MetaBatch},
    layout::{Head, Layout},
    native::NativeBackend,
    objective::{ClippedLoss, InnerLoss, Objective, OuterLoss},
    params::Point,
    team::portable::Flat,
};

use super::problem::{Outcome, Problem};

/// An estimator of the meta-gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimator {
    /// The inner loss, whose second derivative enters.
    pub inner: InnerLoss,
    /// True if second derivatives are left out.
    pub first_order: bool,
    /// The sampling term.
    pub sampling: Sampling,
}

/// The sampling term of an estimator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// None.
    Absent,
    /// The return after adaptation.
    Plain,
    /// That return beyond the mean of the other replications.
    LeaveOneOut,
}

/// A problem with the kernels that work on it.
#[derive(Debug)]
pub struct Bed {
    /// The problem.
    pub problem: Problem,
    backend: NativeBackend,
}

/// One replication of an adaptation: the data of each step, and the adapted parameters, `[states]`.
#[derive(Clone, Debug)]
pub struct Replication {
    /// Batches of the steps.
    pub supports: Vec<Batch<f64>>,
    /// Parameters after the last step.
    pub adapted: Vec<f64>,
}

impl Bed {
    /// The bed of `problem` on `threads` threads.
    pub fn new(problem: Problem, threads: usize) -> Self {
        let layout = Layout::new(problem.theta.len(), &[], Head::Categorical(2));
        Bed { problem, backend: NativeBackend::new(layout, threads) }
    }

    /// Place of the parameter of `state` in the network: its weight to the second logit. All other parameters are 0.
    fn place(state: usize) -> usize {
        2 * state + 1
    }

    /// The network's parameters at `theta` `[states]`.
    fn network(&self, theta: &[f64]) -> Vec<f64> {
        let mut params = vec![0.0; self.backend.layout().num_params()];
        theta.iter().enumerate().for_each(|(state, theta)| params[Self::place(state)] = *theta);
        params
    }

    fn theta(params: &[f64], states: usize) -> Vec<f64> {
        (0..states).map(|state| params[Self::place(state)]).collect()
    }

    /// Step sizes for the mean over samples, of which an episode has several.
    fn rates(&self) -> Vec<f64> {
        let rate = self.problem.alpha * self.problem.steps() as f64;
        self.network(&vec![rate; self.problem.theta.len()])
    }

    /// The batch of episodes `outcomes`, collected by `theta`; `weights` scale the advantages of the episodes.
    pub fn batch<'a>(&self, theta: &[f64], outcomes: impl Iterator<Item = (&'a Outcome, f64)>) -> Batch<f64> {
        let mut batch = Batch::default();
        for (outcome, weight) in outcomes {
            for step in &outcome.steps {
                batch.obs.extend((0..theta.len()).map(|state| f32::from(u8::from(state == step.state))));
                batch.action.push(step.action as f32);
                batch.log_prob.push(step.log_prob(theta));
                batch.advantage.push(weight * step.to_go);
            }
            batch.episodes.push(outcome.steps.len() as u32);
        }
        batch
    }

    /// Parameters after a step from each of `thetas` on its batch.
    pub fn adapt(&self, inner: InnerLoss, thetas: &[Vec<f64>], support: &[Batch<f64>]) -> Vec<Vec<f64>> {
        let params: Vec<Vec<f64>> = thetas.iter().map(|theta| self.network(theta)).collect();
        let adapted = self.backend.adapt_wide(inner, &params, &self.rates(), support);
        adapted.iter().map(|params| Self::theta(params, self.problem.theta.len())).collect()
    }

    /// The data of which the outer loss has the exact gradient at `theta`: every episode, weighted by its probability.
    fn exact_query(&self, theta: &[f64]) -> Batch<f64> {
        let outcomes = &self.problem.outcomes;
        let samples = (outcomes.len() * self.problem.steps()) as f64;
        let weighted = outcomes.iter().map(|outcome| (outcome, samples * outcome.probability(theta)));
        self.batch(theta, weighted)
    }

    /// Estimates of the meta-gradient from `replications` if the return after adaptation counts beyond `baseline` `[
    /// replications]`, `[replications, states]`.
    pub fn estimates(&self, estimator: Estimator, replications: Vec<Replication>, baseline: &[f64]) -> Vec<Vec<f64>> {
        let query = replications.iter().map(|one| self.exact_query(&one.adapted)).collect();
        let credit = match estimator.sampling {
            Sampling::Absent => Vec::new(),
            _ => replications.iter().zip(baseline).map(|(one, b)| self.problem.value(&one.adapted) - b).collect(),
        };
        let steps = replications.first().map_or(0, |one| one.supports.len());
        let mut supports: Vec<Vec<Batch<f64>>> = vec![Vec::with_capacity(replications.len()); steps];
        for one in replications {
            supports.iter_mut().zip(one.supports).for_each(|(step, batch)| step.push(batch));
        }
        let objective = Objective {
            inner: estimator.inner,
            outer: OuterLoss::Clipped(ClippedLoss { clip_eps: f64::INFINITY, ent_coef: 0.0 }),
            kl_coef: 0.0,
            first_order: estimator.first_order,
            learn_rates: false,
        };
        let theta = self.network(&self.problem.theta);
        let data = MetaBatch { supports, query, weight: Vec::new(), credit };
        let at = Point { policy: &theta, rates: &self.rates(), rule: &[] };
        let gradients = self.backend.task_gradients_wide(at, &data, &objective);
        let states = self.problem.theta.len();
        // a loss is minus a return
        gradients
            .iter()
            .map(|([Flat(by_params), ..], _)| Self::theta(by_params, states).iter().map(|g| -g).collect())
            .collect()
    }
}
