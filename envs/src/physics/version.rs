//! Versions of the physics: level of detail, integrator and reward.

use serde::{Deserialize, Serialize};

/// Level of detail of a step. The engine compiles [`Env::step`](crate::Env::step) for each level and runs the lowest
/// that its tasks allow, so terms that no task uses cost nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The published environment.
    Base,
    /// The environment with all terms that are cheap to add.
    Extended,
    /// The environment with all terms, other integrators and rewards included.
    Full,
}

/// The version of the physics that a batch runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Level; parameters of a higher one are at their defaults.
    pub level: Level,
    /// Integrator; other than Euler only at [`Level::Full`].
    pub integrator: IntegratorKind,
    /// Reward; other than Gymnasium's only at [`Level::Full`].
    pub reward: RewardKind,
}

impl Version {
    /// The full level, with the default integrator and reward.
    pub const FULL: Version =
        Version { level: Level::Full, integrator: IntegratorKind::Euler, reward: RewardKind::Gym };
}

/// The scheme that advances velocities and positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntegratorKind {
    /// Positions advance with the old velocities (Gymnasium's default).
    #[default]
    Euler,
    /// Velocities advance first, positions with the new ones.
    SemiImplicit,
    /// The classical Runge-Kutta method of fourth order, the force held over the step.
    Rk4,
}

impl IntegratorKind {
    /// The integrators, with their names.
    pub const ALL: [(&'static str, IntegratorKind); 3] = [
        ("euler", IntegratorKind::Euler),
        ("semi_implicit", IntegratorKind::SemiImplicit),
        ("rk4", IntegratorKind::Rk4),
    ];
}

/// The reward of a step of CartPole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardKind {
    /// Reward 1 for every step, the last one too (Gymnasium).
    #[default]
    Gym,
    /// Reward 0 for every step but -1 for the one that fails (Sutton and Barto).
    SuttonBarto,
    /// Reward 1 minus a quadratic cost of position and angle.
    Quadratic,
}
