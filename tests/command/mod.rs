//! Running the program as a user would, in a folder of its own.
#![allow(dead_code)] // each test file uses its part

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use metadrift::{device::DeviceChoice, session::RunOptions};

/// The configuration of a small run, of a second or less.
pub const TINY: &str = r#"
name = "tiny"
iterations = 6
task.env = "cartpole"
task.horizon = 30
task.vary.actuator_gain = { law = "uniform", low = 0.7, high = 1.3 }
rollout = { num_tasks = 3, num_envs = 4 }
policy.hidden = [8]
ppo.outer_epochs = 2
checkpoint = { every = 2, keep = 2 }
"#;

/// A temporary folder with `tiny.toml` in it.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Self {
        let place = Place(tempfile::tempdir().unwrap());
        fs::write(place.path("tiny.toml"), TINY).unwrap();
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The program with these arguments, to be run in this folder on the CPU.
    pub fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_metadrift"));
        command.args(args.split_whitespace()).current_dir(self.0.path()).env_remove("METADRIFT_FAULT");
        command
    }

    pub fn run(&self, args: &str) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs, and fails the test unless the exit code is `code`; returns the output, errors first.
    pub fn expect(&self, code: i32, args: &str) -> String {
        let output = self.run(args);
        let text = text(&output);
        assert_eq!(output.status.code(), Some(code), "metadrift {args}\n{text}");
        text
    }
}

pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout))
}

/// Contents of a checkpoint folder, by file name.
pub fn checkpoint_bytes(run: &Path, step: u64) -> Vec<(String, Vec<u8>)> {
    let dir = run.join("checkpoints").join(format!("step-{step:08}"));
    let mut files: Vec<_> = fs::read_dir(&dir)
        .unwrap_or_else(|e| panic!("{}: {e}", dir.display()))
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() >= 3);
    files
}

/// Options of a run in this process: one actor, and nothing is printed.
pub fn options() -> RunOptions {
    RunOptions {
        device: DeviceChoice::Cpu,
        backend: None,
        actors: 1,
        max_time: None,
        until: None,
        data: None,
        quiet: true,
    }
}
