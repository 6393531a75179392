//! Schedules over long times: nothing starts anew, whatever the way in which they are evaluated.

use metadrift_envs::{Noise, Purpose, Schedule, Stream};
use serde_json::{Value, json};

fn schedule(text: Value) -> Schedule {
    let schedule: Schedule = serde_json::from_value(text).unwrap();
    assert_eq!(schedule.defect(), None);
    schedule
}

fn noise(seed: u64) -> Noise {
    Noise::of(Stream::new(seed, Purpose::Drift))
}

/// Values and lengths of the dwells over some ticks, the last one left out.
fn dwells(schedule: &Schedule, ticks: u64, noise: Noise) -> Vec<(f64, u64)> {
    let mut all: Vec<(f64, u64)> = Vec::new();
    for tick in 0..ticks {
        let value = schedule.at(tick, noise);
        match all.last_mut().filter(|(last, _)| *last == value) {
            Some((_, length)) => *length += 1,
            None => all.push((value, 1)),
        }
    }
    all.pop();
    all
}

/// A cycle through three states: each row of the matrix has one successor.
fn cycle(key: &str, value: Value) -> Schedule {
    let matrix = json!([[0, 1, 0], [0, 0, 1], [1, 0, 0]]);
    schedule(json!({"kind": "markov", "states": [1, 2, 3], "matrix": matrix, "initial": 0, key: value}))
}

#[test]
fn a_cycle_of_fixed_dwells_goes_round_for_ever() {
    for dwell in [1, 2, 3, 7] {
        let cycle = cycle("dwell", json!(dwell));
        for tick in (0..6000).chain((1 << 40)..(1 << 40) + 100) {
            assert_eq!(cycle.at(tick, noise(1)), 1.0 + (tick / dwell % 3) as f64, "dwell {dwell}, tick {tick}");
        }
    }
}

#[test]
fn a_cycle_of_drawn_dwells_leaves_no_state_out_and_cuts_no_dwell_short() {
    for seed in 0..4 {
        let found = dwells(&cycle("dwell_range", json!([2, 5])), 20_000, noise(seed));
        for (i, (state, length)) in found.iter().enumerate() {
            assert_eq!(*state, 1.0 + (i % 3) as f64, "seed {seed}, dwell {i}");
            assert!((2..=5).contains(length), "seed {seed}, dwell {i} lasts {length}");
        }
    }
}

#[test]
fn drawn_dwells_have_their_law_and_hardly_depend_on_each_other() {
    let law = json!({"law": "uniform", "low": 0, "high": 1});
    let pieces = schedule(json!({"kind": "piecewise", "law": law, "dwell_range": [3, 9]}));
    let found = dwells(&pieces, 400_000, noise(3));
    let n = found.len() as f64;
    for length in 3..=9 {
        let share = found.iter().filter(|(_, l)| *l == length).count() as f64 / n;
        assert!((share - 1.0 / 7.0).abs() < 5.0 * (6.0 / 49.0 / n).sqrt(), "{length}: {share}");
    }
    // (7^2 - 1) / 12 is the variance; one dwell says next to nothing about the following
    let product = found.windows(2).map(|pair| (pair[0].1 as f64 - 6.0) * (pair[1].1 as f64 - 6.0)).sum::<f64>() / n;
    assert!(product.abs() / 4.0 < 1.0 / 255.0 + 5.0 / n.sqrt(), "{product}");
}

#[test]
fn the_next_state_of_drawn_dwells_is_any_other_also_where_blocks_meet() {
    let chain = schedule(json!({"kind": "markov", "states": [1, 2, 3], "dwell": 2, "initial": 0}));
    // 256 dwells of 2 ticks: the chain once began anew at ticks 512, 1024, ...
    for border in [512_u64, 1024, 5120] {
        let after = |seed| [border - 1, border].map(|tick| chain.at(tick, noise(seed)));
        assert!((0..500).all(|seed| after(seed)[0] != after(seed)[1]), "{border}");
        let first = (0..3000).filter(|seed| after(*seed)[1] == 1.0).count() as f64 / 3000.0;
        assert!((first - 1.0 / 3.0).abs() < 5.0 * (2.0_f64 / 9.0 / 3000.0).sqrt(), "{border}: {first}");
    }
}
