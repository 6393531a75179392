use super::*;

fn bad(text: &str) -> String {
    match answer(text.as_bytes()).err() {
        Some(Fault::BadValue(problem)) => problem,
        other => panic!("{text}: {other:?}"),
    }
}

fn malformed(text: &str) -> String {
    match answer(text.as_bytes()).err() {
        Some(Fault::Malformed(problem)) => problem,
        other => panic!("{text}: {other:?}"),
    }
}

/// A CartPole line with more keys.
fn cartpole(more: &str) -> String {
    format!(r#"{{"env": "cartpole", "initial_state": [0.0, 0.0, 0.0, 0.0], "actions": [1], {more}}}"#)
}

#[track_caller]
fn assert_says(problem: &str, parts: &[&str]) {
    parts.iter().for_each(|part| assert!(problem.contains(part), "`{part}` is not in: {problem}"));
}

#[test]
fn defaults_stand_in_for_what_is_missing_and_other_keys_do_not_matter() {
    let line = r#"{"env": "pendulum", "initial_state": [0.5, 0.0], "actions": [3.0], "note": {"a": [null]}}"#;
    let answer = answer(line.as_bytes()).unwrap();
    // gravity 10, mass 1, length 1, dt 0.05; the torque is clipped to 2
    let speed = (15.0 * 0.5f64.sin() + 3.0 * 2.0) * 0.05;
    assert!((answer.states[0][1] - speed).abs() < 1e-15 && (answer.states[0][0] - 0.5 - speed * 0.05).abs() < 1e-15);
    assert!((answer.rewards[0] + 0.25 + 0.004).abs() < 1e-15);
    assert_eq!(answer.observations[0][0], f64::from(answer.states[0][0].cos() as f32));
}

#[test]
fn a_seed_stands_for_the_initial_state_of_gymnasium() {
    // Gymnasium 1.4.0: CartPole-v1, reset(seed=0), action 1
    let seeded = cartpole(r#""x": 0"#).replace("[0.0, 0.0, 0.0, 0.0]", r#"{"seed": 0}"#);
    let expected = [0.013235742159673177, 0.17272774640672584, -0.04686959233532348, -0.3551522026891103];
    assert_eq!(answer(seeded.as_bytes()).unwrap().states[0], expected);
    for wrong in [r#"{"seed": -1}"#, r#"{"seed": 1.5}"#, r#"{"sed": 1}"#, r#"{"seed": 1, "x": 0}"#, r#""seed""#] {
        assert_says(&malformed(&seeded.replace(r#"{"seed": 0}"#, wrong)), &["initial_state", "seed", "array"]);
    }
}

#[test]
fn unknown_names_suggest_the_nearest() {
    let env = cartpole("").replace("cartpole", "cartpol").replace("[1], ", "[1]");
    assert_says(&bad(&env), &["env: there is no environment `cartpol`", "did you mean `cartpole`?"]);
    let param = bad(&cartpole(r#""params": {"gravty": 9.8}"#));
    assert_says(&param, &["cartpole has no parameter `gravty`; did you mean `gravity`?", "half_length"]);
    let integrator = bad(&cartpole(r#""integrator": "semi-implicit""#));
    assert_says(&integrator, &["`semi-implicit`; did you mean `semi_implicit`?"]);
}

#[test]
fn illegal_values_are_named_with_what_is_legal() {
    assert_says(&bad(&cartpole(r#""params": {"gravity": 1000}"#)), &["params.gravity", "1000", "[0, 500]", "m/s^2"]);
    assert_says(&bad(&cartpole(r#""params": {"actuator_gain": -1}"#)), &["actuator_gain", "healthy", "only 1"]);
    assert!(answer(cartpole(r#""params": {"actuator_gain": 1}"#).as_bytes()).is_ok());
    for action in ["2", "-1", "0.5"] {
        let line = cartpole(r#""x": 0"#).replace("[1]", &format!("[1, {action}]"));
        assert_says(&bad(&line), &["actions[1]", action, "[0, 1]"]);
    }
    let short = cartpole(r#""x": 0"#).replace("[0.0, ", "[");
    assert_says(&bad(&short), &["initial_state: 3 numbers where cartpole takes 4"]);
    let pendulum = r#"{"env": "pendulum", "initial_state": [0, 0], "actions": [0], "integrator": "euler"}"#;
    assert_says(&bad(pendulum), &["integrator", "pendulum"]);
}

#[test]
fn what_is_not_finite_is_refused_on_the_way_in_and_on_the_way_out() {
    for number in ["NaN", "-Infinity", "Infinity", "1e999", "-1e999"] {
        assert_says(&bad(&cartpole(r#""x": 0"#).replace("[0.0,", &format!("[{number},"))), &["column ", "finite"]);
    }
    assert_says(&bad(&cartpole(r#""x": 0"#).replace("[0.0,", "[1e300,")), &["observation", "step 1"]);
    let fast = r#"{"env": "pendulum", "initial_state": [0, 1e200], "actions": [0]}"#;
    assert_says(&bad(fast), &["reward", "step 1"]);
}

#[test]
fn what_is_not_json_or_not_of_the_shape_is_malformed() {
    assert_says(&malformed("{"), &["column 1: EOF"]);
    assert_says(&malformed("{\"env\"\n"), &["column 6: EOF"]);
    assert_says(&malformed(r#"{"env": "cartpole", "actions": [1]}"#), &["missing field `initial_state`"]);
    assert_says(&malformed(&cartpole(r#""params": {"gravity": "9.8"}"#)), &["invalid type", "f64"]);
    assert_says(&malformed(&cartpole(r#""params": []"#)), &["invalid type", "map"]);
    assert_says(&malformed("[1, 2] tail"), &["column"]);
    malformed("\u{feff}{}");
}

#[test]
fn lines_are_counted_and_answered_before_one_that_fails() {
    let good = cartpole(r#""x": 0"#);
    let input = format!("{good}\n\n{good}\r\n{{}}\n{good}");
    let mut out = Vec::new();
    let error = replay_lines("a.jsonl", input.as_bytes(), &mut out).unwrap_err();
    assert_says(&error.to_string(), &["a.jsonl, line 4: ", "missing field `env`"]);
    assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 2);
}
