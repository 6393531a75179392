//! Cart-pole balance: hold a pole upright by a force of any size, on a rail with soft ends.
//!
//! The task `cartpole-balance` of the DeepMind Control Suite (`dm_control/suite/cartpole.py`, `cartpole.xml`), with the
//! hidden context of the Actuator Inversion Benchmark (arXiv 2602.06550; `dmash/envs/dmc/cartpole.py` of its code): the
//! length of the pole and the sign of the force (the channel `actuator_gain`). State: cart position (m) and velocity
//! (m/s), pole angle from the vertical (rad, positive towards +x) and angular velocity (rad/s).
//!
//! The pole is a capsule of uniform density: a cylinder of twice the half length with half a ball at either end, hinged
//! where the lower half ball begins. With its moment of inertia `J` about the hinge, its mass `m` and half length `l`,
//! the mass `M` of cart and pole, and the force `N` of the rail's ends,
//!
//! ```text
//! M x'' + m l (theta'' cos(theta) - theta'^2 sin(theta)) = F + N - b_c x'
//! J theta'' + m l x'' cos(theta)                         = m g l sin(theta) - b_p theta'
//! ```
//!
//! advanced by the classical Runge-Kutta method. The force `N` is MuJoCo's for the limit of a joint (time constant 0.08 s,
//! critically damped, impedance from 0.9 to 0.95 within a millimetre): it takes the acceleration of the cart most of the
//! way to that of a spring with a damper, and never pulls.
//!
//! The reward is a product of four factors, of the state after the step: `(1 + cos(theta)) / 2`,
//! `(1 + 0.1^(x^2 / 4)) / 2`, `(1 + 0.1^(theta'^2 / 25)) / 2`, and `(4 + max(0, 1 - u^2)) / 5` for the command `u`. An
//! episode lasts 1000 steps: nothing ends it early. Initial velocities are uniform, with the standard deviation 0.01 of
//! the normal ones that the suite draws.

use std::f64::consts::{LN_10, PI};

use crate::physics::{
    env::{Env, Transition},
    real::Real,
    spec::{ActionSpace, Bounds, EnvSpec, ParamSpec},
};

const PARAMS: &[ParamSpec] = &[
    ParamSpec::new("gravity", "m/s^2", "gravitational acceleration", 9.81, Bounds::closed(0.0, 100.0)),
    ParamSpec::new("mass_cart", "kg", "mass of the cart", 1.0, Bounds::closed(0.01, 100.0)),
    ParamSpec::new("mass_pole", "kg", "mass of the pole", 0.1, Bounds::closed(0.001, 10.0)),
    ParamSpec::new("half_length", "m", "half the length of the pole", 0.5, Bounds::closed(0.05, 10.0)),
    ParamSpec::new("radius", "m", "radius of the pole", 0.045, Bounds::closed(0.001, 1.0)),
    ParamSpec::new("force_mag", "N", "force of a full command", 10.0, Bounds::closed(0.0, 1000.0)),
    ParamSpec::new("dt", "s", "time of one step", 0.01, Bounds::closed(1e-4, 0.02)),
    ParamSpec::new("rail_limit", "m", "distance of the rail's ends from the centre", 1.8, Bounds::above(0.0, 100.0)),
    ParamSpec::new("cart_friction", "N s/m", "viscous friction of the cart", 5e-4, Bounds::closed(0.0, 10.0)),
    ParamSpec::new("pole_friction", "N m s", "viscous friction of the hinge", 2e-6, Bounds::closed(0.0, 1.0)),
    ParamSpec::new("init_x", "m", "largest initial distance from the centre", 0.1, Bounds::closed(0.0, 100.0)),
    ParamSpec::new("init_theta", "rad", "largest initial angle", 0.034, Bounds::closed(0.0, PI)),
    ParamSpec::new(
        "init_speed",
        "m/s, rad/s",
        "largest initial velocity of cart and pole",
        0.017_320_508_075_688_773,
        Bounds::closed(0.0, 100.0),
    ),
];

/// Parameters of [`CartPoleBalance`]; units in its [`EnvSpec`].
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "documented in the table of parameters")]
pub struct CartPoleBalanceParams<R> {
    pub gravity: R,
    pub mass_cart: R,
    pub mass_pole: R,
    pub half_length: R,
    pub radius: R,
    pub force_mag: R,
    pub dt: R,
    pub rail_limit: R,
    pub cart_friction: R,
    pub pole_friction: R,
    /// Largest initial position, angle, and velocities.
    pub init: [R; 3],
}

