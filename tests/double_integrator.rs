//! The first environment that a control engineer would write, trained by the library.

use metadrift::{registry, stats::mean};
use metadrift_agents::{
    advantage::Estimator,
    backend::{self, BackendChoice},
    batch::MetaBatch,
    host_policy::HostPolicy,
    layout::Layout,
    learners::maml::Maml,
    params::POLICY,
    rollout::{Rollout, Shape},
    settings::{MamlConfig, PpoConfig},
};
use metadrift_envs::{
    ActionSpace, Bounds, Clocks, Env, EnvSpec, LaneStreams, ParamSpec, Purpose, Real, StepView, Stream, Task,
    TaskSettings, Transition, VecEnv,
};
use rand_distr::{Distribution, StandardNormal};

const TASKS: usize = 8;
const ENVS: usize = 20;
const STEPS: usize = 100;

struct DoubleIntegrator;

impl Env for DoubleIntegrator {
    const SPEC: EnvSpec = EnvSpec {
        name: "double-integrator",
        doc: "bring a mass to rest at the origin",
        observations: &["x", "v"],
        action: ActionSpace::Box { dim: 1, bound: 1.0 },
        params: &[ParamSpec::new("mass", "kg", "mass", 1.0, Bounds::closed(0.1, 10.0))],
        horizon: STEPS as u32,
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
    fn reset<R: Real>(_: &R, [x, v, ..]: [R; 4]) -> [R; 2] {
        [R::from_f64(2.0) * x - R::from_f64(1.0), v - R::from_f64(0.5)]
    }

    #[inline(always)]
    fn command<R: Real>(_: &R, [force]: [R; 1]) -> [R; 1] {
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
    fn observe<R: Real>(_: &R, state: [R; 2]) -> [R; 2] {
        state
    }
}

/// One episode per lane of every task; the last step is a death or a time limit.
fn collect(layout: &Layout, params: &[f32], iteration: u32, phase: u8, dies: bool, rollout: &mut Rollout) {
    let task = Task::nominal(&DoubleIntegrator::SPEC);
    for (index, slab) in rollout.slabs().into_iter().enumerate() {
        let stream = |purpose| Stream::new(1, purpose).iteration(iteration).phase(phase).task(index as u32);
        let resets = stream(Purpose::Reset);
        let mut env = VecEnv::<DoubleIntegrator>::new(&[(&task, ENVS)], STEPS as u32, resets, Clocks::default());
        let policy = HostPolicy::new(layout, params);
        let mut scratch = policy.scratch();
        let mut streams = LaneStreams::new(stream(Purpose::Action), ENVS);
        let mut out = vec![0.0; policy.outputs() * ENVS];
        slab.valid_steps.fill(STEPS as u32);
        for t in 0..STEPS {
            let rows = t * ENVS..(t + 1) * ENVS;
            let of_obs = rows.start * 2..rows.end * 2;
            slab.obs[of_obs.clone()].copy_from_slice(env.obs());
            slab.episode_step[rows.clone()].copy_from_slice(env.episode_step());
            policy.forward(env.obs(), &mut out, &mut scratch);
            streams.draw(t as u32);
            let action = &mut slab.action[rows.clone()];
            let log_prob = &mut slab.log_prob[rows.clone()];
            policy.sample(&out, |lane| streams.uniforms(lane), action, log_prob);
            env.step(
                &slab.action[rows.clone()],
                StepView {
                    next_obs: &mut slab.next_obs[of_obs],
                    reward: &mut slab.reward[rows.clone()],
                    terminated: &mut slab.terminated[rows.clone()],
                    truncated: &mut slab.truncated[rows.clone()],
                },
            );
            slab.terminated[rows].fill(dies && t + 1 == STEPS);
        }
    }
}

/// Mean return after each of 40 iterations of plain policy gradient, without adaptation.
fn train(dies: bool) -> Vec<f64> {
    let layout = registry::layout(&DoubleIntegrator::SPEC, &TaskSettings::default(), &[32, 32]);
    let mut rng = Stream::new(1, Purpose::Init).rng();
    let theta = layout.init(0.0, || StandardNormal.sample(&mut rng));
    let backend =
        backend::open(BackendChoice::Auto, layout.clone(), metadrift_agents::device::Device::Cpu, 0, 2).unwrap();
    let maml = MamlConfig { inner_lr: 0.0, ..Default::default() };
    let mut learner = Maml::new(maml, PpoConfig::default(), backend, theta, 2);
    let mut rollout =
        Rollout::new(Shape { tasks: TASKS, steps: STEPS, envs: ENVS, obs_dim: 2, act_dim: 1 }, STEPS as u32);
    let iteration = |iteration| {
        let mut phase = |phase| {
            collect(&layout, learner.params().part(POLICY), iteration, phase, dies, &mut rollout);
            let (batches, estimate) = rollout.batches(Estimator { gamma: 0.99, gae_lambda: 0.97, threads: 2 }, None);
            let estimate = estimate.unwrap();
            // rewards are at most 0, so values are
            assert!(estimate.value_mean < 0.0, "{estimate}");
            batches
        };
        let data = MetaBatch { supports: vec![phase(0)], query: phase(1), ..MetaBatch::default() };
        learner.update(&data).unwrap();
        mean(&rollout.returns())
    };
    (0..40).map(iteration).collect()
}

#[test]
fn a_double_integrator_is_learned_whether_episodes_end_at_a_limit_or_for_good() {
    for dies in [false, true] {
        let returns = train(dies);
        assert!(returns[0] < -500.0 && mean(&returns[37..]) > -9.0, "dies: {dies}; {returns:.1?}");
    }
}
