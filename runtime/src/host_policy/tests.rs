//! Tests of the policy on the host: independence of lanes and instruction sets, and the laws that actions are drawn from.

use super::*;
use crate::layout::Activation;

/// Numbers in [-1.7, 1.7].
fn value(i: usize) -> f32 {
    ((i * 7919 % 2003) as f32 / 1001.0 - 1.0) * 1.7
}

fn policy(head: Head, isa: Isa) -> HostPolicy {
    let layout = Layout::new(13, &[43, 70], head);
    let params: Vec<f32> = (0..layout.num_params()).map(|i| 0.3 * value(i)).collect();
    HostPolicy { isa, ..HostPolicy::new(&layout, &params) }
}

/// Head outputs, actions and log-probabilities of the lanes `from..to`.
fn drawn(policy: &HostPolicy, from: usize, to: usize) -> [Vec<f32>; 3] {
    let obs: Vec<f32> = (from * 13..to * 13).map(value).collect();
    let lanes = to - from;
    let dim = policy.head.act_dim();
    let mut out = vec![0.0; lanes * policy.outputs()];
    let mut action = vec![0.0; lanes * dim];
    let mut log_prob = vec![0.0; lanes];
    policy.forward(&obs, &mut out, &mut policy.scratch());
    let noise = |lane: usize| std::array::from_fn(|k| (value((from + lane) * 4 + k) / 3.5 + 0.5).abs());
    policy.sample(&out, noise, &mut action, &mut log_prob);
    [out, action, log_prob]
}

#[test]
fn every_instruction_set_gives_the_same_bytes_and_so_does_a_lane_alone() {
    for head in [Head::Categorical(3), Head::Gaussian(2), Head::StateGaussian(2)] {
        let plain = drawn(&policy(head, Isa::PORTABLE), 0, 131);
        let found = policy(head, Isa::detect());
        let outputs = found.outputs();
        let dim = head.act_dim();
        assert_eq!(drawn(&found, 0, 131), plain);
        for lane in [0, 5, 100, 130] {
            let [out, action, log_prob] = drawn(&found, lane, lane + 1);
            assert_eq!(out, (0..outputs).map(|k| plain[0][k * 131 + lane]).collect::<Vec<_>>());
            assert_eq!((&action[..], log_prob[0]), (&plain[1][lane * dim..][..dim], plain[2][lane]));
        }
    }
}

#[test]
fn outputs_of_a_relu_network_by_hand() {
    let layout = Layout::new(1, &[2], Head::Categorical(2)).with_activation(Activation::Relu);
    // hidden units max(0, x - 1) and max(0, -2 x); outputs h0 + 3 h1 + 0.5 and 2 h0 - h1
    let policy = HostPolicy::new(&layout, &[1.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, -1.0, 0.5, 0.0]);
    let mut out = [0.0; 8];
    policy.forward(&[3.0, -2.0, 0.5, f32::NAN], &mut out, &mut policy.scratch());
    assert_eq!(out[..3], [2.5, 12.5, 0.5]);
    assert_eq!(out[4..7], [4.0, -4.0, 0.0]);
    assert!(out[3].is_nan() && out[7].is_nan(), "divergence must show: {out:?}");
}

/// Draws one action per logit pair (0, ln 3) and uniform.
fn choose(uniforms: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let n = uniforms.len();
    let layout = Layout::new(1, &[], Head::Categorical(2));
    let policy = HostPolicy::new(&layout, &vec![0.0; layout.num_params()]);
    let out: Vec<f32> = (0..2 * n).map(|i| if i < n { 0.0 } else { 3f32.ln() }).collect();
    let mut action = vec![0.0; n];
    let mut log_prob = vec![0.0; n];
    policy.sample(&out, |lane| [uniforms[lane]; 4], &mut action, &mut log_prob);
    (action, log_prob)
}

#[test]
fn categorical_frequencies_and_log_probs() {
    // softmax(0, ln 3) = (1/4, 3/4)
    let (action, log_prob) = choose(&[0.2499, 0.2501, 1.0 - f32::EPSILON / 2.0]);
    assert_eq!(action, [0.0, 1.0, 1.0]);
    for (log_prob, p) in log_prob.iter().zip([0.25f32, 0.75, 0.75]) {
        assert!((log_prob - p.ln()).abs() < 1e-6, "{log_prob}");
    }
    let uniforms: Vec<f32> = (0..1000).map(|i| (i as f32 + 0.5) / 1000.0).collect();
    assert_eq!(choose(&uniforms).0.iter().sum::<f32>(), 750.0);
}

/// Actions and log-probabilities of a Gaussian around (0.5, 1) with standard deviations 1 and 2.
fn spread(uniforms: &[[f32; 4]]) -> (Vec<f32>, Vec<f32>) {
    let n = uniforms.len();
    let layout = Layout::new(1, &[], Head::Gaussian(2));
    let mut params = vec![0.0; layout.num_params()];
    params[layout.log_std().unwrap()].copy_from_slice(&[0.0, 2f32.ln()]);
    let policy = HostPolicy::new(&layout, &params);
    let out: Vec<f32> = (0..2 * n).map(|i| if i < n { 0.5 } else { 1.0 }).collect();
    let mut action = vec![0.0; 2 * n];
    let mut log_prob = vec![0.0; n];
    policy.sample(&out, |lane| uniforms[lane], &mut action, &mut log_prob);
    (action, log_prob)
}

