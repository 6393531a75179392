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
//! This crate knows no environment.

pub mod adam;
pub mod advantage;
pub mod agent;
pub mod backend;
pub mod baseline;
pub mod batch;
pub mod context;
mod descent;
pub mod device;
pub mod host_policy;
pub mod init;
pub mod inner_rule;
pub mod inputs;
pub mod keys;
pub mod layout;
pub mod learner;
pub mod learners;
pub mod memory;
pub mod native;
pub mod network;
pub mod objective;
pub mod optimizer;
pub mod params;
pub mod ranges;
pub mod recurrent;
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
pub mod threads;
mod trust_region;
pub mod update_rule;
pub mod value;
pub mod vector_math;
