//! Adaptation and the meta-gradient written out for perceptrons on x86-64: forward, backward, and Hessian-vector
//! products by Pearlmutter's R-operator, one task per thread and one tile of samples at a time, so that activations
//! never leave the caches. The tch backend is the reference; `tests/native.rs` holds the two together.

mod backend;
mod context;
mod lives;
mod ppo;
mod prototypes;
mod task;

pub use context::{PredictionGradients, Transitions};
pub use lives::{LifeGradients, PreparedLives};
use metadrift_runtime::descend;
pub use metadrift_runtime::kernels::scalar::Scalar;
use metadrift_runtime::kernels::{data, gru, head, isa, mlp, net, pass, scalar, tile};
pub(crate) use metadrift_runtime::{kernels::isa::Isa, with_isa};
pub use ppo::Minibatches;
pub use prototypes::{Labelled, PrototypeGradients, cross_entropy, prototypes};
pub use task::TaskGradient;

use std::sync::Arc;

use self::{
    data::Samples,
    head::Sums,
    pass::Loss,
    task::{Task, TaskData},
};
use crate::{
    batch::{Batch, MetaBatch},
    layout::Layout,
    objective::{InnerLoss, Objective, ObjectiveStats},
    params::Point,
    team::{self, portable::Flat},
    threads::{run_jobs, run_jobs_with},
};

/// The native implementation of adaptation and meta-gradient.
#[derive(Clone, Debug)]
pub struct NativeBackend {
    layout: Layout,
    threads: usize,
    isa: Isa,
}

/// A [`MetaBatch`] in the precision of the computation, with the meta-policy that collected it and one work space per
/// thread, so that outer epochs allocate no activations. Of several ranks, each has the tasks of its block.
pub struct Prepared<T> {
    tasks: Vec<TaskData<T>>,
    /// Number of tasks of all ranks.
    count: usize,
    spaces: Vec<Task<T>>,
}

/// A computation on one task, and the place of its result.
enum Ask<'a, T> {
    /// Gradient of a loss, `[num_params]`, and its sums.
    Gradient { params: &'a [T], data: &'a Samples<T>, loss: Loss<'a, T>, answer: &'a mut (Vec<T>, Sums) },
    /// The task's share of the meta-gradient.
    Meta { at: Point<'a, T>, task: &'a mut TaskData<T>, objective: &'a Objective, answer: &'a mut TaskGradient<T> },
}

/// The instructions that the kernels use here: `avx512`, `avx2` or `portable`.
pub fn instructions() -> &'static str {
    Isa::detect().name()
}

impl NativeBackend {
    /// A backend for `layout` on `threads` threads.
    pub fn new(layout: Layout, threads: usize) -> Self {
        NativeBackend { layout, threads, isa: Isa::detect() }
    }

    /// The policy's shape.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// One inner gradient step for every task: `params - rates * gradient`, `[tasks, num_params]`.
    pub fn adapt<T: Scalar, U: Scalar>(
        &self,
        inner: InnerLoss,
        params: &[Vec<T>],
        rates: &[T],
        support: &[Batch<U>],
    ) -> Vec<Vec<T>> {
        let gradients = self.gradients(inner, params, support);
        params.iter().zip(gradients).map(|(params, gradient)| descend(params, rates, &gradient)).collect()
    }

    /// Gradient of the inner loss of every task, `[tasks, num_params]`.
    pub fn gradients<T: Scalar, U: Scalar>(
        &self,
        inner: InnerLoss,
        params: &[Vec<T>],
        support: &[Batch<U>],
    ) -> Vec<Vec<T>> {
        let mut gradients: Vec<Flat<T>> = params.iter().map(|_| Flat(Vec::new())).collect();
        let mine = team::block(params.len());
        let jobs = params[mine.clone()].iter().zip(&support[mine.clone()]).zip(&mut gradients[mine]).collect();
        self.spread(jobs, &mut Vec::new(), |worker, job: ((&Vec<T>, &Batch<U>), &mut Flat<T>)| {
            let ((params, support), Flat(gradient)) = job;
            let data = Samples::new(support);
            let mut answer = Default::default();
            worker.answer(Ask::Gradient { params, data: &data, loss: Loss::Inner(inner), answer: &mut answer });
            *gradient = answer.0;
        });
        team::share(&mut gradients);
        gradients.into_iter().map(|Flat(gradient)| gradient).collect()
    }

    /// Prepares `data` once for all outer epochs; `theta` `[num_params]` is the meta-policy that collected it.
    pub fn prepare<T: Scalar, U: Scalar>(&self, theta: &[T], data: &MetaBatch<U>) -> Prepared<T> {
        let collected: Arc<[T]> = theta.into();
        let count = data.query.len();
        let mine = team::block(count);
        let mut tasks: Vec<Option<TaskData<T>>> = mine.clone().map(|_| None).collect();
        run_jobs(mine.zip(&mut tasks).collect(), self.threads, |(i, slot): (usize, &mut Option<_>)| {
            let supports = data.supports.iter().map(|s| Samples::new(&s[i])).collect();
            let query = Samples::new(&data.query[i]);
            let of_task = |column: &[f64], none: f64| column.get(i).copied().unwrap_or(none);
            let (weight, credit) = (of_task(&data.weight, 1.0), of_task(&data.credit, 0.0));
            *slot = Some(TaskData { supports, query, weight, credit, collected: collected.clone(), old: None });
        });
        Prepared { tasks: tasks.into_iter().map(|t| t.expect("filled")).collect(), count, spaces: Vec::new() }
    }

