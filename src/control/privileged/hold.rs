//! The oracle of cart-pole balance: the linear-quadratic regulator of the current model, whose costs are the curvature of
//! the reward at its maximum.

use std::f64::consts::LN_10;

use metadrift_envs::CartPoleBalance;
use nalgebra::Vector4;

use super::{Actuator, Command, foreseen};
use crate::control::{Seen, lqr::Regulator};

/// Loss of the reward per square of position, velocity, angle, angular velocity and command, to second order: of its four
/// factors, `(1 + 0.1^(x^2 / 4)) / 2` loses `x^2 ln(10) / 8`, `(1 + cos) / 2` loses a quarter of the squared angle,
/// `(1 + 0.1^(w^2 / 25)) / 2` loses `w^2 ln(10) / 50`, and the last one a fifth of the squared command.
const LOSS: [f64; 4] = [LN_10 / 8.0, 0.0, 0.25, LN_10 / 50.0];
const EFFORT: f64 = 0.2;

/// The oracle of cart-pole balance.
#[derive(Clone, Debug)]
pub struct Hold {
    regulator: Regulator<4>,
}

impl Hold {
    pub(super) fn new() -> Hold {
        Hold { regulator: Regulator::new() }
    }

    pub(super) fn command(
        &mut self,
        seen: &Seen<'_>,
        actuator: Actuator,
        under_way: impl Iterator<Item = Command>,
    ) -> Command {
        let (_, state) = foreseen::<CartPoleBalance>(seen, actuator, under_way);
        let (gain, _) = self.regulator.at::<CartPoleBalance>(seen.values, [0.0; 4], LOSS, EFFORT);
        let command = actuator.command(-(gain * Vector4::from(state))[0], 1.0);
        [command, 0.0]
    }
}
