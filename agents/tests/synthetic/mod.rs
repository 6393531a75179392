//! Synthetic experience for the learner's tests; no environment is involved.
#![allow(dead_code)] // each test file uses some of it

use metadrift_agents::{
    batch::{Batch, MetaBatch},
    host_policy::HostPolicy,
    layout::{Activation, Head, Layout},
};

/// A small linear congruential generator (Numerical Recipes' constants), good enough for test data.
pub struct Lcg(pub u64);

impl Lcg {
    /// A uniform number in `[0, 1)`.
    pub fn uniform(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }

    /// A number roughly from N(0, 1): the sum of twelve uniforms.
    pub fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.uniform()).sum::<f32>() - 6.0
    }
}

/// Length of `a - b`, relative to that of `b`.
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
    norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied())
}

/// The numbers in double precision.
pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

/// The derivatives of `loss` at `at` by central differences.
pub fn differences(at: &[f64], mut loss: impl FnMut(&[f64]) -> f64) -> Vec<f64> {
    // small, so that no unit of a ReLU network turns on or off
    const H: f64 = 1e-6;
    let by = |i: usize| {
        let mut shifted = |by: f64| {
            let mut moved = at.to_vec();
            moved[i] += by;
            loss(&moved)
        };
        (shifted(H) - shifted(-H)) / (2.0 * H)
    };
    (0..at.len()).map(by).collect()
}

/// Parameters with a last layer that is not small, so that every output matters.
pub fn params(layout: &Layout, rng: &mut Lcg) -> Vec<f32> {
    let mut params: Vec<f32> = (0..layout.num_params()).map(|_| 0.5 * rng.normal()).collect();
    // some log standard deviations are cut off, some are not
    layout.log_std_outputs().last().into_iter().for_each(|bias| params[*bias] += 1.8);
    params
}

/// Samples of the policy `params`: `samples` actions at random observations, with random advantages.
pub fn batch(layout: &Layout, params: &[f32], samples: usize, rng: &mut Lcg) -> Batch {
    let obs: Vec<f32> = (0..samples * layout.obs_dim()).map(|_| rng.normal()).collect();
    let mut out = vec![0.0; samples * layout.head().outputs()];
    let policy = HostPolicy::new(layout, params);
    policy.forward(&obs, &mut out, &mut policy.scratch());
    let mut action = vec![0.0; samples * layout.head().act_dim()];
    let mut log_prob = vec![0.0; samples];
    policy.sample(&out, |_| std::array::from_fn(|_| rng.uniform()), &mut action, &mut log_prob);
    let advantage = (0..samples).map(|_| rng.normal()).collect();
    // two episodes and a short one
    let long = samples as u32 * 2 / 5;
    let episodes = vec![long, long, samples as u32 - 2 * long];
    Batch { obs, action, log_prob, advantage, episodes, spread: 1.0, ..Batch::default() }
}

/// Experience of `tasks` tasks; sample counts differ from task to task. The behaviour policies are near `params`.
pub fn meta_batch(layout: &Layout, params: &[f32], inner_steps: usize, tasks: usize, rng: &mut Lcg) -> MetaBatch {
    let samples: Vec<usize> = (0..tasks).map(|i| 23 + 9 * i).collect();
    meta_batch_of(layout, params, inner_steps, &samples, rng)
}

/// [`meta_batch`] with `samples` samples for each task, `[tasks]`.
pub fn meta_batch_of(
    layout: &Layout,
    params: &[f32],
    inner_steps: usize,
    samples: &[usize],
    rng: &mut Lcg,
) -> MetaBatch {
    let nearby = |rng: &mut Lcg| params.iter().map(|p| p + 0.02 * rng.normal()).collect::<Vec<_>>();
    let mut one = |samples: &usize| {
        let behaviour = nearby(rng);
        batch(layout, &behaviour, *samples, rng)
    };
    let supports = (0..inner_steps).map(|_| samples.iter().map(&mut one).collect()).collect();
    MetaBatch { supports, query: samples.iter().map(&mut one).collect(), weight: Vec::new(), credit: Vec::new() }
}

/// Every kind of policy, small enough for finite differences.
pub fn layouts() -> [Layout; 7] {
    let tanh = [Layout::new(4, &[4, 3], Head::Categorical(3)), Layout::new(3, &[3, 3], Head::Gaussian(2))];
    let relu = tanh.clone().map(|layout| layout.with_activation(Activation::Relu));
    let ([a, b], [c, d]) = (tanh, relu);
    let products = [a.clone().with_context(2), b.clone().with_low_rank(2)];
    let [e, f] = products;
    let g = Layout::new(3, &[3, 3], Head::StateGaussian(2));
    [a, b, c, d, e, f, g]
}
