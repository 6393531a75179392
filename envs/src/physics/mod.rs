//! The physics: environments as pure functions of parameters, state and action.

pub mod cartpole;
pub mod env;
pub mod navigation;
pub mod pendulum;
pub mod probe;
pub mod real;
pub mod spec;
pub mod version;
