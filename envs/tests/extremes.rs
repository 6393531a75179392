//! Numbers at the ends of their ranges: what is accepted gives finite values, the rest is refused by name.

use metadrift_envs::{EnvKind, Split, Task, TaskConfig, TaskDistribution};
use serde_json::{Value, json};

fn tasks(value: Value, count: u32) -> Result<Vec<Task>, String> {
    let config: TaskConfig = serde_json::from_value(value).map_err(|e| e.to_string())?;
    let spec = EnvKind::from_name(&config.env).unwrap().spec();
    let distribution = TaskDistribution::new(spec, &config, Split::Train).map_err(|e| e.to_string())?;
    Ok((0..count).map(|index| distribution.sample(1, 0, index)).collect())
}

/// A drift of CartPole's gravity.
fn drift(schedule: Value) -> Value {
    json!({"env": "cartpole", "drift": {"gravity": schedule}})
}

fn vary(law: Value) -> Value {
    json!({"env": "cartpole", "vary": {"gravity": law}})
}

#[track_caller]
fn assert_refused(value: Value, key: &str) {
    let message = tasks(value.clone(), 1).expect_err(&format!("{value} must be refused"));
    assert!(message.starts_with("task.") && message.contains(key), "{value}: {message}");
}

/// Kinds of schedules with one number to be filled in, and its name.
fn with_extreme(x: f64) -> Vec<(Value, &'static str)> {
    let wave = |kind: &str| json!({"kind": kind, "mean": 9.8, "amplitude": 1.0, "period": x});
    vec![
        (wave("sinusoid"), "period"),
        (wave("triangle"), "period"),
        (wave("saw"), "period"),
        (wave("square"), "period"),
        (json!({"kind": "linear", "from": 9, "to": 10, "over": x}), "over"),
        (json!({"kind": "exponential", "from": 9, "to": 10, "rate": x}), "rate"),
        (json!({"kind": "sigmoid", "from": 9, "to": 10, "midpoint": 50, "width": x}), "width"),
        (json!({"kind": "ou", "mean": 10, "stationary_std": 1, "relax_time": x}), "relax_time"),
        (json!({"kind": "piecewise", "law": {"law": "fixed", "value": 9}, "mean_dwell": x}), "mean_dwell"),
        (json!({"kind": "markov", "states": [9, 10], "dwell": x}), "dwell"),
    ]
}

#[test]
fn times_that_no_clock_can_be_divided_by_are_refused() {
    for x in [5e-324, 1e-310, 1e-300, 1e-20, 1e20, 1e300, f64::MAX] {
        for (schedule, key) in with_extreme(x) {
            assert_refused(drift(schedule), key);
        }
    }
    for (schedule, key) in with_extreme(1.0) {
        let task = &tasks(drift(schedule), 1).unwrap()[0];
        assert!((0..2000).all(|tick| task.values_at(tick)[0].is_finite()), "{key}");
    }
    // within a composition, too
    let part = json!({"kind": "sinusoid", "mean": 0, "amplitude": 1, "period": 1e-310});
    let sum = json!({"kind": "compose", "op": "sum", "of": [{"kind": "constant", "value": 9}, part]});
    assert_refused(drift(sum), "period");
}

#[test]
fn numbers_beyond_f32_are_refused_wherever_they_stand() {
    for x in [1e39, -1e300, f64::MAX] {
        assert_refused(vary(json!({"law": "fixed", "value": x})), "beyond");
        assert_refused(vary(json!({"law": "choice", "values": [9, x]})), "beyond");
        let clamped = |kind: &str, rest: Value| {
            let mut schedule = rest;
            schedule["kind"] = kind.into();
            schedule["on_bound"] = "clamp".into();
            drift(schedule)
        };
        assert_refused(clamped("constant", json!({"value": x})), "beyond");
        assert_refused(clamped("sinusoid", json!({"mean": 9, "amplitude": x, "period": 9})), "beyond");
        assert_refused(clamped("trace", json!({"values": [9, x]})), "beyond");
        assert_refused(clamped("random_walk", json!({"start": 9, "sigma": x.abs()})), "beyond");
        let law = json!({"law": "choice", "values": [9, x]});
        assert_refused(clamped("piecewise", json!({"law": law, "dwell": 3})), "beyond");
        assert_refused(clamped("jumps", json!({"rate": 0.1, "size": {"law": "fixed", "value": x}})), "beyond");
        assert_refused(clamped("markov", json!({"states": [9, x], "dwell": 3})), "beyond");
    }
}

#[test]
fn overflow_inside_a_schedule_is_refused_or_kept_within_the_bounds() {
    // 1e38 to the tenth is no number: known ahead, so an error
    let large = vec![json!({"kind": "constant", "value": 1e38}); 10];
    let product = json!({"kind": "compose", "op": "product", "of": large, "on_bound": "clamp"});
    assert_refused(drift(product), "beyond the largest number");
    // random parts without limits meet the bounds, also as 0 times a product that overflows
    let walk = json!({"kind": "random_walk", "start": 1, "sigma": 1e38});
    for apply in ["abs", "add", "scale"] {
        for base in [0.0, 9.8] {
            let product = json!({"kind": "compose", "op": "product", "of": vec![walk.clone(); 16], "apply": apply});
            let config = json!({"env": "cartpole", "list": [{"gravity": base}], "drift": {"gravity": product}});
            let config = if apply == "abs" { drift(product) } else { config };
            let task = &tasks(config, 1).unwrap()[0];
            let inside = |tick| (0.0..=500.0).contains(&task.values_at(tick)[0]);
            assert!((0..300).all(inside) && inside(1 << 40), "{apply} {base}");
        }
    }
}

