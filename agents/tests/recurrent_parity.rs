//! The native gradient on lives against libtorch: its gated recurrent unit, its autograd.

use crate::{
    lives::{layouts, lives, loss, objective, parameters},
    synthetic::Lcg,
};
use metadrift_agents::{
    batch::Lives,
    layout::{Head, Layout},
    native::{LifeGradients, PreparedLives},
};
use tch::{Kind, Tensor};

/// Loss of [`objective`] and its gradient, `[num_params]`, by libtorch in f64.
fn by_libtorch(layout: &Layout, params: &[f64], lives: &Lives) -> (f64, Vec<f64>) {
    let (steps, lanes) = (lives.steps() as i64, lives.lanes as i64);
    let flat = Tensor::from_slice(params).set_requires_grad(true);
    let block = |name: &str| {
        let block = layout.blocks().iter().find(|block| block.name == name).unwrap();
        let part = flat.narrow(0, block.range.start as i64, block.range.len() as i64);
        part.view(block.dims.map(|dim| dim as i64))
    };
    let double = |values: &[f32]| Tensor::from_slice(values).to_kind(Kind::Double);
    let x = double(&lives.inputs).view([steps, lanes, -1]);
    let e = (x.matmul(&block("embedding.weight")) + block("embedding.bias")).tanh();
    let bias = |name: &str| block(name).view([-1]);
    let weights = [block("gates.input.weight").tr(), block("gates.memory.weight").tr()].map(|w| w.contiguous());
    let [input, memory] = &weights;
    let start = Tensor::zeros([1, lanes, memory.size()[1]], (Kind::Double, tch::Device::Cpu));
    let all = [input.shallow_clone(), memory.shallow_clone(), bias("gates.input.bias"), bias("gates.memory.bias")];
    let (h, _) = e.gru(&start, &all, true, 1, 0.0, false, false, false);
    let out = h.matmul(&block("head.weight")) + block("head.bias");
    let outputs = layout.head().outputs() as i64;
    let (policy, value) = (out.narrow(2, 0, outputs), out.select(2, outputs));
    let action = double(&lives.batch.action).view([steps, lanes, -1]);
    let (log_prob, entropy) = match layout.head() {
        Head::Categorical(_) => {
            let logs = policy.log_softmax(2, Kind::Double);
            let entropy = -(logs.exp() * &logs).sum_dim_intlist(2, false, Kind::Double);
            (logs.gather(2, &action.to_kind(Kind::Int64), false).squeeze_dim(2), entropy.mean(Kind::Double))
        }
        Head::Gaussian(_) => {
            let log_std = block("log_std").view([-1]);
            let half_log = 0.5 * (2.0 * std::f64::consts::PI).ln();
            let z = (action - policy) / log_std.exp();
            let density: Tensor = -0.5 * z.square() - &log_std - half_log;
            let entropy: Tensor = &log_std + half_log + 0.5;
            (density.sum_dim_intlist(2, false, Kind::Double), entropy.sum(Kind::Double))
        }
    };
    let row = |values: &[f32]| double(values).view([steps, lanes]);
    let advantage = row(&lives.batch.advantage);
    let ratio = (log_prob - row(&lives.batch.log_prob)).exp();
    let gain = (&ratio * &advantage).minimum(&(ratio.clamp(0.8, 1.2) * advantage)).mean(Kind::Double);
    let error = 0.5 * (value - row(&lives.target)).square().mean(Kind::Double);
    let loss: Tensor = 0.25 * error - gain - 0.05 * entropy;
    loss.backward();
    (loss.double_value(&[]), Vec::try_from(flat.grad()).unwrap())
}

/// Distance of `a` from `b`, relative to the size of `b`.
fn distance(a: impl Iterator<Item = f64>, b: &[f64]) -> f64 {
    let size = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    size(&mut a.zip(b).map(|(a, b)| a - b)) / size(&mut b.iter().copied())
}

#[test]
fn native_and_libtorch_have_the_same_gradient_on_lives() {
    let wide = [Head::Categorical(2), Head::Gaussian(1)].map(|head| Layout::recurrent(3, 64, 64, head));
    for layout in layouts().into_iter().chain(wide) {
        let mut rng = Lcg(17);
        let lives = lives(&layout, 5, 40, &mut rng);
        let params = parameters(&layout, &mut rng);
        let (expected_loss, expected) = by_libtorch(&layout, &params, &lives);
        let double = PreparedLives::<f64>::new(&lives, 40);
        let (gradient, stats) = LifeGradients::new(layout.clone(), 2).gradient(&params, &[&double], &objective());
        assert!((loss(&stats) - expected_loss).abs() <= 1e-10 * expected_loss.abs().max(1.0), "{layout:?}");
        let away = distance(gradient.into_iter(), &expected);
        assert!(away <= 1e-10, "{layout:?}: {away:e}");
        let single = PreparedLives::<f32>::new(&lives, 40);
        let rounded: Vec<f32> = params.iter().map(|p| *p as f32).collect();
        let (gradient, _) = LifeGradients::new(layout.clone(), 2).gradient(&rounded, &[&single], &objective());
        let away = distance(gradient.into_iter().map(f64::from), &expected);
        assert!(away <= 1e-4, "{layout:?}: {away:e}");
    }
}
