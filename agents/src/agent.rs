//! The policy as it is deployed: one path for training, evaluation and films.

mod progress;
mod remembering;

use std::sync::Arc;

use crate::{
    advantage::{Estimate, Estimator},
    backend::{Backend, BackendChoice},
    batch::Batch,
    deployed::{Deployed, Descent, NotDeployed},
    inner_rule::{Memory, Rule},
    inputs::Normalizer,
    layout::{CONTEXT, Layout},
    objective::InnerLoss,
    report::Diverged,
    rollout::Rollout,
    settings::{MamlConfig, Subset},
    source::Policies,
    state::{Misfit, State},
    threads::run_jobs,
    value::Values,
};

use progress::Progress;
pub use progress::is_adapted;
pub use remembering::Remembering;

/// The means by which an agent adapts to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adapts {
    /// By gradient steps between the phases of a life.
    ByGradient,
    /// By its memory or its window, while it acts.
    ByMemory,
    /// By the examples of one phase, at once: to see them again changes nothing.
    AtOnce,
}

impl Adapts {
    /// The number of adaptation steps out of `asked` ones after which the policy changes no more.
    pub fn steps(self, asked: usize) -> usize {
        match self {
            Adapts::ByGradient => asked,
            Adapts::AtOnce => asked.min(1),
            // it adapts before the eyes of the beholder
            Adapts::ByMemory => 0,
        }
    }
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

    /// Takes the policies back towards those before adaptation, by `share` of the way: all of it forgets the adaptation.
    /// Policies that take no gradient steps have no way to go.
    fn return_by(&mut self, share: f32);

    /// The means by which it adapts.
    fn adapts(&self) -> Adapts;

    /// The arithmetic that it computes by.
    fn computes_by(&self) -> BackendChoice;

    /// The policy before it adapts to any task, for a runtime outside of the program.
    ///
    /// # Errors
    /// In words, what such a runtime does not have.
    fn deployed(&self) -> Result<Deployed, NotDeployed> {
        Err(NotDeployed("this learner's policies need the whole program"))
    }

    /// A copy in the same state.
    fn duplicate(&self) -> Box<dyn Agent>;

    /// Stores the point that the adaptation to the first task has come to, for [`Agent::go_on`]. Policies that take no
    /// gradient steps have come nowhere.
    fn keep(&self, _state: &mut State) {}

    /// Begins every task from now on at the point that [`Agent::keep`] stored in `state`; a state without one changes
    /// nothing.
    ///
    /// # Errors
    /// If the point belongs to another policy.
    fn go_on(&mut self, _state: &State) -> Result<(), Misfit> {
        Ok(())
    }
}

