//! Acting and adapting with a trained policy, as it runs on a machine: no dependencies, no threads, and no allocation while
//! acting. The learners of metadrift are built on this crate, so a deployed policy computes what the trained one did, to the
//! bit.
//!
//! [`Policy`] is the policy of a file that `metadrift export` has written; it acts, and remembers where it has a memory or
//! sees a window of the past. [`Adapter`] records the episodes of a policy that adapts by gradient steps, and takes these
//! steps. A [`detector::Detector`] notices that the world has changed, and a [`guard::Guard`] takes an adapted policy back
//! once it is shown to be worse than the unadapted one.
//!
//! The other modules are what the two are made of, and what learners build on. Parameters are flat `f32` vectors, laid out by
//! [`layout::Layout`]. [`host_policy`] acts with a perceptron, also one that sees a latent [`context`], [`recurrent`] with a
//! memory. Advantages come from the episodes that a policy has lived through, by [`advantage::prepare`] with a linear
//! [`baseline`].

#![cfg_attr(not(any(test, feature = "std")), no_std)]

extern crate alloc;

mod adapter;
pub mod advantage;
pub mod baseline;
pub mod batch;
mod bytes;
pub mod context;
pub mod detector;
mod fault;
mod form;
pub mod guard;
pub mod host_policy;
pub mod inputs;
#[doc(hidden)]
pub mod kernels;
pub mod layout;
pub mod loss;
#[cfg(any(test, not(feature = "std")))]
mod math;
mod policy;
mod prediction;
mod prelude;
pub mod recurrent;
#[doc(hidden)]
pub mod sources;
mod uniforms;
pub mod vector_math;
pub mod vectors;
pub mod window;

#[doc(hidden)]
pub use adapter::descend;
pub use adapter::{Adapted, Adapter};
pub use fault::Fault;
pub use form::{Adaptation, Form, Malformed, VERSION};
pub use policy::{End, Policy};
pub use uniforms::uniforms;

/// The example of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
