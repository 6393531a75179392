//! CartPole: balance a pole on a cart by pushing left or right.
//!
//! Gymnasium 1.4.0 `CartPole-v1` (`gymnasium/envs/classic_control/cartpole.py`), after Barto,
//! Sutton and Anderson (1983). State: cart position along the track (m), cart velocity (m/s), pole
//! angle from the vertical (rad, positive towards +x), angular velocity (rad/s). The order of
//! operations is Gymnasium's, so `f64` gives its bits. Total mass and mass times half length are
//! computed in the step: stored, they would go stale when a mass changes.
//!
//! Friction, tilt and wind follow from Lagrange's equations. With the track rising towards +x by
//! the angle `a`, mass `M` of cart and pole, pole mass `m` of half length `l`, and the velocities
//! of the cart along the track and of the centre of the pole,
//!
//! ```text
//! M x'' + m l (theta'' cos(theta + a) - theta'^2 sin(theta + a)) = F + wind - b_c x' - M g sin a
//! 4/3 m l^2 theta'' + m l x'' cos(theta + a)                     = m g l sin theta - b_p theta'
//! ```

use std::f64::consts::PI;

use crate::physics::{
    env::{Env, Transition},
    real::Real,
    spec::{ActionSpace, Bounds, EnvSpec, ParamSpec},
    version::{IntegratorKind, Level, RewardKind, Version},
};

/// Angle at which an episode ends (rad): 12 degrees, as Gymnasium writes it.
const THETA_LIMIT: f64 = 12.0 * 2.0 * PI / 360.0;

const PARAMS: &[ParamSpec] = &[
    ParamSpec::new("gravity", "m/s^2", "gravitational acceleration", 9.8, Bounds::closed(0.0, 500.0)),
    ParamSpec::new("mass_cart", "kg", "mass of the cart", 1.0, Bounds::closed(0.01, 100.0)),
    ParamSpec::new("mass_pole", "kg", "mass of the pole", 0.1, Bounds::closed(0.001, 1000.0)),
    ParamSpec::new("half_length", "m", "half the length of the pole", 0.5, Bounds::closed(0.01, 10.0)),
    ParamSpec::new("force_mag", "N", "force of a full push", 10.0, Bounds::closed(0.0, 1000.0)),
    ParamSpec::new("tau", "s", "time of one step", 0.02, Bounds::closed(1e-4, 0.1)),
    ParamSpec::new("x_limit", "m", "distance from the centre that ends the episode", 2.4, Bounds::above(0.0, 100.0)),
    ParamSpec::new("theta_limit", "rad", "pole angle that ends the episode", THETA_LIMIT, Bounds::above(0.0, PI / 2.0)),
    ParamSpec::new("cart_friction", "N s/m", "viscous friction of the cart", 0.0, Bounds::closed(0.0, 100.0))
        .at(Level::Extended),
    ParamSpec::new("pole_friction", "N m s", "viscous friction of the hinge", 0.0, Bounds::closed(0.0, 10.0))
        .at(Level::Extended),
    ParamSpec::new("wind_force", "N", "force on the cart along the track", 0.0, Bounds::closed(-1000.0, 1000.0))
        .at(Level::Extended),
    ParamSpec::new("track_tilt", "rad", "angle by which the track rises towards +x", 0.0, Bounds::closed(-0.5, 0.5))
        .at(Level::Full),
    ParamSpec::new(
        "target_position",
        "m",
        "hidden set-point of the cart in the quadratic reward",
        0.0,
        Bounds::closed(-100.0, 100.0),
    )
    .at(Level::Full),
    ParamSpec::new("init_x", "m", "largest initial distance from the centre", 0.05, Bounds::closed(0.0, 100.0)),
    ParamSpec::new("init_x_dot", "m/s", "largest initial speed of the cart", 0.05, Bounds::closed(0.0, 100.0)),
    ParamSpec::new("init_theta", "rad", "largest initial angle", 0.05, Bounds::closed(0.0, PI / 2.0)),
    ParamSpec::new("init_theta_dot", "rad/s", "largest initial angular speed", 0.05, Bounds::closed(0.0, 100.0)),
];

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
    pub cart_friction: R,
    pub pole_friction: R,
    pub wind_force: R,
    pub track_tilt: R,
    pub target_position: R,
    /// Largest initial values of x, x_dot, theta and theta_dot.
    pub init: [R; 4],
    pub version: Version,
}

impl<R: Real> CartPoleParams<R> {
    /// Accelerations of cart (m/s^2) and pole (rad/s^2) under a push of the actuator (N).
    #[inline(always)]
    fn accelerations(&self, x_dot: R, theta: R, theta_dot: R, push: R) -> [R; 2] {
        let p = self;
        let total_mass = p.mass_cart + p.mass_pole;
        let per_mass = total_mass.divisor();
        let pole_moment = p.mass_pole * p.half_length;
        // sine and cosine of the angle to the vertical; on a tilted track, to the normal of the track
        let (mut sin, mut cos) = theta.sin_cos();
        let mut force = push;
        let mut weight = p.gravity * sin;
        if p.version.level >= Level::Extended {
            force = force.plus_unless_zero(p.wind_force, p.wind_force);
            force = force.plus_unless_zero(p.cart_friction, -(p.cart_friction * x_dot));
            weight = weight.plus_unless_zero(p.pole_friction, -(p.pole_friction * theta_dot / pole_moment));
        }
        if p.version.level >= Level::Full {
            let (tilt_sin, tilt_cos) = p.track_tilt.sin_cos();
            force = force.plus_unless_zero(p.track_tilt, -(total_mass * p.gravity * tilt_sin));
            let turned = (sin * tilt_cos + cos * tilt_sin, cos * tilt_cos - sin * tilt_sin);
            (sin, cos) = if p.track_tilt == R::from_f64(0.0) { (sin, cos) } else { turned };
        }
        let temp = (force + pole_moment * theta_dot.squared() * sin).over(per_mass);
        let theta_acc = (weight - cos * temp)
            / (p.half_length * (R::from_f64(4.0 / 3.0) - (p.mass_pole * cos.squared()).over(per_mass)));
        [temp - (pole_moment * theta_acc * cos).over(per_mass), theta_acc]
    }

