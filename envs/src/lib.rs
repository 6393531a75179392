//! Control environments whose dynamics differ from task to task and drift with time.
//!
//! No libtorch, no threads, no file formats. A map, from the physics outwards:
//!
//! | module | what it holds |
//! |---|---|
//! | [`real`] | the number type: one physics source for `f64` (reference) and `f32` (batch) |
//! | [`mod@env`] | what an environment is: [`EnvSpec`] and the pure functions of [`Env`] |
//! | [`cartpole`], [`pendulum`], [`probe`] | the environments |
//! | [`clock`] | the five counts of time that a drift can follow |
//! | [`schedule`] | how a quantity moves over a clock |
//! | [`noise`] | the randomness of one process, at any place |
//! | [`drift`] | a channel that follows a schedule |
//! | [`settings`] | what is said about a task besides its channels |
//! | [`law`], [`number`] | what a number of a task is drawn from |
//! | [`task`] | channels (what can be perturbed) and [`Task`] (one choice of all of them) |
//! | [`config`] | task files as written: [`TaskConfig`] |
//! | [`distribution`] | drawing tasks: [`TaskDistribution`] for train, in-dist, ood |
//! | [`filter`] | which tasks can be solved |
//! | [`EnvKind`] | an environment chosen by name at run time; `with_env!` makes it a type |
//! | [`rng`] | named random streams, Philox4x32-10 |
//! | [`vec_env`] | [`VecEnv`]: many lanes at once, autoreset, drift, faults |
//! | [`mod@replay`] | recorded actions in `f64`, for comparison with Gymnasium |
//! | [`gymnasium_seed`] | NumPy's seeding and generator: Gymnasium's initial states to the bit |
//!
//! To add an environment: one file like `pendulum.rs`, its name in the list of `kind.rs`, its line here.

#[macro_use]
mod kind;

pub mod cartpole;
pub mod clock;
pub mod config;
mod copula;
pub mod distribution;
pub mod drift;
pub mod env;
pub mod filter;
pub mod gymnasium_seed;
mod kernel;
pub mod law;
pub mod noise;
mod normal;
pub mod number;
pub mod pendulum;
mod plan;
pub mod probe;
pub mod real;
pub mod replay;
pub mod rng;
pub mod schedule;
pub mod settings;
pub mod task;
pub mod vec_env;

pub use cartpole::{CartPole, CartPoleParams, Integrator};
pub use clock::{Clock, Clocks};
pub use config::{Correlated, Correlation, DriftConfig, Mode, Overrides, SplitOverrides, TaskConfig};
pub use distribution::TaskDistribution;
pub use drift::{Apply, Drift, OnBound, Timing};
pub use env::{ActionSpace, Array, Bounds, Env, EnvSpec, ParamSpec, Transition};
pub use filter::Filter;
pub use kind::EnvKind;
pub use law::Law;
pub use noise::Noise;
pub use number::{Number, Random};
pub use pendulum::{Pendulum, PendulumParams};
pub use probe::{ProbeAction, ProbeConstant, ProbeDiscount, ProbeObs, ProbePolicy, ProbeSign};
pub use real::Real;
pub use replay::{Initial, Trajectory, replay, replay_kind};
pub use rng::{Purpose, Stream, StreamRng, unit_f32};
pub use schedule::Schedule;
pub use settings::{IntegratorKind, Notify, NotifyLevel, RewardKind, SensorFill, TaskScope, TaskSettings};
pub use task::{Channel, Split, Task, TaskError, TaskId, channel_index, channels};
pub use vec_env::{StepView, VecEnv};
