//! Tests of the meta-gradient against finite differences, and of the identities it must satisfy.

use crate::synthetic::{Lcg, batch, differences, distance, layouts, meta_batch, params, wide};
use metadrift_agents::{
    batch::MetaBatch,
    device::Device,
    layout::{Head, Layout},
    objective::{ClippedLoss, InnerLoss, Objective, ObjectiveStats, OuterLoss},
    tch_backend::TchBackend,
};

const OUTER: ClippedLoss = ClippedLoss { clip_eps: 0.2, ent_coef: 0.05 };
const OBJECTIVE: Objective = Objective {
    inner: InnerLoss::LVC,
    outer: OuterLoss::Clipped(OUTER),
    kl_coef: 0.3,
    first_order: false,
    learn_rates: true,
};

fn backend(layout: &Layout, tasks_per_chunk: usize, threads: usize) -> TchBackend {
    TchBackend::new(layout.clone(), Device::Cpu, tasks_per_chunk, threads)
}

/// The meta-objective in f64 at `theta` and `rates`, with the KL anchored at `anchor`.
fn objective(layout: &Layout, anchor: &[f64], theta: &[f64], rates: &[f64], data: &MetaBatch) -> (Vec<f64>, f64) {
    let backend = backend(layout, 1, 1).double();
    let mut uploaded = backend.upload(anchor, data);
    let (mut gradient, by_rates, stats) = backend.meta_gradient(theta, rates, &mut uploaded, &OBJECTIVE);
    gradient.extend(by_rates);
    (gradient, stats.loss)
}

#[test]
fn equals_finite_differences_for_one_two_and_three_inner_steps() {
    for layout in layouts() {
        for inner_steps in [1, 2, 3] {
            let mut rng = Lcg(11 + inner_steps as u64);
            let collected = params(&layout, &mut rng);
            let data = meta_batch(&layout, &collected, inner_steps, 2, &mut rng);
            let n = layout.num_params();
            // `theta` differs from the collecting parameters, as in a later outer epoch; rates differ by parameter
            let anchor = wide(&collected);
            let mut at: Vec<f64> = anchor.iter().map(|p| p + 0.03 * f64::from(rng.normal())).collect();
            at.extend((0..n).map(|_| 0.2 + 0.1 * f64::from(rng.uniform())));
            let (gradient, _) = objective(&layout, &anchor, &at[..n], &at[n..], &data);

            let loss = |point: &[f64]| objective(&layout, &anchor, &point[..n], &point[n..], &data).1;
            let numeric = differences(&at, loss);
            let error = distance(&gradient, &numeric);
            assert!(error <= 1e-6, "{:?}, {inner_steps} inner steps: {error:e}", layout.head());
        }
    }
}

#[test]
fn first_order_is_another_vector() {
    for layout in layouts() {
        let mut rng = Lcg(5);
        let theta = params(&layout, &mut rng);
        let data = meta_batch(&layout, &theta, 1, 4, &mut rng);
        let backend = backend(&layout, 1, 1);
        let rates = vec![0.3; theta.len()];
        let gradient = |first_order| {
            let objective = Objective { first_order, learn_rates: false, ..OBJECTIVE };
            wide(&backend.meta_gradient(&theta, &rates, &mut backend.upload(&theta, &data), &objective).0)
        };
        assert!(distance(&gradient(true), &gradient(false)) > 0.01);
    }
}

#[test]
fn a_batched_graph_equals_a_loop_over_tasks_and_threads_change_no_bit() {
    for layout in layouts() {
        for inner_steps in [0, 1, 2] {
            let mut rng = Lcg(3);
            let theta = params(&layout, &mut rng);
            let rates = vec![0.1; theta.len()];
            let data = meta_batch(&layout, &theta, inner_steps, 5, &mut rng);
            let objective = Objective { learn_rates: inner_steps > 0, ..OBJECTIVE };
            let run = |tasks_per_chunk, threads| {
                let backend = backend(&layout, tasks_per_chunk, threads);
                let mut uploaded = backend.upload(&theta, &data);
                backend.meta_gradient(&theta, &rates, &mut uploaded, &objective)
            };
            let (looped, by_rates, stats) = run(1, 1);
            for chunk in [2, 5] {
                let (batched, batched_by_rates, batched_stats) = run(chunk, 1);
                assert!(distance(&wide(&batched), &wide(&looped)) < 1e-5);
                assert!(inner_steps == 0 || distance(&wide(&batched_by_rates), &wide(&by_rates)) < 1e-5);
                assert!((batched_stats.loss - stats.loss).abs() < 1e-5);
                assert!((batched_stats.kl - stats.kl).abs() < 1e-6);
            }
            if let Some(support) = data.supports.first() {
                let params: Vec<_> = (0..5).map(|i| theta.iter().map(|p| p + 0.01 * i as f32).collect()).collect();
                let one_by_one = backend(&layout, 1, 2).adapt(InnerLoss::LVC, &params, &rates, support);
                let at_once = backend(&layout, 5, 1).adapt(InnerLoss::LVC, &params, &rates, support);
                for (a, b) in at_once.iter().zip(&one_by_one) {
                    assert!(distance(&wide(a), &wide(b)) < 1e-6);
                }
            }
            for threads in [2, 3] {
                assert_eq!(run(1, threads), (looped.clone(), by_rates.clone(), stats));
            }
        }
    }
}

