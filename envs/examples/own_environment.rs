//! An environment of your own: a block on a spring, to be held at rest. Everything else (faults, drift, time limits,
//! autoreset, random numbers, `f32` batches) comes from the engine.
//! `cargo run -p metadrift-envs --example own_environment`
use metadrift_envs::{
    ActionSpace, Bounds, Clocks, Env, EnvSpec, ParamSpec, Purpose, Real, StepView, Stream, Task, Transition, VecEnv,
};

struct Spring;

impl Env for Spring {
    const SPEC: EnvSpec = EnvSpec {
        name: "spring",
        doc: "hold a block on a spring at rest; minus the squared distance",
        observations: &["x", "x_dot"],
        action: ActionSpace::Box { dim: 1, bound: 1.0 },
        params: &[
            ParamSpec::new("mass", "kg", "mass of the block", 1.0, Bounds::closed(0.1, 10.0)),
            ParamSpec::new("stiffness", "N/m", "stiffness of the spring", 2.0, Bounds::closed(0.0, 100.0)),
        ],
        horizon: 100,
        variants: false,
    };
    type Params<R: Real> = [R; 2];
    type State<R: Copy> = [R; 2];
    type Obs<R: Copy> = [R; 2];
    type Action<R: Copy> = [R; 1];

    #[inline(always)]
    fn params<R: Real>(get: impl Fn(usize) -> R) -> [R; 2] {
        [get(0), get(1)]
    }
    #[inline(always)]
    fn reset<R: Real>(_: &[R; 2], [u, ..]: [R; 4]) -> [R; 2] {
        [u - R::from_f64(0.5), R::from_f64(0.0)]
    }
    #[inline(always)]
    fn command<R: Real>(_: &[R; 2], [force]: [R; 1]) -> [R; 1] {
        [force.clamp(R::from_f64(-1.0), R::from_f64(1.0))]
    }
    #[inline(always)]
    fn step<R: Real>([mass, k]: &[R; 2], [x, v]: [R; 2], _: [R; 1], [force]: [R; 1]) -> Transition<[R; 2], R> {
        let v = v + R::from_f64(0.05) * (force - *k * x) / *mass;
        Transition { state: [x + R::from_f64(0.05) * v, v], reward: -x.squared(), terminated: false }
    }
    #[inline(always)]
    fn observe<R: Real>(_: &[R; 2], state: [R; 2]) -> [R; 2] {
        state
    }
}

pub(crate) fn main() {
    let task = Task::nominal(&Spring::SPEC).with(&Spring::SPEC, "actuator_delay", 2.0).expect("a legal delay");
    let mut env = VecEnv::<Spring>::new(&[(&task, 4)], 100, Stream::new(1, Purpose::Reset), Clocks::default());
    let mut next_obs = vec![0.0; 8];
    let mut reward = vec![0.0; 4];
    let mut ends = [vec![false; 4], vec![false; 4]];
    for _ in 0..100 {
        let brake: Vec<f32> = env.obs().chunks(2).map(|obs| -obs[1]).collect();
        let [terminated, truncated] = &mut ends;
        env.step(&brake, StepView { next_obs: &mut next_obs, reward: &mut reward, terminated, truncated });
    }
    println!("at rest within {:?} m after 100 steps", next_obs.iter().step_by(2).collect::<Vec<_>>());
}
