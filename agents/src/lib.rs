//! Learners for metadrift: algorithms that turn experience into better parameters.
//!
//! The path of one meta-update: [`advantage::prepare`] (value [`baseline`] and GAE) turns the [`batch::Trajectories`]
//! that an actor collected into a [`batch::Batch`]; [`learners::maml::Maml`] asks its [`backend::Backend`] for adapted
//! parameters and for the meta-gradient, and takes an [`adam::Adam`] step. Plain PPO ([`learners::ppo::Ppo`]) takes
//! gradient steps on shuffled minibatches, with values from a network instead. There are two backends: [`native`], with
//! derivatives written out for CPUs; and, with the feature `torch`, `tch_backend`, the reference, by libtorch's
//! autograd on any device.
//!
//! Kernels of recurrent policies stand beside these: [`recurrent`] acts, [`backend::Backend::lives`] differentiates whole
//! lives. A latent [`context`] is encoded before a policy, and trained by [`native::PredictionGradients`].
//!
//! Parameters are flat `f32` vectors everywhere, laid out by [`layout::Layout`]; tensors stay inside `tch_backend`.
//! This crate knows no environment. Acting and one step of adaptation are in the crate `metadrift-runtime`, which deployed
//! policies run on; its modules appear here under their names.

pub mod adam;
pub mod advantage;
pub mod agent;
pub mod backend;
pub mod batch;
pub mod deployed;
mod descent;
pub mod device;
pub mod init;
pub mod inner_rule;
pub mod inputs;
pub mod keys;
pub mod learner;
pub mod learners;
pub mod memory;
pub mod native;
pub mod network;
pub mod objective;
pub mod optimizer;
pub mod params;
pub mod ranges;
pub mod report;
mod risk;
pub mod rollout;
pub mod sampling;
pub mod settings;
pub mod source;
pub mod state;
pub mod stop;
#[cfg(feature = "torch")]
pub mod tch_backend;
pub mod team;
pub mod threads;
mod trust_region;
pub mod update_rule;
pub mod value;

pub use metadrift_runtime::{self as runtime, baseline, context, host_policy, layout, recurrent, vector_math, window};
