//! The policy as it is deployed: one path for training, evaluation and films.

use std::sync::Arc;

use crate::{
    advantage::Estimate,
    advantage::Estimator,
    backend::{Backend, BackendChoice},
    batch::Batch,
    inner_rule::{Memory, Rule},
    inputs::Normalizer,
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
    /// Shape of the policy, with the normaliser of its observations.
    layout: Layout,
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
            start,
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
        let (mut batches, estimate) = seen.batches(self.estimator);
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
            self.begin(support.len());
        }
        for _ in 0..self.anchored.unwrap_or(1) {
            self.step_on(support);
        }
        for (task, params) in self.adapted.iter().enumerate() {
            Diverged::check(params, "an adapted parameter", || format!("task {task}"))?;
        }
        Ok(())
    }

    fn step_on(&mut self, support: &[Batch]) {
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
        self.adapted = vec![self.start.clone(); tasks];
        let remembered = if self.rule.is_empty() { 0 } else { tasks };
        self.memories = vec![Memory::new(self.start.len()); remembered];
    }

    fn policies(&self) -> Policies<'_> {
        Policies { layout: &self.layout, params: &self.adapted }
    }

    fn adapt(&mut self, seen: &Rollout) -> Result<(), Diverged> {
        let (support, _) = self.prepare(seen);
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

    /// Three of four actions are the first one under the policy that collected the data, one of two under the start. The
    /// gradient of the expected advantage at the start is 1/2 x 1 x (1 - 1/2) = 1/4 by the first logit; without the weights it
    /// would be 3/4 x 1/2.
    #[test]
    fn data_of_an_adapted_policy_count_as_often_as_the_start_would_have_them() {
        let layout = Layout::new(1, &[], Head::Categorical(2));
        let backend = crate::backend::open(BackendChoice::Native, layout, crate::device::Device::Cpu, 0, 1).unwrap();
        let estimator = Estimator { gamma: 0.9, gae_lambda: 0.9, threads: 1 };
        let agent = Adaptive::new(backend, InnerLoss::LVC, estimator, vec![0.0; 4], vec![1.0; 4]);
        let [often, seldom] = [0.75f32.ln(), 0.25f32.ln()];
        let batch = Batch {
            obs: vec![0.0; 4],
            action: vec![0.0, 0.0, 0.0, 1.0],
            log_prob: vec![often, often, often, seldom],
            advantage: vec![1.0, 1.0, 1.0, 0.0],
            episodes: vec![1; 4],
            spread: 1.0,
        };
        let stepped = |mut agent: Adaptive, from: f32| {
            agent.begin(1);
            agent.adapted[0][2] = from;
            agent.step(std::slice::from_ref(&batch)).unwrap();
            agent.adapted[0].clone()
        };
        // from the start, wherever the policy is
        for from in [0.0, 3.0] {
            let adapted = stepped(agent.clone().anchored(1), from);
            assert!((adapted[2] - 0.25).abs() < 1e-6 && (adapted[3] + 0.25).abs() < 1e-6, "{adapted:?}");
        }
        // the second step: the first action has probability p = e^0.5 / (1 + e^0.5) there, and slope p (1 - p)
        let p = 0.5f32.exp() / (1.0 + 0.5f32.exp());
        let twice = stepped(agent.anchored(2), 0.0);
        assert!((twice[2] - (0.25 + p * (1.0 - p))).abs() < 1e-6, "{twice:?}");
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
