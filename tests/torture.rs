//! Kills before any file operation, and file operations that fail: no data are lost, nothing panics, and the resumed
//! run ends with the bytes of an undisturbed one.
//!
//! `scripts/torture.sh` does it a thousand times.
#![cfg(target_os = "linux")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use crate::command::{Place, checkpoint_bytes, options, text};
use crate::faults::{Fault, below, contents, count, inject, random};
use metadrift::{
    checkpoint::{self, Which},
    run_dir::{self, RunDir},
    session::Session,
};

/// Settings of the run: it evaluates while it trains, so that a best checkpoint is kept, too.
const SETS: &str = "--set evaluation.every=2 --set evaluation.tasks=3 --set evaluation.episodes=2";

/// A run to damage: its folder, and the number of file operations of a training and of a resume.
struct Victim {
    place: Place,
    whole: PathBuf,
    /// The same run as it stands after two of four iterations.
    half: PathBuf,
    operations: usize,
}

impl Victim {
    fn new() -> Self {
        let place = Place::new();
        fs::write(place.path("tiny.toml"), crate::command::TINY.replace("iterations = 6", "iterations = 4")).unwrap();
        let whole = place.path("whole");
        let (_, operations) = attack(&place, &train("whole"), Fault { at: 0, errno: 0, stays: false }, "whole");
        assert!(operations > 100, "{operations} file operations");
        let half = place.path("half");
        place.expect(0, &format!("{} --iterations 2", train("half")));
        Victim { place, whole, half, operations }
    }

    fn run(&self) -> PathBuf {
        self.place.path("victim")
    }

    /// Resumes as a user would: the same command again.
    fn go_on(&self) {
        let options = options();
        let session = if RunDir::is_run(&self.run()) {
            Session::resume(&self.run(), Which::Last, Some(4), options)
        } else {
            let sets: Vec<String> = SETS.split_whitespace().filter(|word| *word != "--set").map(Into::into).collect();
            let config = metadrift::presets::load(self.place.path("tiny.toml").to_str().unwrap(), &sets).unwrap();
            Session::begin(config, &run_dir::Place::Folder(self.run()), options)
        };
        session.unwrap().run().unwrap();
    }

    /// The run ends with the bytes of the whole one; `logs`: so do its logs.
    fn assert_whole(&self, logs: bool, what: &str) {
        let run = self.run();
        assert_eq!(checkpoint_bytes(&self.whole, 4), checkpoint_bytes(&run, 4), "{what}: checkpoints differ");
        for file in ["metrics.csv", "metrics.jsonl", "evaluations.csv"] {
            let read = |run: &Path| fs::read_to_string(run.join(file)).unwrap_or_default();
            assert!(!logs || read(&self.whole) == read(&run), "{what}: {file} differs:\n{}", read(&run));
        }
        if logs {
            let steps = crate::event_file::steps(&run.join("tb"), "return/post");
            assert_eq!(steps, [1, 2, 3, 4], "{what}: steps in TensorBoard");
        }
    }
}

const RESUME: &str = "resume victim --iterations 4 -q --no-evaluate --actors 1";

fn train(run: &str) -> String {
    format!("train tiny.toml {SETS} -q --no-evaluate --actors 1 --run-dir {run}")
}

/// Runs with a fault in the operations on the run folder; returns the output and the number of operations.
fn attack(place: &Place, args: &str, fault: Fault, run: &str) -> (Output, usize) {
    let counts = place.path("operations");
    let mut command = place.command(args);
    inject(&mut command, fault, run, &counts);
    let output = command.current_dir(place.path("")).output().unwrap();
    (output, fs::read_to_string(counts).map_or(0, |text| text.trim().parse().unwrap()))
}

/// The steps of the checkpoints that can be read.
fn good_steps(run: &Path) -> BTreeSet<u64> {
    let all = checkpoint::steps(&run.join("checkpoints")).unwrap_or_default();
    all.into_iter().filter(|(_, path)| checkpoint::load(path).is_ok()).map(|(step, _)| step).collect()
}

#[test]
fn a_kill_before_any_file_operation_costs_nothing() {
    let victim = Victim::new();
    for index in 0..count("METADRIFT_KILLS", 200) {
        let mut rng = random(1, index);
        let _ = fs::remove_dir_all(victim.run());
        let mut command = train("victim");
        // one in three is killed again after its resume
        for attempt in 0..1 + usize::from(index % 3 == 0) {
            let before = good_steps(&victim.run());
            let fault = Fault { at: 1 + below(&mut rng, victim.operations), errno: 0, stays: false };
            let (output, _) = attack(&victim.place, &command, fault, "victim");
            let what = format!("kill {index}.{attempt} before operation {}", fault.at);
            let killed = output.status.code().is_none();
            assert!(killed || output.status.success(), "{what}: {}", text(&output));
            assert!(!text(&output).contains("warning"), "{what}: {}", text(&output));
            let last = before.last();
            let now = good_steps(&victim.run());
            assert!(now.last() >= last, "{what}: had {before:?}, has {now:?}");
            if RunDir::is_run(&victim.run()) {
                command = RESUME.to_owned();
            }
        }
        victim.go_on();
        victim.assert_whole(true, &format!("kill {index}"));
    }
}

/// Errors to return: EPERM, EIO, EACCES, EMFILE, ENOSPC, EROFS, EDQUOT.
const ERRORS: [i32; 7] = [1, 5, 13, 24, 28, 30, 122];
/// Documented exit codes of a run that the file system failed: finished all the same, refused, no file, disk full.
const CODES: [i32; 4] = [0, 2, 4, 8];

#[test]
fn a_file_operation_that_fails_costs_no_checkpoint() {
    let victim = Victim::new();
    for index in 0..count("METADRIFT_ERRORS", 200) {
        let mut rng = random(2, index);
        let _ = fs::remove_dir_all(victim.run());
        let resumes = index % 2 == 1;
        if resumes {
            copy(&victim.half, &victim.run());
        }
        let command = if resumes { RESUME.to_owned() } else { train("victim") };
        let before = good_steps(&victim.run());
        let at = 1 + below(&mut rng, victim.operations / if resumes { 2 } else { 1 });
        let fault = Fault { at, errno: ERRORS[below(&mut rng, ERRORS.len())], stays: below(&mut rng, 4) == 0 };
        let (output, _) = attack(&victim.place, &command, fault, "victim");
        let what = format!("error {index} in `{command}`, {fault:?}");
        let told = text(&output);
        let code = output.status.code();
        assert!(code.is_some_and(|code| CODES.contains(&code)), "{what}: {code:?}\n{told}");
        assert!(!told.contains("panicked"), "{what}: {told}");
        assert_ne!(code == Some(0), told.contains("error:"), "{what}: {told}");
        let last = before.last();
        let now = good_steps(&victim.run());
        assert!(now.last() >= last, "{what}: had {before:?}, has {now:?}");
        victim.go_on();
        // values missing from a log are reported; all others are there
        victim.assert_whole(!told.contains("cannot log"), &format!("{what}\n{told}"));
    }
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) {
    for (name, bytes) in contents(from) {
        fs::create_dir_all(to.join(&name).parent().unwrap()).unwrap();
        fs::write(to.join(name), bytes).unwrap();
    }
}
