//! The network that answers, against distances from prototypes.

use super::*;
use crate::layout::{Activation, Head};

/// Logits of the network `policy` for `input`.
fn logits(agent: &Nearest, policy: &[f32], input: &[f32]) -> Vec<f64> {
    let network = HostPolicy::new(&agent.layout, policy);
    let mut out = vec![0.0; agent.layout.head().outputs()];
    network.forward(input, &mut out, &mut network.scratch());
    out.into_iter().map(f64::from).collect()
}

#[test]
fn without_hidden_layers_logits_are_those_by_hand() {
    // embedding 2 x + 1, class means of the inputs 1 and 4: 3 and 9
    let (layout, embedding) = (Layout::new(1, &[], Head::Categorical(2)), Layout::plain(1, &[], 1));
    let agent = Nearest { layout, embedding, params: vec![2.0, 1.0], policies: Vec::new() };
    assert_eq!(logits(&agent, &agent.without_prototypes(), &[7.0]), [0.0, 0.0]);
    let policy = agent.with_prototypes(&[0.5, 5.0, 1.5, 3.0], &[0.0, 1.0, 0.0, 1.0]);
    // the input 2 lies at 5: squared distances 4 and 16
    let out = logits(&agent, &policy, &[2.0]);
    assert!((out[0] - out[1] - 12.0).abs() < 1e-5, "{out:?}");
}

#[test]
fn answers_are_by_the_distances_in_the_embedding() {
    let activation = Activation::Relu;
    let layout = Layout::new(3, &[5, 4], Head::Categorical(3)).with_activation(activation);
    let embedding = Layout::plain(3, &[5, 4], 6).with_activation(activation);
    let mut rng = Stream::new(1, Purpose::Init).rng();
    let mut params = crate::init::orthogonal(&embedding, 0.0, || {
        rand_distr::Distribution::sample(&rand_distr::StandardNormal, &mut rng)
    });
    // the bias of the embedding moves all of it
    params.iter_mut().rev().take(6).zip(1..).for_each(|(bias, k)| *bias = 0.3 * k as f32);
    let agent = Nearest { layout, embedding, params, policies: Vec::new() };
    let inputs: Vec<f32> = (0..18).map(|at| ((at * at) % 7) as f32 / 3.0 - 1.0).collect();
    let labels = [2.0, 0.0, 1.0, 1.0, 0.0, 2.0];
    let policy = agent.with_prototypes(&inputs, &labels);
    let embed = |input: &[f32]| {
        let network = HostPolicy::new(&agent.embedding, &agent.params);
        let mut out = vec![0.0; 6];
        network.forward(input, &mut out, &mut network.scratch());
        out.into_iter().map(f64::from).collect::<Vec<f64>>()
    };
    let query = [0.4, -0.7, 1.1];
    let z = embed(&query);
    let distance = |class: f32| {
        let members: Vec<Vec<f64>> =
            inputs.chunks(3).zip(labels).filter(|(_, label)| *label == class).map(|(input, _)| embed(input)).collect();
        let mean = |i: usize| members.iter().map(|member| member[i]).sum::<f64>() / members.len() as f64;
        (0..6).map(|i| (z[i] - mean(i)).powi(2)).sum::<f64>()
    };
    let out = logits(&agent, &policy, &query);
    for class in [1, 2] {
        let expected = distance(0.0) - distance(class as f32);
        assert!((out[class] - out[0] - expected).abs() < 1e-5, "{out:?} {expected}");
        assert!(expected.abs() > 1e-2, "{expected}");
    }
}
