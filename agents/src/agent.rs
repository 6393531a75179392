//! The policy as it is deployed: one path for training, evaluation and films.

use std::sync::Arc;

use crate::{
    advantage::Estimator,
    backend::{Backend, BackendChoice},
    batch::Batch,
    layout::Layout,
    objective::InnerLoss,
    report::Diverged,
    rollout::Rollout,
    source::Policies,
};

/// The means by which an agent adapts to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adapts {
    /// By gradient steps between the phases of a life.
    ByGradient,
    /// By its memory or its window, while it acts.
    ByMemory,
}

/// A policy for each of several tasks, and its way of adapting to them.
pub trait Agent: Send {
    /// Forgets what it has adapted to and takes up `tasks` new tasks.
    fn begin(&mut self, tasks: usize);

    /// The policies as they are now, one for each task.
    fn policies(&self) -> Policies<'_>;

    /// Adapts to the phase that the policies have just lived through.
    ///
    /// # Errors
    /// If an adapted parameter is not finite.
    fn adapt(&mut self, seen: &Rollout) -> Result<(), Diverged>;

    /// The means by which it adapts.
    fn adapts(&self) -> Adapts;

    /// The arithmetic that it computes by.
    fn computes_by(&self) -> BackendChoice;

    /// A copy in the same state.
    fn duplicate(&self) -> Box<dyn Agent>;
}

/// An agent that takes one gradient step of the inner loss on each phase: the same routine in training, evaluation and
/// deployment.
#[derive(Clone, Debug)]
pub struct Adaptive {
    backend: Arc<dyn Backend>,
    inner: InnerLoss,
    estimator: Estimator,
    /// The policy before adaptation, `[num_params]`.
    start: Vec<f32>,
    /// Step size of each parameter, `[num_params]`.
    rates: Vec<f32>,
    /// The policy of each task, `[tasks, num_params]`.
    adapted: Vec<Vec<f32>>,
}

impl Adaptive {
    /// An agent without tasks at `start` that descends `inner` with step sizes `rates`; both are `[num_params]`.
    pub fn new(
        backend: Arc<dyn Backend>,
        inner: InnerLoss,
        estimator: Estimator,
        start: Vec<f32>,
        rates: Vec<f32>,
    ) -> Self {
        Adaptive { backend, inner, estimator, start, rates, adapted: Vec::new() }
    }

    /// Takes one gradient step per task on the task's batch; `support` is `[tasks]`.
    ///
    /// # Errors
    /// [`Diverged`] if an adapted parameter is not finite.
    pub fn step(&mut self, support: &[Batch]) -> Result<(), Diverged> {
        self.adapted = self.backend.adapt(self.inner, &self.adapted, &self.rates, support);
        for (task, params) in self.adapted.iter().enumerate() {
            Diverged::check(params, "an adapted parameter", || format!("task {task}"))?;
        }
        Ok(())
    }
}

impl Agent for Adaptive {
    fn begin(&mut self, tasks: usize) {
        self.adapted = vec![self.start.clone(); tasks];
    }

    fn policies(&self) -> Policies<'_> {
        Policies { layout: self.backend.layout(), params: &self.adapted }
    }

    fn adapt(&mut self, seen: &Rollout) -> Result<(), Diverged> {
        let (support, _) = seen.batches(self.estimator);
        self.step(&support)
    }

    fn adapts(&self) -> Adapts {
        Adapts::ByGradient
    }

    fn computes_by(&self) -> BackendChoice {
        self.backend.choice()
    }

    fn duplicate(&self) -> Box<dyn Agent> {
        Box::new(self.clone())
    }
}

/// A policy that adapts while it acts, the same for every task: by a memory, which belongs to the lanes that it acts for, or
/// by the last transitions, which it sees.
#[derive(Clone, Debug)]
pub struct Remembering {
    layout: Layout,
    /// `[tasks][num_params]`, all equal.
    params: Vec<Vec<f32>>,
    start: Vec<f32>,
}

impl Remembering {
    /// The policy `params` `[num_params]`, without tasks.
    pub fn new(layout: Layout, params: Vec<f32>) -> Self {
        Remembering { layout, params: Vec::new(), start: params }
    }
}

impl Agent for Remembering {
    fn begin(&mut self, tasks: usize) {
        self.params = vec![self.start.clone(); tasks];
    }

    fn policies(&self) -> Policies<'_> {
        Policies { layout: &self.layout, params: &self.params }
    }

    /// Nothing: it has adapted while it acted.
    fn adapt(&mut self, _seen: &Rollout) -> Result<(), Diverged> {
        Ok(())
    }

    fn adapts(&self) -> Adapts {
        Adapts::ByMemory
    }

    fn computes_by(&self) -> BackendChoice {
        BackendChoice::Native
    }

    fn duplicate(&self) -> Box<dyn Agent> {
        Box::new(self.clone())
    }
}

/// The step sizes if every parameter has the step size `rate`, `[num_params]`; the exploration noise has 0 unless it
/// adapts.
pub fn even_rates(layout: &Layout, rate: f64, adapt_log_std: bool) -> Vec<f32> {
    let mut rates = vec![rate as f32; layout.num_params()];
    if let (Some(log_std), false) = (layout.log_std(), adapt_log_std) {
        rates[log_std].fill(0.0);
    }
    rates
}
