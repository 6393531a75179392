//! Adaptation and the meta-gradient written out for tanh networks on x86-64: forward, backward, and Hessian-vector
//! products by Pearlmutter's R-operator, one task per thread and one tile of samples at a time, so that activations
//! never leave the caches. The tch backend is the reference; `tests/native.rs` holds the two together.

mod data;
mod gemm;
mod head;
mod mlp;
mod ppo;
mod scalar;
mod task;

pub use ppo::Minibatches;
pub use scalar::Scalar;

use self::{
    data::Samples,
    gemm::Isa,
    task::{Task, TaskData, TaskGradient},
};
use crate::{
    batch::{Batch, MetaBatch},
    layout::Layout,
    objective::{Objective, ObjectiveStats},
    threads::run_jobs,
};

/// The native implementation of adaptation and meta-gradient.
#[derive(Clone, Debug)]
pub struct NativeBackend {
    layout: Layout,
    threads: usize,
    isa: Isa,
}

/// A [`MetaBatch`] in the precision of the computation, with the old meta-policy's outputs.
#[derive(Debug)]
pub struct Prepared<T> {
    tasks: Vec<TaskData<T>>,
}

/// What is asked of one task.
enum Ask<'a, T> {
    Outputs { params: &'a [T], data: &'a Samples<T> },
    Inner { params: &'a [T], data: &'a Samples<T> },
    Meta { theta: &'a [T], rates: &'a [T], task: &'a TaskData<T>, objective: &'a Objective },
}

/// And answered.
enum Answer<T> {
    Vector(Vec<T>),
    Meta(TaskGradient<T>),
}

impl NativeBackend {
    /// A backend for `layout` on `threads` threads, if this processor has what it takes (AVX2 and fused
    /// multiply-add).
    pub fn new(layout: Layout, threads: usize) -> Option<Self> {
        Some(NativeBackend { layout, threads, isa: Isa::detect()? })
    }

    /// The policy's shape.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// One inner gradient step for every task: `params - rates * gradient`, `[tasks][num_params]`.
    pub fn adapt<T: Scalar>(&self, params: &[Vec<T>], rates: &[T], support: &[Batch]) -> Vec<Vec<T>> {
        let mut adapted = vec![Vec::new(); params.len()];
        let jobs = params.iter().zip(support).zip(&mut adapted).collect();
        run_jobs(jobs, self.threads, |((params, support), adapted): ((&Vec<T>, &Batch), &mut Vec<T>)| {
            let data = Samples::new(support);
            let gradient = self.vector(Ask::Inner { params, data: &data });
            *adapted = params.iter().zip(rates).zip(&gradient).map(|((p, r), g)| *p - *r * *g).collect();
        });
        adapted
    }

    /// Makes `data` ready, once for all outer epochs; `theta` is the meta-policy that collected it.
    pub fn prepare<T: Scalar>(&self, theta: &[T], data: &MetaBatch) -> Prepared<T> {
        let mut tasks: Vec<Option<TaskData<T>>> = data.query.iter().map(|_| None).collect();
        run_jobs(
            tasks.iter_mut().enumerate().collect(),
            self.threads,
            |(i, slot): (usize, &mut Option<TaskData<T>>)| {
                let supports: Vec<_> = data.supports.iter().map(|s| Samples::new(&s[i])).collect();
                let query = Samples::new(&data.query[i]);
                let old_out = self.vector(Ask::Outputs { params: theta, data: supports.first().unwrap_or(&query) });
                let old_log_std = self.layout.log_std().map_or_else(Vec::new, |range| theta[range].to_vec());
                *slot = Some(TaskData { supports, query, old_out, old_log_std });
            },
        );
        Prepared { tasks: tasks.into_iter().map(|t| t.expect("filled")).collect() }
    }

    /// Gradient of the meta-objective, mean over tasks, by the meta-parameters and by the inner rates:
    /// `([num_params], [num_params], stats)`; the second is empty unless the objective learns the rates.
    pub fn meta_gradient<T: Scalar>(
        &self,
        theta: &[T],
        rates: &[T],
        data: &Prepared<T>,
        objective: &Objective,
    ) -> (Vec<T>, Vec<T>, ObjectiveStats) {
        let mut results: Vec<Option<TaskGradient<T>>> = data.tasks.iter().map(|_| None).collect();
        let jobs = data.tasks.iter().zip(&mut results).collect();
        run_jobs(jobs, self.threads, |(task, slot): (&TaskData<T>, &mut Option<TaskGradient<T>>)| {
            if let Answer::Meta(gradient) = self.answer(Ask::Meta { theta, rates, task, objective }) {
                *slot = Some(gradient);
            }
        });
        // in task order, so that the sum does not depend on which thread was first
        let scale = 1.0 / data.tasks.len() as f64;
        let mut sum = vec![T::ZERO; theta.len()];
        let mut by_rates = vec![T::ZERO; if objective.learn_rates { rates.len() } else { 0 }];
        let mut stats = [0.0; 6];
        for (gradient, rates, task_stats) in results.iter().flatten() {
            sum.iter_mut().zip(gradient).for_each(|(s, g)| *s += *g * T::of(scale));
            by_rates.iter_mut().zip(rates).for_each(|(s, g)| *s += *g * T::of(scale));
            stats.iter_mut().zip(task_stats).for_each(|(s, v)| *s += v * scale);
        }
        let [loss, inner_loss, kl, entropy, clip_fraction, approx_kl] = stats;
        (sum, by_rates, ObjectiveStats { loss, inner_loss, kl, entropy, clip_fraction, approx_kl })
    }

    fn vector<T: Scalar>(&self, ask: Ask<'_, T>) -> Vec<T> {
        match self.answer(ask) {
            Answer::Vector(vector) => vector,
            Answer::Meta(_) => unreachable!("only a meta-gradient is answered so"),
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn answer<T: Scalar>(&self, ask: Ask<'_, T>) -> Answer<T> {
        // SAFETY: `Isa::detect` found the features.
        match self.isa {
            Isa::Avx512 => unsafe { answer_avx512(&self.layout, ask) },
            Isa::Avx2 => unsafe { answer_avx2(&self.layout, ask) },
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn answer<T: Scalar>(&self, ask: Ask<'_, T>) -> Answer<T> {
        answer_body(&self.layout, self.isa, ask)
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
fn answer_avx512<T: Scalar>(layout: &Layout, ask: Ask<'_, T>) -> Answer<T> {
    answer_body(layout, Isa::Avx512, ask)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn answer_avx2<T: Scalar>(layout: &Layout, ask: Ask<'_, T>) -> Answer<T> {
    answer_body(layout, Isa::Avx2, ask)
}

#[inline(always)]
fn answer_body<T: Scalar>(layout: &Layout, isa: Isa, ask: Ask<'_, T>) -> Answer<T> {
    let mut task = Task::new(layout, isa);
    match ask {
        Ask::Outputs { params, data } => Answer::Vector(task.outputs(params, data)),
        Ask::Inner { params, data } => Answer::Vector(task.inner(params, data).1),
        Ask::Meta { theta, rates, task: data, objective } => {
            Answer::Meta(task.meta_gradient(theta, rates, data, objective))
        }
    }
}
