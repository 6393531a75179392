//! Time of the native backend's kernels on one thread: `cargo bench -p metadrift-agents`. A task has 4,000 samples: 20
//! lanes of 200 steps. FLOP of a pass over a sample of a 4-64-64-2 network: forward 9 k, forward and backward 26 k, the
//! Hessian-vector product 52 k more; 104 k for a whole meta-gradient of one inner step.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use metadrift_agents::{
    batch::{Batch, Lives, MetaBatch},
    host_policy::HostPolicy,
    layout::{Head, Layout},
    native::{LifeGradients, NativeBackend, PreparedLives},
    objective::{ClippedLoss, InnerLoss, LifeObjective, LifePolicy, Objective, OuterLoss},
    recurrent::RecurrentPolicy,
};

const SAMPLES: usize = 4000;

/// Numbers between -1 and 1 (Numerical Recipes' generator).
fn noise(count: usize) -> Vec<f32> {
    let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    std::iter::successors(Some(1), next).map(|x| x as i32 as f32 / 2f32.powi(31)).take(count).collect()
}

fn batch(layout: &Layout, samples: usize) -> Batch {
    let action = noise(samples * layout.head().act_dim());
    Batch {
        obs: noise(samples * layout.obs_dim()),
        action: if matches!(layout.head(), Head::Categorical(_)) {
            action.iter().map(|a| f32::from(*a > 0.0)).collect()
        } else {
            action
        },
        log_prob: vec![-0.7; samples],
        advantage: noise(samples),
        episodes: vec![200; samples / 200],
        spread: 1.0,
        ..Batch::default()
    }
}

fn parameters(layout: &Layout) -> Vec<f32> {
    noise(layout.num_params()).iter().map(|x| 0.3 * x).collect()
}

const OUTER: ClippedLoss = ClippedLoss { clip_eps: 0.2, ent_coef: 0.0 };
const OBJECTIVE: Objective = Objective {
    inner: InnerLoss::LVC,
    outer: OuterLoss::Clipped(OUTER),
    kl_coef: 5e-4,
    first_order: false,
    learn_rates: false,
};

/// The passes over a task: forward, forward and backward, outer pass with and without the Hessian-vector product.
fn passes(c: &mut Criterion) {
    for (name, layout) in [
        ("cartpole", Layout::new(4, &[64, 64], Head::Categorical(2))),
        ("pendulum", Layout::new(3, &[64, 64], Head::Gaussian(1))),
    ] {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(SAMPLES as u64));
        let theta = parameters(&layout);
        let support = batch(&layout, SAMPLES);
        let query = batch(&layout, SAMPLES);

        let policy = HostPolicy::new(&layout, &theta);
        let mut out = vec![0.0; SAMPLES * policy.outputs()];
        let mut scratch = policy.scratch();
        group.bench_function("forward", |b| b.iter(|| policy.forward(black_box(&support.obs), &mut out, &mut scratch)));

        let backend = NativeBackend::new(layout.clone(), 1);
        let each = vec![theta.clone()];
        let rates = vec![0.1; theta.len()];
        let supports = vec![support];
        group
            .bench_function("adapt", |b| b.iter(|| backend.adapt(InnerLoss::LVC, black_box(&each), &rates, &supports)));
        let mut ready = backend
            .prepare(&theta, &MetaBatch { supports: vec![supports], query: vec![query], ..MetaBatch::default() });
        for (what, first_order) in [("first-order meta-gradient", true), ("meta-gradient", false)] {
            let objective = Objective { first_order, ..OBJECTIVE };
            group.bench_function(what, |b| {
                b.iter(|| backend.meta_gradient(black_box(&theta), &rates, &mut ready, &objective))
            });
        }
    }
}

/// Gradients on plain PPO's minibatches.
fn minibatches(c: &mut Criterion) {
    let mut group = c.benchmark_group("minibatch of 256");
    group.throughput(Throughput::Elements(256));
    for width in [16, 32, 64] {
        let layout = Layout::new(4, &[width, width], Head::Categorical(2));
        let params = parameters(&layout);
        let data = batch(&layout, 256);
        let backend = NativeBackend::new(layout, 1);
        let mut space = backend.minibatches();
        let name = format!("{width}-{width}");
        group.bench_function(name, |b| b.iter(|| space.clipped(black_box(&params), &data, &OUTER)));
    }
}

/// A pass forward and backward through 32 lives of 480 steps, memory 64 behind an embedding of 64: 150 kFLOP a sample.
fn lives(c: &mut Criterion) {
    let layout = Layout::recurrent(4, 64, 64, Head::Categorical(2));
    let samples = 32 * 480;
    let batch = Batch { obs: Vec::new(), ..batch(&layout, samples) };
    let inputs = noise(samples * layout.inputs());
    let lives = PreparedLives::new(&Lives { lanes: 32, inputs, batch, target: noise(samples) }, 96);
    let objective =
        LifeObjective { policy: LifePolicy::Clipped(ClippedLoss { clip_eps: 0.2, ent_coef: 0.005 }), value_coef: 0.25 };
    let mut gradients = LifeGradients::<f32>::new(layout.clone(), 1);
    let theta = parameters(&layout);
    let mut group = c.benchmark_group("lives");
    group.throughput(Throughput::Elements(samples as u64));
    group.bench_function("gradient", |b| b.iter(|| gradients.gradient(black_box(&theta), &[&lives], &objective)));
    let mut policy = RecurrentPolicy::new(&layout, &theta, 32);
    let obs = noise(32 * 4);
    group.throughput(Throughput::Elements(32));
    group.bench_function("step", |b| b.iter(|| policy.observe(black_box(&obs))));
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(std::time::Duration::from_secs(2));
    targets = passes, minibatches, lives
}
criterion_main!(benches);
