//! Tests of the native backend against the tch backend: both heads, several inner steps, first and second order,
//! learned rates.

use crate::synthetic::{Lcg, distance, layouts, meta_batch, meta_batch_of, params, wide};
use metadrift_agents::{
    device::Device,
    layout::{Activation, Head, Layout},
    native::NativeBackend,
    objective::{ClippedLoss, InnerLoss, Objective, ObjectiveStats, OuterLoss},
    tch_backend::TchBackend,
};

/// Roundings that may add up on the way to a gradient.
const ROUNDINGS: f64 = 30.0;
const CLIPPED: OuterLoss = OuterLoss::Clipped(ClippedLoss { clip_eps: 0.2, ent_coef: 0.05 });

/// The layouts of the other tests, the default ones, one without hidden layers, and some of awkward widths.
fn all_layouts() -> Vec<Layout> {
    let mut all = layouts().to_vec();
    all.push(Layout::new(4, &[64, 64], Head::Categorical(2)));
    all.push(Layout::new(3, &[64, 64], Head::Gaussian(1)));
    all.push(Layout::new(5, &[], Head::Categorical(3)));
    all.push(Layout::new(2, &[33, 70, 9], Head::Gaussian(2)));
    all.push(Layout::new(2, &[33, 70, 9], Head::StateGaussian(3)));
    all.push(Layout::new(2, &[33, 70, 9], Head::Gaussian(2)).with_activation(Activation::Relu));
    all
}

/// Compares the native meta-gradient of tasks with `samples` samples with that of the tch backend; with `credit`, tasks
/// differ in weight, and the sampling term is part of it.
fn assert_agreement(
    layout: &Layout,
    inner_steps: usize,
    (inner, first_order, credit): (InnerLoss, bool, bool),
    outer: OuterLoss,
    samples: &[usize],
) {
    let native = NativeBackend::new(layout.clone(), 2);
    let tch = TchBackend::new(layout.clone(), Device::Cpu, 1, 2);
    let tch_double = tch.clone().double();
    let mut rng = Lcg(31 + inner_steps as u64);
    let collected = params(layout, &mut rng);
    let mut data = meta_batch_of(layout, &collected, inner_steps, samples, &mut rng);
    if credit {
        data.credit = samples.iter().map(|_| 0.02 * f64::from(rng.normal())).collect();
        data.weight = samples.iter().map(|_| f64::from(rng.uniform())).collect();
    }
    let theta: Vec<f32> = collected.iter().map(|p| p + 0.03 * rng.normal()).collect();
    let rates: Vec<f32> = theta.iter().map(|_| 0.2 + 0.1 * rng.uniform()).collect();
    let learn_rates = inner_steps > 0;
    let objective = Objective { inner, outer, kl_coef: 0.3, first_order, learn_rates };
    let what = format!(
        "{layout:?}, {samples:?} samples, {inner_steps} steps, {inner:?}, first order: {first_order}, credit: {credit}"
    );

    let (anchor, at, alpha) = (wide(&collected), wide(&theta), wide(&rates));
    let mut uploaded = tch_double.upload(&anchor, &data);
    let (expected, expected_rates, stats) = tch_double.meta_gradient(&at, &alpha, &mut uploaded, &objective);
    let mut prepared = native.prepare(&anchor, &data);
    let (gradient, by_rates, native_stats) = native.meta_gradient(&at, &alpha, &mut prepared, &objective);
    assert!(distance(&gradient, &expected) <= 1e-10, "{what}: {:e}", distance(&gradient, &expected));
    if learn_rates {
        assert!(distance(&by_rates, &expected_rates) <= 1e-10, "{what}");
    }
    assert_same_statistics(&native_stats, &stats, &what);

    // in f32 they agree within 1e-4, but for three steps of a wild policy, which blow up any rounding: there the limit is the
    // error of tch, or what a rounding of the parameters alone does to the exact gradient, times the number of roundings on the way
    let rounded: Vec<f64> = at.iter().map(|p| p * (1.0 + f64::from(f32::EPSILON * rng.normal()))).collect();
    let (moved, _, _) = native.meta_gradient(&rounded, &alpha, &mut prepared, &objective);
    let rounding = distance(&moved, &gradient);
    let mut prepared = native.prepare(&collected, &data);
    let (single, _, _) = native.meta_gradient(&theta, &rates, &mut prepared, &objective);
    let mut uploaded = tch.upload(&collected, &data);
    let (tch_single, _, _) = tch.meta_gradient(&theta, &rates, &mut uploaded, &objective);
    let error = distance(&wide(&single), &expected);
    let tch_error = distance(&wide(&tch_single), &expected);
    let limit = 1e-4_f64.max(3.0 * tch_error).max(ROUNDINGS * rounding);
    assert!(error <= limit, "{what}: {error:e}, tch {tch_error:e}, rounded parameters {rounding:e}");
}

