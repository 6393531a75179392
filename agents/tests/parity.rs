//! Tests that the host policy and the tensor policy agree, through the ratio, which is then 1.

use crate::synthetic::{Lcg, batch, params};
use metadrift_agents::{
    batch::MetaBatch,
    device::Device,
    layout::{Activation, Head, Layout},
    objective::{ClippedLoss, InnerLoss, Objective, OuterLoss},
    tch_backend::TchBackend,
};

#[test]
fn log_probs_of_host_and_tensors_agree() {
    let heads = [Head::Categorical(2), Head::Gaussian(1), Head::Gaussian(2), Head::StateGaussian(2)];
    let both = [Activation::Tanh, Activation::Relu];
    for (head, activation) in heads.into_iter().flat_map(|head| both.map(|activation| (head, activation))) {
        let layout = Layout::new(4, &[64, 64], head).with_activation(activation);
        let mut rng = Lcg(1);
        let mut theta = layout.init(-0.5, || rng.normal());
        // a policy that has learned, so that saturated units and sharp choices occur
        theta.iter_mut().for_each(|p| *p *= 2.0);
        let mut query = batch(&layout, &theta, 5_000, &mut rng);
        query.advantage.fill(1.0);
        let backend = TchBackend::new(layout.clone(), Device::Cpu, 0, 1);
        let data = MetaBatch { query: vec![query.clone()], ..MetaBatch::default() };
        let outer = OuterLoss::Clipped(ClippedLoss { clip_eps: 1e-5, ent_coef: 0.0 });
        let objective =
            Objective { inner: InnerLoss::LVC, outer, kl_coef: 0.0, first_order: false, learn_rates: false };
        let rates = vec![0.0; theta.len()];
        let (_, _, stats) = backend.meta_gradient(&theta, &rates, &mut backend.upload(&theta, &data), &objective);
        // the loss is minus the mean ratio; no ratio is further than 1e-5 from 1
        assert!((stats.loss + 1.0).abs() < 1e-6, "{head:?}: {stats:?}");
        assert_eq!(stats.clip_fraction, 0.0, "{head:?}: {stats:?}");

        // the check can fail: with other parameters the ratios leave the band
        let other = params(&layout, &mut rng);
        let (_, _, stats) = backend.meta_gradient(&other, &rates, &mut backend.upload(&theta, &data), &objective);
        assert!(stats.clip_fraction > 0.9, "{head:?}: {stats:?}");
    }
}

#[test]
fn adapting_leaves_the_meta_parameters_alone() {
    let layout = Layout::new(4, &[8], Head::Categorical(2));
    let mut rng = Lcg(4);
    let theta = params(&layout, &mut rng);
    let before = vec![theta.clone(), theta.clone()];
    let support: Vec<_> = (0..2).map(|_| batch(&layout, &theta, 50, &mut rng)).collect();
    let backend = TchBackend::new(layout, Device::Cpu, 0, 2);
    let adapted = backend.adapt(InnerLoss::LVC, &before, &vec![0.1; theta.len()], &support);
    assert_eq!(before, vec![theta.clone(), theta]);
    assert_ne!(adapted[0], adapted[1]);
}
