//! The description of an environment: names, units, default values and legal ranges.

use std::fmt;

use crate::physics::version::{IntegratorKind, Level, RewardKind};

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
    /// The closed interval [min, max].
    pub const fn closed(min: f64, max: f64) -> Bounds {
        Bounds { min, max, above_min: false }
    }

    /// The interval (min, max], open below.
    pub const fn above(min: f64, max: f64) -> Bounds {
        Bounds { min, max, above_min: true }
    }

    /// Returns true if `value` is legal; NaN is not.
    pub fn contains(&self, value: f64) -> bool {
        let low = if self.above_min { value > self.min } else { value >= self.min };
        low && value <= self.max
    }
}

/// The notation is that of `[-π, π]`, `(0, 10]`, `[0, 1)`; a largest value just below a whole number is written as that
/// limit.
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
    /// Description in one line.
    pub doc: &'static str,
    /// Value of the unperturbed environment.
    pub default: f64,
    /// Legal values.
    pub bounds: Bounds,
    /// Level of physics that is needed when the parameter is not at its default.
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

    /// The parameter, read only by steps of at least that level: its default must change nothing.
    pub const fn at(self, level: Level) -> ParamSpec {
        ParamSpec { level, ..self }
    }
}

/// The actions an environment takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ActionSpace {
    /// Indices 0, 1, ..., n - 1; they travel as `f32`.
    Discrete(usize),
    /// Vectors of `dim` real numbers, meant for [-bound, bound]; the controller clips numbers outside.
    Box {
        /// Number of components.
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

    /// The smallest and the largest number that stands in an action at default parameters.
    pub const fn ends(&self) -> [f64; 2] {
        match self {
            ActionSpace::Discrete(count) => [0.0, (*count - 1) as f64],
            ActionSpace::Box { bound, .. } => [-*bound, *bound],
        }
    }

    /// Returns true if `number` may stand in an action: a whole number below n for an index, any finite number for a
    /// vector.
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
    /// Description and origin.
    pub doc: &'static str,
    /// Names of the observation's components.
    pub observations: &'static [&'static str],
    /// Action space.
    pub action: ActionSpace,
    /// Physical parameters.
    pub params: &'static [ParamSpec],
    /// Default time limit (steps per episode).
    pub horizon: u32,
    /// True if tasks may choose among integrators and rewards; else they stay at their defaults.
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

    /// Refuses an integrator by which the environment cannot be advanced, for task files and replays alike: CartPole
    /// has all, Pendulum has the one that Gymnasium gives it.
    pub(crate) fn check_integrator(&self, integrator: IntegratorKind) -> Result<(), String> {
        match self.name {
            _ if self.variants => Ok(()),
            "pendulum" if integrator == IntegratorKind::SemiImplicit => Ok(()),
            "pendulum" => Err("pendulum is advanced by semi_implicit and nothing else".into()),
            name => Err(format!("{name} has no choice of integrators; leave it out")),
        }
    }

    /// Refuses a reward that the environment does not pay: CartPole has all, Pendulum has Gymnasium's.
    pub(crate) fn check_reward(&self, reward: RewardKind) -> Result<(), String> {
        match self.name {
            _ if self.variants => Ok(()),
            "pendulum" if reward == RewardKind::Gym => Ok(()),
            "pendulum" => Err("pendulum pays the reward of Gymnasium, gym, and nothing else".into()),
            name => Err(format!("{name} has no choice of rewards; leave it out")),
        }
    }
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
