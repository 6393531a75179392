//! What an environment is: a description ([`EnvSpec`]) and pure functions ([`Env`]).

use std::fmt;

use crate::real::Real;
use crate::settings::{IntegratorKind, RewardKind};

/// The numbers a quantity may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Smallest legal value, or its limit if `above_min`.
    pub min: f64,
    /// Largest legal value.
    pub max: f64,
    /// True if `min` itself is not legal.
    pub above_min: bool,
}

impl Bounds {
    /// [min, max].
    pub const fn closed(min: f64, max: f64) -> Bounds {
        Bounds { min, max, above_min: false }
    }

    /// (min, max].
    pub const fn above(min: f64, max: f64) -> Bounds {
        Bounds { min, max, above_min: true }
    }

    /// Whether `value` is legal; NaN is not.
    pub fn contains(&self, value: f64) -> bool {
        let low = if self.above_min { value > self.min } else { value >= self.min };
        low && value <= self.max
    }
}

/// As in `[-π, π]`, `(0, 10]`, `[0, 1)`; a largest value just below a whole number is written as that limit.
impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = if self.above_min { '(' } else { '[' };
        let limit = self.max.next_up();
        let below = limit.fract() == 0.0 && self.max.fract() != 0.0;
        let (max, close) = if below { (limit, ')') } else { (self.max, ']') };
        write!(f, "{open}{}, {}{close}", Written(self.min), Written(max))
    }
}

/// A number in the text for people: a whole part of pi as such.
struct Written(f64);

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = std::f64::consts::PI / self.0.abs();
        let sign = if self.0 < 0.0 { "-" } else { "" };
        match part.round() {
            one if one == 1.0 && part == one => write!(f, "{sign}π"),
            n if (2.0..=6.0).contains(&n) && part == n => write!(f, "{sign}π/{n}"),
            _ => write!(f, "{}", self.0),
        }
    }
}

/// A physical parameter: a fundamental quantity that cannot be computed from the others.
#[derive(Clone, Copy, Debug)]
pub struct ParamSpec {
    /// Key in configuration files.
    pub name: &'static str,
    /// Unit, `1` for a pure number.
    pub unit: &'static str,
    /// What it is, in one line.
    pub doc: &'static str,
    /// Value of the unperturbed environment.
    pub default: f64,
    /// Legal values.
    pub bounds: Bounds,
    /// Which version of the step it takes when it is not at its default.
    pub level: Level,
}

impl ParamSpec {
    /// A parameter that every step computes with.
    pub const fn new(
        name: &'static str,
        unit: &'static str,
        doc: &'static str,
        default: f64,
        bounds: Bounds,
    ) -> ParamSpec {
        ParamSpec { name, unit, doc, default, bounds, level: Level::Base }
    }

    /// The same, read only by steps of at least that level: its default must change nothing.
    pub const fn at(self, level: Level) -> ParamSpec {
        ParamSpec { level, ..self }
    }
}

/// How much of the physics a step computes. The engine compiles [`Env::step`] for each level and
/// runs the lowest that its tasks allow, so what no task uses costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The published environment.
    Base,
    /// With all that is cheap to add.
    Extended,
    /// With everything, other integrators and rewards included.
    Full,
}

/// The version of the physics that a batch runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Parameters of a higher level are at their defaults.
    pub level: Level,
    /// Other than Euler only at [`Level::Full`].
    pub integrator: IntegratorKind,
    /// Other than Gymnasium's only at [`Level::Full`].
    pub reward: RewardKind,
}

impl Version {
    /// Everything is computed, with the default integrator and reward.
    pub const FULL: Version =
        Version { level: Level::Full, integrator: IntegratorKind::Euler, reward: RewardKind::Gym };
}

/// The actions an environment takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ActionSpace {
    /// Indices 0, 1, ..., n - 1; they travel as `f32`.
    Discrete(usize),
    /// `dim` real numbers, meant for [-bound, bound]; the controller clips what lies outside.
    Box {
        /// How many numbers.
        dim: usize,
        /// Largest magnitude at default parameters, in the action's unit.
        bound: f64,
    },
}

