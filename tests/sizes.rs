//! Legal sizes beyond any machine's memory are refused before any file is made: exit code 3, with figures and a remedy.
#![cfg(target_os = "linux")]

use std::{fs, io, os::unix::process::CommandExt};

use crate::command::{Place, TINY, text};

/// Runs with an address space of eight gibibytes.
fn limited(place: &Place, args: &str) -> (Option<i32>, String) {
    let mut command = place.command(args);
    // SAFETY: one system call on a valid struct, which is allowed between fork and exec.
    unsafe {
        command.pre_exec(|| {
            let limit = libc::rlimit { rlim_cur: 8 << 30, rlim_max: 8 << 30 };
            if libc::setrlimit(libc::RLIMIT_AS, &limit) == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
        });
    }
    let output = command.output().unwrap();
    (output.status.code(), text(&output))
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_made() {
    let place = Place::new();
    place.expect(0, "train tiny.toml --run-dir run --iterations 1 --no-evaluate");
    let ppo = TINY.replace("num_tasks = 3, ", "") + "learner = \"ppo\"\n";
    let ppo = ppo.replacen("learner = \"ppo\"\n", "", 1).replacen("name =", "learner = \"ppo\"\nname =", 1);
    fs::write(place.path("ppo.toml"), ppo).unwrap();
    let moves = "task.drift.gravity={kind=\"linear\",from=9.0,to=10.0,over=100.0}";
    for (args, key) in [
        (
            "train tiny.toml --run-dir new --set rollout.num_tasks=100000 --set rollout.num_envs=100000",
            "rollout.num_tasks",
        ),
        (
            "train tiny.toml --run-dir new --no-evaluate --set rollout.num_tasks=100000 --set rollout.num_envs=1000",
            "rollout.num_envs",
        ),
        ("train tiny.toml --run-dir new --no-evaluate --set policy.hidden=[4096,4096,4096,4096,4096]", "policy.hidden"),
        #[cfg(feature = "torch")]
        (
            "train tiny.toml --run-dir new --no-evaluate --backend tch --set rollout.num_envs=20000 --set task.horizon=500",
            "rollout.num_envs",
        ),
        (
            "train tiny.toml --run-dir new --set evaluation.tasks=1000000 --set evaluation.episodes=1000",
            "evaluation.tasks",
        ),
        (
            "train ppo.toml --run-dir new --set rollout.num_envs=99968 --set rollout.num_steps=100000",
            "rollout.num_envs",
        ),
        ("train ppo.toml --run-dir new --set evaluation.episodes=100000 --set task.horizon=1000", "--episodes"),
        ("evaluate run --tasks 1000000 --episodes 100000", "--tasks"),
        ("tasks audit tiny.toml --tasks 100000 --lanes 10000 --rounds 1", "--lanes"),
        (&format!("tasks audit tiny.toml --set {moves} --tasks 100000 --lanes 10000"), "--tasks"),
    ] {
        let (code, told) = limited(&place, args);
        assert_eq!(code, Some(3), "{args}: {told}");
        assert!(
            told.contains("B of memory, but only ") && told.contains(" are available: lower ") && told.contains(key),
            "{args}: {told}"
        );
        assert!(!place.path("new").exists(), "{args}");
    }
    let long = "horizon = 1000000\nnum_x = 0";
    let toml = TINY.replace("task.horizon = 30", &format!("task.{}", long.split('\n').next().unwrap()));
    let toml = toml.replacen("iterations", "maml.inner_steps = 100\niterations", 1);
    fs::write(place.path("long.toml"), toml).unwrap();
    let (code, told) = limited(&place, "tasks describe long.toml");
    assert_eq!(code, Some(3), "{told}");
}

#[test]
fn what_fits_runs_under_the_same_limit() {
    let place = Place::new();
    let (code, told) = limited(&place, "train tiny.toml --run-dir run --actors 2");
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = limited(&place, "evaluate run --tasks 20 --episodes 50");
    assert_eq!(code, Some(0), "{told}");
}

#[test]
fn a_dry_run_counts_without_wrapping() {
    let place = Place::new();
    let told = place.expect(
        0,
        "train tiny.toml --dry-run --no-evaluate --set rollout.num_tasks=100000 --set rollout.num_envs=100000 --set \
         rollout.num_steps=1000000 --set rollout.episodes_per_env=0 --set maml.inner_steps=100 --set \
         iterations=16777216 --set evaluation.episodes=20",
    );
    // 10^5 tasks x 10^5 lanes x 10^6 steps x 101 phases, 2^24 times
    assert!(told.contains("at most 1010000000000000000 environment steps per iteration"), "{told}");
    assert!(told.contains("16944988160000000000000000 in all") && told.contains("million TB of memory"), "{told}");
    assert!(told.contains("this will be refused: lower rollout.num_tasks"), "{told}");
}

#[test]
fn many_lanes_of_plain_ppo_are_saved_and_resumed() {
    let place = Place::new();
    let ppo = TINY.replace("num_tasks = 3, ", "").replacen("name =", "learner = \"ppo\"\nname =", 1);
    fs::write(place.path("ppo.toml"), ppo).unwrap();
    let sets =
        "--set task.env=pendulum --set task.actuator.delay=2 --set rollout.num_envs=16384 --set rollout.num_steps=2";
    place.expect(0, &format!("train ppo.toml --run-dir run --no-evaluate -q --iterations 1 {sets}"));
    place.expect(0, "resume run -q --iterations 2");
    place.expect(0, &format!("train ppo.toml --run-dir whole --no-evaluate -q --iterations 2 {sets}"));
    let bytes = |run: &str| crate::command::checkpoint_bytes(&place.path(run), 2);
    assert!(bytes("run") == bytes("whole"), "a resumed run differs");
}
