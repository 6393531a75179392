//! Adaptation and the meta-gradient by libtorch's autograd: the only folder that touches tch.
//!
//! Flat f32 vectors come in and go out. The number of tasks that share a graph is a setting: all of them on a GPU, as
//! one batched matrix product per layer; one on a CPU, so that its activations stay in the second-level cache, with the
//! tasks spread over threads and libtorch's own threads at 1. Results do not depend on the number of threads.

mod backend;
mod cuda;
mod data;
mod dist;
mod inner;
mod lives;
mod policy;
mod ppo;
mod rule;

pub use cuda::{gpus, product};
pub use lives::UploadedLives;

use tch::{Kind, Tensor, kind::Element};

use self::{
    data::Samples,
    inner::{Inner, outer_loss},
    rule::Rule,
};
use crate::{
    batch::{Batch, MetaBatch},
    device::Device,
    layout::Layout,
    objective::{InnerLoss, Objective, ObjectiveStats, OuterLoss},
    params::Point,
    threads::run_jobs,
};

/// The tch implementation of adaptation and meta-gradient.
#[derive(Clone, Debug)]
pub struct TchBackend {
    layout: Layout,
    device: tch::Device,
    kind: Kind,
    tasks_per_chunk: usize,
    threads: usize,
}

/// A [`MetaBatch`] on the device, with the old meta-policy's outputs that the KL penalty needs.
#[derive(Debug)]
pub struct Uploaded {
    chunks: Vec<Chunk>,
    num_tasks: usize,
}

#[derive(Debug)]
struct Chunk {
    tasks: i64,
    supports: Vec<Samples>,
    query: Samples,
    /// Weight of each task's outer loss, `[tasks]`.
    weight: Tensor,
    /// Factor of each task's sampling term, `[tasks]`, if there is one.
    credit: Option<Tensor>,
    /// Blocks and head outputs of the meta-policy that collected the data.
    old: (Vec<Tensor>, Tensor),
}

impl Chunk {
    /// The data of the KL penalty: the states that the meta-policy itself visited.
    fn before_adaptation(&self) -> &Samples {
        self.supports.first().unwrap_or(&self.query)
    }
}

impl TchBackend {
    /// A backend in which `tasks_per_chunk` tasks share a graph (0: one on a CPU, all of them on a GPU); the chunks run
    /// on `threads` threads on a CPU. Sets libtorch's own threads to 1, for this thread and those begun after it.
    pub fn new(layout: Layout, device: Device, tasks_per_chunk: usize, threads: usize) -> Self {
        tch::set_num_threads(1);
        let on_cpu = device == Device::Cpu;
        let tasks_per_chunk = match tasks_per_chunk {
            0 if on_cpu => 1,
            0 => usize::MAX,
            n => n,
        };
        let threads = if on_cpu { threads } else { 1 };
        TchBackend { layout, device: device.into(), kind: Kind::Float, tasks_per_chunk, threads }
    }

    /// The same backend in double precision, for tests that compare with finite differences.
    pub fn double(self) -> Self {
        TchBackend { kind: Kind::Double, ..self }
    }

    /// The policy's shape.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// One inner gradient step for every task: `params - rates * gradient`, `[tasks, num_params]`.
    pub fn adapt<T>(&self, inner: InnerLoss, params: &[Vec<T>], rates: &[T], support: &[Batch]) -> Vec<Vec<T>>
    where
        T: Element + Default + Clone + Send + Sync,
    {
        self.on_tasks(params, support, |theta, support| {
            let rates = policy::blocks(&self.layout, &[rates], self.device, self.kind, false);
            descend(theta, &rates, &self.inner_gradient(inner, theta, support))
        })
    }

    /// Gradient of the inner loss of every task, `[tasks, num_params]`.
    pub fn gradients<T>(&self, inner: InnerLoss, params: &[Vec<T>], support: &[Batch]) -> Vec<Vec<T>>
    where
        T: Element + Default + Clone + Send + Sync,
    {
        self.on_tasks(params, support, |theta, support| self.inner_gradient(inner, theta, support))
    }

