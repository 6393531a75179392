//! The tests of this crate's public interface, in one binary: every binary more compiles the generic code again.

mod baseline;
mod c_library;
mod context;
mod deployed;
mod inner_rule;
mod lives;
#[cfg(feature = "torch")]
mod meta_gradient;
#[cfg(feature = "torch")]
mod minibatches;
#[cfg(feature = "torch")]
mod native;
mod no_information;
mod outer;
#[cfg(feature = "torch")]
mod parity;
mod ppo;
mod prototypes;
#[cfg(feature = "torch")]
mod recurrent_parity;
mod synthetic;
mod value;
