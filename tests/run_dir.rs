//! Run folders: places, refusals, and the lock.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use metadrift::run_dir::{Manifest, Place, RunDir, RunDirError, RunState, write_atomic};

const DIR: &str = "METADRIFT_LOCK_DIR";

fn fresh(runs: &Path, preset: &str, seed: u64) -> Result<RunDir, RunDirError> {
    RunDir::create(runs, preset, &Place::Fresh(Vec::new()), seed)
}

fn create_at(dir: &Path) -> Result<RunDir, RunDirError> {
    RunDir::create(Path::new("nowhere"), "any", &Place::Folder(dir.to_owned()), 1)
}

#[test]
fn a_new_run_gets_its_own_folder_and_latest_points_to_it() {
    let root = tempfile::tempdir().unwrap();
    let runs = root.path().join("runs");
    let made: Vec<RunDir> = (0..40).map(|_| fresh(&runs, "cartpole-shift", 7).unwrap()).collect();
    let names: std::collections::BTreeSet<PathBuf> = made.iter().map(|run| run.path().to_owned()).collect();
    assert_eq!(names.len(), 40, "all in the same minute, all different");
    let run = made.last().unwrap();
    assert_eq!(run.warnings(), &[] as &[String]);
    let name = run.path().file_name().unwrap().to_str().unwrap();
    let shape: String = name.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).take(18).collect();
    assert_eq!(shape, "9999-99-99_9999-s9", "{name}");
    let digits = name.rsplit('-').next().unwrap();
    assert!(digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    for dir in [run.checkpoints(), run.eval()] {
        assert!(dir.is_dir() && dir.starts_with(run.path()));
    }
    let events = fs::canonicalize(&runs).unwrap().join("tb/cartpole-shift").join(name);
    assert_eq!(run.tb(), events, "beside the run: TensorBoard follows `latest`, and would show it twice");
    assert_eq!(run.logdir(), fs::canonicalize(runs.join("tb")).unwrap());
    let files = [run.config(), run.manifest(), run.metrics_csv(), run.metrics_jsonl(), run.timing_csv()];
    let files = files.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
    assert_eq!(files, ["config.toml", "manifest.json", "metrics.csv", "metrics.jsonl", "timing.csv"]);
    let latest = runs.join("cartpole-shift/latest");
    assert_eq!(fs::read_link(&latest).unwrap(), Path::new(name), "relative, so that the folder can be moved");
    assert_eq!(fs::read_dir(runs.join("cartpole-shift")).unwrap().count(), 41, "no temporary link is left");
}

#[test]
fn a_run_can_be_named_once() {
    let root = tempfile::tempdir().unwrap();
    let named = |name: &str| RunDir::create(root.path(), "p", &Place::Named(name.to_owned()), 1);
    let run = named("lr=0.3,s1").unwrap();
    assert!(run.path().ends_with("p/lr=0.3,s1") && run.tb().ends_with("tb/p/lr=0.3,s1"));
    assert_eq!(fs::read_link(root.path().join("p/latest")).unwrap(), Path::new("lr=0.3,s1"));
    assert!(!RunDir::is_run(run.path()));
    fs::write(run.config(), "").unwrap();
    fs::create_dir(run.checkpoints().join("step-00000000")).unwrap();
    assert!(RunDir::is_run(run.path()));
    let path = run.path().to_owned();
    let tb = run.tb().to_owned();
    drop(run);
    assert!(matches!(named("lr=0.3,s1"), Err(RunDirError::NotEmpty { .. })));
    // it finds its event files again, also under another root; alone, it has a folder of its own for them
    assert_eq!(RunDir::open(&path).unwrap().tb(), tb);
    fs::rename(&path, root.path().join("alone")).unwrap();
    let alone = RunDir::open(&root.path().join("alone")).unwrap();
    assert_eq!(alone.tb(), alone.path().join("tb"));
    assert_eq!(alone.logdir(), alone.path());
    // the curves of a run that is gone are not those of a new one
    fs::write(tb.join("events.out.tfevents.1.x"), "").unwrap();
    assert!(matches!(named("lr=0.3,s1"), Err(RunDirError::OldEvents { .. })));
    for name in ["latest", "../x", "", ".x"] {
        assert!(matches!(named(name), Err(RunDirError::BadName { .. })), "{name:?}");
    }
    assert!(matches!(fresh(root.path(), "tb", 1), Err(RunDirError::BadName { .. })));
}

