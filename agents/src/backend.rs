//! The seam between learning and arithmetic: flat vectors in, flat vectors out.

use std::{fmt::Debug, sync::Arc};

use serde::{Deserialize, Serialize};

#[cfg(feature = "torch")]
use crate::tch_backend::TchBackend;
use crate::{
    batch::{Batch, Lives, MetaBatch},
    device::Device,
    layout::Layout,
    native::NativeBackend,
    objective::{ClippedLoss, InnerLoss, LifeObjective, LifeStats, Objective, ObjectiveStats},
    params::Params,
};

/// An implementation of adaptation and gradients; any two agree up to rounding.
pub trait Backend: Debug + Send + Sync {
    /// The choice that selects this backend.
    fn choice(&self) -> BackendChoice;

    /// The policy's shape.
    fn layout(&self) -> &Layout;

    /// One step down the inner loss for every task: `params - rates * gradient`, `[tasks, num_params]`.
    fn adapt(&self, inner: InnerLoss, params: &[Vec<f32>], rates: &[f32], support: &[Batch]) -> Vec<Vec<f32>>;

    /// Gradient of the inner loss of every task, `[tasks, num_params]`.
    fn gradients(&self, inner: InnerLoss, params: &[Vec<f32>], support: &[Batch]) -> Vec<Vec<f32>>;

    /// Prepares `data` once for all outer epochs; `theta` `[num_params]` is the meta-policy that collected it.
    fn problem<'a>(&'a self, theta: &[f32], data: &MetaBatch) -> Box<dyn Problem + 'a>;

    /// Gradients on minibatches.
    fn minibatches(&self) -> Box<dyn Minibatches + '_>;

    /// Gradients on whole lives. The policy is recurrent.
    fn lives(&self) -> Box<dyn LifeProblem>;
}

/// The meta-objective on fixed data.
pub trait Problem {
    /// Gradient of the objective at `at`, mean over tasks: by the policy, `[num_params]`, followed by the gradient by a
    /// learned rule, if there is one, and by that by the inner rates, `[num_params]`, if the objective learns them.
    fn gradient(&mut self, at: &Params, objective: &Objective) -> (Vec<f32>, ObjectiveStats);
}

/// Gradients of a recurrent policy on whole lives.
pub trait LifeProblem: Send {
    /// Prepares `groups` once for all epochs; derivatives run back through `stretch` steps.
    fn prepare(&mut self, groups: &[Lives], stretch: usize);

    /// Gradient of the loss by the parameters, `[num_params]`, mean over all samples of the prepared groups numbered
    /// in `minibatch`.
    fn gradient(&mut self, params: &[f32], minibatch: &[u32], objective: &LifeObjective) -> (Vec<f32>, LifeStats);
}

/// Gradients of plain PPO.
pub trait Minibatches {
    /// Gradient of PPO's clipped loss by the policy's parameters, `[num_params]`; `kl` and `inner_loss` stay 0.
    fn clipped(&mut self, params: &[f32], batch: &Batch, loss: &ClippedLoss) -> (Vec<f32>, ObjectiveStats);

    /// Gradient of minus the mean log-likelihood of the actions of `batch`, `[num_params]`, and that loss.
    fn likelihood(&mut self, params: &[f32], batch: &Batch) -> (Vec<f32>, f64);

    /// Gradient of half the mean squared error of a value network, `[num_params]`, and that loss; `obs`
    /// `[samples, obs_dim]`, `target` `[samples]`.
    fn squared(&mut self, params: &[f32], obs: &[f32], target: &[f32]) -> (Vec<f32>, f64);
}

/// The backend that is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendChoice {
    /// The native backend on a CPU, unless several tasks are to share a graph; otherwise tch.
    #[default]
    Auto,
    /// The kernels written for perceptrons, fastest on x86-64.
    Native,
    /// libtorch's autograd: the reference, and the way to a GPU.
    Tch,
}

/// The reason why a backend cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoBackend {
    /// The native backend cannot serve; the text names the obstacle.
    #[error("--backend native: {0}; use --backend tch")]
    Native(&'static str),
    /// This program was built without libtorch; the text names the setting that needs it.
    #[error("{0}: this program was built without libtorch. Run `./x setup --torch`; `./x` then builds with it")]
    Torch(&'static str),
    /// There are only native kernels for a learner; the text is its name.
    #[error("--backend tch, or a GPU: learner = \"{0}\" computes on the CPU alone; leave out --backend and --device")]
    Learner(&'static str),
}

impl BackendChoice {
    /// The backends of this program.
    pub const ALL: &[BackendChoice] =
        if cfg!(feature = "torch") { &[BackendChoice::Native, BackendChoice::Tch] } else { &[BackendChoice::Native] };

    /// The backend that serves `device` and graphs of `tasks_per_chunk` tasks: native or tch.
    ///
    /// # Errors
    /// If the native backend is asked for on a GPU or for several tasks at once, or if tch is needed in a program
    /// without it.
    pub fn resolve(self, device: Device, tasks_per_chunk: usize) -> Result<BackendChoice, NoBackend> {
        let obstacle = if device != Device::Cpu {
            Some("it computes on the CPU, not on a GPU")
        } else {
            (tasks_per_chunk > 1)
                .then_some("it computes task by task, but maml.tasks_per_chunk asks for several at once")
        };
        match (self, obstacle) {
            (BackendChoice::Native | BackendChoice::Auto, None) => Ok(BackendChoice::Native),
            (BackendChoice::Native, Some(obstacle)) => Err(NoBackend::Native(obstacle)),
            (BackendChoice::Tch, _) if !cfg!(feature = "torch") => Err(NoBackend::Torch("--backend tch")),
            (BackendChoice::Auto, _) if !cfg!(feature = "torch") => Err(NoBackend::Torch("maml.tasks_per_chunk")),
            (BackendChoice::Auto, Some(_)) | (BackendChoice::Tch, _) => Ok(BackendChoice::Tch),
        }
    }
}

/// Opens the backend for `choice` on `device`. `tasks_per_chunk` only matters to tch, see `TchBackend::new`.
///
/// # Errors
/// The errors of [`BackendChoice::resolve`].
pub fn open(
    choice: BackendChoice,
    layout: Layout,
    device: Device,
    tasks_per_chunk: usize,
    threads: usize,
) -> Result<Arc<dyn Backend>, NoBackend> {
    match choice.resolve(device, tasks_per_chunk)? {
        #[cfg(feature = "torch")]
        BackendChoice::Tch => Ok(Arc::new(TchBackend::new(layout, device, tasks_per_chunk, threads))),
        _ => Ok(Arc::new(NativeBackend::new(layout, threads))),
    }
}
