//! MAML whose inner steps are those of a learned rule.

use crate::synthetic::{Lcg, batch, distance, layouts, meta_batch, params, wide};
use metadrift_agents::{
    advantage::Estimator,
    agent::{Adaptive, Agent},
    backend::{self, BackendChoice},
    batch::MetaBatch,
    device::Device,
    layout::Layout,
    learners::maml::Maml,
    native::NativeBackend,
    objective::{ClippedLoss, InnerLoss, Objective, OuterLoss},
    params::{POLICY, Point, RULE},
    settings::{MamlConfig, Outer, PpoConfig},
    update_rule::{self, WEIGHTS},
};
use metadrift_random::{Purpose, Stream};

const CLIPPED: OuterLoss = OuterLoss::Clipped(ClippedLoss { clip_eps: 0.2, ent_coef: 0.05 });
const FREE: OuterLoss = OuterLoss::Clipped(ClippedLoss { clip_eps: f64::INFINITY, ent_coef: 0.0 });

fn objective(inner: InnerLoss, outer: OuterLoss) -> Objective {
    Objective { inner, outer, kl_coef: 0.3, first_order: false, learn_rates: true }
}

/// A rule that has learned: no weight is 0.
fn learned(rng: &mut Lcg) -> Vec<f32> {
    let fresh = update_rule::initial(&mut Stream::new(1, Purpose::Init).rng());
    fresh.iter().map(|weight| weight + 0.2 * rng.normal()).collect()
}

fn rates(layout: &Layout, rng: &mut Lcg) -> Vec<f32> {
    (0..layout.num_params()).map(|_| 0.2 + 0.1 * rng.uniform()).collect()
}

/// The derivatives of `loss` at `at` by central differences of fourth order: a gradient near 0 changes the rule's inputs on
/// the scale of e^-10.
fn sharp_differences(at: &[f64], mut loss: impl FnMut(&[f64]) -> f64) -> Vec<f64> {
    const H: f64 = 1e-6;
    let by = |i: usize| {
        let mut shifted = |by: f64| {
            let mut moved = at.to_vec();
            moved[i] += by;
            loss(&moved)
        };
        (8.0 * (shifted(H) - shifted(-H)) - (shifted(2.0 * H) - shifted(-2.0 * H))) / (12.0 * H)
    };
    (0..at.len()).map(by).collect()
}

/// The meta-gradient by policy, rates and weights of the rule against differences of the meta-loss in f64: by everything in
/// one case, by every fifth parameter and rate and every thirteenth weight in the others. Data are fixed, and of policies nearby,
/// as in a later epoch.
#[test]
fn a_rules_meta_gradient_is_that_of_its_loss() {
    let cases = [
        (InnerLoss::LVC, CLIPPED, false),
        (InnerLoss::Score, CLIPPED, true),
        (InnerLoss::Score, OuterLoss::Likelihood, false),
        (InnerLoss::Score, OuterLoss::Divergence, false),
    ];
    let all = layouts().into_iter().flat_map(|layout| [1, 2, 3].map(|steps| (layout.clone(), steps)));
    for (number, (layout, steps)) in all.enumerate() {
        let (inner, outer, credited) = cases[number % cases.len()];
        let mut rng = Lcg(50 + number as u64);
        let (n, theta) = (layout.num_params(), params(&layout, &mut rng));
        let mut data = meta_batch(&layout, &theta, steps, 2, &mut rng);
        data.weight = vec![0.7, 1.4];
        if credited {
            data.credit = vec![0.02, -0.03];
        }
        let at = wide(&[theta, rates(&layout, &mut rng), learned(&mut rng)].concat());
        let backend = NativeBackend::new(layout.clone(), 1);
        let mut prepared = backend.prepare(&at[..n], &data);
        let mut look = |at: &[f64]| {
            let point = Point { policy: &at[..n], rates: &at[n..2 * n], rule: &at[2 * n..] };
            backend.meta_gradient_at(point, &mut prepared, &objective(inner, outer))
        };
        let gradients = look(&at).0;
        // primes beside the widths of the layers, so that places are of all blocks
        let strides = if number == 1 { [1, 1, 1] } else { [5, 5, 13] };
        let starts = [0, n, 2 * n, at.len()];
        for (part, (gradient, stride)) in gradients.iter().zip(strides).enumerate() {
            let places: Vec<usize> = (starts[part]..starts[part + 1]).step_by(stride).collect();
            let numeric = sharp_differences(&places.iter().map(|place| at[*place]).collect::<Vec<_>>(), |values| {
                let mut moved = at.clone();
                places.iter().zip(values).for_each(|(place, value)| moved[*place] = *value);
                look(&moved).1.loss
            });
            let gradient: Vec<f64> = gradient.iter().copied().step_by(stride).collect();
            let error = distance(&gradient, &numeric);
            let part = ["policy", "rates", "rule"][part];
            assert!(error <= 1e-6, "{part}, {layout:?}, {inner:?}, {outer:?}, {steps} steps: {error:e}");
        }
    }
}

