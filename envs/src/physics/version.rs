//! The version of the physics that is compiled: how much of it, and by which integrator and reward.

use serde::{Deserialize, Serialize};

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

/// How velocities and positions are advanced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntegratorKind {
    /// Positions advance with the old velocities (Gymnasium's default).
    #[default]
    Euler,
    /// Velocities first, positions with the new ones.
    SemiImplicit,
    /// The classical Runge-Kutta method of fourth order, the force held over the step.
    Rk4,
}

impl IntegratorKind {
    /// All of them, with their names.
    pub const ALL: [(&'static str, IntegratorKind); 3] = [
        ("euler", IntegratorKind::Euler),
        ("semi_implicit", IntegratorKind::SemiImplicit),
        ("rk4", IntegratorKind::Rk4),
    ];
}

/// What a step of CartPole pays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardKind {
    /// 1 for every step, the last one too (Gymnasium).
    #[default]
    Gym,
    /// 0 for every step but -1 for the one that fails (Sutton and Barto).
    SuttonBarto,
    /// 1 minus a quadratic cost of position and angle.
    Quadratic,
}
