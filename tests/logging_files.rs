//! metrics.csv, metrics.jsonl and timing.csv: their form, and equal bytes after a resume wherever the run was cut.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
    sync::{Arc, Mutex},
};

use metadrift::logging::{At, CsvFile, JsonLinesFile, Logger, Outcome, Sink, Start, XAxis};

const DETERMINISTIC: [&str; 2] = ["metrics.csv", "metrics.jsonl"];

type Messages = Arc<Mutex<Vec<String>>>;

fn open(dir: &Path, resumed: Option<u64>) -> (Logger, Messages) {
    let messages = Messages::default();
    let heard = messages.clone();
    let report = move |message: &str| heard.lock().unwrap().push(message.to_owned());
    let logger = Logger::open(dir, &dir.join("tb"), resumed.map(At::iteration), XAxis::Iteration, false, report);
    (logger, messages)
}

/// Values that are a function of the iteration, awkward ones among them; the timing differs from call to call.
fn log(logger: &mut Logger, iterations: std::ops::RangeInclusive<u64>, pace: f64) {
    for iteration in iterations {
        let x = iteration as f64;
        let kl = if iteration % 3 == 0 { f64::NAN } else { 1e-9 / x };
        let metrics = [("return/pre", (x * 0.1).sin() * 1e17), ("return/post", -0.0 * x), ("kl/meta", kl)];
        logger.log(
            At::iteration(iteration),
            &metrics,
            &[("time/rollout_s", pace * x), ("steps_per_second", 1.0 / pace)],
        );
    }
}

fn run(dir: &Path, n: u64) {
    let (mut logger, messages) = open(dir, None);
    log(&mut logger, 1..=n, 0.5);
    logger.finish(Outcome::Finished);
    assert_eq!((logger.dropped(), messages.lock().unwrap().as_slice()), (0, &[] as &[String]));
}

#[test]
fn the_files_read_as_promised() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), 3);
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    let csv = read("metrics.csv");
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "iteration,return/pre,return/post,kl/meta");
    assert_eq!(lines[1], "1,9983341664682816.0,-0.0,1e-9");
    assert!(lines[3].starts_with("3,") && lines[3].ends_with(",-0.0,NaN"), "{}", lines[3]);
    assert_eq!(lines.len(), 4);
    let jsonl = read("metrics.jsonl");
    assert_eq!(
        jsonl.lines().next().unwrap(),
        r#"{"iteration":1,"return/pre":9983341664682816.0,"return/post":-0.0,"kl/meta":1e-9}"#
    );
    assert!(jsonl.lines().nth(2).unwrap().ends_with(r#""kl/meta":null}"#));
    assert_eq!(read("timing.csv"), "iteration,time/rollout_s,steps_per_second\n1,0.5,2.0\n2,1.0,2.0\n3,1.5,2.0\n");
}

#[test]
fn numbers_read_back_to_the_bit() {
    let dir = tempfile::tempdir().unwrap();
    let values = [0.1 + 0.2, f64::MIN_POSITIVE, 5e-324, f64::MAX, -1.0 / 3.0, 2.0_f64.powi(60) + 256.0];
    let tags = ["a", "b", "c", "d", "e", "f"];
    let row: Vec<(&str, f64)> = tags.into_iter().zip(values).collect();
    let mut csv = CsvFile::new(dir.path().join("m.csv"), Start::New);
    let mut jsonl = JsonLinesFile::new(dir.path().join("m.jsonl"), Start::New);
    csv.scalars(1, 0.0, &row).unwrap();
    jsonl.scalars(1, 0.0, &row).unwrap();
    let table = fs::read_to_string(dir.path().join("m.csv")).unwrap();
    let cells = table.lines().nth(1).unwrap().split(',').skip(1).map(|cell| cell.parse::<f64>().unwrap());
    let object: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(dir.path().join("m.jsonl")).unwrap()).unwrap();
    for ((cell, tag), value) in cells.zip(tags).zip(values) {
        assert_eq!(cell.to_bits(), value.to_bits());
        assert_eq!(object[tag].as_f64().unwrap().to_bits(), value.to_bits());
    }
}

/// A resumed file has the bytes of an uninterrupted one, for every cut k and every number of bytes of the next rows
/// that the killed run still wrote.
#[test]
fn a_resumed_run_has_the_bytes_of_an_uninterrupted_one() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    fs::create_dir(&whole).unwrap();
    run(&whole, 6);
    let want = DETERMINISTIC.map(|name| fs::read(whole.join(name)).unwrap());
    let mut cuts = 0;
    for k in 0..=6 {
        let resumed = dir.path().join(format!("resumed-{k}"));
        let at_k = line_ends(&want[0])[k as usize]; // behind the header and k rows
        for cut in (at_k..=want[0].len()).step_by(7).chain([want[0].len()]) {
            fs::create_dir_all(&resumed).unwrap();
            let share = (cut - at_k) as f64 / (want[0].len() - at_k).max(1) as f64;
            fs::write(resumed.join("metrics.csv"), &want[0][..cut]).unwrap();
            let json_at_k = if k == 0 { 0 } else { line_ends(&want[1])[k as usize - 1] };
            let json_cut = json_at_k + ((want[1].len() - json_at_k) as f64 * share) as usize;
            fs::write(resumed.join("metrics.jsonl"), &want[1][..json_cut]).unwrap();
            let (mut logger, messages) = open(&resumed, Some(k));
            log(&mut logger, k + 1..=6, 0.7);
            logger.finish(Outcome::Finished);
            for (name, want) in DETERMINISTIC.iter().zip(&want) {
                let got = fs::read(resumed.join(name)).unwrap();
                let text = String::from_utf8_lossy(&got);
                assert!(got == *want, "{name} differs after a cut at byte {cut} and a resume at {k}:\n{text}");
            }
            assert_eq!(messages.lock().unwrap().as_slice(), &[] as &[String]);
            fs::remove_dir_all(&resumed).unwrap();
            cuts += 1;
        }
    }
    assert!(cuts > 50, "{cuts}");
}

