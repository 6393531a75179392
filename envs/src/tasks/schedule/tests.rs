//! Schedules against values worked out by hand and against closed forms.

use metadrift_random::{Purpose, Stream};
use serde_json::json;

use super::*;

#[test]
fn values_match_those_worked_out_by_hand() {
    let step = Schedule::Step { at: 100.0, from: 1.0, to: -1.0 };
    assert_eq!([0, 99, 100, 101].map(|t| step.at(t, Noise::default())), [1.0, 1.0, -1.0, -1.0]);

    let ramp = |returns| Schedule::Linear { from: 1.0, to: 3.0, start: 10.0, over: 4.0, returns };
    let ticks = [0, 10, 11, 12, 14, 15, 17, 18, 1000];
    assert_eq!(ticks.map(|t| ramp(false).at(t, Noise::default())), [1.0, 1.0, 1.5, 2.0, 3.0, 3.0, 3.0, 3.0, 3.0]);
    assert_eq!(ticks.map(|t| ramp(true).at(t, Noise::default())), [1.0, 1.0, 1.5, 2.0, 3.0, 2.5, 1.5, 1.0, 1.0]);

    let wave = Schedule::Sinusoid { mean: 2.0, amplitude: 0.5, period: 12.0, phase: 0.0 };
    for (tick, value) in [(0, 2.0), (1, 2.25), (3, 2.5), (5, 2.25), (6, 2.0), (9, 1.5)] {
        assert!((wave.at(tick, Noise::default()) - value).abs() < 1e-15, "{tick}");
        let cycles = 1_000_000_000_000;
        assert_eq!(wave.at(tick + 12 * cycles, Noise::default()), wave.at(tick, Noise::default()));
    }
    let quarter = Schedule::Sinusoid { mean: 2.0, amplitude: 0.5, period: 12.0, phase: 0.25 };
    assert_eq!(quarter.at(0, Noise::default()), 2.5);
    assert_eq!(Schedule::Constant { value: 0.3 }.at(u64::MAX, Noise::default()), 0.3);
}

#[test]
fn every_value_lies_in_the_range_and_the_range_is_attained() {
    let schedules = [
        (Schedule::Constant { value: 2.0 }, (2.0, 2.0)),
        (Schedule::Step { at: 7.0, from: 1.0, to: -1.0 }, (-1.0, 1.0)),
        (Schedule::Linear { from: 0.1, to: 0.7, start: 3.0, over: 10.0, returns: true }, (0.1, 0.7)),
        (Schedule::Sinusoid { mean: 1.0, amplitude: -0.25, period: 8.0, phase: 0.0 }, (0.75, 1.25)),
    ];
    for (schedule, expected) in schedules {
        assert_eq!(schedule.range(), expected);
        let values: Vec<f64> = (0..100).map(|t| schedule.at(t, Noise::default())).collect();
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        assert_eq!((low, high), expected);
    }
}

#[test]
fn a_stretch_without_length_is_a_defect() {
    let wave = |period| Schedule::Sinusoid { mean: 0.0, amplitude: 1.0, period, phase: 0.0 };
    assert_eq!(wave(0.0).defect(), Some("`period` must be positive".to_string()));
    assert_eq!(wave(1.0).defect(), None);
}

/// The schedule that a configuration describes.
fn schedule(text: serde_json::Value) -> Schedule {
    let schedule: Schedule = serde_json::from_value(text).unwrap();
    assert_eq!(schedule.defect(), None);
    schedule
}

fn noise(seed: u64) -> Noise {
    Noise::of(Stream::new(seed, Purpose::Drift))
}

/// The values at some ticks, for many seeds: `[seeds][ticks]`.
fn samples<const N: usize>(schedule: &Schedule, ticks: [u64; N], seeds: u64) -> Vec<[f64; N]> {
    (0..seeds).map(|seed| ticks.map(|tick| schedule.at(tick, noise(seed)))).collect()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let mut count = 0.0;
    let mut sum = 0.0;
    for value in values {
        count += 1.0;
        sum += value;
    }
    sum / count
}