fn assert_same_statistics(native: &ObjectiveStats, tch: &ObjectiveStats, what: &str) {
    let numbers = |stats: &ObjectiveStats| {
        let ObjectiveStats { loss, inner_loss, kl, entropy, clip_fraction, approx_kl } = *stats;
        [loss, inner_loss, kl, entropy, clip_fraction, approx_kl]
    };
    for (a, b) in numbers(native).into_iter().zip(numbers(tch)) {
        // ratios of a policy that adapted far away are large
        assert!((a - b).abs() <= 1e-9 * b.abs().max(1.0), "{what}: {native:?} {tch:?}");
    }
}

#[test]
fn equals_the_tch_backend() {
    for layout in all_layouts() {
        for inner_steps in [0, 1, 2, 3] {
            for first_order in [false, true] {
                assert_agreement(&layout, inner_steps, (InnerLoss::LVC, first_order, false), CLIPPED, &[23, 32, 41]);
            }
        }
    }
}

/// Covers one sample, tiles just full, one sample too many, and several tiles; a small task reuses a large one's work
/// space.
#[test]
fn equals_the_tch_backend_whatever_the_tiles_and_widths() {
    let heads = [Head::Categorical(2), Head::Categorical(9), Head::Gaussian(1), Head::Gaussian(3)];
    let hidden: [&[usize]; 4] = [&[], &[16], &[32, 24], &[64, 48, 16]];
    for (head, hidden) in heads.into_iter().flat_map(|head| hidden.map(|hidden| (head, hidden))) {
        assert_agreement(
            &Layout::new(3, hidden, head),
            2,
            (InnerLoss::LVC, false, false),
            CLIPPED,
            &[250, 96, 97, 1, 192],
        );
    }
}

#[test]
fn every_estimator_equals_the_tch_backend() {
    let losses = [InnerLoss::Score, InnerLoss::DICE, InnerLoss::LoadedDice(0.7)];
    for (layout, inner) in layouts().into_iter().flat_map(|layout| losses.map(|inner| (layout.clone(), inner))) {
        for inner_steps in [1, 2, 3] {
            for (first_order, credit) in [(false, false), (false, true), (true, true)] {
                assert_agreement(&layout, inner_steps, (inner, first_order, credit), CLIPPED, &[23, 101, 41, 1]);
            }
            assert_agreement(&layout, inner_steps, (inner, false, true), OuterLoss::Divergence, &[23, 101, 41, 1]);
            assert_agreement(&layout, inner_steps, (inner, false, true), OuterLoss::Likelihood, &[23, 101, 41, 1]);
        }
    }
}

#[test]
fn adapts_like_the_tch_backend_and_alike_on_any_number_of_threads() {
    for layout in all_layouts() {
        let mut rng = Lcg(6);
        let theta = params(&layout, &mut rng);
        let data = meta_batch(&layout, &theta, 1, 4, &mut rng);
        let each = vec![theta.clone(); 4];
        let rates = vec![0.3; theta.len()];
        let expected =
            TchBackend::new(layout.clone(), Device::Cpu, 1, 1).adapt(InnerLoss::LVC, &each, &rates, &data.supports[0]);
        let one = NativeBackend::new(layout.clone(), 1);
        let adapted = one.adapt(InnerLoss::LVC, &each, &rates, &data.supports[0]);
        for (a, b) in adapted.iter().zip(&expected) {
            assert!(distance(&wide(a), &wide(b)) < 1e-6);
        }
        let three = NativeBackend::new(layout.clone(), 3);
        assert_eq!(three.adapt(InnerLoss::LVC, &each, &rates, &data.supports[0]), adapted);
        let outer = OuterLoss::Clipped(ClippedLoss { clip_eps: 0.2, ent_coef: 0.0 });
        let objective =
            Objective { inner: InnerLoss::LVC, outer, kl_coef: 0.1, first_order: false, learn_rates: false };
        // the second gradient reuses the work spaces of the first one, with another point in between
        let elsewhere: Vec<f32> = theta.iter().map(|p| 0.9 * p).collect();
        let run = |backend: &NativeBackend| {
            let mut prepared = backend.prepare(&theta, &data);
            [&theta, &elsewhere, &theta].map(|at| backend.meta_gradient(at, &rates, &mut prepared, &objective))
        };
        let [first, other, again] = run(&one);
        assert_eq!(first, again);
        assert_ne!(first, other);
        assert_eq!([first, other, again], run(&three));
    }
}