fn line_ends(bytes: &[u8]) -> Vec<usize> {
    (0..bytes.len()).filter(|at| bytes[*at] == b'\n').map(|at| at + 1).collect()
}

#[test]
fn a_new_run_begins_new_files() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("metrics.csv"), "something else\n1\n").unwrap();
    run(dir.path(), 1);
    assert!(fs::read_to_string(dir.path().join("metrics.csv")).unwrap().starts_with("iteration,return/pre"));
}

#[test]
fn a_damaged_line_is_named_and_nothing_behind_it_thrown_away() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), 6);
    for (name, damaged_line) in [("metrics.csv", 4), ("metrics.jsonl", 3)] {
        let path = dir.path().join(name);
        let good = fs::read_to_string(&path).unwrap();
        let mut lines: Vec<&str> = good.lines().collect();
        lines[damaged_line - 1] = "\u{1}\u{2}";
        let bad = lines.join("\n") + "\n";
        fs::write(&path, &bad).unwrap();
        let (mut logger, messages) = open(dir.path(), Some(5));
        log(&mut logger, 6..=6, 0.5);
        assert_eq!(fs::read_to_string(&path).unwrap(), bad, "{name} was changed");
        let messages = messages.lock().unwrap();
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert!(messages[0].contains(&format!("line {damaged_line} is damaged")), "{messages:?}");
        assert_eq!(logger.dropped(), 3);
        fs::write(&path, good).unwrap();
    }
}

#[test]
fn later_tags_and_missing_tags_keep_the_table_straight() {
    let dir = tempfile::tempdir().unwrap();
    let (mut logger, messages) = open(dir.path(), None);
    logger.log(At::iteration(1), &[("a", 1.0), ("b,\"c", 2.0)], &[]);
    logger.log(At::iteration(2), &[("b,\"c", 3.0)], &[]);
    logger.log(At::iteration(3), &[("new", 9.0), ("a", 4.0)], &[]);
    logger.log(At::iteration(4), &[("new", 9.0)], &[]);
    let csv = fs::read_to_string(dir.path().join("metrics.csv")).unwrap();
    assert_eq!(csv, "iteration,a,\"b,\"\"c\"\n1,1.0,2.0\n2,,3.0\n3,4.0,\n4,,\n");
    assert_eq!(logger.dropped(), 2);
    assert_eq!(messages.lock().unwrap().len(), 1, "reported once: {messages:?}");
    drop(logger);
    let (mut logger, _) = open(dir.path(), Some(3));
    logger.log(At::iteration(4), &[("b,\"c", 7.0)], &[]);
    let csv = fs::read_to_string(dir.path().join("metrics.csv")).unwrap();
    assert!(csv.ends_with("3,4.0,\n4,,7.0\n"), "the columns survive a resume: {csv}");
    let last = fs::read_to_string(dir.path().join("metrics.jsonl")).unwrap();
    assert!(last.contains(r#"{"iteration":3,"new":9.0,"a":4.0}"#), "JSON lines take any tag: {last}");
}

#[test]
fn a_missing_directory_stops_nothing_and_heals() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = dir.path().join("not yet");
    let (mut logger, messages) = open(&run_dir, None);
    log(&mut logger, 1..=4, 0.5);
    // a run folder that was moved away must not come back: every sink waits for it
    assert!(!run_dir.exists());
    let lost = 4 * (3 + 3 + 2 + 5);
    assert_eq!((messages.lock().unwrap().len(), logger.dropped()), (4, lost), "one report for each of four sinks");
    fs::create_dir(&run_dir).unwrap();
    log(&mut logger, 5..=6, 0.5);
    let reports = messages.lock().unwrap();
    assert_eq!(reports.iter().filter(|report| report.contains("cannot log")).count(), 4, "{reports:?}");
    assert_eq!(reports.iter().filter(|report| report.contains("works again")).count(), 4, "{reports:?}");
    assert_eq!(logger.dropped(), lost, "nothing more is lost");
    drop(reports);
    drop(logger);
    let blocked = dir.path().join("blocked");
    fs::write(&blocked, "a file where the folder should be").unwrap();
    let (mut logger, messages) = open(&blocked, None);
    log(&mut logger, 1..=4, 0.5);
    assert_eq!(messages.lock().unwrap().len(), 4, "one report for each of four sinks: {messages:?}");
    assert_eq!(logger.dropped(), 4 * (3 + 3 + 2 + 5));
    fs::remove_file(&blocked).unwrap();
    fs::create_dir(&blocked).unwrap();
    log(&mut logger, 5..=6, 0.5);
    assert_eq!(logger.dropped(), 4 * (3 + 3 + 2 + 5), "nothing more is lost");
    assert_eq!(fs::read_to_string(blocked.join("metrics.csv")).unwrap().lines().count(), 3);
}

#[test]
fn a_device_that_is_always_full_is_an_error_not_a_panic() {
    if !Path::new("/dev/full").exists() {
        println!("skipped: no /dev/full here");
        return;
    }
    assert!(OpenOptions::new().write(true).open("/dev/full").unwrap().write(b"x").is_err());
    let mut csv = CsvFile::new("/dev/full", Start::New);
    let mut jsonl = JsonLinesFile::new("/dev/full", Start::New);
    for step in 1..4 {
        assert!(csv.scalars(step, 0.0, &[("a", 1.0)]).is_err());
        assert!(jsonl.scalars(step, 0.0, &[("a", 1.0)]).is_err());
    }
}