/// Asserts that a mean is within five standard errors.
#[track_caller]
fn assert_mean(values: impl Iterator<Item = f64> + Clone, expected: f64) {
    let found = mean(values.clone());
    let variance = mean(values.clone().map(|x| (x - found).powi(2)));
    let error = (variance / values.count() as f64).sqrt();
    assert!((found - expected).abs() <= 5.0 * error, "{found} is not {expected} (standard error {error})");
}

#[test]
fn shapes_match_those_worked_out_by_hand() {
    let at = |text: serde_json::Value, ticks: &[u64]| -> Vec<f64> {
        let schedule = schedule(text);
        ticks.iter().map(|tick| schedule.at(*tick, Noise::default())).collect()
    };
    let ticks = [0, 1, 2, 4, 6, 7, 8, 80_000_000_003];
    let wave = |kind: &str| json!({"kind": kind, "mean": 2, "amplitude": 0.5, "period": 8});
    assert_eq!(at(wave("triangle"), &ticks), [2.0, 2.25, 2.5, 2.0, 1.5, 1.75, 2.0, 2.25]);
    assert_eq!(at(wave("saw"), &ticks), [1.5, 1.625, 1.75, 2.0, 2.25, 2.375, 1.5, 1.875]);
    assert_eq!(at(wave("square"), &ticks), [2.5, 2.5, 2.5, 1.5, 1.5, 1.5, 2.5, 2.5]);
    let short = json!({"kind": "square", "mean": 0, "amplitude": 1, "period": 8, "duty": 0.25, "phase": 0.5});
    assert_eq!(at(short, &ticks), [-1.0, -1.0, -1.0, 1.0, -1.0, -1.0, -1.0, -1.0]);
    let steps = json!({"kind": "steps", "at": [2, 6], "values": [1, 5, 3]});
    assert_eq!(at(steps, &ticks), [1.0, 1.0, 5.0, 5.0, 3.0, 3.0, 3.0, 3.0]);
    // half of the rest goes every 2 ticks: rate = ln(2) / 2
    let halving = json!({"kind": "exponential", "from": 1, "to": 3, "rate": 2.0_f64.ln() / 2.0, "start": 2});
    for (found, expected) in at(halving, &ticks).iter().zip([1.0, 1.0, 1.0, 2.0, 2.5, 3.0 - 0.125_f64.sqrt(), 2.75]) {
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }
    // 1 / (1 + exp(-x)) at 0 and at x = ln 3, 3/4
    let sigmoid = json!({"kind": "sigmoid", "from": 0, "to": 4, "midpoint": 6, "width": 2.0 / 3.0_f64.ln()});
    let found = at(sigmoid, &[4, 6, 8]);
    assert!(found.iter().zip([1.0, 2.0, 3.0]).all(|(x, y)| (x - y).abs() < 1e-12), "{found:?}");
    let trace = |interpolation: &str, repeat: bool| json!({"kind": "trace", "values": [1, 3, 2], "every": 2, "interpolation": interpolation, "repeat": repeat});
    assert_eq!(at(trace("hold", false), &[0, 1, 2, 5, 6, 99]), [1.0, 1.0, 3.0, 2.0, 2.0, 2.0]);
    assert_eq!(at(trace("linear", true), &[0, 1, 2, 3, 5, 6]), [1.0, 2.0, 3.0, 2.5, 1.5, 1.0]);
    assert_eq!(at(trace("linear", false), &[3, 4, 5]), [2.5, 2.0, 2.0]);
    let parts = json!([{"kind": "constant", "value": 2}, {"kind": "step", "at": 3, "from": 5, "to": -1}]);
    let compose = |op: &str| json!({"kind": "compose", "op": op, "of": parts});
    assert_eq!(at(compose("sum"), &[2, 3]), [7.0, 1.0]);
    assert_eq!(at(compose("product"), &[2, 3]), [10.0, -2.0]);
    let select =
        json!({"kind": "compose", "op": "select", "of": parts, "by": {"kind": "step", "at": 4, "from": -7, "to": 9}});
    assert_eq!(at(select, &[2, 3, 4]), [2.0, 2.0, -1.0]);
}