    /// The blocks that `work` makes of the parameters and the support data of some tasks, `[tasks, num_params]`.
    fn on_tasks<T>(
        &self,
        params: &[Vec<T>],
        support: &[Batch],
        work: impl Fn(&[Tensor], &Samples) -> Vec<Tensor> + Sync,
    ) -> Vec<Vec<T>>
    where
        T: Element + Default + Clone + Send + Sync,
    {
        let mut answers = vec![Vec::new(); params.len()];
        let size = self.tasks_per_chunk.min(params.len()).max(1);
        let jobs = params.chunks(size).zip(support.chunks(size)).zip(answers.chunks_mut(size)).collect();
        run_jobs(jobs, self.threads, |((params, support), answers): TaskJob<'_, T>| {
            let theta = policy::blocks(&self.layout, params, self.device, self.kind, true);
            let support = Samples::upload(&self.layout, support, self.device, self.kind);
            answers.clone_from_slice(&policy::flatten(&work(&theta, &support)));
        });
        answers
    }

    fn inner_gradient(&self, inner: InnerLoss, theta: &[Tensor], support: &Samples) -> Vec<Tensor> {
        let loss = self.inner_loss(inner, theta, support).loss;
        gradient(&loss.sum(self.kind), theta, Graph::Free)
    }

    /// Copies `data` to the device, once for all outer epochs; `theta` `[num_params]` is the meta-policy that collected
    /// it.
    pub fn upload<T: Element + Sync>(&self, theta: &[T], data: &MetaBatch) -> Uploaded {
        let num_tasks = data.query.len();
        let size = self.tasks_per_chunk.min(num_tasks).max(1);
        let samples = |batches: &[Batch]| Samples::upload(&self.layout, batches, self.device, self.kind);
        let mut chunks: Vec<Option<Chunk>> = (0..num_tasks.div_ceil(size)).map(|_| None).collect();
        let jobs = chunks.iter_mut().enumerate().collect();
        run_jobs(jobs, self.threads, |(i, slot): (usize, &mut Option<Chunk>)| {
            let _no_grad = tch::no_grad_guard();
            let range = i * size..((i + 1) * size).min(num_tasks);
            let tasks = range.len() as i64;
            let supports: Vec<_> = data.supports.iter().map(|s| samples(&s[range.clone()])).collect();
            let query = samples(&data.query[range.clone()]);
            let column = |values: &[f64]| Tensor::from_slice(values).to_kind(self.kind).to_device(self.device);
            let of_tasks = |values: &[f64]| (!values.is_empty()).then(|| column(&values[range.clone()]));
            let weight = of_tasks(&data.weight).unwrap_or_else(|| column(&vec![1.0; range.len()]));
            let credit = of_tasks(&data.credit);
            let blocks = expand(&policy::blocks(&self.layout, &[theta], self.device, self.kind, false), tasks);
            let out = policy::forward(&self.layout, &blocks, &supports.first().unwrap_or(&query).obs);
            *slot = Some(Chunk { tasks, supports, query, weight, credit, old: (blocks, out) });
        });
        Uploaded { chunks: chunks.into_iter().map(|c| c.expect("filled")).collect(), num_tasks }
    }

    /// Gradient of the meta-objective with gradient steps inside, mean over tasks, by the meta-parameters and by the inner
    /// rates: `([num_params], [num_params], stats)`; the second is empty unless the objective learns the rates.
    pub fn meta_gradient<T>(
        &self,
        theta: &[T],
        rates: &[T],
        data: &mut Uploaded,
        objective: &Objective,
    ) -> (Vec<T>, Vec<T>, ObjectiveStats)
    where
        T: Element + Default + Copy + Send + Sync + std::ops::AddAssign + Into<f64>,
    {
        let ([by_theta, by_rates, _], stats) =
            self.meta_gradient_at(Point { policy: theta, rates, rule: &[] }, data, objective);
        (by_theta, by_rates, stats)
    }

    /// Gradient of the meta-objective, mean over tasks, by policy, rates and rule. That by the rates is empty unless the
    /// objective learns them; that by the rule is as long as the rule.
    pub fn meta_gradient_at<T>(
        &self,
        at: Point<'_, T>,
        data: &mut Uploaded,
        objective: &Objective,
    ) -> ([Vec<T>; 3], ObjectiveStats)
    where
        T: Element + Default + Copy + Send + Sync + std::ops::AddAssign + Into<f64>,
    {
        let mut results: Vec<Vec<T>> = vec![Vec::new(); data.chunks.len()];
        let scale = 1.0 / data.num_tasks as f64;
        let jobs = data.chunks.iter_mut().zip(&mut results).collect();
        run_jobs(jobs, self.threads, |(chunk, result): (&mut Chunk, &mut Vec<T>)| {
            let theta = policy::blocks(&self.layout, &[at.policy], self.device, self.kind, true);
            let rates = policy::blocks(&self.layout, &[at.rates], self.device, self.kind, objective.learn_rates);
            let mut rule = self.rule(at.rule, chunk.tasks);
            let (loss, stats) = self.meta_loss((&theta, &rates, &mut rule), chunk, objective);
            let learned = rates.iter().filter(|_| objective.learn_rates);
            let leaves: Vec<&Tensor> =
                theta.iter().chain(learned).chain(rule.iter().flat_map(|r| &r.weights)).collect();
            let mut rows = gradient(&(loss * scale), &leaves, Graph::Free);
            // the statistics travel with the gradient, so that a GPU is waited for once
            rows.push(&stats * scale);
            *result = policy::flatten(&rows).concat();
        });
        // the sum is in task order, so that it does not depend on the threads' timing
        let n = self.layout.num_params();
        let lengths = [n, if objective.learn_rates { n } else { 0 }, at.rule.len()];
        let mut sum = vec![T::default(); lengths.iter().sum()];
        let mut stats = [0.0; 6];
        for result in &results {
            let (gradient, s) = result.split_at(result.len() - stats.len());
            sum.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += *g);
            stats.iter_mut().zip(s).for_each(|(sum, s)| *sum += (*s).into());
        }
        let mut rest = sum.into_iter();
        let gradients = lengths.map(|length| rest.by_ref().take(length).collect());
        let [loss, inner_loss, kl, entropy, clip_fraction, approx_kl] = stats;
        (gradients, ObjectiveStats { loss, inner_loss, kl, entropy, clip_fraction, approx_kl })
    }

    /// The meta-objective of a chunk, summed over its tasks, and six sums for [`ObjectiveStats`], `[1, 6]`.
    ///
    /// Adapts anew from `theta` on the stored support data, keeping the graph, and scores the adapted parameters on
    /// the query data with PPO's clipped surrogate. Second order unless `first_order`: the gradient then flows
    /// through the inner gradients too.
    fn meta_loss(
        &self,
        (theta, rates, rule): (&[Tensor], &[Tensor], &mut Option<Rule>),
        chunk: &Chunk,
        objective: &Objective,
    ) -> (Tensor, Tensor) {
        let head = self.layout.head();
        let theta = expand(theta, chunk.tasks);
        let mut phi: Vec<Tensor> = theta.iter().map(Tensor::shallow_clone).collect();
        let mut inner_loss = Tensor::zeros([chunk.tasks], (self.kind, self.device));
        let mut sampling = Tensor::zeros([chunk.tasks], (self.kind, self.device));
        let mut out_before = None;
        for support in &chunk.supports {
            let Inner { loss, value, out } = self.inner_loss(objective.inner, &phi, support);
            let graph = if objective.first_order { Graph::Keep } else { Graph::Differentiate };
            let step = gradient(&loss.sum(self.kind), &phi, graph);
            if let (Some(credit), OuterLoss::Clipped(outer)) = (&chunk.credit, &objective.outer) {
                sampling += self.sampling_loss(&phi, support, credit, outer.clip_eps);
            }
            let step = match rule {
                Some(rule) => rule.directions(&step),
                None => step,
            };
            phi = descend(&phi, rates, &step);
            inner_loss += value;
            out_before.get_or_insert(out);
        }

        let query = &chunk.query;
        let out = policy::forward(&self.layout, &phi, &query.obs);
        let clip_eps = if let OuterLoss::Clipped(loss) = objective.outer { loss.clip_eps } else { f64::INFINITY };
        let outer = outer_loss(head, &phi, &out, query, clip_eps);
        let out_before = out_before.as_ref().unwrap_or(&out);
        let (old_params, old_out) = (&chunk.old.0, &chunk.old.1);
        let kl = chunk.before_adaptation().mean(&dist::kl(head, (old_params, old_out), (&theta, out_before)));
        let adapted = match objective.outer {
            OuterLoss::Clipped(loss) => (outer.loss - &outer.entropy * loss.ent_coef) * &chunk.weight,
            OuterLoss::Likelihood => self.likelihoods(&phi, &out, query) * &chunk.weight,
            OuterLoss::Divergence => outer.moved.shallow_clone(),
        };
        let loss = adapted + &kl * objective.kl_coef + sampling;
        let total = loss.sum(self.kind);

        let _no_grad = tch::no_grad_guard();
        let none = loss.zeros_like();
        let moved = if matches!(objective.outer, OuterLoss::Likelihood) { &none } else { &outer.moved };
        let stats = [&loss, &inner_loss, &kl, &outer.entropy, &outer.outside, moved];
        let stats = Tensor::stack(&stats.map(|s| s.sum(self.kind)), 0).view([1, 6]);
        (total, stats)
    }
}