#[test]
fn a_latest_that_cannot_be_made_is_only_a_warning() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("p/latest/in the way")).unwrap();
    let run = fresh(root.path(), "p", 1).unwrap();
    assert!(run.warnings()[0].contains("latest"), "{:?}", run.warnings());
    assert_eq!(fs::read_dir(root.path().join("p")).unwrap().count(), 2, "no temporary link is left");
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let root = tempfile::tempdir().unwrap();
    for preset in ["", ".", "..", "../x", "a/b", ".hidden", "a\0b", "/etc"] {
        let error = fresh(root.path(), preset, 1).unwrap_err();
        assert!(matches!(error, RunDirError::BadName { .. }), "{preset:?}: {error:?}");
    }
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_with_something_in_it_is_refused_with_both_choices() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("here");
    drop(create_at(&dir).unwrap());
    drop(create_at(&dir).expect("a run that ended before its first checkpoint counts as nothing"));
    fs::create_dir(dir.join("checkpoints/step-00000000")).unwrap();
    let error = create_at(&dir).unwrap_err();
    assert!(matches!(error, RunDirError::NotEmpty { .. }));
    let text = error.to_string();
    assert!(
        text.contains(&format!("metadrift resume {}`", dir.display())) && text.contains("another --run-dir"),
        "{text}"
    );
    let mine = root.path().join("mine");
    fs::create_dir(&mine).unwrap();
    fs::write(mine.join("thesis.txt"), "keep").unwrap();
    assert!(matches!(create_at(&mine), Err(RunDirError::NotEmpty { .. })));
    assert_eq!(fs::read_dir(&mine).unwrap().count(), 1, "and left as it was");
    let empty = root.path().join("empty");
    fs::create_dir(&empty).unwrap();
    create_at(&empty).unwrap();
    let file = root.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(create_at(&file), Err(RunDirError::Io { .. })));
}

#[test]
fn only_a_run_can_be_opened() {
    let root = tempfile::tempdir().unwrap();
    assert!(matches!(RunDir::open(root.path()), Err(RunDirError::NotARun { missing: "config.toml", .. })));
    assert!(matches!(RunDir::open(&root.path().join("no")), Err(RunDirError::NotARun { .. })));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "no lock file where there is no run");
    let run = create_at(&root.path().join("r")).unwrap();
    fs::write(run.config(), "").unwrap();
    let path = run.path().to_owned();
    assert!(matches!(RunDir::open(&path), Err(RunDirError::Locked { .. })));
    drop(run);
    RunDir::open(&path).unwrap();
}

/// The process that [`the_lock_ends_with_its_process`] starts and kills; not a test.
#[test]
#[ignore = "run by the test below"]
fn holder() {
    let Some(dir) = std::env::var_os(DIR).map(PathBuf::from) else { return };
    let run = RunDir::open(&dir).unwrap();
    println!("\nheld {}", run.path().display());
    std::thread::sleep(std::time::Duration::from_secs(60));
}

#[test]
fn the_lock_ends_with_its_process() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("r");
    fs::write(create_at(&dir).unwrap().config(), "").unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "run_dir::holder", "--nocapture"])
        .env(DIR, &dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("held ")));
    let error = RunDir::open(&dir).unwrap_err().to_string();
    assert!(error.contains(&format!("(process {})", child.id())) && error.contains("is training in it"), "{error}");
    child.kill().unwrap();
    child.wait().unwrap();
    RunDir::open(&dir).unwrap();
}

#[test]
fn a_manifest_reads_back_in_every_state() {
    let root = tempfile::tempdir().unwrap();
    let mut manifest = Manifest::new("2.11.0", u64::MAX, vec!["metadrift".into(), "train".into(), "ä b".into()]);
    manifest.device = "cuda:0".into();
    manifest.actors = 3;
    let failed = RunState::Failed { message: "meta_params[3] is NaN".into() };
    for state in [RunState::Finished, RunState::Interrupted, failed, RunState::Running] {
        manifest.set_state(state.clone());
        assert_eq!(manifest.finished.is_some(), state != RunState::Running);
        manifest.write(root.path()).unwrap();
        assert_eq!(Manifest::read(root.path()).unwrap(), manifest);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "no temporary file is left");
    }
    let text = fs::read_to_string(root.path().join("manifest.json")).unwrap();
    assert!(text.contains(r#""state": "running""#) && text.contains(r#""libtorch": "2.11.0""#), "{text}");
    let started = &manifest.started;
    assert!(started.len() == 20 && started.ends_with('Z'), "{started}");
    for (bad, expected) in
        [("{", "EOF"), ("{}", "no schema"), (&text.replace("\"schema\": 1", "\"schema\": 0"), "no schema")]
    {
        fs::write(root.path().join("manifest.json"), bad).unwrap();
        let error = Manifest::read(root.path()).unwrap_err();
        assert!(matches!(&error, RunDirError::BadManifest { reason, .. } if reason.contains(expected)), "{error:?}");
    }
    fs::write(root.path().join("manifest.json"), text.replace("\"schema\": 1", "\"schema\": 9")).unwrap();
    let newer = Manifest::read(root.path()).unwrap_err().to_string();
    assert!(newer.contains("newer metadrift") && !newer.contains("damaged"), "{newer}");
    fs::remove_file(root.path().join("manifest.json")).unwrap();
    assert!(matches!(Manifest::read(root.path()), Err(RunDirError::Io { .. })));
}

#[test]
fn an_atomic_write_that_fails_leaves_the_old_file_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a");
    write_atomic(&path, b"one").unwrap();
    write_atomic(&path, b"two").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    let dir = root.path().join("d");
    fs::create_dir_all(dir.join("full")).unwrap();
    assert!(matches!(write_atomic(&dir, b"three"), Err(RunDirError::Io { .. })));
    assert!(write_atomic(&root.path().join("no/such"), b"x").is_err());
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2, "no temporary file is left");
}