/// A schedule of each random kind.
fn random_schedules() -> Vec<Schedule> {
    let law = json!({"law": "uniform", "low": 0, "high": 1});
    let states = json!([1, 0.5, -1]);
    let matrix = json!([[0.9, 0.1, 0], [0.05, 0.9, 0.05], [0.2, 0, 0.8]]);
    let jumps = json!([[0, 1, 0], [0.5, 0, 0.5], [1, 0, 0]]);
    let texts = [
        json!({"kind": "random_walk", "sigma": 0.1}),
        json!({"kind": "ou", "mean": 1, "stationary_std": 0.2, "relax_time": 30}),
        json!({"kind": "piecewise", "law": law, "dwell": 7}),
        json!({"kind": "piecewise", "law": law, "mean_dwell": 7}),
        json!({"kind": "piecewise", "law": law, "dwell_range": [3, 9]}),
        json!({"kind": "markov", "states": states, "mean_dwell": 10}),
        json!({"kind": "markov", "states": states, "matrix": matrix, "initial": 1}),
        json!({"kind": "markov", "states": states, "matrix": jumps, "dwell_range": [2, 5]}),
        json!({"kind": "jumps", "rate": 0.05, "size": {"law": "normal", "mean": 0.1, "std": 0.5}}),
        json!({"kind": "jumps", "rate": 0.05, "size": {"law": "choice", "values": [-1, 1, 2]}}),
        json!({"kind": "compose", "op": "sum", "of": [{"kind": "random_walk", "sigma": 1}, {"kind": "random_walk", "sigma": 1}]}),
    ];
    texts.into_iter().map(schedule).collect()
}

#[test]
fn any_tick_can_be_asked_for_in_any_order() {
    for schedule in random_schedules() {
        assert!(schedule.is_random());
        let forwards: Vec<f64> = (0..3000).map(|tick| schedule.at(tick, noise(5))).collect();
        for i in 0..3000 {
            // 1009 is coprime to 3000: every tick once, far apart
            let tick = i * 1009 % 3000;
            assert_eq!(schedule.at(tick, noise(5)).to_bits(), forwards[tick as usize].to_bits());
        }
        assert!((0..3000).any(|tick| schedule.at(tick, noise(6)) != forwards[tick as usize]));
        for tick in [1 << 40, (1 << 62) - 1, 1 << 62, u64::MAX] {
            assert!(schedule.at(tick, noise(5)).is_finite(), "{schedule:?} at {tick}");
        }
    }
}

#[test]
fn ticks_evaluated_at_once_have_the_values_of_each() {
    let wave = |kind: &str| schedule(json!({"kind": kind, "mean": 1, "amplitude": 0.3, "period": 41.7, "phase": 0.9}));
    let mut schedules = random_schedules();
    schedules.extend(["sinusoid", "triangle", "saw", "square"].map(wave));
    schedules.extend([
        Schedule::Constant { value: 0.7 },
        Schedule::Step { at: 70.0, from: 1.0, to: -1.0 },
        Schedule::Linear { from: 0.1, to: 0.7, start: 13.0, over: 51.0, returns: true },
        schedule(json!({"kind": "steps", "at": [20, 65], "values": [1, 5, 3]})),
        schedule(json!({"kind": "exponential", "from": 1, "to": 3, "rate": 0.02, "start": 9})),
        schedule(json!({"kind": "sigmoid", "from": 0, "to": 4, "midpoint": 60, "width": 9})),
        schedule(json!({"kind": "trace", "values": [1, 3, 2], "every": 9, "interpolation": "linear", "repeat": true})),
    ]);
    for schedule in schedules {
        for first in [0, 1, 31, 32, 64, 1000, 123_456, 1 << 40] {
            for count in [1, 2, 32, 100] {
                let mut values = vec![0.0; count];
                schedule.fill(first, noise(6), &mut values);
                let each: Vec<f64> = (0..count as u64).map(|i| schedule.at(first + i, noise(6))).collect();
                assert_eq!(values, each, "{schedule:?} from {first}");
            }
        }
    }
}

