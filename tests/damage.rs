//! Run folders with mistakes in their configuration, manifest or checkpoints are refused or repaired with an error,
//! never with a panic, and no readable data are lost.
//!
//! `scripts/torture.sh` makes ten thousand mistakes in each.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::OnceLock,
};

use crate::command::Place;
use crate::faults::{
    below, contents, count, damaged,
    forged::{FILES, reseal},
    random,
};
use clap::Parser;
use metadrift::{
    checkpoint::{self, CheckpointError},
    cli::{Cli, Command},
    commands,
};

/// A finished run of two iterations with three checkpoints, made once for all tests here.
fn finished() -> &'static Place {
    static RUN: OnceLock<Place> = OnceLock::new();
    RUN.get_or_init(|| {
        let place = Place::new();
        place.expect(0, "train tiny.toml --run-dir run --iterations 2 --set checkpoint.every=1 -q --no-evaluate");
        place
    })
}

/// A copy of the run, and its path.
fn copy() -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let run = finished().path("run");
    for (name, bytes) in contents(&run) {
        let to = place.path().join("run").join(name);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, bytes).unwrap();
    }
    let path = place.path().join("run");
    (place, path)
}

/// The command `resume` in this process. There is nothing left to train, unless a mistake asks for more.
fn resume(run: &Path) -> metadrift::failure::Result<ExitCode> {
    let run = run.to_str().unwrap();
    let line = ["metadrift", "resume", run, "--no-evaluate", "-q", "--actors", "1", "--max-time", "0s"];
    let Command::Resume(args) = Cli::try_parse_from(line).unwrap().command else { unreachable!() };
    commands::train::resume(&args)
}

/// Damages the file `name` of a finished run again and again, and resumes. If a resume is refused, no file has changed.
fn damage_one(test: u32, name: &str, damage: impl Fn(&[u8], u32) -> Vec<u8>) {
    let (_place, run) = copy();
    let good = contents(&run);
    let text = &good[Path::new(name)];
    let (mut resumed, mut refused) = (0, 0);
    for index in 0..count("METADRIFT_MUTATIONS", 300) {
        let bad = damage(text, index);
        fs::write(run.join(name), &bad).unwrap();
        let before = contents(&run);
        let result = std::panic::catch_unwind(|| resume(&run));
        let what = format!("test {test}, damage {index}: {}", String::from_utf8_lossy(&bad));
        match result {
            Err(_) => panic!("{what}: panic"),
            Ok(Ok(_)) => resumed += 1,
            Ok(Err(error)) => {
                refused += 1;
                assert!(!error.to_string().is_empty());
                assert_eq!(contents(&run), before, "{what}: refused ({error:#}), yet something has changed");
            }
        }
        fs::remove_dir_all(&run).unwrap();
        good.iter().for_each(|(name, bytes)| {
            fs::create_dir_all(run.join(name).parent().unwrap()).unwrap();
            fs::write(run.join(name), bytes).unwrap();
        });
    }
    println!("{name}: {resumed} resumed, {refused} refused, 0 panics");
    assert!(resumed > 0 && refused > 0, "{resumed} resumed, {refused} refused");
}

#[test]
fn a_damaged_run_configuration_is_refused_or_legal() {
    damage_one(1, "config.toml", |text, index| damaged(text, &mut random(1, index)));
}

#[test]
fn a_damaged_manifest_is_refused_or_only_informs() {
    damage_one(2, "manifest.json", |text, index| damaged(text, &mut random(2, index)));
}

#[test]
fn a_damaged_checkpoint_is_never_accepted() {
    let (_place, run) = copy();
    let dir = run.join("checkpoints");
    let (newest, _) = checkpoint::newest(&dir).unwrap();
    let before = checkpoint::at(&dir, 1).unwrap();
    let path = dir.join("step-00000002");
    let mut unchanged = 0;
    for index in 0..count("METADRIFT_MUTATIONS", 300) {
        let mut rng = random(3, index);
        let file = path.join(FILES[below(&mut rng, 3)]);
        let good = fs::read(&file).unwrap();
        let bad = damaged(&good, &mut rng);
        fs::write(&file, &bad).unwrap();
        let what = format!("damage {index} of {}", file.display());
        match checkpoint::newest(&dir) {
            Ok((found, skipped)) if bad == good => {
                unchanged += 1;
                assert!(found == newest && skipped.is_empty(), "{what}");
            }
            Ok((found, skipped)) => {
                assert_eq!(found, before, "{what}: the one before is taken");
                assert!(matches!(&skipped[..], [one] if one.to_string().contains("00000002")), "{what}: {skipped:?}");
            }
            // another format number may be that of a newer version, which the program leaves alone
            Err(CheckpointError::Newer { schema, .. }) => assert!(schema > 1 && file.ends_with(FILES[2]), "{what}"),
            Err(error) => panic!("{what}: {error}"),
        }
        assert_eq!(fs::read(&file).unwrap(), bad, "{what}: and nothing is deleted");
        fs::write(&file, good).unwrap();
    }
    println!("checkpoints: {unchanged} left as they were");
}

#[test]
fn a_forged_checkpoint_never_panics() {
    let (_place, run) = copy();
    let path = run.join("checkpoints/step-00000002");
    let good = contents(&run);
    let (mut resumed, mut refused) = (0, 0);
    for index in 0..count("METADRIFT_MUTATIONS", 300) {
        let mut rng = random(4, index);
        let file = path.join(FILES[below(&mut rng, 2)]);
        let bytes = fs::read(&file).unwrap();
        // half of the forgeries replace digits by 9: a well-formed file with other numbers
        let bad = match (below(&mut rng, 2), std::str::from_utf8(&bytes)) {
            (0, Ok(text)) => {
                let digit = |c: char| if c.is_ascii_digit() && below(&mut rng, 9) == 0 { '9' } else { c };
                text.chars().map(digit).collect::<String>().into_bytes()
            }
            _ => damaged(&bytes, &mut rng),
        };
        fs::write(&file, bad).unwrap();
        reseal(&path, |_| ());
        match std::panic::catch_unwind(|| resume(&run)) {
            Err(_) => panic!("forgery {index} of {}: panic", file.display()),
            Ok(Ok(_)) => resumed += 1,
            Ok(Err(_)) => refused += 1,
        }
        fs::remove_dir_all(&run).unwrap();
        good.iter().for_each(|(name, bytes)| {
            fs::create_dir_all(run.join(name).parent().unwrap()).unwrap();
            fs::write(run.join(name), bytes).unwrap();
        });
    }
    println!("forged checkpoints: {resumed} resumed, {refused} refused, 0 panics");
    assert!(resumed > 0, "{resumed} resumed, {refused} refused");
}
