//! Synthetic meta-problems whose gradients are known.

use std::sync::Arc;

use metadrift_agents::{
    backend::Backend,
    batch::{Batch, MetaBatch},
    host_policy::HostPolicy,
    layout::Layout,
    objective::{ClippedLoss, InnerLoss, Objective, OuterLoss},
    params::{POLICY, Params, RATES},
};
use metadrift_envs::{EnvKind, Purpose, Stream, StreamRng, TaskSettings};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::registry;

/// Number of tasks of a problem, and of samples of each.
const TASKS: usize = 8;
const SAMPLES: usize = 250;
/// Number of stored projections of a gradient.
const PROJECTIONS: usize = 64;

/// Stored results of libtorch's autograd on a CPU: gradients, and a training on cartpole-flip.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// One row for each of [`CASES`], `[cases][PROJECTIONS]`.
    pub gradients: Vec<Vec<f64>>,
    /// Mean return after adaptation of each iteration.
    pub returns: Vec<f64>,
}

/// Environments and inner steps.
pub const CASES: [(EnvKind, usize); 6] = [
    (EnvKind::CartPole, 1),
    (EnvKind::CartPole, 2),
    (EnvKind::CartPole, 3),
    (EnvKind::Pendulum, 1),
    (EnvKind::Pendulum, 2),
    (EnvKind::Pendulum, 3),
];

impl Reference {
    /// The reference that is part of the program.
    pub fn stored() -> Reference {
        serde_json::from_str(include_str!("reference.json")).expect("a test reads it")
    }
}

/// A meta-batch and its policies.
pub struct Problem {
    /// The shape of the policy for this environment.
    pub layout: Layout,
    collected: Vec<f32>,
    theta: Vec<f32>,
    data: MetaBatch,
}

impl Problem {
    /// The problem of one of [`CASES`], the same on every machine.
    pub fn new((env, inner_steps): (EnvKind, usize)) -> Problem {
        let layout = registry::layout(env.spec(), &TaskSettings::default(), &[64, 64]);
        let mut rng = Stream::new(1, Purpose::Init).iteration(inner_steps as u32).rng();
        let collected: Vec<f32> =
            layout.init(-0.5, || normal(&mut rng)).iter().map(|p| p + 0.05 * normal(&mut rng)).collect();
        let theta = collected.iter().map(|p| p + 0.02 * normal(&mut rng)).collect();
        let policy = HostPolicy::new(&layout, &collected);
        let mut phase = || (0..TASKS).map(|_| batch(&layout, &policy, &mut rng)).collect();
        let supports = (0..inner_steps).map(|_| phase()).collect();
        let data = MetaBatch { supports, query: phase(), ..MetaBatch::default() };
        Problem { layout, collected, theta, data }
    }

    /// The meta-gradient by parameters and inner rates, as products with fixed vectors of -1 and 1, `[PROJECTIONS]`. The
    /// length of their difference is nearly that of the gradients' difference, times a constant.
    pub fn gradient(&self, backend: &Arc<dyn Backend>) -> Vec<f64> {
        let outer = OuterLoss::Clipped(ClippedLoss { clip_eps: 0.2, ent_coef: 0.01 });
        let objective = Objective { inner: InnerLoss::LVC, outer, kl_coef: 0.1, first_order: false, learn_rates: true };
        let rates = vec![0.1; self.theta.len()];
        let mut problem = backend.problem(&self.collected, &self.data);
        let at = Params::new([(POLICY, self.theta.clone()), (RATES, rates)]);
        let (gradient, _) = problem.gradient(&at, &objective);
        let mut signs = Stream::new(2, Purpose::Init).rng();
        let mut project = || {
            let all = gradient.iter();
            all.map(|g| if signs.next_u32() & 1 == 0 { f64::from(*g) } else { -f64::from(*g) }).sum()
        };
        (0..PROJECTIONS).map(|_| project()).collect()
    }
}

/// Length of the difference of two gradients, relative to the second.
pub fn difference(found: &[f64], expected: &[f64]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let apart = norm(&mut found.iter().zip(expected).map(|(a, b)| a - b));
    apart / norm(&mut expected.iter().copied())
}

fn batch(layout: &Layout, policy: &HostPolicy, rng: &mut StreamRng) -> Batch {
    let mut out = vec![0.0; SAMPLES * policy.outputs()];
    let obs: Vec<f32> = (0..SAMPLES * layout.obs_dim()).map(|_| normal(rng)).collect();
    policy.forward(&obs, &mut out, &mut policy.scratch());
    let act_dim = layout.head().act_dim();
    let mut action = vec![0.0; SAMPLES * act_dim];
    let mut log_prob = vec![0.0; SAMPLES];
    let unit = |word: u32| (word >> 8) as f32 / 16_777_216.0;
    policy.sample(&out, |_| std::array::from_fn(|_| unit(rng.next_u32())), &mut action, &mut log_prob);
    let advantage = (0..SAMPLES).map(|_| normal(rng)).collect();
    Batch { obs, action, log_prob, advantage, ..Batch::default() }
}

fn normal(rng: &mut StreamRng) -> f32 {
    StandardNormal.sample(rng)
}