#[test]
fn a_random_walk_has_variance_sigma_squared_t_and_independent_steps() {
    let walk = schedule(json!({"kind": "random_walk", "start": 2, "sigma": 0.3}));
    let draws = samples(&walk, [0, 1, 5, 6, 100, 1000], 20_000);
    assert!(draws.iter().all(|x| x[0] == 2.0));
    for (k, t) in [(1, 1.0), (2, 5.0), (4, 100.0), (5, 1000.0)] {
        assert_mean(draws.iter().map(|x| x[k]), 2.0);
        assert_mean(draws.iter().map(|x| (x[k] - 2.0).powi(2)), 0.09 * t);
    }
    // the step from 5 to 6 has variance sigma^2, and the walk to 5 and the steps to 100 and 1000 know nothing of it
    assert_mean(draws.iter().map(|x| (x[3] - x[2]).powi(2)), 0.09);
    assert_mean(draws.iter().map(|x| (x[3] - x[2]) * (x[2] - 2.0)), 0.0);
    assert_mean(draws.iter().map(|x| (x[3] - x[2]) * (x[4] - x[3])), 0.0);
    assert_mean(draws.iter().map(|x| (x[4] - x[3]) * (x[5] - x[4])), 0.0);
    // normal: fourth moment 3 sigma^4
    assert_mean(draws.iter().map(|x| (x[3] - x[2]).powi(4)), 3.0 * 0.09 * 0.09);
}

#[test]
fn an_ou_process_is_stationary_with_exponential_correlation() {
    let ou = schedule(json!({"kind": "ou", "mean": 1, "stationary_std": 0.5, "relax_time": 20}));
    let ticks = [0, 1, 10, 11, 37, 2000];
    let draws = samples(&ou, ticks, 20_000);
    for k in 0..ticks.len() {
        assert_mean(draws.iter().map(|x| x[k]), 1.0);
        assert_mean(draws.iter().map(|x| (x[k] - 1.0).powi(2)), 0.25);
        for j in 0..k {
            let covariance = 0.25 * (-((ticks[k] - ticks[j]) as f64) / 20.0).exp();
            assert_mean(draws.iter().map(|x| (x[k] - 1.0) * (x[j] - 1.0)), covariance);
        }
    }
}

/// Lengths of the dwells of a schedule whose values never repeat, over some ticks.
fn dwells(schedule: &Schedule, ticks: u64, noise: Noise) -> Vec<f64> {
    let mut lengths = vec![1.0];
    for tick in 1..ticks {
        match schedule.at(tick, noise) == schedule.at(tick - 1, noise) {
            true => *lengths.last_mut().unwrap() += 1.0,
            false => lengths.push(1.0),
        }
    }
    lengths.pop();
    lengths
}

#[test]
fn dwells_have_their_laws() {
    let pieces = |key: &str, value: serde_json::Value| {
        schedule(json!({"kind": "piecewise", "law": {"law": "uniform", "low": -1, "high": 3}, key: value}))
    };
    let fixed = dwells(&pieces("dwell", json!(12)), 10_000, noise(1));
    assert!(fixed.iter().all(|length| *length == 12.0));
    // geometric: mean m, variance m (m - 1)
    let geometric = dwells(&pieces("mean_dwell", json!(12)), 200_000, noise(2));
    assert_mean(geometric.iter().copied(), 12.0);
    assert_mean(geometric.iter().map(|x| (x - 12.0).powi(2)), 12.0 * 11.0);
    assert_mean(geometric.iter().map(|x| f64::from(*x == 1.0)), 1.0 / 12.0);
    let uniform = dwells(&pieces("dwell_range", json!([3, 9])), 200_000, noise(3));
    for length in 3..=9 {
        let share = mean(uniform.iter().map(|x| f64::from(*x == f64::from(length))));
        let error = 5.0 * (6.0 / 49.0 / uniform.len() as f64).sqrt();
        assert!((share - 1.0 / 7.0).abs() < error, "{length}: {share}");
    }
    let values: Vec<f64> = (0..20_000).map(|i| pieces("dwell", json!(12)).at(12 * i, noise(1))).collect();
    assert_mean(values.iter().copied(), 1.0);
    assert_mean(values.iter().map(|x| (x - 1.0).powi(2)), 16.0 / 12.0);
}

