use metadrift_random::{Purpose, Stream};

use super::*;
use crate::{layout::Head, update_rule};

/// A network of 12 parameters.
fn layout() -> Layout {
    Layout::new(3, &[2], Head::Gaussian(1))
}

/// Gradients of five sizes and both signs; every sixth is 0.
fn gradient<T: Scalar>(step: usize) -> Vec<T> {
    let of = |i: usize| {
        let size = if i % 6 == 5 { 0.0 } else { 10f64.powi((i % 5) as i32 - 4) };
        size * (((7 * i + 3 * step) % 11) as f64 - 5.0) / 4.0
    };
    (0..12).map(|i| T::of(of(i))).collect()
}

/// The directions of three steps, `[steps * num_params]`.
fn directions<T: Scalar>(weights: &[T]) -> Vec<f64> {
    let layout = layout();
    let rule = Rule::new(&layout, weights).unwrap();
    let mut memory = Memory::new(12);
    (0..3).flat_map(|step| rule.direction(&gradient(step), &mut memory)).map(T::to_f64).collect()
}

fn weights<T: Scalar>() -> Vec<T> {
    (0..WEIGHTS).map(|i| T::of(((37 * i % 101) as f64 - 50.0) / 100.0)).collect()
}

#[test]
fn directions_equal_those_of_plain_python() {
    let (double, single) = (directions(&weights::<f64>()), directions(&weights::<f32>()));
    for ((double, single), expected) in double.iter().zip(single).zip(REFERENCE) {
        assert!((double - expected).abs() <= 1e-11 * expected.abs(), "{double} {expected}");
        assert!((single - expected).abs() <= 2e-5 * expected.abs().max(1e-5), "{single} {expected}");
    }
}

/// Every instruction set gives the same bits.
#[test]
fn processors_agree() {
    let (layout, weights) = (layout(), weights::<f32>());
    let look = |isa| {
        let rule = Rule { isa, ..Rule::new(&layout, &weights).unwrap() };
        let (mut memory, mut back) = (Memory::new(12), Back::new(12));
        let direction = rule.direction(&gradient(0), &mut memory);
        let by_gradient = rule.pull_back(&gradient(1), &memory, &direction, &mut back);
        (direction, memory, by_gradient, back.memory, back.weights)
    };
    let all: Vec<_> = Isa::available().into_iter().map(look).collect();
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_fresh_rule_is_the_gradient() {
    let weights = update_rule::initial(&mut Stream::new(3, Purpose::Init).rng());
    let gradients: Vec<f64> = (0..3).flat_map(gradient::<f32>).map(f64::from).collect();
    assert_eq!(directions(&weights), gradients);
}

/// Every derivative of a number that depends on the directions of three steps against central differences.
#[test]
fn derivatives_through_a_life_equal_differences() {
    let layout = layout();
    let along = |step: usize, i: usize| ((5 * i + 3 * step) % 7) as f64 - 3.0;
    let weights = weights::<f64>();
    let at: Vec<f64> = (0..3).flat_map(gradient::<f64>).chain(weights.iter().copied()).collect();
    let number = |at: &[f64]| {
        let rule = Rule::new(&layout, &at[36..]).unwrap();
        let mut memory = Memory::new(12);
        let mut sum = 0.0;
        for step in 0..3 {
            let direction = rule.direction(&at[12 * step..12 * step + 12], &mut memory);
            sum += direction.iter().enumerate().map(|(i, d)| along(step, i) * d).sum::<f64>();
        }
        sum
    };
    let rule = Rule::new(&layout, &weights).unwrap();
    let (mut memory, mut memories) = (Memory::new(12), Vec::new());
    for step in 0..3 {
        memories.push(memory.clone());
        rule.direction(&gradient(step), &mut memory);
    }
    let mut back = Back::new(12);
    let mut found = vec![Vec::new(); 3];
    for step in (0..3).rev() {
        let along: Vec<f64> = (0..12).map(|i| along(step, i)).collect();
        found[step] = rule.pull_back(&gradient(step), &memories[step], &along, &mut back);
    }
    for (i, found) in found.concat().iter().chain(&back.weights).enumerate() {
        let shifted = |by: f64| {
            let mut moved = at.clone();
            moved[i] += by;
            number(&moved)
        };
        // a gradient of 0 or 1e-4 changes the inputs on the scale of e^-10
        let h = 2e-7;
        let expected = (8.0 * (shifted(h) - shifted(-h)) - (shifted(2.0 * h) - shifted(-2.0 * h))) / (12.0 * h);
        assert!((found - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{i}: {found} {expected}");
    }
}

#[test]
fn coordinates_of_a_block_share_depth_kind_and_fan_in() {
    let layout = Layout::new(3, &[4, 5], Head::Gaussian(2)).with_context(2);
    let shared: Vec<_> = shared_inputs(&layout).into_iter().map(|(_, shared)| shared).collect();
    let fan_in = |rows: f64| rows.ln() / 10.0;
    let expected = [
        [0.0, 0.0, fan_in(3.0)],
        [0.0, 1.0, 0.0],
        [0.5, 0.0, fan_in(4.0)],
        [0.5, 1.0, 0.0],
        [1.0, 0.0, fan_in(5.0)],
        [1.0, 1.0, 0.0],
        // the context, its weights, log standard deviations
        [0.0, 1.0, 0.0],
        [0.0, 0.0, fan_in(2.0)],
        [1.0, 1.0, 0.0],
    ];
    assert_eq!(shared, expected);
}

/// The output of `scripts/inner_rule_reference.py`.
#[rustfmt::skip]
const REFERENCE: [f64; 36] = [
    -9.043230685603e-05, 7.292523511956e-04, -3.685488800952e-03, 1.654922254778e-01,
    3.262998932773e-01, 6.155520011965e-06, 1.550033025386e-03, 8.989168807658e-06,
    -7.357340921521e-02, 7.448459864460e-01, -1.592810835744e-05, 5.128369413310e-06,
    -3.848513982932e-05, 2.165735438917e-03, 1.322409288298e-03, -3.774684467060e-02,
    1.496426291383e+00, 1.230382440851e-05, -5.939404855453e-04, 1.144598628584e-02,
    -2.584966323513e-02, -9.057510183480e-01, 5.057408289595e-05, 9.223707870482e-06,
    1.356344464142e-05, -2.520663812636e-04, 9.894162104501e-03, 2.674921785367e-02,
    -7.429272963942e-01, 1.576176052996e-05, 1.334399839703e-04, -1.015099051931e-02,
    1.296540516079e-02, -3.495674459349e-01, 1.500917721563e-04, 1.155046886000e-05,
];
