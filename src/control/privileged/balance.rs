//! The oracle of CartPole: of the two pushes, it applies the one nearer to the output of the current model's regulator.

use metadrift_envs::{CartPole, Env};
use nalgebra::Vector4;

use super::{Actuator, Command, foreseen};
use crate::control::{Seen, lqr::Regulator};

/// Weights of position, velocity, angle and angular velocity, and of a push in units of the full force. A push always
/// has full force: only its weight beside a steady disturbance matters, and a small one holds the cart near its target.
const BALANCE: [f64; 4] = [1.0, 0.1, 10.0, 0.1];
const EFFORT: f64 = 0.1;

/// The oracle of CartPole.
#[derive(Clone, Debug)]
pub struct Balance {
    regulator: Regulator<4>,
}

impl Balance {
    pub(super) fn new() -> Balance {
        Balance { regulator: Regulator::new() }
    }

    pub(super) fn command(
        &mut self,
        seen: &Seen<'_>,
        actuator: Actuator,
        under_way: impl Iterator<Item = Command>,
    ) -> Command {
        let (params, state) = foreseen::<CartPole>(seen, actuator, under_way);
        let target = [params.target_position, 0.0, 0.0, 0.0];
        let (gain, by_push) = self.regulator.at::<CartPole>(seen.values, target, BALANCE, EFFORT);
        // the effect of wind and tilt in a step at the target, in pushes
        let pushed = Vector4::from(CartPole::step(&params, target, [0.0], [0.0]).state) - Vector4::from(target);
        let against = pushed.dot(&by_push) / by_push.norm_squared();
        let away = Vector4::from(state) - Vector4::from(target);
        let wanted = -(gain * away)[0] - if against.is_finite() { against } else { 0.0 };
        let miss = |command: f64| (actuator.applied(command, 1.0) - wanted).abs();
        let command = if miss(1.0) < miss(-1.0) { 1.0 } else { -1.0 };
        [command, 0.0]
    }
}
