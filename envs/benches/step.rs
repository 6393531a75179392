//! The time of a step of 1,024 lanes, one thread: `cargo bench -p metadrift-envs`. The whole story, with fewer and more
//! lanes, is `metadrift bench --only env-step`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use metadrift_envs::{
    ActionSpace, CartPole, Clocks, Env, LaneStreams, NavigationRotated, Pendulum, Purpose, Schedule, StepView, Stream,
    Task, VecEnv, unit_f32,
};

const LANES: usize = 1024;

/// Random actions of all lanes, for some steps.
fn actions<E: Env>() -> Vec<Vec<f32>> {
    let draw = |step: u32, number: usize| {
        let word = Stream::new(1, Purpose::Action).env(number as u32).block(step)[0];
        match E::SPEC.action {
            ActionSpace::Discrete(count) => (word % count as u32) as f32,
            ActionSpace::Box { bound, .. } => (2.0 * unit_f32(word) - 1.0) * bound as f32,
        }
    };
    (0..8).map(|step| (0..LANES * E::SPEC.act_dim()).map(|number| draw(step, number)).collect()).collect()
}

/// Steps of lanes of one task.
fn step<E: Env>(c: &mut Criterion, what: &str, task: &Task) {
    let mut env =
        VecEnv::<E>::new(&[(task, LANES)], E::SPEC.horizon, Stream::new(1, Purpose::Reset), Clocks::default());
    let mut next_obs = vec![0.0; env.obs().len()];
    let mut reward = [0.0; LANES];
    let mut terminated = [false; LANES];
    let mut truncated = [false; LANES];
    let actions = actions::<E>();
    let mut tick = 0;
    let mut group = c.benchmark_group(E::SPEC.name);
    group.throughput(Throughput::Elements(LANES as u64));
    group.bench_function(BenchmarkId::from_parameter(what), |b| {
        b.iter(|| {
            let out = StepView {
                next_obs: &mut next_obs,
                reward: &mut reward,
                terminated: &mut terminated,
                truncated: &mut truncated,
            };
            env.step(black_box(&actions[tick % actions.len()]), out);
            tick += 1;
        });
    });
}

/// Bare, and with each kind of thing that a task may switch on.
fn steps(c: &mut Criterion) {
    fn all<E: Env>(c: &mut Criterion) {
        let nominal = Task::nominal(&E::SPEC);
        let with = |name: &str, value| nominal.clone().with(&E::SPEC, name, value).expect("legal");
        let sine = Schedule::Sinusoid { mean: 1.0, amplitude: 0.2, period: 300.0, phase: 0.0 };
        let reading = E::SPEC.observations[0];
        step::<E>(c, "bare", &nominal);
        step::<E>(c, "drifting gain", &nominal.clone().with_drift(&E::SPEC, "actuator_gain", sine).expect("legal"));
        step::<E>(c, "actuator noise", &with("actuator_noise_std", 0.1));
        step::<E>(c, "actuator delay", &with("actuator_delay", 2.0));
        step::<E>(c, "actuator drops", &with("actuator_drop_prob", 0.01));
        step::<E>(c, "sensor noise", &with(&format!("sensor_{reading}_noise_std"), 0.01));
        step::<E>(c, "sensor delay", &with(&format!("sensor_{reading}_delay"), 2.0));
    }
    all::<CartPole>(c);
    all::<Pendulum>(c);
    all::<NavigationRotated>(c);
}

/// Four random numbers of each lane.
fn draws(c: &mut Criterion) {
    let mut group = c.benchmark_group("random numbers");
    group.throughput(Throughput::Elements(LANES as u64));
    let mut lanes = LaneStreams::new(Stream::new(1, Purpose::Action), LANES);
    let mut step = 0;
    group.bench_function("Philox, four a lane", |b| {
        b.iter(|| {
            step += 1;
            lanes.draw(black_box(step));
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(std::time::Duration::from_secs(1));
    targets = steps, draws
}
criterion_main!(benches);
