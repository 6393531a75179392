//! `metadrift env replay` as a user runs it: against trajectories recorded from Gymnasium, and on wrong input.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_metadrift");
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/envs/tests/data/gymnasium.jsonl");

fn replay_file(path: &str) -> Output {
    Command::new(PROGRAM).args(["env", "replay", path]).output().unwrap()
}

fn replay_stdin(input: &str) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(["env", "replay", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // an error in an early line ends the program before it has read everything
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn lines(text: &[u8]) -> Vec<Value> {
    std::str::from_utf8(text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[track_caller]
fn assert_close(found: &Value, expected: &Value, place: &str) {
    let (found, expected) = (numbers(found), numbers(expected));
    assert_eq!(found.len(), expected.len(), "{place}");
    for (f, e) in found.iter().zip(&expected) {
        // relative, and within 1e-15 of a number near zero, which is a difference of larger ones
        assert!((f - e).abs() <= 1e-12 * e.abs().max(1e-3), "{place}: {f} is not {e}");
    }
}

#[test]
fn the_golden_file_comes_out_as_gymnasium_recorded_it() {
    let output = replay_file(GOLDEN);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (found, expected) = (lines(&output.stdout), lines(&std::fs::read(GOLDEN).unwrap()));
    assert_eq!((found.len(), expected.len()), (24, 24));
    for (line, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let (states, recorded) = (found["states"].as_array().unwrap(), expected["states"].as_array().unwrap());
        assert_eq!(states.len(), recorded.len(), "line {line}");
        for (step, (state, recorded)) in states.iter().zip(recorded).enumerate() {
            assert_close(state, recorded, &format!("line {line}, step {step}"));
        }
        assert_eq!(found["terminated"], expected["terminated"], "line {line}");
        assert_eq!(found["observations"], expected["observations"], "line {line}");
        match expected["env"].as_str().unwrap() {
            "cartpole" => assert_eq!(numbers(&found["rewards"]), numbers(&expected["rewards"]), "line {line}"),
            _ => assert_close(&found["rewards"], &expected["rewards"], &format!("rewards of line {line}")),
        }
    }
}

#[test]
fn standard_input_gives_the_bytes_that_the_file_gives() {
    let text = std::fs::read_to_string(GOLDEN).unwrap();
    let two: String = text.lines().take(2).map(|line| format!("{line}\n")).collect();
    let output = replay_stdin(&two);
    assert!(output.status.success());
    assert!(replay_file(GOLDEN).stdout.starts_with(&output.stdout) && output.stdout.len() > 10_000);
}

#[test]
fn numbers_are_read_and_printed_to_the_last_bit() {
    // with no gravity, torque or speed the pendulum stays where it is: what goes in comes out
    for angle in [0.1, 2.225_073_858_507_201_4e-308, 1.0 / 3.0, 5e-324, 123_456_789.123_456_78] {
        let line = format!(
            r#"{{"env": "pendulum", "params": {{"gravity": 0}}, "initial_state": [{angle:e}, 0], "actions": [0]}}"#
        );
        let output = replay_stdin(&line);
        let answer = &lines(&output.stdout)[0];
        assert_eq!(answer["states"][0][0].as_f64(), Some(angle), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn each_line_is_answered_before_the_next_is_read() {
    let mut command = Command::new(PROGRAM);
    let mut child = command.args(["env", "replay", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap());
    for _ in 0..2 {
        input.write_all(b"{\"env\": \"pendulum\", \"initial_state\": [1, 0], \"actions\": [0]}\n").unwrap();
        let mut answer = String::new();
        answers.read_line(&mut answer).unwrap();
        assert_eq!(lines(answer.as_bytes())[0]["terminated"], serde_json::json!([false]));
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut command = Command::new(PROGRAM);
    let mut child =
        command.args(["env", "replay", GOLDEN]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn mistakes_name_file_line_and_what_is_wrong_and_have_exit_codes() {
    let good = r#"{"env": "cartpole", "params": {"gravity": 9.8}, "initial_state": [0, 0, 0, 0], "actions": [1, 0]}"#;
    let cases = [
        ("cartpole", "cartpol", 3, "did you mean `cartpole`?"),
        ("gravity", "gravty", 3, "did you mean `gravity`?"),
        ("9.8", "1000", 3, "[0, 500]"),
        ("[0, 0, 0, 0]", "[0, 0, 0]", 3, "3 numbers where cartpole takes 4"),
        ("[0, 0, 0, 0]", "[NaN, 0, 0, 0]", 3, "finite"),
        ("[0, 0, 0, 0]", "[1e999, 0, 0, 0]", 3, "finite"),
        ("[1, 0]", "[1, 2]", 3, "actions[1]: 2"),
        ("\"params\"", "\"integrator\": \"rk5\", \"params\"", 3, "integrator"),
        ("[1, 0]}", "[1, 0]", 4, "EOF"),
        ("actions", "action", 4, "missing field `actions`"),
        ("9.8", "\"9.8\"", 4, "invalid type"),
    ];
    for (from, to, code, part) in cases {
        let output = replay_stdin(&format!("{good}\n{}\n{good}\n", good.replace(from, to)));
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{to}: {message}");
        assert!(message.starts_with("error: standard input, line 2: ") && message.contains(part), "{message}");
        assert_eq!(lines(&output.stdout).len(), 1, "{to}: what came before the mistake is answered");
    }
    for path in ["/nowhere/at/all.jsonl", env!("CARGO_MANIFEST_DIR")] {
        let output = replay_file(path);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{message}");
        assert!(message.starts_with(&format!("error: cannot read {path}: ")), "{message}");
    }
}

#[test]
fn an_unknown_environment_is_answered_with_the_nearest() {
    let output = Command::new(PROGRAM).args(["env", "show", "pendulm"]).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(message.contains("did you mean `pendulum`?") && output.stdout.is_empty(), "{message}");
}
