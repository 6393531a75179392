//! The trait of an environment: a description ([`EnvSpec`]) and pure functions ([`Env`]).

use crate::physics::{real::Real, spec::EnvSpec, version::Version};

/// A short array whose length is part of its type: `[R; N]`.
pub trait Array<R>: Copy + AsRef<[R]> + AsMut<[R]> {
    /// Number of elements.
    const LEN: usize;

    /// The array of `element(0)`, `element(1)`, ...
    fn from_fn(element: impl FnMut(usize) -> R) -> Self;
}

impl<R: Copy, const N: usize> Array<R> for [R; N] {
    const LEN: usize = N;

    #[inline(always)]
    fn from_fn(element: impl FnMut(usize) -> R) -> Self {
        std::array::from_fn(element)
    }
}

/// The result of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transition<S, R> {
    /// The next physical state.
    pub state: S,
    /// The reward of the step.
    pub reward: R,
    /// True if the episode has ended for good (a time limit is not part of the physics).
    pub terminated: bool,
}

/// An environment: associated functions of a unit struct.
///
/// Physics is a pure function of (parameters, state, action): no clock, no generator, no logging.
/// One source serves `f64` (equal to Gymnasium) and `f32` (the batch). Time limits, autoreset and
/// faults of actuator and sensors belong to [`crate::VecEnv`]: those of the actuator turn the
/// command of [`Env::command`] into the input of [`Env::step`], those of the sensors come after
/// [`Env::observe`].
///
/// Mark every function `#[inline(always)]`: the engine's loop over lanes vectorises only if
/// nothing in it is a call.
pub trait Env: 'static {
    /// The description.
    const SPEC: EnvSpec;
    /// Physical parameters as a struct of plain numbers: fundamentals only.
    type Params<R: Real>: Copy;
    /// Physical state.
    type State<R: Copy>: Array<R>;
    /// Observation, of the length of `SPEC.observations`.
    type Obs<R: Copy>: Array<R>;
    /// Action in memory, of length `SPEC.act_dim()`.
    type Action<R: Copy>: Array<R>;

    /// Parameters from their values, numbered as in `SPEC.params`.
    fn params<R: Real>(get: impl Fn(usize) -> R) -> Self::Params<R>;

    /// The parameters for a certain version of the physics. Only an environment with optional
    /// parameters or variants overrides it, and keeps `version` as a field of its parameters: in the
    /// engine that field is a constant, so branches on it vanish.
    #[inline(always)]
    fn with_version<R: Real>(params: Self::Params<R>, version: Version) -> Self::Params<R> {
        let _ = version;
        params
    }

    /// The size of a full command, in the command's unit: dead zone and saturation of the actuator
    /// are fractions of it.
    #[inline(always)]
    fn full_scale<R: Real>(params: &Self::Params<R>) -> R {
        let _ = params;
        R::from_f64(1.0)
    }

    /// An initial state from four uniform numbers in [0, 1).
    fn reset<R: Real>(params: &Self::Params<R>, uniform: [R; 4]) -> Self::State<R>;

    /// The command that the controller gives the actuator for an action of the policy.
    fn command<R: Real>(params: &Self::Params<R>, action: Self::Action<R>) -> Self::Action<R>;

    /// One step of physics: `applied` acts on the plant, effort is charged for `command`.
    fn step<R: Real>(
        params: &Self::Params<R>,
        state: Self::State<R>,
        command: Self::Action<R>,
        applied: Self::Action<R>,
    ) -> Transition<Self::State<R>, R>;

    /// The largest magnitude of each reading of healthy sensors in an episode, its last observation included; infinite
    /// where nothing limits it. It may only grow with the parameters.
    #[inline(always)]
    fn reach<R: Real>(params: &Self::Params<R>) -> Self::Obs<R> {
        let _ = params;
        Self::Obs::from_fn(|_| R::from_f64(f64::INFINITY))
    }

    /// The readings of healthy sensors in a state.
    fn observe<R: Real>(params: &Self::Params<R>, state: Self::State<R>) -> Self::Obs<R>;
}
