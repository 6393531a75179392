//! The oracle of the complex ODE: the action whose effect, by the current coefficients, takes the number to zero, or as
//! near as it gets in one step.
//!
//! The effect of an action does not depend on the number, and standing still is always possible, so that to be as near as
//! possible after every step is optimal (but for dead zone, noise and losses).

use metadrift_envs::{ComplexOde, ComplexOdeParams};

use super::{Actuator, Command, foreseen};
use crate::control::Seen;

/// The oracle of the complex ODE.
#[derive(Clone, Copy, Debug)]
pub struct Steer;

impl Steer {
    pub(super) fn command(
        &self,
        seen: &Seen<'_>,
        actuator: Actuator,
        under_way: impl Iterator<Item = Command>,
    ) -> Command {
        let (params, [x]) = foreseen::<ComplexOde>(seen, actuator, under_way);
        let applied = applied(&params, actuator.reach(1.0), -x / params.dt);
        applied.map(|part| actuator.command(part, 1.0))
    }
}

/// Velocity under the action `re + i im`.
fn rate(p: &ComplexOdeParams<f64>, [re, im]: [f64; 2]) -> f64 {
    p.c0 * re + p.c1 * (re * re - im * im)
}

/// The action, both parts within `reach`, with the velocity nearest to `wanted`.
fn applied(p: &ComplexOdeParams<f64>, reach: [f64; 2], wanted: f64) -> [f64; 2] {
    // the velocity is a sum of a part for each of the two: their extremes are at ends or where a part is level
    let inside = |level: f64| level.clamp(reach[0], reach[1]);
    let level = -p.c0 / (2.0 * p.c1);
    let real = [reach[0], reach[1], if level.is_finite() { inside(level) } else { reach[0] }];
    let imaginary = [reach[0], reach[1], inside(0.0)];
    let extreme = |sign: f64| {
        let best = |parts: [f64; 3], of: &dyn Fn(f64) -> f64| {
            parts.into_iter().max_by(|a, b| (sign * of(*a)).total_cmp(&(sign * of(*b)))).unwrap_or(0.0)
        };
        [best(real, &|re| rate(p, [re, 0.0])), best(imaginary, &|im| rate(p, [0.0, im]))]
    };
    let (slowest, fastest) = (extreme(-1.0), extreme(1.0));
    // on the way from one extreme to the other the velocity takes every value between theirs
    let between = |share: f64| [0, 1].map(|k| slowest[k] + share * (fastest[k] - slowest[k]));
    let [mut low, mut high] = [0.0, 1.0];
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        *(if rate(p, between(middle)) < wanted { &mut low } else { &mut high }) = middle;
    }
    between(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_velocity_is_the_wanted_one_or_the_nearest_that_is_possible() {
        // extremes of c0 re + c1 (re^2 - im^2) by hand
        let cases = [
            ((3.0, 0.0), [-3.0, 3.0]),
            ((0.0, 2.0), [-2.0, 2.0]),
            // 3 + 2 at re = 1; at im = 1 the least of 3 re + 2 re^2 - 2 is at re = -3/4: -9/8 - 2
            ((3.0, 2.0), [-3.125, 5.0]),
            // the mirror image
            ((3.0, -2.0), [-5.0, 3.125]),
            // re^2 - 4 re falls all the way, from 5 to -3; im = 1 takes another 1
            ((-4.0, 1.0), [-4.0, 5.0]),
        ];
        for ((c0, c1), [least, most]) in cases {
            let p = ComplexOdeParams { c0, c1, dt: 0.01, x_limit: 20.0, init_x: 1.0 };
            let found = |wanted: f64| {
                let action = applied(&p, [-1.0, 1.0], wanted);
                assert!(action.iter().all(|part| part.abs() <= 1.0), "{action:?}");
                rate(&p, action)
            };
            for wanted in [least, most, 0.0, 0.3 * least, 0.7 * most] {
                assert!((found(wanted) - wanted).abs() < 1e-9, "{c0} {c1}: {} for {wanted}", found(wanted));
            }
            assert!((found(-1e3) - least).abs() < 1e-9 && (found(1e3) - most).abs() < 1e-9, "{c0} {c1}");
        }
    }
}
