//! Navigation: a point in the plane moves towards a goal. Adaptation at its cheapest.
//!
//! After Particles2D of learn2learn and the 2-D navigation of MAML (Finn, Abbeel and Levine 2017):
//! the point starts at the origin, moves by at most 0.1 along each axis a step, is paid minus its
//! distance from the goal, and has arrived within 0.01 of it along each axis. Goals are meant to be
//! drawn from [-0.5, 0.5] x [-0.5, 0.5].
//!
//! The two environments hide different things. [`Navigation`] shows the position only: rewards
//! reveal the goal. [`NavigationRotated`] shows the way to the goal but turns every move by an
//! unknown angle: the motion reveals it.

use std::f64::consts::PI;

use crate::physics::{
    env::{Env, Transition},
    real::Real,
    spec::{ActionSpace, Bounds, EnvSpec, ParamSpec},
};

const STEP_LIMIT: f64 = 0.1;

const GOAL_X: ParamSpec =
    ParamSpec::new("goal_x", "1", "where the goal is along the first axis", 0.3, Bounds::closed(-10.0, 10.0));
const GOAL_Y: ParamSpec =
    ParamSpec::new("goal_y", "1", "where the goal is along the second axis", 0.4, Bounds::closed(-10.0, 10.0));
const LIMIT: ParamSpec =
    ParamSpec::new("step_limit", "1", "largest move along an axis", STEP_LIMIT, Bounds::above(0.0, 10.0));
const TOLERANCE: ParamSpec =
    ParamSpec::new("tolerance", "1", "distance along each axis that counts as arrived", 0.01, Bounds::closed(0.0, 1.0));
const INIT: ParamSpec =
    ParamSpec::new("init_position", "1", "largest initial coordinate", 0.0, Bounds::closed(0.0, 10.0));
const ROTATION: ParamSpec =
    ParamSpec::new("rotation", "rad", "angle by which moves are turned to the left", 0.0, Bounds::closed(-PI, PI));

/// Parameters of both environments; units in their [`EnvSpec`].
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "documented in the table of parameters")]
pub struct NavigationParams<R> {
    pub goal: [R; 2],
    pub step_limit: R,
    pub tolerance: R,
    pub init_position: R,
}

impl<R: Real> NavigationParams<R> {
    #[inline(always)]
    fn new(get: impl Fn(usize) -> R) -> NavigationParams<R> {
        NavigationParams { goal: [get(0), get(1)], step_limit: get(2), tolerance: get(3), init_position: get(4) }
    }

    /// An initial position with uniform coordinates, up to the largest on either side.
    #[inline(always)]
    fn reset(&self, [first, second, ..]: [R; 4]) -> [R; 2] {
        let limit = self.init_position;
        [first, second].map(|u| -limit + (limit + limit) * u)
    }

    /// The action clipped to the largest move.
    #[inline(always)]
    fn command(&self, action: [R; 2]) -> [R; 2] {
        action.map(|a| a.clamp(-self.step_limit, self.step_limit))
    }

    /// Makes a move; pays minus the distance that is left.
    #[inline(always)]
    fn step(&self, [x, y]: [R; 2], [move_x, move_y]: [R; 2]) -> Transition<[R; 2], R> {
        let state = [x + move_x, y + move_y];
        let [away_x, away_y] = [state[0] - self.goal[0], state[1] - self.goal[1]];
        Transition {
            state,
            reward: -(away_x.squared() + away_y.squared()).sqrt(),
            terminated: (away_x.abs() <= self.tolerance) & (away_y.abs() <= self.tolerance),
        }
    }
}

/// A hidden goal; see the module.
#[derive(Clone, Copy, Debug)]
pub struct Navigation;

impl Env for Navigation {
    const SPEC: EnvSpec = EnvSpec {
        name: "navigation",
        doc: "move a point to a goal that is not shown; minus the distance a step",
        observations: &["x", "y"],
        action: ActionSpace::Box { dim: 2, bound: STEP_LIMIT },
        params: &[GOAL_X, GOAL_Y, LIMIT, TOLERANCE, INIT],
        horizon: 100,
        variants: false,
    };
    type Params<R: Real> = NavigationParams<R>;
    type State<R: Copy> = [R; 2];
    type Obs<R: Copy> = [R; 2];
    type Action<R: Copy> = [R; 2];

    #[inline(always)]
    fn params<R: Real>(get: impl Fn(usize) -> R) -> NavigationParams<R> {
        NavigationParams::new(get)
    }

    #[inline(always)]
    fn full_scale<R: Real>(params: &NavigationParams<R>) -> R {
        params.step_limit
    }

    #[inline(always)]
    fn reset<R: Real>(params: &NavigationParams<R>, uniform: [R; 4]) -> [R; 2] {
        params.reset(uniform)
    }

    #[inline(always)]
    fn command<R: Real>(params: &NavigationParams<R>, action: [R; 2]) -> [R; 2] {
        params.command(action)
    }

    #[inline(always)]
    fn step<R: Real>(
        params: &NavigationParams<R>,
        state: [R; 2],
        _command: [R; 2],
        applied: [R; 2],
    ) -> Transition<[R; 2], R> {
        params.step(state, applied)
    }

    /// The position.
    #[inline(always)]
    fn observe<R: Real>(_params: &NavigationParams<R>, state: [R; 2]) -> [R; 2] {
        state
    }
}

/// A hidden rotation of the moves; see the module.
#[derive(Clone, Copy, Debug)]
pub struct NavigationRotated;

impl Env for NavigationRotated {
    const SPEC: EnvSpec = EnvSpec {
        name: "navigation-rotated",
        doc: "move a point to a goal in sight, moves turned by a hidden angle; minus the distance a step",
        observations: &["to_goal_x", "to_goal_y"],
        action: ActionSpace::Box { dim: 2, bound: STEP_LIMIT },
        params: &[GOAL_X, GOAL_Y, LIMIT, TOLERANCE, INIT, ROTATION],
        horizon: 100,
        variants: false,
    };
    /// The common parameters, and the rotation (rad).
    type Params<R: Real> = (NavigationParams<R>, R);
    type State<R: Copy> = [R; 2];
    type Obs<R: Copy> = [R; 2];
    type Action<R: Copy> = [R; 2];

    #[inline(always)]
    fn params<R: Real>(get: impl Fn(usize) -> R) -> (NavigationParams<R>, R) {
        (NavigationParams::new(&get), get(5))
    }

    #[inline(always)]
    fn full_scale<R: Real>((params, _): &(NavigationParams<R>, R)) -> R {
        params.step_limit
    }

    #[inline(always)]
    fn reset<R: Real>((params, _): &(NavigationParams<R>, R), uniform: [R; 4]) -> [R; 2] {
        params.reset(uniform)
    }

    #[inline(always)]
    fn command<R: Real>((params, _): &(NavigationParams<R>, R), action: [R; 2]) -> [R; 2] {
        params.command(action)
    }

    #[inline(always)]
    fn step<R: Real>(
        (params, rotation): &(NavigationParams<R>, R),
        state: [R; 2],
        _command: [R; 2],
        [x, y]: [R; 2],
    ) -> Transition<[R; 2], R> {
        let (sin, cos) = rotation.sin_cos();
        params.step(state, [cos * x - sin * y, sin * x + cos * y])
    }

    /// The vector from the point to the goal.
    #[inline(always)]
    fn observe<R: Real>((params, _): &(NavigationParams<R>, R), [x, y]: [R; 2]) -> [R; 2] {
        [params.goal[0] - x, params.goal[1] - y]
    }
}