/// Inertia of cart and pole: the diagonal of the mass matrix, and the factor of its other entries, which change with
/// the angle.
#[derive(Clone, Copy)]
struct Inertia<R> {
    total_mass: R,
    about_hinge: R,
    lever: R,
}

impl<R: Real> Inertia<R> {
    /// Accelerations of cart and pole under a force and a torque, the cosine of the angle given.
    #[inline(always)]
    fn accelerations(&self, cos: R, force: R, torque: R) -> [R; 2] {
        let coupling = self.lever * cos;
        let determinant = self.determinant(cos);
        [
            (self.about_hinge * force - coupling * torque) / determinant,
            (self.total_mass * torque - coupling * force) / determinant,
        ]
    }

    /// Acceleration of the cart per force, the cosine of the angle given.
    #[inline(always)]
    fn mobility(&self, cos: R) -> R {
        self.about_hinge / self.determinant(cos)
    }

    #[inline(always)]
    fn determinant(&self, cos: R) -> R {
        self.total_mass * self.about_hinge - (self.lever * cos).squared()
    }
}

impl<R: Real> CartPoleBalanceParams<R> {
    #[inline(always)]
    fn inertia(&self) -> Inertia<R> {
        let number = R::from_f64;
        let height = self.half_length + self.half_length;
        let square = self.radius.squared();
        // the share of the ball in the volume of the capsule
        let share = number(4.0) * self.radius / (number(4.0) * self.radius + number(3.0) * height);
        let ball = self.mass_pole * share;
        let cylinder = self.mass_pole - ball;
        let about_centre = cylinder * (number(3.0) * square + height.squared()) / number(12.0)
            + ball * (number(0.4) * square + height.squared() / number(4.0) + number(0.375) * height * self.radius);
        let lever = self.mass_pole * self.half_length;
        Inertia {
            total_mass: self.mass_cart + self.mass_pole,
            about_hinge: about_centre + lever * self.half_length,
            lever,
        }
    }

    /// The derivative of the state under a force of the actuator (N).
    #[inline(always)]
    fn rates(&self, inertia: &Inertia<R>, [x, x_dot, theta, theta_dot]: [R; 4], push: R) -> [R; 4] {
        let (sin, cos) = theta.sin_cos();
        let force = push - self.cart_friction * x_dot + inertia.lever * theta_dot.squared() * sin;
        let torque = inertia.lever * self.gravity * sin - self.pole_friction * theta_dot;
        let [free, _] = inertia.accelerations(cos, force, torque);
        let stop = self.rail(inertia, [x, x_dot], cos, free);
        let [x_acc, theta_acc] = inertia.accelerations(cos, force + stop, torque);
        [x_dot, x_acc, theta_dot, theta_acc]
    }

    /// The force of the rail's ends (N) on a cart that would have the acceleration `free` without them.
    #[inline(always)]
    fn rail(&self, inertia: &Inertia<R>, [x, x_dot]: [R; 2], cos: R, free: R) -> R {
        let [zero, one, two] = [0.0, 1.0, 2.0].map(R::from_f64);
        let outwards = if x < zero { -one } else { one };
        let beyond = x.abs() - self.rail_limit;
        let depth = (beyond * R::from_f64(1.0 / WIDTH)).clamp(zero, one);
        let near = two * depth.squared();
        let far = one - two * (one - depth).squared();
        let rise = if depth <= R::from_f64(0.5) { near } else { far };
        let impedance = R::from_f64(IMPEDANCE[0]) + R::from_f64(IMPEDANCE[1] - IMPEDANCE[0]) * rise;
        let damper = R::from_f64(2.0 / (IMPEDANCE[1] * TIME));
        let spring = R::from_f64(1.0 / (IMPEDANCE[1] * IMPEDANCE[1] * TIME * TIME));
        let wanted = damper * outwards * x_dot + spring * impedance * beyond;
        let softness = (one - impedance) / impedance * inertia.mobility(one);
        let inwards = ((wanted + outwards * free) / (inertia.mobility(cos) + softness)).max(zero);
        if beyond > zero { -outwards * inwards } else { zero }
    }