/// Parameters and support data of some tasks, and the place of the answers.
type TaskJob<'a, T> = ((&'a [Vec<T>], &'a [Batch]), &'a mut [Vec<T>]);

/// The `[1, in, out]` blocks for every task, `[tasks, in, out]`.
fn expand(blocks: &[Tensor], tasks: i64) -> Vec<Tensor> {
    blocks.iter().map(|b| b.expand([tasks, -1, -1], false)).collect()
}

/// New blocks after one gradient step.
fn descend(params: &[Tensor], rates: &[Tensor], gradient: &[Tensor]) -> Vec<Tensor> {
    params.iter().zip(rates).zip(gradient).map(|((p, r), g)| p - r * g).collect()
}

/// The use of the graph after a gradient is taken.
#[derive(Clone, Copy, PartialEq)]
enum Graph {
    /// The graph is freed.
    Free,
    /// The graph is kept for other losses, but the gradient is a constant.
    Keep,
    /// The gradient itself will be differentiated, for the second order.
    Differentiate,
}

/// Derivatives of the scalar `loss` by each of `inputs`.
///
/// # Panics
/// If the loss is no scalar, which libtorch would silently sum, has no graph, at which it would crash, or does not
/// depend on an input, for which it would return an undefined tensor.
fn gradient<T: std::borrow::Borrow<Tensor>>(loss: &Tensor, inputs: &[T], graph: Graph) -> Vec<Tensor> {
    assert_eq!(loss.numel(), 1, "a loss must be a scalar");
    assert!(loss.requires_grad(), "a loss must have a graph");
    let inputs: Vec<&Tensor> = inputs.iter().map(std::borrow::Borrow::borrow).collect();
    let gradient = Tensor::run_backward(&[loss], &inputs, graph != Graph::Free, graph == Graph::Differentiate);
    for (i, g) in gradient.iter().enumerate() {
        assert!(g.defined(), "the loss does not depend on parameter block {i}");
    }
    gradient
}