/// With a fresh rule, the meta-gradient by policy and rates is that of gradient steps, to the bit.
#[test]
fn a_fresh_rule_takes_gradient_steps() {
    let rule = update_rule::initial(&mut Stream::new(1, Purpose::Init).rng());
    for (layout, first_order) in
        layouts().into_iter().flat_map(|layout| [false, true].map(|first| (layout.clone(), first)))
    {
        let mut rng = Lcg(4);
        let theta = params(&layout, &mut rng);
        let data = meta_batch(&layout, &theta, 3, 2, &mut rng);
        let rates = rates(&layout, &mut rng);
        let backend = NativeBackend::new(layout.clone(), 1);
        let objective = Objective { first_order, ..objective(InnerLoss::LVC, CLIPPED) };
        let look = |rule| {
            let point = Point { policy: &theta, rates: &rates, rule };
            backend.meta_gradient_at(point, &mut backend.prepare(&theta, &data), &objective)
        };
        let (([policy, rates, _], stats), ([by_policy, by_rates, by_rule], same)) = (look(&[]), look(&rule));
        assert_eq!((policy, rates, stats), (by_policy, by_rates, same));
        // its gates do not move before its outputs do
        let moves: Vec<bool> = by_rule.iter().map(|g| *g != 0.0).collect();
        assert_eq!(moves.iter().filter(|moves| **moves).count(), 2 * 9);
    }
}

/// The policies that an agent adapts to are those in which the meta-gradient's loss is taken.
#[test]
fn an_agent_takes_the_steps_of_the_meta_gradient() {
    for layout in layouts() {
        let mut rng = Lcg(9);
        let theta = params(&layout, &mut rng);
        let (rates, rule) = (rates(&layout, &mut rng), learned(&mut rng));
        let data = meta_batch(&layout, &theta, 3, 2, &mut rng);
        let backend = backend::open(BackendChoice::Native, layout.clone(), Device::Cpu, 0, 2).unwrap();
        let estimator = Estimator::new(&PpoConfig::default(), 2);
        let agent = Adaptive::new(backend, InnerLoss::LVC, estimator, theta.clone(), rates.clone());
        let mut agent = agent.with_rule(rule.clone());
        let native = NativeBackend::new(layout.clone(), 1);
        let plain = Objective { kl_coef: 0.0, learn_rates: false, ..objective(InnerLoss::LVC, FREE) };
        let loss = |policy: &[f32], rule: &[f32], data: &MetaBatch| {
            let point = Point { policy, rates: &rates, rule };
            native.meta_gradient_at(point, &mut native.prepare(policy, data), &plain).1.loss
        };
        let expected = loss(&theta, &rule, &data);
        // the second life begins without a memory of the first
        for _ in 0..2 {
            agent.begin(2);
            data.supports.iter().for_each(|support| agent.step(support).unwrap());
            let adapted = agent.policies().params.iter().zip(&data.query);
            let found = adapted
                .map(|(phi, query)| loss(phi, &[], &MetaBatch { query: vec![query.clone()], ..MetaBatch::default() }));
            let found = found.sum::<f64>() / 2.0;
            assert!((found - expected).abs() <= 1e-5 * expected.abs().max(1.0), "{found} {expected}");
        }
    }
}

#[test]
fn a_rate_of_0_holds_a_parameter_and_tells_the_rule_nothing() {
    for layout in layouts() {
        let mut rng = Lcg(14);
        let theta = wide(&params(&layout, &mut rng));
        let data = meta_batch(&layout, &params(&layout, &mut rng), 2, 1, &mut rng);
        let rule = wide(&learned(&mut rng));
        let backend = NativeBackend::new(layout.clone(), 1);
        let rates = vec![0.0; theta.len()];
        let look = |rule: &[f64], data: &MetaBatch| {
            let point = Point { policy: &theta, rates: &rates, rule };
            backend.meta_gradient_at(point, &mut backend.prepare(&theta, data), &objective(InnerLoss::LVC, CLIPPED)).0
        };
        let [by_policy, by_rates, by_rule] = look(&rule, &data);
        assert!(by_rule.iter().all(|g| *g == 0.0));
        assert_eq!(by_policy, look(&[], &data)[0]);
        assert_ne!(by_rates, look(&[], &data)[1]);
    }
}