    /// The state after one step under a force of the actuator (N).
    #[inline(always)]
    fn integrate(&self, state: [R; 4], push: R) -> [R; 4] {
        let inertia = self.inertia();
        let rates = |state| self.rates(&inertia, state, push);
        let advance = |by: R, rates: [R; 4]| -> [R; 4] { std::array::from_fn(|k| state[k] + by * rates[k]) };
        let half = self.dt * R::from_f64(0.5);
        let two = R::from_f64(2.0);
        let first = rates(state);
        let second = rates(advance(half, first));
        let third = rates(advance(half, second));
        let fourth = rates(advance(self.dt, third));
        let sum = std::array::from_fn(|k| first[k] + two * second[k] + two * third[k] + fourth[k]);
        let [x, x_dot, theta, theta_dot] = advance(self.dt / R::from_f64(6.0), sum);
        [x, x_dot, theta.summed_angle(), theta_dot]
    }
}

/// Width (m) over which the ends of the rail harden, and their impedance before and after it.
const WIDTH: f64 = 0.001;
const IMPEDANCE: [f64; 2] = [0.9, 0.95];
/// Time constant (s) of the ends.
const TIME: f64 = 0.08;

/// The number `0.1^(x / width)^2`.
#[inline(always)]
fn bell<R: Real>(x: R, width: f64) -> R {
    (x.squared() * R::from_f64(-LN_10 / (width * width))).exp()
}

/// The environment; see the module.
#[derive(Clone, Copy, Debug)]
pub struct CartPoleBalance;

impl Env for CartPoleBalance {
    const SPEC: EnvSpec = EnvSpec {
        name: "cartpole-balance",
        doc: "hold a pole upright near the centre of a rail by small forces (DeepMind Control Suite cartpole-balance)",
        observations: &["x", "cos_theta", "sin_theta", "x_dot", "theta_dot"],
        action: ActionSpace::Box { dim: 1, bound: 1.0 },
        params: PARAMS,
        horizon: 1000,
        variants: false,
    };
    type Params<R: Real> = CartPoleBalanceParams<R>;
    type State<R: Copy> = [R; 4];
    type Obs<R: Copy> = [R; 5];
    type Action<R: Copy> = [R; 1];

    #[inline(always)]
    fn params<R: Real>(get: impl Fn(usize) -> R) -> CartPoleBalanceParams<R> {
        CartPoleBalanceParams {
            gravity: get(0),
            mass_cart: get(1),
            mass_pole: get(2),
            half_length: get(3),
            radius: get(4),
            force_mag: get(5),
            dt: get(6),
            rail_limit: get(7),
            cart_friction: get(8),
            pole_friction: get(9),
            init: [get(10), get(11), get(12)],
        }
    }

    /// Every component uniform, up to its largest value on either side.
    #[inline(always)]
    fn reset<R: Real>(p: &CartPoleBalanceParams<R>, uniform: [R; 4]) -> [R; 4] {
        let largest = [p.init[0], p.init[2], p.init[1], p.init[2]];
        std::array::from_fn(|k| -largest[k] + (largest[k] + largest[k]) * uniform[k])
    }

    /// The action clipped to 1.
    #[inline(always)]
    fn command<R: Real>(_params: &CartPoleBalanceParams<R>, [action]: [R; 1]) -> [R; 1] {
        [action.clamp(R::from_f64(-1.0), R::from_f64(1.0))]
    }

    /// One step; `applied` is a fraction of the full force and is clipped to 1.
    #[inline(always)]
    fn step<R: Real>(
        p: &CartPoleBalanceParams<R>,
        state: [R; 4],
        [command]: [R; 1],
        [applied]: [R; 1],
    ) -> Transition<[R; 4], R> {
        let [zero, half, one] = [0.0, 0.5, 1.0].map(R::from_f64);
        let next = p.integrate(state, p.force_mag * applied.clamp(-one, one));
        let [x, _, theta, theta_dot] = next;
        let (_, cos) = theta.sin_cos();
        let upright = half * (one + cos);
        let centred = half * (one + bell(x, 2.0));
        let slow = half * (one + bell(theta_dot, 5.0));
        let gentle = R::from_f64(0.2) * (R::from_f64(4.0) + (one - command.squared()).max(zero));
        Transition { state: next, reward: upright * centred * slow * gentle, terminated: false }
    }

    #[inline(always)]
    fn reach<R: Real>(_params: &CartPoleBalanceParams<R>) -> [R; 5] {
        let [one, infinite] = [1.0, f64::INFINITY].map(R::from_f64);
        [infinite, one, one, infinite, infinite]
    }

    /// Position, cosine and sine of the angle, and both velocities.
    #[inline(always)]
    fn observe<R: Real>(_params: &CartPoleBalanceParams<R>, [x, x_dot, theta, theta_dot]: [R; 4]) -> [R; 5] {
        let (sin, cos) = theta.sin_cos();
        [x, cos, sin, x_dot, theta_dot]
    }
}