#[test]
fn no_inner_step_is_plain_ppo() {
    // a linear softmax policy over one observation: d log pi(a) / d logits = onehot(a) - p, by hand
    let layout = Layout::new(1, &[], Head::Categorical(2));
    let theta = [0.4f32, -0.3, 0.1, 0.2]; // weights of the two logits, then biases
    let mut rng = Lcg(8);
    let collected = batch(&layout, &[0.1, 0.3, 0.0, 0.1], 200, &mut rng);
    let mut expected = [0f64; 4];
    let mut clipped_share = 0.0;
    for i in 0..200 {
        let x = f64::from(collected.obs[i]);
        let a = collected.action[i] as usize;
        let advantage = collected.advantage[i];
        let logits = [0, 1].map(|k| f64::from(theta[k]) * x + f64::from(theta[2 + k]));
        let p = logits.map(|l| l.exp() / (logits[0].exp() + logits[1].exp()));
        let ratio = p[a] / f64::from(collected.log_prob[i]).exp();
        let outside = !(0.8..=1.2).contains(&ratio);
        clipped_share += f64::from(u8::from(outside)) / 200.0;
        // the clipped branch of the minimum is flat
        if (advantage > 0.0 && ratio > 1.2) || (advantage < 0.0 && ratio < 0.8) {
            continue;
        }
        for k in 0..2 {
            let by_logit = f64::from(advantage) * ratio * (f64::from(u8::from(k == a)) - p[k]) / 200.0;
            expected[k] -= by_logit * x;
            expected[2 + k] -= by_logit;
        }
    }
    let data = MetaBatch { query: vec![collected], ..MetaBatch::default() };
    let backend = backend(&layout, 1, 1);
    let objective = Objective {
        outer: OuterLoss::Clipped(ClippedLoss { ent_coef: 0.0, ..OUTER }),
        kl_coef: 0.0,
        learn_rates: false,
        ..OBJECTIVE
    };
    let (gradient, _, stats) = backend.meta_gradient(&theta, &[0.0; 4], &mut backend.upload(&theta, &data), &objective);
    assert!(distance(&wide(&gradient), &expected) < 1e-5, "{gradient:?} {expected:?}");
    assert!((stats.clip_fraction - clipped_share).abs() < 1e-6 && clipped_share > 0.05);
}

#[test]
fn the_inner_step_is_reinforce_at_the_policy_that_sampled() {
    // the same policy by hand; the ratio is 1, so the step is rate * mean(advantage * d log pi)
    let layout = Layout::new(1, &[], Head::Categorical(2));
    let theta = vec![0.4f32, -0.3, 0.1, 0.2];
    let support = batch(&layout, &theta, 300, &mut Lcg(2));
    let mut expected = [0f64; 4];
    for i in 0..300 {
        let x = f64::from(support.obs[i]);
        let a = support.action[i] as usize;
        let logits = [0, 1].map(|k| f64::from(theta[k]) * x + f64::from(theta[2 + k]));
        for k in 0..2 {
            let p = logits[k].exp() / (logits[0].exp() + logits[1].exp());
            let by_logit = f64::from(support.advantage[i]) * (f64::from(u8::from(k == a)) - p) / 300.0;
            expected[k] += by_logit * x;
            expected[2 + k] += by_logit;
        }
    }
    let backend = backend(&layout, 1, 1);
    for rate in [0.5f32, 5.0] {
        let adapted =
            &backend.adapt(InnerLoss::LVC, std::slice::from_ref(&theta), &[rate; 4], std::slice::from_ref(&support))[0];
        let step: Vec<f64> = adapted.iter().zip(&theta).map(|(a, t)| f64::from((a - t) / rate)).collect();
        assert!(distance(&step, &expected) < 1e-5, "{step:?} {expected:?}");
    }
}

#[test]
fn query_rewards_move_the_gradient_and_rates_of_zero_are_no_adaptation() {
    for layout in layouts() {
        let mut rng = Lcg(21);
        let theta = params(&layout, &mut rng);
        let mut data = meta_batch(&layout, &theta, 1, 2, &mut rng);
        let backend = backend(&layout, 1, 1);
        let plain = Objective { kl_coef: 0.0, learn_rates: false, ..OBJECTIVE };
        let gradient = |data: &MetaBatch, rate: f32| -> (Vec<f64>, ObjectiveStats) {
            let rates = vec![rate; theta.len()];
            let (g, _, s) = backend.meta_gradient(&theta, &rates, &mut backend.upload(&theta, data), &plain);
            (wide(&g), s)
        };
        let without = MetaBatch { supports: Vec::new(), ..data.clone() };
        assert!(distance(&gradient(&data, 0.0).0, &gradient(&without, 0.0).0) < 1e-5);

        let before = gradient(&data, 0.2);
        data.query[0].advantage.iter_mut().for_each(|a| *a *= 2.0);
        assert!(distance(&gradient(&data, 0.2).0, &before.0) > 0.01);
    }
}
