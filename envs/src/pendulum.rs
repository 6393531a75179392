//! Pendulum: swing a rod up and hold it there with a torque too weak to lift it directly.
//!
//! Gymnasium 1.4.0 `Pendulum-v1` (`gymnasium/envs/classic_control/pendulum.py`). State: angle
//! (rad, 0 upright, never wrapped), angular velocity (rad/s). The order of operations is
//! Gymnasium's with `f64` actions.

use std::f64::consts::PI;

use crate::env::{ActionSpace, Bounds, Env, EnvSpec, ParamSpec, Transition};
use crate::real::Real;

const MAX_TORQUE: f64 = 2.0;

const PARAMS: &[ParamSpec] = &[
    ParamSpec {
        name: "gravity",
        unit: "m/s^2",
        doc: "gravitational acceleration",
        default: 10.0,
        bounds: Bounds::closed(0.0, 100.0),
    },
    ParamSpec { name: "mass", unit: "kg", doc: "mass of the rod", default: 1.0, bounds: Bounds::closed(0.01, 100.0) },
    ParamSpec { name: "length", unit: "m", doc: "length of the rod", default: 1.0, bounds: Bounds::closed(0.05, 10.0) },
    ParamSpec { name: "dt", unit: "s", doc: "time of one step", default: 0.05, bounds: Bounds::closed(1e-4, 0.2) },
    ParamSpec {
        name: "max_torque",
        unit: "N m",
        doc: "largest torque the controller asks for",
        default: MAX_TORQUE,
        bounds: Bounds::above(0.0, 1000.0),
    },
    ParamSpec {
        name: "max_speed",
        unit: "rad/s",
        doc: "angular velocity at which the joint stops accelerating",
        default: 8.0,
        bounds: Bounds::above(0.0, 1000.0),
    },
    ParamSpec {
        name: "angle_offset",
        unit: "rad",
        doc: "added to the angle before the sensor shows its cosine and sine",
        default: 0.0,
        bounds: Bounds::closed(-PI, PI),
    },
];

/// Parameters of [`Pendulum`]; units in its [`EnvSpec`].
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "documented in the table of parameters")]
pub struct PendulumParams<R> {
    pub gravity: R,
    pub mass: R,
    pub length: R,
    pub dt: R,
    pub max_torque: R,
    pub max_speed: R,
    pub angle_offset: R,
}

/// The environment; see the module.
#[derive(Clone, Copy, Debug)]
pub struct Pendulum;

impl Env for Pendulum {
    const SPEC: EnvSpec = EnvSpec {
        name: "pendulum",
        doc: "swing a rod up with little torque; minus a quadratic cost (Gymnasium Pendulum-v1)",
        observations: &["cos_theta", "sin_theta", "theta_dot"],
        action: ActionSpace::Box { dim: 1, bound: MAX_TORQUE },
        params: PARAMS,
        horizon: 200,
    };
    type Params<R: Real> = PendulumParams<R>;
    type State<R: Copy> = [R; 2];
    type Obs<R: Copy> = [R; 3];
    type Action<R: Copy> = [R; 1];

    #[inline(always)]
    fn params<R: Real>(get: impl Fn(usize) -> R) -> PendulumParams<R> {
        PendulumParams {
            gravity: get(0),
            mass: get(1),
            length: get(2),
            dt: get(3),
            max_torque: get(4),
            max_speed: get(5),
            angle_offset: get(6),
        }
    }

    /// Angle uniform in [-pi, pi), angular velocity uniform in [-1, 1).
    #[inline(always)]
    fn reset<R: Real>(_params: &PendulumParams<R>, uniform: [R; 4]) -> [R; 2] {
        let symmetric = |limit: f64, u: R| R::from_f64(-limit) + R::from_f64(2.0 * limit) * u;
        [symmetric(PI, uniform[0]), symmetric(1.0, uniform[1])]
    }

    /// The action clipped to the torque (N m) that the controller may ask for.
    #[inline(always)]
    fn command<R: Real>(p: &PendulumParams<R>, action: [R; 1]) -> [R; 1] {
        [action[0].clamp(-p.max_torque, p.max_torque)]
    }

    /// `applied` is the torque (N m) on the joint. The cost is that of the state before the step
    /// and of the torque asked for.
    #[inline(always)]
    fn step<R: Real>(
        p: &PendulumParams<R>,
        [theta, theta_dot]: [R; 2],
        [command]: [R; 1],
        [applied]: [R; 1],
    ) -> Transition<[R; 2], R> {
        let cost = theta.wrap_angle().squared()
            + R::from_f64(0.1) * theta_dot.squared()
            + R::from_f64(0.001) * command.squared();

        let three = R::from_f64(3.0);
        let (sin, _) = theta.sin_cos();
        let weight = three * p.gravity / (R::from_f64(2.0) * p.length) * sin;
        let drive = three / (p.mass * p.length.squared()) * applied;
        let new_theta_dot = (theta_dot + (weight + drive) * p.dt).clamp(-p.max_speed, p.max_speed);
        Transition { state: [theta + new_theta_dot * p.dt, new_theta_dot], reward: -cost, terminated: false }
    }

    /// Cosine and sine of the angle as the sensor sees it, and the angular velocity (rad/s).
    #[inline(always)]
    fn observe<R: Real>(p: &PendulumParams<R>, [theta, theta_dot]: [R; 2]) -> [R; 3] {
        let (sin, cos) = (theta + p.angle_offset).sin_cos();
        [cos, sin, theta_dot]
    }
}
