//! A process that saves checkpoints in a loop is killed again and again: the newest one is always whole.
//!
//! `METADRIFT_KILLS=1000 cargo test --test program checkpoint_crash` kills more often.
#![cfg(unix)]

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use metadrift::checkpoint::{Checkpoint, CheckpointError, load, newest, prune, remove_leftovers, save, steps};
use serde_json::json;

const DIR: &str = "METADRIFT_CRASH_DIR";

fn sample(step: u64) -> Checkpoint {
    let values = |salt: u64| (0..8_000).map(|i| ((i * salt + step) % 65_521) as f32 * 0.5).collect();
    let tensors = [("meta_params", 3), ("adam_m", 5), ("adam_v", 7)];
    let tensors = tensors.map(|(name, salt)| (name.to_owned(), values(salt))).into();
    Checkpoint { step, tensors, state: json!({"step": step, "words": "x".repeat(3_000)}) }
}

/// The process that [`killing_the_writer_never_costs_a_checkpoint`] starts and kills; not a test.
#[test]
#[ignore = "run by the test below"]
fn saver() {
    let Some(dir) = std::env::var_os(DIR).map(PathBuf::from) else { return };
    remove_leftovers(&dir).unwrap();
    let mut step = match newest(&dir) {
        Ok((checkpoint, _)) => checkpoint.step,
        Err(CheckpointError::NoneValid { skipped, .. }) if skipped.is_empty() => 0,
        Err(error) => panic!("{error}"),
    };
    println!("\nstart {step}");
    loop {
        step += 1;
        save(&dir, &sample(step)).unwrap();
        println!("saved {step}");
        // forwards and backwards, so that an exchange with an existing checkpoint is killed, too
        save(&dir, &Checkpoint { state: json!("replaced"), ..sample(step) }).unwrap();
        save(&dir, &sample(step)).unwrap();
        prune(&dir, 3, step, None).unwrap();
        std::io::stdout().flush().unwrap();
    }
}

#[test]
fn killing_the_writer_never_costs_a_checkpoint() {
    let kills: u64 = std::env::var("METADRIFT_KILLS").map_or(50, |kills| kills.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let (mut during_save, mut during_prune, mut saved) = (0, 0, 0);
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for kill in 0..kills {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let promised = run_and_kill(dir.path(), Duration::from_micros(random >> 33 & 0xffff));
        saved = promised.unwrap_or(saved).max(saved);
        let leftovers = std::fs::read_dir(dir.path()).unwrap().flatten();
        let names: Vec<_> = leftovers.map(|entry| entry.file_name().into_string().unwrap()).collect();
        during_prune += u64::from(names.iter().any(|name| name.starts_with(".tmp-del-")));
        during_save += u64::from(names.iter().any(|name| name.starts_with(".tmp-0")));
        if saved == 0 {
            continue;
        }
        let (found, skipped) = newest(dir.path()).unwrap_or_else(|error| panic!("kill {kill}: {error}"));
        assert!(skipped.is_empty(), "kill {kill}: {skipped:?}");
        assert!(found.step >= saved, "kill {kill}: {} was saved, {} found", saved, found.step);
        assert_eq!(found.tensors, sample(found.step).tensors, "kill {kill}");
        for (step, path) in steps(dir.path()).unwrap() {
            load(&path).unwrap_or_else(|error| panic!("kill {kill}: not the newest, but there: step {step}: {error}"));
        }
    }
    println!("{kills} kills, {during_save} in a save, {during_prune} in a prune, {saved} steps saved, all readable");
    assert!(during_save * 5 >= kills, "only {during_save} of {kills} kills hit a save: the test tests nothing");
}

/// Starts the saver, kills it some time after it began to save, and returns the last step it said it had saved.
fn run_and_kill(dir: &Path, delay: Duration) -> Option<u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "checkpoint_crash::saver", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let started = lines.by_ref().map(Result::unwrap).any(|line| line.starts_with("start "));
    assert!(started, "the saver did not start: {:?}", child.wait());
    std::thread::sleep(delay);
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    let saved = lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("saved ")?.parse().ok());
    saved.last()
}
