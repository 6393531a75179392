//! Pendulum: swing a rod up and hold it there with a torque too weak to lift it directly.
//!
//! Gymnasium 1.4.0 `Pendulum-v1` (`gymnasium/envs/classic_control/pendulum.py`). State: angle
//! (rad, 0 upright; never wrapped in `f64`, within half a turn in `f32`), angular velocity (rad/s).
//! The order of operations is Gymnasium's with `f64` actions.

use std::f64::consts::PI;

use crate::physics::{
    env::{Env, Transition},
    real::Real,
    spec::{ActionSpace, Bounds, EnvSpec, ParamSpec},
    version::{Level, Version},
};

const MAX_TORQUE: f64 = 2.0;

const PARAMS: &[ParamSpec] = &[
    ParamSpec::new("gravity", "m/s^2", "gravitational acceleration", 10.0, Bounds::closed(0.0, 100.0)),
    ParamSpec::new("mass", "kg", "mass of the rod", 1.0, Bounds::closed(0.01, 100.0)),
    ParamSpec::new("length", "m", "length of the rod", 1.0, Bounds::closed(0.05, 10.0)),
    ParamSpec::new("dt", "s", "time of one step", 0.05, Bounds::closed(1e-4, 0.2)),
    ParamSpec::new(
        "max_torque",
        "N m",
        "largest torque the controller asks for",
        MAX_TORQUE,
        Bounds::above(0.0, 1000.0),
    ),
    ParamSpec::new(
        "max_speed",
        "rad/s",
        "angular velocity at which the joint stops accelerating",
        8.0,
        Bounds::above(0.0, 1000.0),
    ),
    ParamSpec::new(
        "angle_offset",
        "rad",
        "added to the angle before the sensor shows its cosine and sine",
        0.0,
        Bounds::closed(-PI, PI),
    ),
    ParamSpec::new("damping", "N m s", "viscous friction of the joint", 0.0, Bounds::closed(0.0, 10.0))
        .at(Level::Extended),
    ParamSpec::new("wind_torque", "N m", "torque on the joint", 0.0, Bounds::closed(-1000.0, 1000.0))
        .at(Level::Extended),
    ParamSpec::new("hold_angle", "rad", "hidden set-point of the angle in the cost", 0.0, Bounds::closed(-PI, PI))
        .at(Level::Extended),
    ParamSpec::new("init_angle", "rad", "largest initial angle", PI, Bounds::above(0.0, PI)),
    ParamSpec::new("init_speed", "rad/s", "largest initial angular speed", 1.0, Bounds::closed(0.0, 1000.0)),
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
    pub damping: R,
    pub wind_torque: R,
    pub hold_angle: R,
    pub init_angle: R,
    pub init_speed: R,
    pub version: Version,
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
        variants: false,
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
            damping: get(7),
            wind_torque: get(8),
            hold_angle: get(9),
            init_angle: get(10),
            init_speed: get(11),
            version: Version::FULL,
        }
    }

    #[inline(always)]
    fn with_version<R: Real>(params: PendulumParams<R>, version: Version) -> PendulumParams<R> {
        PendulumParams { version, ..params }
    }

    /// The torque limit of the controller.
    #[inline(always)]
    fn full_scale<R: Real>(params: &PendulumParams<R>) -> R {
        params.max_torque
    }

    /// Angle and angular velocity uniform, up to their largest values on either side.
    #[inline(always)]
    fn reset<R: Real>(p: &PendulumParams<R>, uniform: [R; 4]) -> [R; 2] {
        let symmetric = |limit: R, u: R| -limit + (limit + limit) * u;
        [symmetric(p.init_angle, uniform[0]), symmetric(p.init_speed, uniform[1])]
    }

    /// The action clipped to the torque (N m) that the controller may ask for.
    #[inline(always)]
    fn command<R: Real>(p: &PendulumParams<R>, action: [R; 1]) -> [R; 1] {
        [action[0].clamp(-p.max_torque, p.max_torque)]
    }

    /// One step; `applied` is the torque (N m) of the actuator. The cost is that of the state before the step
    /// (its distance from the hold angle) and of the torque asked for.
    #[inline(always)]
    fn step<R: Real>(
        p: &PendulumParams<R>,
        [theta, theta_dot]: [R; 2],
        [command]: [R; 1],
        [applied]: [R; 1],
    ) -> Transition<[R; 2], R> {
        let mut distance = theta;
        let mut torque = applied;
        if p.version.level >= Level::Extended {
            distance = distance - p.hold_angle;
            torque = torque.plus_unless_zero(p.wind_torque, p.wind_torque);
            torque = torque.plus_unless_zero(p.damping, -(p.damping * theta_dot));
        }
        let cost = distance.wrap_angle().squared()
            + R::from_f64(0.1) * theta_dot.squared()
            + R::from_f64(0.001) * command.squared();

        let three = R::from_f64(3.0);
        let (sin, _) = theta.sin_cos();
        let weight = three * p.gravity / (R::from_f64(2.0) * p.length) * sin;
        let drive = three / (p.mass * p.length.squared()) * torque;
        let new_theta_dot = (theta_dot + (weight + drive) * p.dt).clamp(-p.max_speed, p.max_speed);
        let new_theta = (theta + new_theta_dot * p.dt).summed_angle();
        Transition { state: [new_theta, new_theta_dot], reward: -cost, terminated: false }
    }

    #[inline(always)]
    fn reach<R: Real>(p: &PendulumParams<R>) -> [R; 3] {
        let one = R::from_f64(1.0);
        [one, one, p.max_speed.max(p.init_speed)]
    }

    /// Cosine and sine of the angle with the sensor's offset, and the angular velocity (rad/s).
    #[inline(always)]
    fn observe<R: Real>(p: &PendulumParams<R>, [theta, theta_dot]: [R; 2]) -> [R; 3] {
        let (sin, cos) = (theta + p.angle_offset).sin_cos();
        [cos, sin, theta_dot]
    }
}