#[test]
fn gaussian_log_prob_sums_over_dimensions() {
    let (action, log_prob) = spread(&[[0.3, 0.1, 0.0, 0.0], [0.9, 0.6, 0.0, 0.0]]);
    let log_density = |x: f32, mean: f64, std: f64| {
        let z = (f64::from(x) - mean) / std;
        -0.5 * z * z - std.ln() - 0.5 * std::f64::consts::TAU.ln()
    };
    for (action, log_prob) in action.chunks(2).zip(log_prob) {
        let expected = log_density(action[0], 0.5, 1.0) + log_density(action[1], 1.0, 2.0);
        assert!((f64::from(log_prob) - expected).abs() < 2e-6, "{log_prob} {expected}");
    }
    // Box and Muller by hand: sqrt(-2 ln 0.7) cos(0.2 pi) and sin(0.2 pi)
    let radius = (-2.0 * 0.7f64.ln()).sqrt();
    let turn = 0.2 * std::f64::consts::PI;
    assert!((f64::from(action[0]) - (0.5 + radius * turn.cos())).abs() < 1e-6);
    assert!((f64::from(action[1]) - (1.0 + 2.0 * radius * turn.sin())).abs() < 1e-6);
}

#[test]
fn log_probs_of_a_spread_that_depends_on_the_state_by_hand() {
    let layout = Layout::new(1, &[], Head::StateGaussian(1));
    // mean 0.5 x + 0.1, log standard deviation 2 x - 1, held within -5 and 2
    let policy = HostPolicy::new(&layout, &[0.5, 2.0, 0.1, -1.0]);
    let x = [0.3f64, 1.2, 4.0, -7.0];
    let (mut out, mut action, mut log_prob) = ([0.0; 8], [0.0; 4], [0.0; 4]);
    policy.forward(&x.map(|x| x as f32), &mut out, &mut policy.scratch());
    policy.sample(&out, |_| [0.4, 0.15, 0.0, 0.0], &mut action, &mut log_prob);
    // Box and Muller
    let normal = (-2.0 * 0.6f64.ln()).sqrt() * (0.3 * std::f64::consts::PI).cos();
    for (lane, log_std) in [-0.4, 1.4, 2.0, -5.0].into_iter().enumerate() {
        let expected = 0.5 * x[lane] + 0.1 + f64::exp(log_std) * normal;
        assert!((f64::from(action[lane]) - expected).abs() < 2e-6, "{lane}: {action:?}");
        let expected = -0.5 * normal * normal - log_std - 0.5 * std::f64::consts::TAU.ln();
        assert!((f64::from(log_prob[lane]) - expected).abs() < 2e-4, "{lane}: {log_prob:?} {expected}");
    }
    policy.mode(&out, &mut action);
    assert_eq!(action, out[..4]);
}

#[test]
fn normals_have_unit_variance_in_every_place() {
    let n = 64;
    let u = |k: usize| (k as f32 + 0.5) / n as f32;
    let uniforms: Vec<[f32; 4]> = (0..n * n).map(|i| [u(i / n), u(i % n), u(i % n), u(i / n)]).collect();
    let (action, _) = spread(&uniforms);
    for (k, mean, std) in [(0, 0.5, 1.0), (1, 1.0, 2.0)] {
        let z = action.iter().skip(k).step_by(2).map(|a| (f64::from(*a) - mean) / std);
        let (sum, square) = z.fold((0.0, 0.0), |(sum, square), z| (sum + z, square + z * z));
        let [mean, square] = [sum, square].map(|v| v / (n * n) as f64);
        assert!(mean.abs() < 1e-3 && (square - 1.0).abs() < 0.03, "{mean} {square}");
    }
}

#[test]
fn a_normalizer_stands_before_the_network() {
    let layout = Layout::new(2, &[3], Head::Gaussian(1));
    let params: Vec<f32> = (0..layout.num_params()).map(|i| (i as f32).sin()).collect();
    // mean 2 and 20, standard deviation 1 and 10
    let normalizer = Normalizer::new(vec![2.0, 20.0], vec![1.0, 0.1]);
    let answer = |layout: &Layout, obs: [f32; 2]| {
        let policy = HostPolicy::new(layout, &params);
        let mut out = [0.0];
        policy.forward(&obs, &mut out, &mut policy.scratch());
        out[0]
    };
    let acting = layout.clone().normalizing(Some(Arc::new(normalizer)));
    let (normalised, plain) = (answer(&acting, [4.5, 15.0]), answer(&layout, [2.5, -0.5]));
    assert!((normalised - plain).abs() < 1e-6, "{normalised} {plain}");
}

#[test]
fn the_log_probability_of_a_drawn_action_is_that_of_its_drawing() {
    for head in [Head::Categorical(3), Head::Gaussian(2), Head::StateGaussian(2)] {
        let policy = policy(head, Isa::detect());
        let [out, action, drawn] = drawn(&policy, 0, 50);
        let mut again = vec![0.0; 50];
        policy.log_probs(&out, &action, &mut again);
        for (a, b) in again.iter().zip(&drawn) {
            assert!((a - b).abs() < 2e-5 * b.abs().max(1.0), "{head:?}: {a} {b}");
        }
    }
}
