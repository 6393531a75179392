//! The oracle of the double integrator: along each axis, it pushes as hard as still lets the mass stop at the goal.
//!
//! The force is the largest towards the goal after which the mass, braked as hard as can be, comes to rest no further than
//! near the far edge of what is paid: the time-optimal law of a double integrator, in discrete time and on the current
//! model, with friction, walls, and limits of force and velocity. Only the edge is a choice: the square in the disc of the
//! goal, along whose axes the two motions do not disturb each other.

use std::f64::consts::FRAC_1_SQRT_2;

use metadrift_envs::{DoubleIntegrator, DoubleIntegratorParams};

use super::{Actuator, Command, foreseen};
use crate::control::Seen;

/// Half widths, in units of the goal's radius, of the square in which the mass brakes, and of the places it brakes for.
const BRAKE: f64 = 0.95 * FRAC_1_SQRT_2;
const REST: f64 = 0.9 * FRAC_1_SQRT_2;

/// Steps within which a mass that brakes comes to rest, if it ever does.
const LONGEST: usize = 400;

/// The oracle of the double integrator.
#[derive(Clone, Copy, Debug)]
pub struct Bring;

impl Bring {
    pub(super) fn command(
        &self,
        seen: &Seen<'_>,
        actuator: Actuator,
        under_way: impl Iterator<Item = Command>,
    ) -> Command {
        let (params, state) = foreseen::<DoubleIntegrator>(seen, actuator, under_way);
        let limit = params.force_limit;
        let reach = actuator.reach(limit).map(|force| force.clamp(-limit, limit));
        let axis = Axis { params, reach };
        [0, 1].map(|k| {
            let force = axis.force([state[k], state[2 + k]], params.goal[k]);
            actuator.command(force, limit)
        })
    }
}

/// The motion along one axis.
struct Axis {
    params: DoubleIntegratorParams<f64>,
    /// Smallest and largest force that the actuator can deliver.
    reach: [f64; 2],
}

impl Axis {
    /// The force that brings the mass to rest near `goal`.
    fn force(&self, [position, velocity]: [f64; 2], goal: f64) -> f64 {
        let way = goal - position;
        if way.abs() <= BRAKE * self.params.goal_radius {
            return self.brake(velocity);
        }
        let aim = goal + way.signum() * REST * self.params.goal_radius;
        let [mut low, mut high] = self.reach;
        for _ in 0..30 {
            let middle = 0.5 * (low + high);
            let stops = self.rest(self.params.advance([position, velocity], middle));
            *(if stops < aim { &mut low } else { &mut high }) = middle;
        }
        if way > 0.0 { high } else { low }
    }

    /// The force that takes most of the velocity away within a step.
    fn brake(&self, velocity: f64) -> f64 {
        let p = &self.params;
        let against = -velocity * (p.mass / p.dt - p.friction);
        against.clamp(self.reach[0], self.reach[1])
    }

    /// The position at which a mass that brakes comes to rest.
    fn rest(&self, mut state: [f64; 2]) -> f64 {
        for _ in 0..LONGEST {
            if state[1].abs() < 1e-9 {
                break;
            }
            state = self.params.advance(state, self.brake(state[1]));
        }
        state[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metadrift_envs::{Env, Task};

    #[test]
    fn a_braked_mass_comes_to_rest_where_it_is_said_to() {
        let params = DoubleIntegrator::params(|index| Task::nominal(&DoubleIntegrator::SPEC).values[index]);
        let axis = Axis { params, reach: [-1.0, 1.0] };
        // a mass of 1 loses a tenth of its velocity a step: it moves by 0.05 + 0.04 + 0.03 + 0.02 + 0.01
        assert!((axis.rest([-0.4, 0.5]) - -0.25).abs() < 1e-12);
        assert!((axis.rest([0.4, -0.5]) - 0.25).abs() < 1e-12);
        // a force of a half takes twice as long: 0.05 + 0.045 + ... + 0.005
        let weak = Axis { params, reach: [-0.5, 0.5] };
        assert!((weak.rest([-0.4, 0.5]) - -0.125).abs() < 1e-12);
        // one step halves the velocity by friction alone, and the force takes the rest
        let sticky = DoubleIntegratorParams { friction: 5.0, ..params };
        let axis = Axis { params: sticky, reach: [-1.0, 1.0] };
        assert!((axis.rest([0.0, 0.2]) - 0.02).abs() < 1e-12);
    }
}
