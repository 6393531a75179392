//! The gradient of encoder and predictor, against differences of their error, and the policy behind the encoder, against a
//! calculation by hand.

use crate::synthetic::Lcg;
use metadrift_agents::{
    context::width,
    host_policy::HostPolicy,
    layout::{Activation, Head, Layout},
    native::{PredictionGradients, Transitions},
};

const CODE: usize = 2;
const WINDOW: usize = 4;
const INPUTS: usize = 3;
const OUTPUTS: usize = 2;

fn numbers(count: usize, scale: f64, rng: &mut Lcg) -> Vec<f64> {
    (0..count).map(|_| scale * f64::from(rng.normal())).collect()
}

#[test]
fn the_gradient_is_that_of_the_error() {
    let both = [Activation::Tanh, Activation::Relu];
    for (hidden, activation) in [&[5, 4][..], &[6], &[]].into_iter().flat_map(|hidden| both.map(|f| (hidden, f))) {
        let mut rng = Lcg(23);
        let encoder = Layout::plain(WINDOW, hidden, CODE).with_activation(activation);
        let predictor = Layout::plain(width(INPUTS, CODE), hidden, OUTPUTS).with_activation(activation);
        let params = numbers(encoder.num_params() + predictor.num_params(), 0.5, &mut rng);
        // more samples than a tile has
        let samples = 150;
        let data = Transitions {
            past: numbers(samples * WINDOW, 1.0, &mut rng),
            now: numbers(samples * INPUTS, 1.0, &mut rng),
            target: numbers(samples * OUTPUTS, 1.0, &mut rng),
        };
        let encodes = encoder.num_params();
        let mut gradients = PredictionGradients::<f64>::new(encoder, predictor);
        let (gradient, _) = gradients.gradient(&params, &data);
        for part in [0..encodes, encodes..params.len()] {
            let along = numbers(params.len(), 1.0, &mut rng);
            let along: Vec<f64> = (0..params.len()).map(|i| if part.contains(&i) { along[i] } else { 0.0 }).collect();
            let mut at = |step: f64| {
                let moved: Vec<f64> = params.iter().zip(&along).map(|(p, d)| p + step * d).collect();
                gradients.gradient(&moved, &data).1
            };
            let difference = (at(1e-6) - at(-1e-6)) / 2e-6;
            let product: f64 = gradient.iter().zip(&along).map(|(g, d)| g * d).sum();
            assert!((difference - product).abs() < 1e-7 * product.abs().max(1.0), "{hidden:?}: {difference} {product}");
        }
    }
}

#[test]
fn a_policy_sees_observation_code_and_products() {
    // one number of its own, one of the window; encoder and policy are single layers
    let layout = Layout::context((1, 2), &[], 1, &[], Head::Gaussian(1));
    assert_eq!(layout.num_params(), 2 + 3 + 1 + 1);
    // z = tanh(2 w - 0.5); mean = 0.3 x + 0.7 z - 1.1 x z + 0.05
    let policy = HostPolicy::new(&layout, &[2.0, -0.5, 0.3, 0.7, -1.1, 0.05, 0.0]);
    let (x, w) = (0.8f64, 0.9f64);
    let z = (2.0 * w - 0.5).tanh();
    let expected = 0.3 * x + 0.7 * z - 1.1 * x * z + 0.05;
    let mut out = [0.0; 2];
    policy.forward(&[0.8, 0.9, 0.0, 0.0], &mut out, &mut policy.scratch());
    assert!((f64::from(out[0]) - expected).abs() < 1e-6, "{out:?} {expected}");
    let nothing = (-0.5f64).tanh();
    assert!((f64::from(out[1]) - (0.7 * nothing + 0.05)).abs() < 1e-6, "{out:?}");
}
