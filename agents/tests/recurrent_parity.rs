//! The native gradient on lives against libtorch: its gated recurrent unit, its autograd.

use crate::{
    lives::{layouts, lives, objectives, parameters},
    synthetic::Lcg,
};
use metadrift_agents::{
    device::Device,
    layout::{Head, Layout},
    native::{LifeGradients, PreparedLives},
    objective::LifeStats,
    tch_backend::{TchBackend, UploadedLives},
};

/// Distance of `a` from `b`, relative to the size of `b`.
fn distance(a: impl Iterator<Item = f64>, b: &[f64]) -> f64 {
    let size = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    size(&mut a.zip(b).map(|(a, b)| a - b)) / size(&mut b.iter().copied())
}

fn numbers(stats: &LifeStats) -> [f64; 5] {
    [stats.policy_loss, stats.value_loss, stats.entropy, stats.clip_fraction, stats.approx_kl]
}

#[test]
fn native_and_libtorch_have_the_same_gradient_on_lives() {
    let wide = [Head::Categorical(2), Head::Gaussian(1)].map(|head| Layout::recurrent(3, 64, 64, head));
    let drawn = |layout: &Layout, rng: &mut Lcg| parameters(layout, rng);
    // a wide network forgets rounding only if its weights are as small as those of a trained one
    let fresh =
        |layout: &Layout, rng: &mut Lcg| layout.init(-0.5, || rng.normal()).into_iter().map(f64::from).collect();
    let [small, wide] = [(layouts(), drawn as fn(&Layout, &mut Lcg) -> Vec<f64>), (wide, fresh)];
    let cases = [small, wide].into_iter().flat_map(|(layouts, params)| layouts.map(|layout| (layout, params)));
    for ((layout, params), (objective, _)) in cases.flat_map(|case| objectives().map(|o| (case.clone(), o))) {
        let mut rng = Lcg(17);
        let groups = [(); 2].map(|()| lives(&layout, 5, 40, &mut rng));
        let params = params(&layout, &mut rng);
        let tch = TchBackend::new(layout.clone(), Device::Cpu, 1, 1).double();
        // whole lives, and stretches of which the last is shorter
        for stretch in [40, 15] {
            let uploaded = groups.each_ref().map(|lives| tch.upload_lives(lives, stretch));
            let uploaded: Vec<&UploadedLives> = uploaded.iter().collect();
            let (expected, stats) = tch.life_gradient(&params, &uploaded, &objective);
            let double = groups.each_ref().map(|lives| PreparedLives::<f64>::new(lives, stretch));
            let double: Vec<&PreparedLives<f64>> = double.iter().collect();
            let (gradient, native) = LifeGradients::new(layout.clone(), 2).gradient(&params, &double, &objective);
            for (a, b) in numbers(&native).into_iter().zip(numbers(&stats)) {
                assert!((a - b).abs() <= 1e-10 * b.abs().max(1.0), "{layout:?}: {native:?} {stats:?}");
            }
            let away = distance(gradient.into_iter(), &expected);
            assert!(away <= 1e-10, "{layout:?}: {away:e}");
            let single = groups.each_ref().map(|lives| PreparedLives::<f32>::new(lives, stretch));
            let single: Vec<&PreparedLives<f32>> = single.iter().collect();
            let rounded: Vec<f32> = params.iter().map(|p| *p as f32).collect();
            let (gradient, _) = LifeGradients::new(layout.clone(), 2).gradient(&rounded, &single, &objective);
            let away = distance(gradient.into_iter().map(f64::from), &expected);
            assert!(away <= 1e-4, "{layout:?}: {away:e}");
        }
    }
}