    /// Gradient of the meta-objective with gradient steps inside, mean over tasks, by the meta-parameters and by the inner
    /// rates: `([num_params], [num_params], stats)`; the second is empty unless the objective learns the rates.
    pub fn meta_gradient<T: Scalar>(
        &self,
        theta: &[T],
        rates: &[T],
        data: &mut Prepared<T>,
        objective: &Objective,
    ) -> (Vec<T>, Vec<T>, ObjectiveStats) {
        let ([by_theta, by_rates, _], stats) =
            self.meta_gradient_at(Point { policy: theta, rates, rule: &[] }, data, objective);
        (by_theta, by_rates, stats)
    }

    /// Gradient of the meta-objective, mean over tasks, by policy, rates and rule. That by the rates is empty unless the
    /// objective learns them; that by the rule is as long as the rule.
    pub fn meta_gradient_at<T: Scalar>(
        &self,
        at: Point<'_, T>,
        data: &mut Prepared<T>,
        objective: &Objective,
    ) -> ([Vec<T>; 3], ObjectiveStats) {
        let results = self.task_gradients(at, data, objective);
        // the sum is in task order, so that it does not depend on the threads' timing
        let scale = 1.0 / results.len() as f64;
        let rates = if objective.learn_rates { at.rates.len() } else { 0 };
        let mut sums = [at.policy.len(), rates, at.rule.len()].map(|length| vec![T::ZERO; length]);
        let mut stats = [0.0; 6];
        for (gradients, task_stats) in &results {
            for (sum, Flat(gradient)) in sums.iter_mut().zip(gradients) {
                sum.iter_mut().zip(gradient).for_each(|(s, g)| *s += *g * T::of(scale));
            }
            stats.iter_mut().zip(task_stats).for_each(|(s, v)| *s += v * scale);
        }
        let [loss, inner_loss, kl, entropy, clip_fraction, approx_kl] = stats;
        (sums, ObjectiveStats { loss, inner_loss, kl, entropy, clip_fraction, approx_kl })
    }

    /// Each task's gradient of the meta-objective, `[tasks]`.
    pub fn task_gradients<T: Scalar>(
        &self,
        at: Point<'_, T>,
        data: &mut Prepared<T>,
        objective: &Objective,
    ) -> Vec<TaskGradient<T>> {
        let mut results: Vec<TaskGradient<T>> = (0..data.count).map(|_| Default::default()).collect();
        let jobs = data.tasks.iter_mut().zip(&mut results[team::block(data.count)]).collect();
        self.spread(jobs, &mut data.spaces, |worker, (task, answer): (&mut TaskData<T>, &mut TaskGradient<T>)| {
            worker.answer(Ask::Meta { at, task, objective, answer });
        });
        team::share(&mut results);
        results
    }

    /// [`adapt`](Self::adapt) in double precision. It is compiled here, once, and not in each crate that checks estimators; so
    /// are [the gradients](Self::task_gradients_wide).
    pub fn adapt_wide(
        &self,
        inner: InnerLoss,
        params: &[Vec<f64>],
        rates: &[f64],
        support: &[Batch<f64>],
    ) -> Vec<Vec<f64>> {
        self.adapt(inner, params, rates, support)
    }

    /// [`task_gradients`](Self::task_gradients) in double precision, of `data` that the policy of `at` collected.
    pub fn task_gradients_wide(
        &self,
        at: Point<'_, f64>,
        data: &MetaBatch<f64>,
        objective: &Objective,
    ) -> Vec<TaskGradient<f64>> {
        self.task_gradients(at, &mut self.prepare(at.policy, data), objective)
    }

    /// Runs `work` on every job; each thread has its own work space.
    fn spread<T: Scalar, J: Send>(
        &self,
        jobs: Vec<J>,
        spaces: &mut Vec<Task<T>>,
        work: impl Fn(&mut Task<T>, J) + Sync,
    ) {
        run_jobs_with(jobs, self.threads, spaces, || Task::new(&self.layout, self.isa), work);
    }
}

impl<T: Scalar> Task<T> {
    fn answer(&mut self, ask: Ask<'_, T>) {
        let isa = self.isa();
        let task = self;
        with_isa!(isa, [T: Scalar] (task: &mut Task<T>, ask: Ask<'_, T>) => task.answer_body(ask));
    }

    #[inline(always)]
    fn answer_body(&mut self, ask: Ask<'_, T>) {
        match ask {
            Ask::Gradient { params, data, loss, answer } => *answer = self.pass.gradient(params, data, &loss, None),
            Ask::Meta { at, task, objective, answer } => *answer = self.meta_gradient(at, task, objective),
        }
    }
}