#[test]
fn markov_chains_have_their_transition_probabilities() {
    let chain = schedule(json!({"kind": "markov", "states": [0, 1, 2], "mean_dwell": 10, "initial": 2}));
    let draws = samples(&chain, [0, 1, 8, 9, 500], 20_000);
    assert!(draws.iter().all(|x| x[0] == 2.0));
    // P^t stays with 1/3 + 2/3 lambda^t, lambda = 1 - (1/10) (3/2)
    for (k, t) in [(1, 1), (2, 8), (3, 9), (4, 500)] {
        assert_mean(draws.iter().map(|x| f64::from(x[k] == 2.0)), 1.0 / 3.0 + 2.0 / 3.0 * 0.85_f64.powi(t));
    }
    assert_mean(draws.iter().map(|x| f64::from(x[2] != x[3])), 0.1);
    // rows of a matrix, at a step that is drawn as a midpoint
    let matrix = [[0.9, 0.1, 0.0], [0.05, 0.9, 0.05], [0.2, 0.0, 0.8]];
    let chain = schedule(json!({"kind": "markov", "states": [0, 1, 2], "matrix": matrix}));
    let draws = samples(&chain, [10, 11], 30_000);
    for (from, row) in matrix.iter().enumerate() {
        let there = draws.iter().filter(|x| x[0] == from as f64);
        for (to, p) in row.iter().enumerate() {
            assert_mean(there.clone().map(|x| f64::from(x[1] == to as f64)), *p);
        }
    }
    let semi = schedule(
        json!({"kind": "markov", "states": [0, 1, 2], "matrix": [[0, 1, 0], [0, 0, 1], [1, 0, 0]], "dwell": 5, "initial": 0}),
    );
    let path: Vec<f64> = [0, 4, 5, 9, 10, 14, 15].map(|tick| semi.at(tick, noise(1))).to_vec();
    assert_eq!(path, [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 0.0]);
}

#[test]
fn jumps_are_a_compound_poisson_process() {
    let jumps = schedule(json!({"kind": "jumps", "rate": 0.05, "size": {"law": "fixed", "value": 1}}));
    let draws = samples(&jumps, [0, 1, 40, 41, 1000], 20_000);
    assert!(draws.iter().all(|x| x[0] == 0.0 && x.is_sorted()));
    for (k, expected) in [(1, 0.05), (2, 2.0), (3, 2.05), (4, 50.0)] {
        assert_mean(draws.iter().map(|x| x[k]), expected);
        assert_mean(draws.iter().map(|x| (x[k] - expected).powi(2)), expected);
    }
    assert_mean(draws.iter().map(|x| f64::from(x[2] == 0.0)), (-2.0_f64).exp());
    assert_mean(draws.iter().map(|x| (x[4] - x[3] - 47.95) * (x[3] - 2.05)), 0.0);
    // mean rate t mu, variance rate t (mu^2 + sigma^2)
    let normal = schedule(json!({"kind": "jumps", "rate": 0.05, "size": {"law": "normal", "mean": 0.2, "std": 0.5}}));
    let draws = samples(&normal, [60, 61, 200], 20_000);
    for (k, t) in [(0, 60.0), (2, 200.0)] {
        assert_mean(draws.iter().map(|x| x[k]), 0.05 * t * 0.2);
        assert_mean(draws.iter().map(|x| (x[k] - 0.01 * t).powi(2)), 0.05 * t * 0.29);
    }
    assert_mean(draws.iter().map(|x| f64::from(x[0] == x[1])), (-0.05_f64).exp());
}
