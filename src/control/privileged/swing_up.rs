//! The oracle of Pendulum: it pumps energy until the regulator of the current model, simulated on that model, catches
//! the rod.

use std::f64::consts::PI;

use metadrift_envs::{Env, Pendulum, PendulumParams};
use nalgebra::RowSVector;

use super::{Actuator, Command, foreseen};
use crate::control::{Seen, lqr::Regulator};

/// Weights of angle and angular velocity, and of torque, as in the reward.
const UPRIGHT: [f64; 2] = [1.0, 0.1];
const EFFORT: f64 = 0.001;

/// The oracle of Pendulum.
#[derive(Clone, Debug)]
pub struct SwingUp {
    regulator: Regulator<2>,
}

impl SwingUp {
    pub(super) fn new() -> SwingUp {
        SwingUp { regulator: Regulator::new() }
    }

    pub(super) fn command(
        &mut self,
        seen: &Seen<'_>,
        actuator: Actuator,
        under_way: impl Iterator<Item = Command>,
    ) -> Command {
        let (params, state) = foreseen::<Pendulum>(seen, actuator, under_way);
        let target = params.hold_angle;
        let (gain, _) = self.regulator.at::<Pendulum>(seen.values, [target, 0.0], UPRIGHT, EFFORT);
        let rod = Rod { params, target, wind: params.wind_torque, gain, actuator };
        let command = rod.command(state);
        [command, 0.0]
    }
}

/// The rod, its joint's actuator, and the regulator that holds it at the target angle.
struct Rod {
    params: PendulumParams<f64>,
    target: f64,
    /// Torque that acts besides the actuator's (N m).
    wind: f64,
    gain: RowSVector<f64, 2>,
    actuator: Actuator,
}

impl Rod {
    /// The torque nearest to `wanted` that the actuator can deliver (N m).
    fn deliverable(&self, wanted: f64) -> f64 {
        let [least, most] = self.actuator.reach(self.params.max_torque);
        wanted.clamp(least, most)
    }

    /// Torque that holds the target angle against gravity and wind (N m).
    fn holding(&self) -> f64 {
        -0.5 * self.params.mass * self.params.gravity * self.params.length * self.target.sin() - self.wind
    }

    /// The torque to command (N m): the regulator's if it catches the rod, otherwise one that pumps energy.
    fn command(&self, state: [f64; 2]) -> f64 {
        let torque = if self.catches(state) { self.regulate(state) } else { self.pump(state) };
        self.actuator.command(torque, self.params.max_torque)
    }

    fn away(&self, [theta, speed]: [f64; 2]) -> [f64; 2] {
        [(theta - self.target + PI).rem_euclid(2.0 * PI) - PI, speed]
    }

    fn regulate(&self, state: [f64; 2]) -> f64 {
        let torque = self.holding() - (self.gain * nalgebra::Vector2::from(self.away(state)))[0];
        self.deliverable(torque)
    }

    /// Torque towards the energy of the upright state, at full strength (N m).
    fn pump(&self, [theta, speed]: [f64; 2]) -> f64 {
        let p = &self.params;
        let energy = p.mass * p.length * p.length * speed * speed / 6.0
            + 0.5 * p.mass * p.gravity * p.length * (theta.cos() - 1.0);
        let direction = if speed < 0.0 { -1.0 } else { 1.0 };
        self.deliverable(if energy < 0.0 { direction * f64::INFINITY } else { -direction * f64::INFINITY })
    }

    /// Says whether the regulator, from here on, brings the rod to rest at the target without letting it fall first.
    fn catches(&self, start: [f64; 2]) -> bool {
        let mut state = start;
        let mut angle = self.away(start)[0].abs();
        for _ in 0..CATCH {
            let torque = self.regulate(state);
            state = Pendulum::step(&self.params, state, [0.0], [torque]).state;
            let now = self.away(state)[0].abs();
            if now > PI / 2.0 && now > angle {
                return false;
            }
            angle = now;
        }
        angle < 0.2 && state[1].abs() < 0.5
    }
}

/// Number of steps within which the regulator must have caught the rod.
const CATCH: usize = 40;
