//! CartPole: balance a pole on a cart by pushing left or right.
//!
//! Gymnasium 1.4.0 `CartPole-v1` (`gymnasium/envs/classic_control/cartpole.py`), after Barto,
//! Sutton and Anderson (1983). State: cart position (m), cart velocity (m/s), pole angle (rad,
//! 0 upright, positive towards +x), angular velocity (rad/s). The order of operations is
//! Gymnasium's, so `f64` gives its bits. Total mass and mass times half length are computed in
//! the step: stored, they would go stale when a mass changes.

use std::f64::consts::PI;

use crate::env::{ActionSpace, Bounds, Env, EnvSpec, ParamSpec, Transition};
use crate::real::Real;

/// Angle at which an episode ends (rad): 12 degrees, as Gymnasium writes it.
const THETA_LIMIT: f64 = 12.0 * 2.0 * PI / 360.0;

const PARAMS: &[ParamSpec] = &[
    ParamSpec {
        name: "gravity",
        unit: "m/s^2",
        doc: "gravitational acceleration",
        default: 9.8,
        bounds: Bounds::closed(0.0, 100.0),
    },
    ParamSpec {
        name: "mass_cart",
        unit: "kg",
        doc: "mass of the cart",
        default: 1.0,
        bounds: Bounds::closed(0.01, 100.0),
    },
    ParamSpec {
        name: "mass_pole",
        unit: "kg",
        doc: "mass of the pole",
        default: 0.1,
        bounds: Bounds::closed(0.001, 10.0),
    },
    ParamSpec {
        name: "half_length",
        unit: "m",
        doc: "half the length of the pole",
        default: 0.5,
        bounds: Bounds::closed(0.01, 10.0),
    },
    ParamSpec {
        name: "force_mag",
        unit: "N",
        doc: "force of a full push",
        default: 10.0,
        bounds: Bounds::closed(0.0, 1000.0),
    },
    ParamSpec { name: "tau", unit: "s", doc: "time of one step", default: 0.02, bounds: Bounds::closed(1e-4, 0.1) },
    ParamSpec {
        name: "x_limit",
        unit: "m",
        doc: "distance from the centre beyond which the episode ends",
        default: 2.4,
        bounds: Bounds::above(0.0, 100.0),
    },
    ParamSpec {
        name: "theta_limit",
        unit: "rad",
        doc: "pole angle beyond which the episode ends",
        default: THETA_LIMIT,
        bounds: Bounds::above(0.0, PI / 2.0),
    },
];

/// How velocities and positions are advanced.
///
/// A field of the parameters, not a channel: [`Env::params`] always says `Euler`, a constant that
/// the compiler folds away in the batch, while a replay may set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integrator {
    /// Positions advance with the old velocities (Gymnasium's default).
    Euler,
    /// Velocities first, positions with the new ones.
    SemiImplicit,
}

/// Parameters of [`CartPole`]; units in its [`EnvSpec`].
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "documented in the table of parameters")]
pub struct CartPoleParams<R> {
    pub gravity: R,
    pub mass_cart: R,
    pub mass_pole: R,
    pub half_length: R,
    pub force_mag: R,
    pub tau: R,
    pub x_limit: R,
    pub theta_limit: R,
    pub integrator: Integrator,
}

/// The environment; see the module.
#[derive(Clone, Copy, Debug)]
pub struct CartPole;

impl Env for CartPole {
    const SPEC: EnvSpec = EnvSpec {
        name: "cartpole",
        doc: "balance a pole on a cart; +1 a step until it falls (Gymnasium CartPole-v1)",
        observations: &["x", "x_dot", "theta", "theta_dot"],
        action: ActionSpace::Discrete(2),
        params: PARAMS,
        horizon: 500,
    };
    type Params<R: Real> = CartPoleParams<R>;
    type State<R: Copy> = [R; 4];
    type Obs<R: Copy> = [R; 4];
    type Action<R: Copy> = [R; 1];

    #[inline(always)]
    fn params<R: Real>(get: impl Fn(usize) -> R) -> CartPoleParams<R> {
        CartPoleParams {
            gravity: get(0),
            mass_cart: get(1),
            mass_pole: get(2),
            half_length: get(3),
            force_mag: get(4),
            tau: get(5),
            x_limit: get(6),
            theta_limit: get(7),
            integrator: Integrator::Euler,
        }
    }

    /// Every component uniform in [-0.05, 0.05).
    #[inline(always)]
    fn reset<R: Real>(_params: &CartPoleParams<R>, uniform: [R; 4]) -> [R; 4] {
        uniform.map(|u| R::from_f64(-0.05) + R::from_f64(0.1) * u)
    }

    /// Index 1 pushes towards +x, anything else towards -x: +1 or -1 of the full force.
    #[inline(always)]
    fn command<R: Real>(_params: &CartPoleParams<R>, action: [R; 1]) -> [R; 1] {
        let one = R::from_f64(1.0);
        [if action[0] == one { one } else { -one }]
    }

    /// `applied` is a fraction of the full force. Reward 1 on every step, the last included.
    #[inline(always)]
    fn step<R: Real>(
        p: &CartPoleParams<R>,
        [x, x_dot, theta, theta_dot]: [R; 4],
        _command: [R; 1],
        [applied]: [R; 1],
    ) -> Transition<[R; 4], R> {
        let total_mass = p.mass_cart + p.mass_pole;
        let pole_moment = p.mass_pole * p.half_length;
        let force = p.force_mag * applied;
        let (sin, cos) = theta.sin_cos();
        let temp = (force + pole_moment * theta_dot.squared() * sin) / total_mass;
        let theta_acc = (p.gravity * sin - cos * temp)
            / (p.half_length * (R::from_f64(4.0 / 3.0) - p.mass_pole * cos.squared() / total_mass));
        let x_acc = temp - pole_moment * theta_acc * cos / total_mass;

        let new_x_dot = x_dot + p.tau * x_acc;
        let new_theta_dot = theta_dot + p.tau * theta_acc;
        let (x_rate, theta_rate) = match p.integrator {
            Integrator::Euler => (x_dot, theta_dot),
            Integrator::SemiImplicit => (new_x_dot, new_theta_dot),
        };
        let new_x = x + p.tau * x_rate;
        let new_theta = theta + p.tau * theta_rate;
        Transition {
            state: [new_x, new_x_dot, new_theta, new_theta_dot],
            reward: R::from_f64(1.0),
            terminated: (new_x.abs() > p.x_limit) | (new_theta.abs() > p.theta_limit),
        }
    }

    /// The state itself.
    #[inline(always)]
    fn observe<R: Real>(_params: &CartPoleParams<R>, state: [R; 4]) -> [R; 4] {
        state
    }
}
