//! Tests of gradients on minibatches: the native backend against libtorch's autograd.

use crate::synthetic::{Lcg, batch, distance, layouts, params, wide};
use metadrift_agents::{
    device::Device,
    layout::{Head, Layout},
    native::NativeBackend,
    objective::ClippedLoss,
    tch_backend::TchBackend,
};

#[test]
fn native_gradients_equal_the_tch_ones() {
    let loss = ClippedLoss { clip_eps: 0.2, ent_coef: 0.05 };
    let mut policies = layouts().to_vec();
    policies.push(Layout::new(4, &[64, 64], Head::Categorical(2)));
    policies.push(Layout::new(3, &[33], Head::Gaussian(1)));
    for layout in policies {
        let tch = TchBackend::new(layout.clone(), Device::Cpu, 1, 1);
        let native = NativeBackend::new(layout.clone(), 1);
        let mut rng = Lcg(9);
        let collected = params(&layout, &mut rng);
        // more samples than a tile has
        let data = batch(&layout, &collected, 150, &mut rng);
        let at: Vec<f32> = collected.iter().map(|p| p + 0.1 * rng.normal()).collect();
        let (expected, stats) = tch.clone().double().clipped(&wide(&at), &data, &loss);
        let (gradient, native_stats) = native.minibatches().clipped(&wide(&at), &data, &loss);
        assert!(distance(&gradient, &expected) <= 1e-10, "{:?}", layout.head());
        assert!(stats.clip_fraction > 0.0, "nothing is clipped");
        for (a, b) in [
            (native_stats.loss, stats.loss),
            (native_stats.entropy, stats.entropy),
            (native_stats.clip_fraction, stats.clip_fraction),
            (native_stats.approx_kl, stats.approx_kl),
        ] {
            assert!((a - b).abs() <= 1e-9, "{native_stats:?} {stats:?}");
        }
        let (single, _) = native.minibatches().clipped(&at, &data, &loss);
        assert!(distance(&wide(&single), &expected) <= 1e-4, "{:?}", layout.head());

        let (expected, loss) = tch.double().likelihood(&wide(&at), &data);
        let (gradient, native_loss) = native.minibatches().likelihood(&wide(&at), &data);
        assert!(distance(&gradient, &expected) <= 1e-10 && (loss - native_loss).abs() <= 1e-9, "{loss} {native_loss}");

        let layout = Layout::plain(layout.obs_dim(), &[8, 6], 1);
        let at = params(&layout, &mut rng);
        let target: Vec<f32> = (0..150).map(|_| rng.normal()).collect();
        let tch = TchBackend::new(layout.clone(), Device::Cpu, 1, 1);
        let native = NativeBackend::new(layout, 1);
        let (expected, loss) = tch.double().squared(&wide(&at), &data.obs, &target);
        let (gradient, native_loss) = native.minibatches().squared(&wide(&at), &data.obs, &target);
        assert!(distance(&gradient, &expected) <= 1e-10 && (loss - native_loss).abs() <= 1e-9, "{loss} {native_loss}");
        let (single, _) = native.minibatches().squared(&at, &data.obs, &target);
        assert!(distance(&wide(&single), &expected) <= 1e-4);
    }
}
