//! Control environments whose dynamics differ from task to task and drift with time.
//!
//! The crate has no libtorch, no threads and no file formats. It has three floors; each knows only those below it:
//!
//! | module | contents |
//! |---|---|
//! | [`physics`] | environments as pure functions |
//! | [`physics::real`] | the number type: one physics source for `f64` (reference) and `f32` (batch) |
//! | [`physics::version`], [`physics::spec`] | the description of an environment: [`EnvSpec`] |
//! | [`physics::env`](mod@physics::env) | the trait of an environment: [`Env`] |
//! | [`physics::cartpole`], [`physics::pendulum`], [`physics::navigation`] | the environments |
//! | [`physics::double_integrator`], [`physics::complex_ode`], [`physics::cartpole_balance`] | those of the Actuator Inversion Benchmark |
//! | [`physics::probe`] | probe environments, each with a known answer |
//! | [`tasks`] | the task language |
//! | [`tasks::clock`] | the five counts of time that a drift can follow |
//! | [`tasks::schedule`], [`tasks::noise`] | motion of a quantity over a clock, and its randomness |
//! | [`tasks::law`], [`tasks::number`] | laws that the numbers of a task are drawn from |
//! | [`tasks::error`] | errors of task descriptions |
//! | [`tasks::channel`] | channels: the quantities of an environment that can be perturbed |
//! | [`tasks::drift`] | a channel that follows a schedule |
//! | [`tasks::settings`] | settings of a task besides its channels |
//! | [`tasks::task`] | [`Task`], one choice of all channels |
//! | [`tasks::config`] | task files as written: [`TaskConfig`] |
//! | [`tasks::distribution`] | drawing tasks: [`TaskDistribution`] for train, in-dist, ood |
//! | [`tasks::filter`] | the tasks that can be solved |
//! | [`tasks::overlap`] | tasks that two splits share |
//! | [`tasks::variation`](mod@tasks::variation) | the variation budget of a task |
//! | [`engine`] | many lanes stepped at once |
//! | [`engine::vec_env`] | [`VecEnv`]: autoreset, time limits, drift, faults |
//! | [`engine::streams`] | random streams of many lanes |
//!
//! Above them stand the modules that join them:
//!
//! | module | contents |
//! |---|---|
//! | [`gymnasium_seed`] | NumPy's seeding and generator: Gymnasium's initial states to the bit |
//! | [`mod@replay`] | recorded actions in `f64`, for comparison with Gymnasium |
//! | [`dynamics`](mod@dynamics) | environments without their types |
//! | [`check`] | the contract of an environment, checked on itself |
//! | [`EnvKind`] | an environment chosen by name at run time; `with_env!` gives it its type back |
//!
//! Random numbers come from [`rng`], the crate `metadrift-random`.
//!
//! To add an environment: one file like `physics/navigation.rs`, its lines in `physics/mod.rs` and here, its name in
//! the list of `kind.rs`; one of your own needs none of these (`examples/own_environment.rs`).

#[macro_use]
mod kind;

mod bounds;
pub mod check;
pub mod dynamics;
pub mod engine;
pub mod gymnasium_seed;
pub mod physics;
pub mod replay;
pub mod tasks;

pub use metadrift_random::{self as rng, Purpose, Stream, StreamRng, unit_f32};

pub use bounds::obs_bounds;
pub use dynamics::{Batch, Dynamics, Lanes, dynamics};
pub use engine::{
    appendix::obs_dim,
    streams::LaneStreams,
    vec_env::{Autoreset, StepError, StepView, VecEnv, WrongState},
};
pub use kind::{EnvKind, replay_kind};
pub use physics::{
    cartpole::{CartPole, CartPoleParams},
    cartpole_balance::{CartPoleBalance, CartPoleBalanceParams},
    complex_ode::{ComplexOde, ComplexOdeParams},
    double_integrator::{DoubleIntegrator, DoubleIntegratorParams},
    env::{Array, Env, Transition},
    navigation::{Navigation, NavigationParams, NavigationRotated},
    pendulum::{Pendulum, PendulumParams},
    probe::{ProbeAction, ProbeConstant, ProbeDiscount, ProbeObs, ProbePolicy, ProbeSign},
    real::{Divisor, Real},
    spec::{ActionSpace, Bounds, EnvSpec, ParamSpec},
    version::{IntegratorKind, Level, RewardKind, Version},
};
pub use replay::{Initial, Trajectory, replay};
pub use tasks::{
    channel::{Channel, channel_index, channels},
    clock::{Clock, Clocks},
    config::{Correlated, Correlation, DriftConfig, Mode, Overrides, SplitOverrides, TaskConfig},
    distribution::TaskDistribution,
    drift::{Apply, Drift, OnBound, Timing},
    error::TaskError,
    filter::Filter,
    law::Law,
    noise::Noise,
    number::{Number, Random},
    overlap::{Overlap, SharedChannel},
    schedule::Schedule,
    settings::{Notify, NotifyLevel, SensorFill, TaskSettings},
    task::{Split, Task, TaskId},
    variation::{Variation, variation},
};
