//! The physics: environments as pure functions of parameters, state and action.

pub mod cartpole;
pub mod cartpole_balance;
pub mod complex_ode;
pub mod double_integrator;
pub mod env;
pub(crate) mod exponential;
pub mod navigation;
pub mod pendulum;
pub mod probe;
pub mod real;
pub mod spec;
pub mod version;