#[test]
fn laws_do_not_overflow() {
    // half of the draws of a log-uniform law lie below the geometric mean of its ends
    assert_refused(vary(json!({"law": "log_uniform", "low": 1e-308, "high": 100.0})), "low = 1e-308");
    let drawn = tasks(vary(json!({"law": "log_uniform", "low": 1e-37, "high": 100.0})), 2000).unwrap();
    let below = drawn.iter().filter(|task| task.values[0] < 10.0_f64.powf(-17.5)).count();
    // 1000 within five standard errors
    assert!((888..=1112).contains(&below), "{below}");
    let mixture = |weights: Value| {
        vary(json!({"law": "mixture", "weights": weights, "of": [
            {"law": "fixed", "value": 5}, {"law": "fixed", "value": 6}]}))
    };
    assert_refused(mixture(json!([1e308, 1e308])), "weights");
    assert_refused(mixture(json!([1e-320, 1e-320])), "weights");
    let drawn = tasks(mixture(json!([1e30, 1e30])), 2000).unwrap();
    let fives = drawn.iter().filter(|task| task.values[0] == 5.0).count();
    assert!((888..=1112).contains(&fives), "{fives}");
    // between 0 and 1 a normal law of deviation 1e30 is flat, but its distribution function has no digits for it
    assert_refused(vary(json!({"law": "normal", "mean": 0, "std": 1e30, "low": 0, "high": 1})), "std");
}

#[test]
fn what_is_zero_as_an_f32_is_not_above_zero() {
    let speed = |x: f64| json!({"env": "pendulum", "vary": {"max_speed": {"law": "fixed", "value": x}}});
    assert_refused(speed(1e-60), "max_speed");
    assert_refused(speed(1e-40), "max_speed");
    assert!(tasks(speed(1e-30), 1).is_ok());
    let fades =
        json!({"env": "pendulum", "drift": {"max_speed": {"kind": "linear", "from": 8, "to": 1e-60, "over": 9}}});
    assert_refused(fades, "max_speed");
}

#[test]
fn whatever_is_accepted_has_legal_values_at_all_times() {
    const NUMBERS: [f64; 20] = [
        0.0, 5e-324, 1e-300, 1e-40, 1e-20, 1e-6, 0.1, 0.5, 1.0, 2.0, 9.0, 50.0, 100.0, 1e6, 1e15, 1e30, 1e38, 1e200,
        -1.0, -1e38,
    ];
    let shapes = [
        json!({"kind": "constant", "value": 0}),
        json!({"kind": "step", "at": 0, "from": 0, "to": 0}),
        json!({"kind": "linear", "from": 0, "to": 0, "start": 0, "over": 0, "returns": true}),
        json!({"kind": "sinusoid", "mean": 0, "amplitude": 0, "period": 0, "phase": 0}),
        json!({"kind": "triangle", "mean": 0, "amplitude": 0, "period": 0, "phase": 0}),
        json!({"kind": "square", "mean": 0, "amplitude": 0, "period": 0, "phase": 0, "duty": 0}),
        json!({"kind": "exponential", "from": 0, "to": 0, "rate": 0, "start": 0}),
        json!({"kind": "sigmoid", "from": 0, "to": 0, "midpoint": 0, "width": 0}),
        json!({"kind": "random_walk", "start": 0, "sigma": 0}),
        json!({"kind": "ou", "mean": 0, "stationary_std": 0, "relax_time": 0}),
        json!({"kind": "jumps", "start": 0, "rate": 0, "size": {"law": "normal", "mean": 1e30, "std": 1e37}}),
        json!({"kind": "piecewise", "law": {"law": "normal", "mean": 1, "std": 1e38}, "mean_dwell": 0}),
    ];
    let mut state = 1_u64;
    let mut pick = |count: usize| {
        // the generator of Numerical Recipes
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % count
    };
    let mut accepted = 0;
    for _ in 0..6000 {
        let mut schedule = shapes[pick(shapes.len())].clone();
        for (_, value) in schedule.as_object_mut().unwrap().iter_mut().filter(|(_, value)| value.is_number()) {
            *value = json!(NUMBERS[pick(NUMBERS.len())]);
        }
        schedule["apply"] = ["abs", "add", "scale"][pick(3)].into();
        schedule["on_bound"] = ["clamp", "reflect", "error"][pick(3)].into();
        let mut config = drift(schedule);
        if config["drift"]["gravity"]["apply"] != "abs" {
            config["base"] = json!({"gravity": ([0.0, 9.8, 500.0][pick(3)])});
        }
        let Ok(drawn) = tasks(config.clone(), 1) else { continue };
        accepted += 1;
        for tick in (0..40).chain([1000, 1 << 40, 1 << 62, u64::MAX]) {
            let value = drawn[0].values_at(tick)[0];
            assert!((0.0..=500.0).contains(&value), "{config} at {tick}: {value}");
        }
    }
    assert!(accepted > 300, "{accepted}");
}