impl ActionSpace {
    /// Length of an action in memory: 1 for an index, `dim` for a vector.
    pub const fn act_dim(&self) -> usize {
        match self {
            ActionSpace::Discrete(_) => 1,
            ActionSpace::Box { dim, .. } => *dim,
        }
    }

    /// Whether `number` may stand in an action: a whole number below n for an index, any finite number for a vector.
    pub fn contains(&self, number: f64) -> bool {
        match self {
            ActionSpace::Discrete(count) => number.fract() == 0.0 && (0.0..*count as f64).contains(&number),
            ActionSpace::Box { .. } => number.is_finite(),
        }
    }
}

/// The description of an environment.
#[derive(Clone, Copy, Debug)]
pub struct EnvSpec {
    /// Name in configuration files.
    pub name: &'static str,
    /// What it is and where it comes from.
    pub doc: &'static str,
    /// Names of the observation's components.
    pub observations: &'static [&'static str],
    /// The actions it takes.
    pub action: ActionSpace,
    /// Its physical parameters.
    pub params: &'static [ParamSpec],
    /// Default time limit (steps per episode).
    pub horizon: u32,
    /// Whether tasks may choose among integrators and rewards; else they stay at their defaults.
    pub variants: bool,
}

impl EnvSpec {
    /// Length of an observation.
    pub const fn obs_dim(&self) -> usize {
        self.observations.len()
    }

    /// Length of an action in memory.
    pub const fn act_dim(&self) -> usize {
        self.action.act_dim()
    }
}

/// A short array whose length is part of its type: `[R; N]`.
pub trait Array<R>: Copy + AsRef<[R]> + AsMut<[R]> {
    /// How many elements.
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

/// What one step leads to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transition<S, R> {
    /// The next physical state.
    pub state: S,
    /// The reward of the step.
    pub reward: R,
    /// Whether the episode has ended for good (a time limit is not part of the physics).
    pub terminated: bool,
}

/// An environment: associated functions of a unit struct.
///
/// Physics is a pure function of (parameters, state, action): no clock, no generator, no logging.
/// One source serves `f64` (equal to Gymnasium) and `f32` (the batch). Time limits, autoreset and
/// faults of actuator and sensors belong to [`crate::VecEnv`]: those of the actuator turn the
/// command of [`Env::command`] into what [`Env::step`] applies, those of the sensors come after
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

    /// The same parameters for a certain version of the physics. Only an environment with optional
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

    /// What the controller asks of the actuator when the policy says `action`.
    fn command<R: Real>(params: &Self::Params<R>, action: Self::Action<R>) -> Self::Action<R>;

    /// One step of physics: `applied` acts on the plant, `command` is what effort is charged for.
    fn step<R: Real>(
        params: &Self::Params<R>,
        state: Self::State<R>,
        command: Self::Action<R>,
        applied: Self::Action<R>,
    ) -> Transition<Self::State<R>, R>;

    /// What healthy sensors show of a state.
    fn observe<R: Real>(params: &Self::Params<R>, state: Self::State<R>) -> Self::Obs<R>;
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;

    #[test]
    fn ranges_read_as_they_are_written_on_paper() {
        let written = [
            Bounds::closed(-PI, PI),
            Bounds::above(0.0, PI / 2.0),
            Bounds::closed(0.0, 1.0 - f64::EPSILON / 2.0),
            Bounds::closed(0.0, 1.0),
            Bounds::closed(1e-4, 0.2),
            Bounds::closed(-0.5, 3.1),
        ];
        let expected = ["[-π, π]", "(0, π/2]", "[0, 1)", "[0, 1]", "[0.0001, 0.2]", "[-0.5, 3.1]"];
        assert_eq!(written.map(|bounds| bounds.to_string()), expected);
    }

    #[test]
    fn an_index_is_a_whole_number_below_the_count() {
        let space = ActionSpace::Discrete(3);
        assert!([0.0, -0.0, 1.0, 2.0].into_iter().all(|number| space.contains(number)));
        assert!(![-1.0, 0.5, 2.999, 3.0, 1e300, f64::NAN, f64::INFINITY].into_iter().any(|x| space.contains(x)));
        let space = ActionSpace::Box { dim: 2, bound: 1.0 };
        assert!(space.contains(-7.5) && !space.contains(f64::NAN) && !space.contains(f64::NEG_INFINITY));
    }
}
