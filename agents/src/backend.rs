//! The seam between learning and arithmetic: flat vectors in, flat vectors out.

use serde::{Deserialize, Serialize};
use tch::Device;

use crate::{
    batch::{Batch, MetaBatch},
    layout::Layout,
    native::{NativeBackend, Prepared},
    objective::{Objective, ObjectiveStats},
    tch_backend::{TchBackend, Uploaded},
};

/// Which arithmetic is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendChoice {
    /// Native on a CPU that has what it takes, unless several tasks are to share a graph; else tch.
    #[default]
    Auto,
    /// The kernels written for tanh networks on x86-64.
    Native,
    /// libtorch's autograd: the reference, and the way to a GPU.
    Tch,
}

/// Why the native backend cannot serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("--backend native: {0}; use --backend tch")]
pub struct NoNative(&'static str);

impl NoNative {
    /// The bare reason.
    pub fn reason(self) -> &'static str {
        self.0
    }
}

/// Adaptation and the meta-gradient, one way or the other; the two agree up to rounding.
#[derive(Clone, Debug)]
pub enum Backend {
    /// Task by task in the caches of the CPU.
    Native(NativeBackend),
    /// Through libtorch, on any device.
    Tch(TchBackend),
}

/// A [`MetaBatch`] made ready for several outer epochs.
pub enum Ready {
    /// For [`Backend::Native`].
    Native(Prepared<f32>),
    /// For [`Backend::Tch`].
    Tch(Uploaded),
}

impl Backend {
    /// The backend for `choice` on `device`. `tasks_per_chunk` is tch's (see [`TchBackend::new`]).
    ///
    /// # Errors
    /// If the native one is asked for on a GPU, on a processor without AVX2, or for several tasks at once.
    pub fn new(
        choice: BackendChoice,
        layout: Layout,
        device: Device,
        tasks_per_chunk: usize,
        threads: usize,
    ) -> Result<Self, NoNative> {
        match (choice, Self::native(&layout, device, tasks_per_chunk, threads)) {
            (BackendChoice::Native | BackendChoice::Auto, Ok(native)) => Ok(Backend::Native(native)),
            (BackendChoice::Native, Err(obstacle)) => Err(obstacle),
            (BackendChoice::Auto, Err(_)) | (BackendChoice::Tch, _) => {
                Ok(Backend::Tch(TchBackend::new(layout, device, tasks_per_chunk, threads)))
            }
        }
    }

    /// The native backend, or why it cannot serve: then [`BackendChoice::Auto`] falls back to libtorch.
    ///
    /// # Errors
    /// As [`Backend::new`] on [`BackendChoice::Native`].
    pub fn native(
        layout: &Layout,
        device: Device,
        tasks_per_chunk: usize,
        threads: usize,
    ) -> Result<NativeBackend, NoNative> {
        if device != Device::Cpu {
            return Err(NoNative("it computes on the CPU, not on a GPU"));
        }
        if tasks_per_chunk > 1 {
            return Err(NoNative("it goes task by task, and maml.tasks_per_chunk asks for more at once"));
        }
        let native = NativeBackend::new(layout.clone(), threads);
        native.ok_or(NoNative("this processor has no AVX2 with fused multiply-add"))
    }

    /// Which one it is.
    pub fn choice(&self) -> BackendChoice {
        match self {
            Backend::Native(_) => BackendChoice::Native,
            Backend::Tch(_) => BackendChoice::Tch,
        }
    }

    /// The policy's shape.
    pub fn layout(&self) -> &Layout {
        match self {
            Backend::Native(native) => native.layout(),
            Backend::Tch(tch) => tch.layout(),
        }
    }

    /// One inner gradient step for every task: `params - rates * gradient`, `[tasks][num_params]`.
    pub fn adapt(&self, params: &[Vec<f32>], rates: &[f32], support: &[Batch]) -> Vec<Vec<f32>> {
        match self {
            Backend::Native(native) => native.adapt(params, rates, support),
            Backend::Tch(tch) => tch.adapt(params, rates, support),
        }
    }

    /// Makes `data` ready, once for all outer epochs; `theta` is the meta-policy that collected it.
    pub fn prepare(&self, theta: &[f32], data: &MetaBatch) -> Ready {
        match self {
            Backend::Native(native) => Ready::Native(native.prepare(theta, data)),
            Backend::Tch(tch) => Ready::Tch(tch.upload(theta, data)),
        }
    }

    /// Gradient of the meta-objective, mean over tasks, by the meta-parameters, `[num_params]`, and by the inner rates:
    /// `[num_params]` if the objective learns them, else empty or zeros, as the backend likes.
    ///
    /// # Panics
    /// If `data` was made ready by another backend.
    pub fn meta_gradient(
        &self,
        theta: &[f32],
        rates: &[f32],
        data: &mut Ready,
        objective: &Objective,
    ) -> (Vec<f32>, Vec<f32>, ObjectiveStats) {
        match (self, data) {
            (Backend::Native(native), Ready::Native(data)) => native.meta_gradient(theta, rates, data, objective),
            (Backend::Tch(tch), Ready::Tch(data)) => tch.meta_gradient(theta, rates, data, objective),
            _ => panic!("data made ready by another backend"),
        }
    }
}
