//! Control environments whose dynamics differ from task to task and drift with time.
//!
//! No libtorch, no threads, no file formats. A map, from the physics outwards:
//!
//! | module | what it holds |
//! |---|---|
//! | [`real`] | the number type: one physics source for `f64` (reference) and `f32` (batch) |
//! | [`mod@env`] | what an environment is: [`EnvSpec`] and the pure functions of [`Env`] |
//! | [`cartpole`], [`pendulum`], [`navigation`], [`probe`] | the environments |
//! | [`clock`] | the five counts of time that a drift can follow |
//! | [`schedule`] | how a quantity moves over a clock |
//! | [`noise`] | the randomness of one process, at any place |
//! | [`drift`] | a channel that follows a schedule |
//! | [`settings`] | what is said about a task besides its channels |
//! | [`law`], [`number`] | what a number of a task is drawn from |
//! | [`channel`] | what of an environment can be perturbed |
//! | [`task`] | [`Task`], one choice of all channels |
//! | [`config`] | task files as written: [`TaskConfig`] |
//! | [`distribution`] | drawing tasks: [`TaskDistribution`] for train, in-dist, ood |
//! | [`overlap`] | tasks that two splits share |
//! | [`variation`](mod@variation) | how much a task changes |
//! | [`filter`] | which tasks can be solved |
//! | [`EnvKind`], [`dynamics`](mod@dynamics) | an environment chosen by name at run time, its type forgotten; `with_env!` makes it one |
//! | [`rng`] | named random streams, Philox4x32-10 |
//! | [`vec_env`] | [`VecEnv`]: many lanes at once, autoreset, drift, faults |
//! | [`mod@replay`] | recorded actions in `f64`, for comparison with Gymnasium |
//! | [`gymnasium_seed`] | NumPy's seeding and generator: Gymnasium's initial states to the bit |
//!
//! To add an environment: one file like `navigation.rs`, its name in the list of `kind.rs`, its line here;
//! one of your own needs neither (`examples/own_environment.rs`).

#[macro_use]
mod kind;

mod actuator;
mod announce;
mod appendix;
pub mod cartpole;
pub mod channel;
pub mod clock;
mod columns;
pub mod config;
mod copula;
mod delay;
pub mod distribution;
pub mod drift;
mod drive;
pub mod dynamics;
pub mod env;
mod faults;
pub mod filter;
mod gauss;
pub mod gymnasium_seed;
mod interleave;
mod kernel;
mod lanes;
pub mod law;
mod moving;
pub mod navigation;
pub mod noise;
mod normal;
pub mod number;
pub mod overlap;
pub mod pendulum;
mod plan;
pub mod probe;
pub mod real;
pub mod replay;
pub mod schedule;
mod sensor;
pub mod settings;
mod simd;
mod streams;
pub mod task;
pub mod variation;
pub mod vec_env;
mod words;

pub use appendix::obs_dim;
pub use cartpole::{CartPole, CartPoleParams};
pub use channel::channels;
pub use clock::{Clock, Clocks};
pub use config::{Correlated, Correlation, DriftConfig, Mode, Overrides, SplitOverrides, TaskConfig};
pub use distribution::TaskDistribution;
pub use drift::{Apply, Drift, OnBound, Timing};
pub use dynamics::{Batch, Dynamics, dynamics};
pub use env::{ActionSpace, Array, Bounds, Env, EnvSpec, Level, ParamSpec, Transition, Version};
pub use filter::Filter;
pub use kind::EnvKind;
pub use law::Law;
pub use navigation::{Navigation, NavigationParams, NavigationRotated};
pub use noise::Noise;
pub use number::{Number, Random};
pub use overlap::{Overlap, SharedChannel};
pub use pendulum::{Pendulum, PendulumParams};
pub use probe::{ProbeAction, ProbeConstant, ProbeDiscount, ProbeObs, ProbePolicy, ProbeSign};
pub use real::{Divisor, Real};
pub use replay::{Initial, Trajectory, replay, replay_kind};
pub use metadrift_random::{self as rng, Purpose, Stream, StreamRng, unit_f32};
pub use schedule::Schedule;
pub use settings::{IntegratorKind, Notify, NotifyLevel, RewardKind, SensorFill, TaskSettings};
pub use streams::LaneStreams;
pub use task::{Channel, Split, Task, TaskError, TaskId, channel_index};
pub use variation::{Variation, variation};
pub use vec_env::{Autoreset, StepError, StepView, VecEnv, WrongState};
