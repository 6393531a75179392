//! The policy as it is deployed: one path for training, evaluation and films.

use std::sync::Arc;

use crate::{
    advantage::Estimator,
    backend::{Backend, BackendChoice},
    batch::Batch,
    inner_rule::{Memory, Rule},
    layout::{CONTEXT, Layout},
    objective::InnerLoss,
    report::Diverged,
    rollout::Rollout,
    settings::{MamlConfig, Subset},
    source::Policies,
    threads::run_jobs,
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

/// An agent that takes one step down the inner loss on each phase, along its gradient or by a learned rule: the same routine
/// in training, evaluation and deployment.
#[derive(Clone, Debug)]
pub struct Adaptive {
    backend: Arc<dyn Backend>,
    inner: InnerLoss,
    estimator: Estimator,
    /// The policy before adaptation, `[num_params]`.
    start: Vec<f32>,
    /// Step size of each parameter, `[num_params]`.
    rates: Vec<f32>,
    /// Weights of a learned rule, `[update_rule::WEIGHTS]`; empty for gradient steps.
    rule: Vec<f32>,
    /// The policy of each task, `[tasks, num_params]`.
    adapted: Vec<Vec<f32>>,
    /// Memories of the learned rule, `[tasks]`.
    memories: Vec<Memory<f32>>,
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
        Adaptive {
            backend,
            inner,
            estimator,
            start,
            rates,
            rule: Vec::new(),
            adapted: Vec::new(),
            memories: Vec::new(),
        }
    }

    /// The same agent, whose steps are those of the learned rule `rule` `[update_rule::WEIGHTS]`; empty for gradient steps.
    pub fn with_rule(self, rule: Vec<f32>) -> Self {
        Adaptive { rule, ..self }
    }

    /// Takes one step per task on the task's batch; `support` is `[tasks]`.
    ///
    /// # Errors
    /// [`Diverged`] if an adapted parameter is not finite.
    pub fn step(&mut self, support: &[Batch]) -> Result<(), Diverged> {
        match Rule::new(self.backend.layout(), &self.rule) {
            None => self.adapted = self.backend.adapt(self.inner, &self.adapted, &self.rates, support),
            Some(rule) => {
                let gradients = self.backend.gradients(self.inner, &self.adapted, support);
                let jobs = self.adapted.iter_mut().zip(&mut self.memories).zip(&gradients).collect();
                run_jobs(jobs, self.estimator.threads, |((params, memory), gradient): StepJob<'_>| {
                    let direction = rule.direction(gradient, memory);
                    params.iter_mut().zip(&self.rates).zip(direction).for_each(|((p, rate), d)| *p -= rate * d);
                });
            }
        }
        for (task, params) in self.adapted.iter().enumerate() {
            Diverged::check(params, "an adapted parameter", || format!("task {task}"))?;
        }
        Ok(())
    }
}

/// Parameters and memory of a task, and its gradient.
type StepJob<'a> = ((&'a mut Vec<f32>, &'a mut Memory<f32>), &'a Vec<f32>);

impl Agent for Adaptive {
    fn begin(&mut self, tasks: usize) {
        self.adapted = vec![self.start.clone(); tasks];
        let remembered = if self.rule.is_empty() { 0 } else { tasks };
        self.memories = vec![Memory::new(self.start.len()); remembered];
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

/// True for every parameter of `layout` that adaptation changes, `[num_params]`.
pub fn adapting(layout: &Layout, maml: &MamlConfig) -> Vec<bool> {
    let last = format!("layer{}.", layout.num_layers() - 1);
    let mut adapts = vec![false; layout.num_params()];
    for block in layout.blocks() {
        let named = match maml.adapts {
            Subset::All => true,
            Subset::Head => block.name.starts_with(&last),
            Subset::Biases => block.name.ends_with(".bias"),
            Subset::Context => block.name == CONTEXT,
            Subset::LowRank => layout.factors().any(|factor| factor.name == block.name),
        };
        adapts[block.range.clone()].fill(named);
    }
    if let Some(log_std) = layout.log_std() {
        adapts[log_std].fill(maml.adapt_log_std);
    }
    if !maml.adapt_log_std {
        layout.log_std_outputs().into_iter().for_each(|at| adapts[at] = false);
    }
    adapts
}

/// The step sizes if every parameter that adapts has the step size `maml.inner_lr`, `[num_params]`; the others have 0.
pub fn even_rates(layout: &Layout, maml: &MamlConfig) -> Vec<f32> {
    adapting(layout, maml).into_iter().map(|adapts| if adapts { maml.inner_lr as f32 } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Head;

    #[test]
    fn subsets_are_the_parameters_that_they_name() {
        let layout = Layout::new(3, &[4], Head::Gaussian(2));
        let count = |adapts, adapt_log_std| {
            let maml = MamlConfig { adapts, adapt_log_std, ..MamlConfig::default() };
            adapting(&layout, &maml).into_iter().filter(|adapts| *adapts).count()
        };
        assert_eq!(count(Subset::All, false), 3 * 4 + 4 + 4 * 2 + 2);
        assert_eq!(count(Subset::Head, true), 4 * 2 + 2 + 2);
        assert_eq!(count(Subset::Biases, false), 4 + 2);
    }

    #[test]
    fn a_context_or_changes_of_low_rank_adapt_and_nothing_beside_them() {
        let plain = Layout::new(3, &[4], Head::Categorical(2));
        let names = |layout: &Layout, adapts| {
            let maml = MamlConfig { adapts, ..MamlConfig::default() };
            let moves = adapting(layout, &maml);
            let found = layout.blocks().iter().filter(|block| moves[block.range.clone()].iter().all(|moves| *moves));
            found.map(|block| block.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(&plain.clone().with_context(3), Subset::Context), ["context"]);
        let factors = ["layer0.left", "layer0.right", "layer1.left", "layer1.right"];
        assert_eq!(names(&plain.with_low_rank(2), Subset::LowRank), factors);
    }

    #[test]
    fn log_standard_deviations_that_are_outputs_stay_without_their_columns_of_the_last_layer() {
        let layout = Layout::new(1, &[2], Head::StateGaussian(1));
        let of =
            |adapts, adapt_log_std| adapting(&layout, &MamlConfig { adapts, adapt_log_std, ..MamlConfig::default() });
        // two weights and biases of the hidden layer; rows (mean, log-std) for each unit; their biases
        let (yes, no) = (true, false);
        assert_eq!(of(Subset::All, no), [yes, yes, yes, yes, yes, no, yes, no, yes, no]);
        assert_eq!(of(Subset::All, yes), [yes; 10]);
        assert_eq!(of(Subset::Head, no), [no, no, no, no, yes, no, yes, no, yes, no]);
        assert_eq!(of(Subset::Biases, yes), [no, no, yes, yes, no, no, no, no, yes, yes]);
        // the columns of the last right factor, [1, 2], behind the 10 and the factors [1, 1], [1, 2], [2, 1]
        let products = layout.with_low_rank(1);
        let maml = MamlConfig { adapts: Subset::LowRank, adapt_log_std: no, ..MamlConfig::default() };
        assert_eq!(adapting(&products, &maml)[10..], [yes, yes, yes, yes, yes, yes, no]);
    }
}