#[test]
fn a_step_of_trpo_moves_policy_and_rule_within_its_region() {
    for layout in layouts() {
        let mut rng = Lcg(12);
        let theta = params(&layout, &mut rng);
        let backend = backend::open(BackendChoice::Native, layout.clone(), Device::Cpu, 0, 1).unwrap();
        let config = MamlConfig { outer: Outer::Trpo, ..MamlConfig::default() };
        let fresh = update_rule::initial(&mut Stream::new(1, Purpose::Init).rng());
        let mut learner = Maml::new(config, PpoConfig::default(), backend, theta.clone(), 1).with_rule(fresh.clone());
        let support: Vec<_> = (0..3).map(|_| batch(&layout, &theta, 60, &mut rng)).collect();
        let mut agent = learner.adaptive();
        agent.begin(3);
        agent.step(&support).unwrap();
        let query = agent.policies().params.iter().map(|phi| batch(&layout, phi, 60, &mut rng)).collect();
        let data = MetaBatch { supports: vec![support], query, ..MetaBatch::default() };
        let metrics = learner.update(&data).unwrap();
        let metric = |name: &str| metrics.iter().find(|(known, _)| *known == name).unwrap().1;
        assert!(metric("trust_region/step") > 0.0, "{metrics:?}");
        assert!((0.01 / 20.0..=0.01).contains(&metric("kl/query")), "{metrics:?}");
        assert_ne!(learner.params().part(POLICY), theta);
        assert_ne!(learner.params().part(RULE), fresh);
        assert_eq!(learner.params().part(RULE).len(), WEIGHTS);
    }
}

#[cfg(feature = "torch")]
mod with_torch {
    use metadrift_agents::tch_backend::TchBackend;

    use super::*;

    /// The adjoint written out for CPUs against autograd, in f64; on the threads and chunks of either.
    #[test]
    fn a_rules_meta_gradient_equals_that_of_the_tch_backend() {
        let outers = [CLIPPED, OuterLoss::Likelihood, OuterLoss::Divergence];
        let inners = [InnerLoss::LVC, InnerLoss::Score, InnerLoss::DICE, InnerLoss::LoadedDice(0.7)];
        let mut number = 0;
        for layout in layouts() {
            for steps in [0, 1, 2, 3] {
                for first_order in [false, true] {
                    number += 1;
                    let (inner, outer) = (inners[number % inners.len()], outers[number % outers.len()]);
                    compare(&layout, steps, Objective { first_order, ..objective(inner, outer) }, number as u64);
                }
            }
        }
    }

    fn compare(layout: &Layout, steps: usize, objective: Objective, seed: u64) {
        let objective = Objective { learn_rates: steps > 0, ..objective };
        let mut rng = Lcg(seed);
        let theta = params(layout, &mut rng);
        let mut data = meta_batch(layout, &theta, steps, 3, &mut rng);
        data.weight = vec![0.7, 1.4, 0.5];
        data.credit = vec![0.02, -0.03, 0.01];
        let (rates, rule) = (rates(layout, &mut rng), if steps > 0 { learned(&mut rng) } else { Vec::new() });
        let [policy, rates, rule] = [&theta, &rates, &rule].map(|values| wide(values));
        let at = Point { policy: &policy, rates: &rates, rule: &rule };
        let native = NativeBackend::new(layout.clone(), 2);
        let (found, stats) = native.meta_gradient_at(at, &mut native.prepare(&policy, &data), &objective);
        for chunk in [1, 3] {
            let tch = TchBackend::new(layout.clone(), Device::Cpu, chunk, 2).double();
            let (expected, told) = tch.meta_gradient_at(at, &mut tch.upload(&policy, &data), &objective);
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(found.len(), expected.len());
                let error = if found.is_empty() { 0.0 } else { distance(found, expected) };
                assert!(error <= 1e-10, "{layout:?}, {steps} steps, {objective:?}: {error:e}");
            }
            assert!((stats.loss - told.loss).abs() <= 1e-9 * told.loss.abs().max(1.0), "{stats:?} {told:?}");
        }
    }

    #[test]
    fn agents_of_both_backends_adapt_alike() {
        for layout in layouts() {
            let mut rng = Lcg(3);
            let theta = params(&layout, &mut rng);
            let (rates, rule) = (rates(&layout, &mut rng), learned(&mut rng));
            let data = meta_batch(&layout, &theta, 2, 2, &mut rng);
            let adapted = |choice| {
                let backend = backend::open(choice, layout.clone(), Device::Cpu, 0, 2).unwrap();
                let estimator = Estimator::new(&PpoConfig::default(), 2);
                let agent = Adaptive::new(backend, InnerLoss::LVC, estimator, theta.clone(), rates.clone());
                let mut agent = agent.with_rule(rule.clone());
                agent.begin(2);
                data.supports.iter().for_each(|support| agent.step(support).unwrap());
                wide(&agent.policies().params.concat())
            };
            assert!(distance(&adapted(BackendChoice::Native), &adapted(BackendChoice::Tch)) < 1e-5);
        }
    }
}
