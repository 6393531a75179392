use metadrift_random::{Purpose, Stream};

use super::*;

fn run(weights: &[f32], blocks: &[(Range<usize>, [f32; 2])], steps: usize, count: usize) -> Vec<f32> {
    let mut params: Vec<f32> = (0..count).map(|i| i as f32 / 10.0).collect();
    let (mut adam, mut memory) = (Adam::new(count), vec![0.0; MEMORY * count]);
    for at in 0..steps {
        let gradient: Vec<f32> = (0..count).map(|i| gradient(i, at)).collect();
        let shared = |(range, [depth, value]): &(Range<usize>, [f32; 2])| {
            (range.clone(), [at as f32 / steps as f32, *depth, *value])
        };
        let blocks: Vec<_> = blocks.iter().map(shared).collect();
        let coordinates =
            Coordinates { params: &mut params, gradient: &gradient, adam: &mut adam, memory: &mut memory };
        step(weights, &blocks, coordinates, 0.1);
    }
    params
}

/// Gradients of five sizes and both signs; every sixth is 0.
fn gradient(i: usize, step: usize) -> f32 {
    let size = if i % 6 == 5 { 0.0 } else { 10f64.powi((i % 5) as i32 - 4) };
    (size * (((7 * i + 3 * step) % 11) as f64 - 5.0) / 4.0) as f32
}

#[test]
fn steps_equal_those_of_plain_python() {
    let weights: Vec<f32> = (0..WEIGHTS).map(|i| ((37 * i % 101) as f32 - 50.0) / 100.0).collect();
    let params = run(&weights, &[(0..17, [0.5, 0.0]), (17..20, [1.0, 1.0])], 4, 20);
    for (i, (p, expected)) in params.iter().zip(REFERENCE).enumerate() {
        assert!((f64::from(*p) - expected).abs() < 2e-5, "{i}: {p} {expected}");
    }
}

#[test]
fn a_fresh_rule_is_adam() {
    let weights = initial(&mut Stream::new(3, Purpose::Init).rng());
    assert_eq!(weights.len(), WEIGHTS);
    let params = run(&weights, &[(0..9, [0.0, 0.0]), (9..33, [1.0, 0.0])], 30, 33);
    let mut expected: Vec<f32> = (0..33).map(|i| i as f32 / 10.0).collect();
    let mut adam = Adam::new(33);
    for at in 0..30 {
        let gradient: Vec<f32> = (0..33).map(|i| gradient(i, at)).collect();
        adam.step_with(&mut expected, &gradient, 0.1, Adam::MINIBATCH_EPSILON);
    }
    for (p, expected) in params.iter().zip(expected) {
        assert!((p - expected).abs() < 2e-5, "{p} {expected}");
    }
}

#[test]
fn blocks_name_every_weight() {
    assert_eq!(BLOCKS.iter().map(|(_, [rows, columns])| rows * columns).sum::<usize>(), WEIGHTS);
    // 8 inputs and 8 memories into 24 gates with a bias, 8 weights and a bias behind them, twice
    assert_eq!(WEIGHTS, 2 * (16 * 24 + 24 + 9));
}

/// The output of `scripts/update_rule_reference.py`.
const REFERENCE: [f64; 20] = [
    0.1768137, -0.4029629, 0.2491160, 0.0132443, 0.0666640, 0.3948416, 0.3701988, 0.5751749, 0.9709202, 0.8285666,
    0.8432138, 0.9948416, 0.7197999, 1.3647073, 1.1412520, 1.1380182, 1.7430370, 1.4672887, 1.5532404, 2.0989400,
];
