//! Signals stop the program at any time: in an iteration, between two, in the last evaluation, in every long command.
#![cfg(unix)]

use std::{
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::command::{Place, text};

const SIGNALS: [(&str, i32); 3] = [("INT", 130), ("TERM", 143), ("HUP", 129)];

/// Settings of an iteration, or an evaluation, of some ten seconds or more.
const LONG: &str = "--set task.env=pendulum --set task.horizon=400 --set rollout.num_envs=1500 --actors 1";

fn start(place: &Place, args: &str) -> Child {
    place.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn send(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status().unwrap().success());
}

fn wait_for(what: impl Fn() -> bool) {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < Duration::from_secs(60), "it never came");
        sleep(Duration::from_millis(5));
    }
}

/// Sends `signal` and waits for the end, which must come soon.
fn stop(child: Child, signal: &str, code: i32) -> Output {
    send(&child, signal);
    let asked = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(code), "SIG{signal}: {}", text(&output));
    assert!(asked.elapsed() < Duration::from_secs(5), "SIG{signal} was waited out: {:?}", asked.elapsed());
    output
}

fn contains(file: &Path, part: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.contains(part))
}

#[test]
fn between_iterations_all_is_saved() {
    for (signal, code) in SIGNALS {
        let place = Place::new();
        let child = start(&place, "train tiny.toml --run-dir run --iterations 100000");
        wait_for(|| place.path("run/checkpoints/step-00000002").exists());
        let told = text(&stop(child, signal, code));
        assert!(told.contains("resume with: metadrift resume run"), "{told}");
        // the newest checkpoint is the last line of the metrics
        let metrics = fs::read_to_string(place.path("run/metrics.csv")).unwrap();
        let last: u64 = metrics.lines().last().unwrap().split(',').next().unwrap().parse().unwrap();
        assert!(place.path(&format!("run/checkpoints/step-{last:08}")).is_dir(), "{last}");
        assert!(contains(&place.path("run/manifest.json"), "interrupted"));
    }
}

#[test]
fn a_long_iteration_is_not_waited_out_and_not_saved_by_halves() {
    for (run, set) in [("maml", ""), ("ppo", "--set learner=ppo --set rollout.num_steps=400")] {
        let place = Place::new();
        let tasks = if run == "maml" { "--set rollout.num_tasks=8" } else { "" };
        let args = format!("train tiny.toml --run-dir {run} --iterations 3 {LONG} {tasks} {set}");
        let args = if run == "ppo" { args.replace("rollout.num_envs=1500 ", "rollout.num_envs=16000 ") } else { args };
        let toml = if run == "ppo" {
            crate::command::TINY.replace("num_tasks = 3, ", "")
        } else {
            crate::command::TINY.to_owned()
        };
        fs::write(place.path("tiny.toml"), toml).unwrap();
        let child = start(&place, &args);
        wait_for(|| contains(&place.path(run).join("manifest.json"), "running"));
        wait_for(|| place.path(run).join("checkpoints/step-00000000").exists());
        sleep(Duration::from_millis(500));
        let told = text(&stop(child, "TERM", 143));
        assert!(told.contains("stopped and saved after iteration 0"), "{told}");
        let kept: Vec<_> = fs::read_dir(place.path(run).join("checkpoints")).unwrap().collect();
        assert_eq!(kept.len(), 1, "{kept:?}");
    }
}

#[test]
fn the_evaluation_after_training_stops_and_the_training_is_saved() {
    for (signal, code) in SIGNALS {
        let place = Place::new();
        let child = start(
            &place,
            &format!(
                "train tiny.toml --run-dir run --iterations 1 {LONG} --set rollout.num_tasks=1 --set evaluation.episodes=300"
            ),
        );
        wait_for(|| contains(&place.path("run/manifest.json"), "\"state\": \"finished\""));
        sleep(Duration::from_millis(300));
        let told = text(&stop(child, signal, code));
        assert!(told.contains("the training is saved") && told.contains("metadrift evaluate run"), "{told}");
        assert_eq!(fs::read_dir(place.path("run/eval")).unwrap().count(), 0);
    }
}

#[test]
fn every_long_command_stops_soon() {
    let place = Place::new();
    place.expect(0, "train tiny.toml --run-dir run --iterations 1 --no-evaluate");
    for args in [
        "evaluate run --tasks 20000 --episodes 20 --out e.json",
        "tasks audit cartpole-flip --out a.json",
        "bench --only tasks --tasks 1000",
        "selftest --device cpu --iterations 100000",
        "record cartpole-flip --run run --out f.gif --actors 1",
    ] {
        let child = start(&place, args);
        // long enough to be at work: loading libtorch takes a few hundred milliseconds
        sleep(Duration::from_millis(1500));
        if args.starts_with("record") {
            drop(child.wait_with_output());
            continue;
        }
        stop(child, "TERM", 143);
    }
    let left: Vec<_> = fs::read_dir(place.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name == "e.json" || name == "a.json"), "{left:?}");
}

#[test]
fn two_signals_in_a_row_are_one() {
    let place = Place::new();
    let child = start(&place, "train tiny.toml --run-dir run --iterations 100000");
    wait_for(|| place.path("run/checkpoints/step-00000002").exists());
    // as `timeout` and service managers do
    send(&child, "TERM");
    let told = text(&stop(child, "HUP", 143));
    assert!(told.contains("stopped and saved"), "{told}");
}

#[test]
fn what_was_started_with_nohup_goes_on() {
    let place = Place::new();
    let mut shell = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_metadrift");
    let line = format!("trap '' HUP; exec {program} train tiny.toml --run-dir run --iterations 100000");
    let child = shell.args(["-c", &line]).current_dir(place.path("")).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(|| place.path("run/checkpoints/step-00000002").exists());
    send(&child, "HUP");
    sleep(Duration::from_millis(300));
    stop(child, "TERM", 143);
}