/// An agent that takes one step down the inner loss on each phase, along its gradient or by a learned rule: the same routine
/// in training, evaluation and deployment.
#[derive(Clone, Debug)]
pub struct Adaptive {
    backend: Arc<dyn Backend>,
    /// Shape of the policy, with the normaliser of its observations.
    layout: Layout,
    inner: InnerLoss,
    estimator: Estimator,
    /// The values that advantages are measured from, if they are a network's and not a linear baseline's, and the number of
    /// steps of a whole adaptation.
    values: Option<(Arc<Values>, usize)>,
    /// Number of steps from the start that each policy has taken.
    taken: usize,
    /// The policy before adaptation, `[num_params]`.
    start: Vec<f32>,
    /// The point that tasks begin at, if it is not `start`.
    from: Option<Progress>,
    /// Step size of each parameter, `[num_params]`.
    rates: Vec<f32>,
    /// Weights of a learned rule, `[update_rule::WEIGHTS]`; empty for gradient steps.
    rule: Vec<f32>,
    /// The policy of each task, `[tasks, num_params]`.
    adapted: Vec<Vec<f32>>,
    /// Memories of the learned rule, `[tasks]`.
    memories: Vec<Memory<f32>>,
    /// Number of steps of an adaptation that begins at `start`; without it, an adaptation is one step from where the policy
    /// is.
    anchored: Option<usize>,
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
        let layout = backend.layout().clone();
        Adaptive {
            backend,
            layout,
            inner,
            estimator,
            values: None,
            taken: 0,
            start,
            from: None,
            rates,
            rule: Vec::new(),
            adapted: Vec::new(),
            memories: Vec::new(),
            anchored: None,
        }
    }

    /// The same agent, whose steps are those of the learned rule `rule` `[update_rule::WEIGHTS]`; empty for gradient steps.
    pub fn with_rule(self, rule: Vec<f32>) -> Self {
        Adaptive { rule, ..self }
    }

    /// The same agent, whose advantages are measured from `values` instead of a linear baseline; a whole adaptation has
    /// `steps` steps.
    pub fn valuing(self, values: Option<Arc<Values>>, steps: usize) -> Self {
        Adaptive { values: values.map(|values| (values, steps)), ..self }
    }

    /// The same agent, which normalises its observations.
    pub fn normalizing(self, inputs: Option<Arc<Normalizer>>) -> Self {
        Adaptive { layout: self.layout.normalizing(inputs), ..self }
    }

    /// The same agent, each adaptation of which takes `steps` steps from the start. Data that another policy has collected
    /// need an inner loss with the likelihood ratio.
    pub fn anchored(self, steps: usize) -> Self {
        Adaptive { anchored: Some(steps), ..self }
    }

    /// The tasks' data as adaptation sees them, `[tasks]`, and the summary of the baselines.
    pub fn prepare(&self, seen: &Rollout) -> (Vec<Batch>, Option<Estimate>) {
        let adapted = |steps: usize| self.taken.min(steps) as f32 / steps.max(1) as f32;
        let values = self.values.as_ref().map(|(values, steps)| (&**values, adapted(*steps)));
        let (mut batches, estimate) = seen.batches(self.estimator, values);
        if let Some(normalizer) = self.layout.normalizer() {
            batches.iter_mut().for_each(|batch| normalizer.apply(&mut batch.obs));
        }
        (batches, estimate)
    }

    /// Takes one step per task on the task's batch, or those of an anchored agent; `support` is `[tasks]`.
    ///
    /// # Errors
    /// [`Diverged`] if an adapted parameter is not finite.
    pub fn step(&mut self, support: &[Batch]) -> Result<(), Diverged> {
        if self.anchored.is_some() {
            self.begin_at(None, support.len());
        }
        for _ in 0..self.anchored.unwrap_or(1) {
            self.step_on(support);
        }
        for (task, params) in self.adapted.iter().enumerate() {
            Diverged::check(params, "an adapted parameter", || format!("task {task}"))?;
        }
        Ok(())
    }

    /// Takes up `tasks` tasks at `point`, or at the start.
    fn begin_at(&mut self, point: Option<Progress>, tasks: usize) {
        let Progress { params, memory, taken } = point.unwrap_or_else(|| Progress::none(&self.start, &self.rule));
        self.adapted = vec![params; tasks];
        self.memories = memory.map_or_else(Vec::new, |memory| vec![memory; tasks]);
        self.taken = taken;
    }

    fn step_on(&mut self, support: &[Batch]) {
        self.taken += 1;
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
    }
}

/// Parameters and memory of a task, and its gradient.
type StepJob<'a> = ((&'a mut Vec<f32>, &'a mut Memory<f32>), &'a Vec<f32>);

impl Agent for Adaptive {
    fn begin(&mut self, tasks: usize) {
        self.begin_at(self.from.clone(), tasks);
    }

    fn policies(&self) -> Policies<'_> {
        Policies { layout: &self.layout, params: &self.adapted }
    }

    fn adapt(&mut self, seen: &Rollout) -> Result<(), Diverged> {
        let (support, _) = self.prepare(seen);
        self.step(&support)
    }

    /// A learned rule keeps its memory as long as something of the adaptation is left.
    fn return_by(&mut self, share: f32) {
        if share >= 1.0 {
            return self.begin(self.adapted.len());
        }
        let start = self.from.as_ref().map_or(&self.start, |from| &from.params);
        for params in &mut self.adapted {
            params.iter_mut().zip(start).for_each(|(param, start)| *param += share * (start - *param));
        }
    }

    fn adapts(&self) -> Adapts {
        Adapts::ByGradient
    }

    fn computes_by(&self) -> BackendChoice {
        self.backend.choice()
    }

    fn deployed(&self) -> Result<Deployed, NotDeployed> {
        if !self.rule.is_empty() {
            return Err(NotDeployed("its steps of adaptation follow a learned rule (maml.update_rule = \"learned\")"));
        }
        if self.values.is_some() {
            return Err(NotDeployed("it adapts by a value network (maml.baseline = \"network\")"));
        }
        if self.anchored.is_some() {
            return Err(NotDeployed(
                "its steps of adaptation all begin at the trained policy, and weigh what later ones did",
            ));
        }
        let (loss, Estimator { gamma, gae_lambda, .. }) = (self.inner, self.estimator);
        let descent = Some(Descent { loss, gamma, gae_lambda, rates: self.rates.clone() });
        let params = self.from.as_ref().map_or(&self.start, |from| &from.params).clone();
        Ok(Deployed { layout: self.layout.clone(), params, descent })
    }

    fn duplicate(&self) -> Box<dyn Agent> {
        Box::new(self.clone())
    }

    fn keep(&self, state: &mut State) {
        let memory = self.memories.first().cloned();
        Progress { params: self.adapted[0].clone(), memory, taken: self.taken }.save(state);
    }

    fn go_on(&mut self, state: &State) -> Result<(), Misfit> {
        self.from = Progress::loaded(state, self.start.len(), !self.rule.is_empty())?;
        Ok(())
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
mod tests;
