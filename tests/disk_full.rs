//! A full disk: saving a checkpoint returns a typed error and leaves the earlier ones alone; logging continues without
//! losing whole rows.
//!
//! A limit on the size of files stands in for the full disk: it holds for the whole process, so the cases are one test.
#![cfg(target_os = "linux")]

mod event_file;

use std::{fs, path::Path};

use metadrift::{
    checkpoint::{Checkpoint, load, newest, save},
    logging::{At, Logger, Outcome, XAxis},
};
use serde_json::json;

/// Limits how long a file can get (B); none lifts the limit. Going beyond is then an error (EFBIG), not a signal.
fn limit_files(bytes: Option<u64>) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: plain system calls on a valid struct; ignoring SIGXFSZ installs no handler.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        assert_eq!(libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit), 0);
        limit.rlim_cur = bytes.unwrap_or(limit.rlim_max);
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &limit), 0);
    }
}

#[test]
fn no_space_is_an_error_and_never_a_loss() {
    checkpoints_survive();
    metrics_survive();
}

fn checkpoints_survive() {
    // the largest file is the tensors, the state or the manifest, in turn
    let values = |n: usize| (0..n).map(|i| i as f32).collect::<Vec<f32>>();
    let shapes = [(values(3_000), json!({})), (values(1), json!("x".repeat(9_000))), (values(1), json!({}))];
    for (values, state) in shapes {
        let dir = tempfile::tempdir().unwrap();
        let sample = |step| Checkpoint { step, tensors: vec![("a".into(), values.clone())], state: state.clone() };
        let old = [1, 2].map(|step| save(dir.path(), &sample(step)).unwrap());
        let largest = fs::read_dir(&old[0]).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).max().unwrap();
        let mut refused = 0;
        let step = largest as usize / 40 + 1;
        for limit in (0..largest).step_by(step).chain([largest - 1]) {
            limit_files(Some(limit));
            let result = save(dir.path(), &sample(3));
            let other = Checkpoint { tensors: vec![("b".into(), values.clone())], ..sample(2) };
            let replaced = save(dir.path(), &other);
            limit_files(None);
            for result in [result, replaced] {
                assert!(result.is_err_and(|error| error.is_disk_full()), "limit {limit}: not refused as a full disk");
            }
            let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(names.len(), 2, "limit {limit}: something is left behind: {names:?}");
            assert_eq!((load(&old[0]).unwrap(), load(&old[1]).unwrap()), (sample(1), sample(2)), "limit {limit}");
            refused += 1;
        }
        assert!(refused >= 30, "{refused}");
        save(dir.path(), &sample(3)).unwrap();
        assert_eq!(newest(dir.path()).unwrap().0, sample(3), "and with space again it goes on");
    }
}

fn metrics_survive() {
    let dir = tempfile::tempdir().unwrap();
    let mut logger = Logger::open(dir.path(), &dir.path().join("tb"), None, XAxis::Iteration, false, |_: &str| {});
    let log = |logger: &mut Logger, iteration: u64| {
        logger.log(
            At::iteration(iteration),
            &[("return/pre", iteration as f64), ("return/post", 0.5)],
            &[("time/rollout_s", 0.1)],
        );
    };
    (1..=50).for_each(|iteration| log(&mut logger, iteration));
    assert_eq!(logger.dropped(), 0);
    let full = fs::metadata(dir.path().join("metrics.csv")).unwrap().len() + 7;
    limit_files(Some(full)); // the next row of any file does not fit, but half of it does
    (51..=60).for_each(|iteration| log(&mut logger, iteration));
    limit_files(None);
    let lost = logger.dropped();
    assert!(lost >= 10 * 2 * 2, "{lost}");
    (61..=70).for_each(|iteration| log(&mut logger, iteration));
    logger.finish(Outcome::Finished);
    assert_eq!(logger.dropped(), lost, "with space again nothing more is lost");
    rows_are_whole(dir.path());
    let files = event_file::files(&dir.path().join("tb"));
    assert!(files.len() >= 2, "after a write error the event files go on in a new one");
    let steps: Vec<u64> = files
        .iter()
        .flat_map(|file| event_file::events(file)) // panics on a torn record
        .flat_map(|event| event_file::scalars(&event))
        .filter(|(_, tag, _)| tag == "return/pre")
        .map(|(step, _, _)| step)
        .collect();
    assert!(steps.is_sorted() && steps.starts_with(&[1, 2, 3]) && steps.ends_with(&[69, 70]), "{steps:?}");
}

fn rows_are_whole(dir: &Path) {
    let csv = fs::read_to_string(dir.join("metrics.csv")).unwrap();
    let rows: Vec<u64> = csv.lines().skip(1).map(|row| row.split(',').next().unwrap().parse().unwrap()).collect();
    assert_eq!(rows, (1..=50).chain(61..=70).collect::<Vec<_>>());
    assert!(csv.lines().all(|row| row.split(',').count() == 3));
    let jsonl = fs::read_to_string(dir.join("metrics.jsonl")).unwrap();
    let rows = jsonl.lines().map(|row| serde_json::from_str::<serde_json::Value>(row).unwrap());
    assert!(rows.count() >= 50);
}