    /// The state after one step under a push (N).
    #[inline(always)]
    fn integrate(&self, state: [R; 4], push: R) -> [R; 4] {
        let rates = |[_, x_dot, theta, theta_dot]: [R; 4]| {
            let [x_acc, theta_acc] = self.accelerations(x_dot, theta, theta_dot, push);
            [x_dot, x_acc, theta_dot, theta_acc]
        };
        let advance = |by: R, rates: [R; 4]| -> [R; 4] { std::array::from_fn(|k| state[k] + by * rates[k]) };
        let first = rates(state);
        match self.version.integrator {
            IntegratorKind::Euler => advance(self.tau, first),
            IntegratorKind::SemiImplicit => {
                let [_, x_dot, _, theta_dot] = advance(self.tau, first);
                advance(self.tau, [x_dot, first[1], theta_dot, first[3]])
            }
            IntegratorKind::Rk4 => {
                let half = self.tau * R::from_f64(0.5);
                let second = rates(advance(half, first));
                let third = rates(advance(half, second));
                let fourth = rates(advance(self.tau, third));
                let two = R::from_f64(2.0);
                let sum = std::array::from_fn(|k| first[k] + two * second[k] + two * third[k] + fourth[k]);
                advance(self.tau / R::from_f64(6.0), sum)
            }
        }
    }

    /// The reward for reaching a state.
    #[inline(always)]
    fn reward(&self, [x, _, theta, _]: [R; 4], terminated: bool) -> R {
        let [zero, half, one] = [0.0, 0.5, 1.0].map(R::from_f64);
        // all three are computed and one is taken: a loop over lanes vectorises only without branches
        let distance = ((x - self.target_position) / self.x_limit).clamp(-one, one);
        let angle = (theta / self.theta_limit).clamp(-one, one);
        let quadratic = one - half * distance.squared() - half * angle.squared();
        let failure = if terminated { -one } else { zero };
        let other = if self.version.reward == RewardKind::Quadratic { quadratic } else { failure };
        if self.version.reward == RewardKind::Gym { one } else { other }
    }
}

/// The environment; see the module.
///
/// Rewards, all of the state after the step: Gymnasium's, 1 on every step, the last included;
/// Sutton and Barto's, 0 and -1 on the step that ends the episode; the quadratic one,
/// `1 - d^2 / 2 - a^2 / 2` with `d` the distance from `target_position` over `x_limit` and `a` the
/// angle over `theta_limit`, each at most 1, so that staying up always pays.
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
        variants: true,
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
            cart_friction: get(8),
            pole_friction: get(9),
            wind_force: get(10),
            track_tilt: get(11),
            target_position: get(12),
            init: [get(13), get(14), get(15), get(16)],
            version: Version::FULL,
        }
    }

    #[inline(always)]
    fn with_version<R: Real>(params: CartPoleParams<R>, version: Version) -> CartPoleParams<R> {
        CartPoleParams { version, ..params }
    }

    /// Every component uniform, up to its largest value on either side.
    #[inline(always)]
    fn reset<R: Real>(params: &CartPoleParams<R>, uniform: [R; 4]) -> [R; 4] {
        std::array::from_fn(|k| -params.init[k] + (params.init[k] + params.init[k]) * uniform[k])
    }

    /// Index 1 pushes towards +x, anything else towards -x: +1 or -1 of the full force.
    #[inline(always)]
    fn command<R: Real>(_params: &CartPoleParams<R>, action: [R; 1]) -> [R; 1] {
        let one = R::from_f64(1.0);
        [if action[0] == one { one } else { -one }]
    }

    /// One step; `applied` is a fraction of the full force.
    #[inline(always)]
    fn step<R: Real>(
        p: &CartPoleParams<R>,
        state: [R; 4],
        _command: [R; 1],
        [applied]: [R; 1],
    ) -> Transition<[R; 4], R> {
        let next = p.integrate(state, p.force_mag * applied);
        let terminated = (next[0].abs() > p.x_limit) | (next[2].abs() > p.theta_limit);
        Transition { state: next, reward: p.reward(next, terminated), terminated }
    }

    /// Position and angle within twice the limits that end an episode, as in Gymnasium.
    #[inline(always)]
    fn reach<R: Real>(p: &CartPoleParams<R>) -> [R; 4] {
        let infinite = R::from_f64(f64::INFINITY);
        let within = |limit: R, initial: R| (limit + limit).max(initial);
        [within(p.x_limit, p.init[0]), infinite, within(p.theta_limit, p.init[2]), infinite]
    }

    /// The state itself.
    #[inline(always)]
    fn observe<R: Real>(_params: &CartPoleParams<R>, state: [R; 4]) -> [R; 4] {
        state
    }
}
