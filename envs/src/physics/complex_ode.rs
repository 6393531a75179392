//! Complex ODE: a number moves with the real part of a polynomial of the action, whose coefficients are hidden.
//!
//! The environment ODE of the Actuator Inversion Benchmark (arXiv 2602.06550; `dmash/envs/ode.py` of its code, after
//! Beukman et al. 2023, the Decision Adapter). State: one number `x`. The two components of the action are real and
//! imaginary part of `a`, and by explicit Euler
//!
//! ```text
//! x' = x + dt Re(c0 a + c1 a^2),    Re(a^2) = re^2 - im^2
//! ```
//!
//! clipped to 20. The reward is that of the distance `|x'|` after the step: 1 below 0.05, 1/2 below 0.1, 1/3 below 0.2,
//! 1/4 below 0.5, 0.05 below 2, else 0. An episode begins anywhere within 1 of zero and lasts 200 steps: nothing ends
//! it early.
//!
//! The benchmark's hidden context is `c0` and `c1`. The sign of `c0` turns the effect of a real action round; where `c1`
//! prevails, a real action moves to one side only and an imaginary one to the other.

use crate::physics::{
    env::{Env, Transition},
    real::Real,
    spec::{ActionSpace, Bounds, EnvSpec, ParamSpec},
};

const PARAMS: &[ParamSpec] = &[
    ParamSpec::new("c0", "1/s", "coefficient of the action", 1.0, Bounds::closed(-100.0, 100.0)),
    ParamSpec::new("c1", "1/s", "coefficient of the action's square", 0.0, Bounds::closed(-100.0, 100.0)),
    ParamSpec::new("dt", "s", "time of one step", 0.01, Bounds::closed(1e-4, 1.0)),
    ParamSpec::new("x_limit", "1", "largest distance from zero", 20.0, Bounds::above(0.0, 1000.0)),
    ParamSpec::new("init_x", "1", "largest initial distance from zero", 1.0, Bounds::closed(0.0, 1000.0)),
];

/// Distances from zero with the reward below each; beyond the last there is none.
const REWARDS: [(f64, f64); 5] = [(2.0, 0.05), (0.5, 0.25), (0.2, 1.0 / 3.0), (0.1, 0.5), (0.05, 1.0)];

/// Parameters of [`ComplexOde`]; units in its [`EnvSpec`].
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "documented in the table of parameters")]
pub struct ComplexOdeParams<R> {
    pub c0: R,
    pub c1: R,
    pub dt: R,
    pub x_limit: R,
    pub init_x: R,
}

/// The environment; see the module.
#[derive(Clone, Copy, Debug)]
pub struct ComplexOde;

impl Env for ComplexOde {
    const SPEC: EnvSpec = EnvSpec {
        name: "complex-ode",
        doc: "steer a number to zero by a complex action of unknown effect (Actuator Inversion Benchmark ODE)",
        observations: &["x"],
        action: ActionSpace::Box { dim: 2, bound: 1.0 },
        params: PARAMS,
        horizon: 200,
        variants: false,
    };
    type Params<R: Real> = ComplexOdeParams<R>;
    type State<R: Copy> = [R; 1];
    type Obs<R: Copy> = [R; 1];
    type Action<R: Copy> = [R; 2];

    #[inline(always)]
    fn params<R: Real>(get: impl Fn(usize) -> R) -> ComplexOdeParams<R> {
        ComplexOdeParams { c0: get(0), c1: get(1), dt: get(2), x_limit: get(3), init_x: get(4) }
    }

    /// A uniform number, up to the largest distance on either side.
    #[inline(always)]
    fn reset<R: Real>(params: &ComplexOdeParams<R>, [uniform, ..]: [R; 4]) -> [R; 1] {
        [-params.init_x + (params.init_x + params.init_x) * uniform]
    }

    /// Real and imaginary part, each clipped to 1.
    #[inline(always)]
    fn command<R: Real>(_params: &ComplexOdeParams<R>, action: [R; 2]) -> [R; 2] {
        let one = R::from_f64(1.0);
        action.map(|part| part.clamp(-one, one))
    }

    /// One step; `applied` is real and imaginary part of the number that acts.
    #[inline(always)]
    fn step<R: Real>(
        p: &ComplexOdeParams<R>,
        [x]: [R; 1],
        _command: [R; 2],
        [re, im]: [R; 2],
    ) -> Transition<[R; 1], R> {
        let rate = p.c0 * re + p.c1 * (re.squared() - im.squared());
        let next = (x + rate * p.dt).clamp(-p.x_limit, p.x_limit);
        let distance = next.abs();
        let mut reward = R::from_f64(0.0);
        for (below, paid) in REWARDS {
            reward = if distance < R::from_f64(below) { R::from_f64(paid) } else { reward };
        }
        Transition { state: [next], reward, terminated: false }
    }

    #[inline(always)]
    fn reach<R: Real>(p: &ComplexOdeParams<R>) -> [R; 1] {
        [p.x_limit.max(p.init_x)]
    }

    /// The state itself.
    #[inline(always)]
    fn observe<R: Real>(_params: &ComplexOdeParams<R>, state: [R; 1]) -> [R; 1] {
        state
    }
}
