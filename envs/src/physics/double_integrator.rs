//! Double integrator: a force brings a point mass in the plane to rest near the origin.
//!
//! The environments DI-sparse and DI-friction-sparse of the Actuator Inversion Benchmark (arXiv 2602.06550;
//! `dmash/envs/double_integrator.py` of its code). State: position and velocity along two axes, pure numbers but for
//! time (s). With mass `m`, friction `f`, force `F` and time step `dt`,
//!
//! ```text
//! x' = x + dt v
//! v' = v (1 - dt f / m) + dt F / m
//! ```
//!
//! by explicit Euler: the position moves with the old velocity. The force of the actuator is clipped to 1 along each
//! axis before it acts, position and velocity to 1 after the step; a wall stops the position, not the velocity. The
//! reward is 1 in every step that ends within 0.1 of the goal, else 0. An episode begins at rest in a corner, more than
//! 0.8 away from the centre along both axes, and lasts 100 steps: nothing ends it early.
//!
//! The benchmark's hidden context is the mass with the sign of the force (the channel `actuator_gain`), or the mass with
//! the friction.

use crate::physics::{
    env::{Env, Transition},
    real::Real,
    spec::{ActionSpace, Bounds, EnvSpec, ParamSpec},
};

const FORCE_LIMIT: f64 = 1.0;

const PARAMS: &[ParamSpec] = &[
    ParamSpec::new("mass", "1", "mass of the point", 1.0, Bounds::closed(0.01, 100.0)),
    ParamSpec::new("friction", "1/s", "viscous friction, a force per velocity", 0.0, Bounds::closed(0.0, 100.0)),
    ParamSpec::new("dt", "s", "time of one step", 0.1, Bounds::closed(1e-4, 1.0)),
    ParamSpec::new("force_limit", "1", "largest force along an axis", FORCE_LIMIT, Bounds::above(0.0, 100.0)),
    ParamSpec::new("position_limit", "1", "distance of the walls from the centre", 1.0, Bounds::above(0.0, 100.0)),
    ParamSpec::new("velocity_limit", "1/s", "largest velocity along an axis", 1.0, Bounds::above(0.0, 100.0)),
    ParamSpec::new("goal_x", "1", "where the goal is along the first axis", 0.0, Bounds::closed(-100.0, 100.0)),
    ParamSpec::new("goal_y", "1", "where the goal is along the second axis", 0.0, Bounds::closed(-100.0, 100.0)),
    ParamSpec::new("goal_radius", "1", "distance from the goal that is paid", 0.1, Bounds::closed(0.0, 100.0)),
    ParamSpec::new("init_near", "1", "least initial distance along each axis", 0.8, Bounds::closed(0.0, 100.0)),
    ParamSpec::new("init_far", "1", "largest initial distance along each axis", 1.0, Bounds::closed(0.0, 100.0)),
];

/// Parameters of [`DoubleIntegrator`]; units in its [`EnvSpec`].
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "documented in the table of parameters")]
pub struct DoubleIntegratorParams<R> {
    pub mass: R,
    pub friction: R,
    pub dt: R,
    pub force_limit: R,
    pub position_limit: R,
    pub velocity_limit: R,
    pub goal: [R; 2],
    pub goal_radius: R,
    /// Least and largest initial distance from the centre along each axis.
    pub init: [R; 2],
}

impl<R: Real> DoubleIntegratorParams<R> {
    /// Position and velocity along one axis after a step under the actuator's force.
    #[inline(always)]
    pub fn advance(&self, [position, velocity]: [R; 2], applied: R) -> [R; 2] {
        let force = applied.clamp(-self.force_limit, self.force_limit);
        let kept = R::from_f64(1.0) - self.dt * self.friction / self.mass;
        let moved = position + velocity * self.dt;
        let pushed = velocity * kept + force / self.mass * self.dt;
        [
            moved.clamp(-self.position_limit, self.position_limit),
            pushed.clamp(-self.velocity_limit, self.velocity_limit),
        ]
    }
}

/// The environment; see the module.
#[derive(Clone, Copy, Debug)]
pub struct DoubleIntegrator;

impl Env for DoubleIntegrator {
    const SPEC: EnvSpec = EnvSpec {
        name: "double-integrator-2d",
        doc: "bring a mass to rest near the origin; +1 a step there (Actuator Inversion Benchmark DI-sparse)",
        observations: &["x", "y", "x_dot", "y_dot"],
        action: ActionSpace::Box { dim: 2, bound: FORCE_LIMIT },
        params: PARAMS,
        horizon: 100,
        variants: false,
    };
    type Params<R: Real> = DoubleIntegratorParams<R>;
    type State<R: Copy> = [R; 4];
    type Obs<R: Copy> = [R; 4];
    type Action<R: Copy> = [R; 2];

    #[inline(always)]
    fn params<R: Real>(get: impl Fn(usize) -> R) -> DoubleIntegratorParams<R> {
        DoubleIntegratorParams {
            mass: get(0),
            friction: get(1),
            dt: get(2),
            force_limit: get(3),
            position_limit: get(4),
            velocity_limit: get(5),
            goal: [get(6), get(7)],
            goal_radius: get(8),
            init: [get(9), get(10)],
        }
    }

    /// The largest force.
    #[inline(always)]
    fn full_scale<R: Real>(params: &DoubleIntegratorParams<R>) -> R {
        params.force_limit
    }

    /// A state of rest in a corner: the position is uniform among those whose distances from the centre along both axes
    /// lie between the two that are given.
    #[inline(always)]
    fn reset<R: Real>(params: &DoubleIntegratorParams<R>, [first, second, ..]: [R; 4]) -> [R; 4] {
        let [near, far] = params.init;
        let zero = R::from_f64(0.0);
        let corner = |u: R| {
            let side = u + u - R::from_f64(1.0);
            let away = near + (far - near) * side.abs();
            if side < zero { -away } else { away }
        };
        [corner(first), corner(second), zero, zero]
    }

    /// The action clipped to the largest force.
    #[inline(always)]
    fn command<R: Real>(params: &DoubleIntegratorParams<R>, action: [R; 2]) -> [R; 2] {
        action.map(|a| a.clamp(-params.force_limit, params.force_limit))
    }

    /// One step; `applied` is the force along each axis.
    #[inline(always)]
    fn step<R: Real>(
        p: &DoubleIntegratorParams<R>,
        [x, y, x_dot, y_dot]: [R; 4],
        _command: [R; 2],
        [force_x, force_y]: [R; 2],
    ) -> Transition<[R; 4], R> {
        let [x, x_dot] = p.advance([x, x_dot], force_x);
        let [y, y_dot] = p.advance([y, y_dot], force_y);
        let distance = ((x - p.goal[0]).squared() + (y - p.goal[1]).squared()).sqrt();
        let reward = R::from_f64(if distance <= p.goal_radius { 1.0 } else { 0.0 });
        Transition { state: [x, y, x_dot, y_dot], reward, terminated: false }
    }

    #[inline(always)]
    fn reach<R: Real>(p: &DoubleIntegratorParams<R>) -> [R; 4] {
        let distance = p.position_limit.max(p.init[0]).max(p.init[1]);
        [distance, distance, p.velocity_limit, p.velocity_limit]
    }

    /// The state itself.
    #[inline(always)]
    fn observe<R: Real>(_params: &DoubleIntegratorParams<R>, state: [R; 4]) -> [R; 4] {
        state
    }
}
