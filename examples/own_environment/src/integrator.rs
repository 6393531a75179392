//! A double integrator: a mass that a force brings to rest at the origin.

use metadrift_envs::{ActionSpace, Bounds, Env, EnvSpec, ParamSpec, Real, Transition};

pub struct Integrator;

impl Env for Integrator {
    const SPEC: EnvSpec = EnvSpec {
        name: "double-integrator",
        doc: "bring a mass to rest at the origin",
        observations: &["x", "v"],
        action: ActionSpace::Box { dim: 1, bound: 1.0 },
        params: &[ParamSpec::new("mass", "kg", "the mass", 1.0, Bounds::closed(0.1, 10.0))],
        horizon: 100,
        variants: false,
    };
    type Params<R: Real> = R;
    type State<R: Copy> = [R; 2];
    type Obs<R: Copy> = [R; 2];
    type Action<R: Copy> = [R; 1];

    #[inline(always)]
    fn params<R: Real>(get: impl Fn(usize) -> R) -> R {
        get(0)
    }

    #[inline(always)]
    fn reset<R: Real>(_mass: &R, [a, b, ..]: [R; 4]) -> [R; 2] {
        [R::from_f64(2.0) * a - R::from_f64(1.0), b - R::from_f64(0.5)]
    }

    #[inline(always)]
    fn command<R: Real>(_mass: &R, [force]: [R; 1]) -> [R; 1] {
        [force.clamp(R::from_f64(-1.0), R::from_f64(1.0))]
    }

    #[inline(always)]
    fn step<R: Real>(mass: &R, [x, v]: [R; 2], [command]: [R; 1], [force]: [R; 1]) -> Transition<[R; 2], R> {
        let v = v + R::from_f64(0.1) * force / *mass;
        let x = x + R::from_f64(0.1) * v;
        let reward = -(x.squared() + R::from_f64(0.1) * command.squared());
        Transition { state: [x, v], reward, terminated: false }
    }

    #[inline(always)]
    fn observe<R: Real>(_mass: &R, state: [R; 2]) -> [R; 2] {
        state
    }
}
