//! Event files, read back by an independent parser and, if it is installed, by TensorBoard itself.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    command::Place,
    event_file::{Message, events, files, scalars},
};
use metadrift::logging::{At, Feed, Hparam, Logger, Outcome, Sink, Start, TensorBoard, XAxis};

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn hparams() -> Vec<(String, Hparam)> {
    vec![
        ("inner_lr".into(), Hparam::Number(0.05)),
        ("preset".into(), Hparam::Text("cartpole-shift".into())),
        ("second_order".into(), Hparam::Bool(true)),
    ]
}

#[test]
fn distributions_and_charts_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let tb = dir.path().join("tb");
    let mut logger = Logger::open(dir.path(), &tb, None, XAxis::Iteration, true, |_: &str| ());
    let returns = (0..90).map(f64::from).collect::<Vec<f64>>();
    logger.evaluation(At::iteration(5), &[("eval/ood/return_k1", 2.0)], &[("eval/ood/returns_k1".into(), returns)]);
    logger.finish(Outcome::Finished);
    let events = events(&files(&tb)[0]);
    let layout = events[1].at(&[5, 1]).unwrap();
    assert_eq!((layout.text(1), plugin(&layout).0), ("custom_scalars__config__".into(), "custom_scalars".into()));
    // tensor, its string, category, chart
    let chart = layout.at(&[8, 8, 2, 2]).unwrap();
    assert_eq!(
        (chart.text(1), chart.at(&[2]).unwrap().text(1)),
        ("return before and after adaptation".into(), "^return$".into())
    );
    let found = events[3].at(&[5, 1]).unwrap();
    assert_eq!((found.text(1), plugin(&found).0), ("eval/ood/returns_k1".into(), "histograms".into()));
    let tensor = found.at(&[8]).unwrap();
    assert_eq!((events[3].int(2), tensor.int(1)), (5, 2), "DT_DOUBLE at step 5");
}

#[test]
fn a_training_ends_with_its_evaluation_and_a_film() {
    let place = Place::new();
    place.expect(0, "train tiny.toml --run-dir run -q");
    let found = fs::read(place.path("run/eval/in-dist.json")).unwrap();
    let found: serde_json::Value = serde_json::from_slice(&found).unwrap();
    let all: Vec<Message> = files(&place.path("run/tb")).iter().flat_map(|file| events(file)).collect();
    let points: Vec<(u64, String, f32)> = all.iter().flat_map(scalars).collect();
    let mean = found["curve"][1]["deterministic"]["mean"].as_f64().unwrap() as f32;
    assert!(points.contains(&(6, "final/in-dist/return_k1".into(), mean)), "{points:?}");
    let value = |tag: &str| all.iter().find(|event| event.at(&[5, 1]).is_some_and(|it| it.text(1) == tag)).unwrap();
    let text = value("evaluation").at(&[5, 1, 8]).unwrap().text(8);
    assert!(text.contains(&format!("returns {mean:.1} [")) && text.contains("| steps | mean |"), "{text}");
    let film = value("replay of the worst task");
    let image = film.at(&[5, 1, 4]).unwrap();
    assert_eq!((film.int(2), image.int(1), image.int(2), image.int(3)), (6, 300, 800, 3), "step, height, width, RGB");
    assert!(image.bytes(4).unwrap().starts_with(b"GIF89a"));
}

#[test]
fn every_kind_of_event_reads_back() {
    let dir = tempfile::tempdir().unwrap();
    let before = now();
    let mut logger = Logger::new();
    logger.add(Feed::Both, TensorBoard::new(dir.path().join("tb"), Start::New));
    logger.text("config", "| key | value |\n|---|---|\n| größe | 3 |");
    logger.hparams(&hparams());
    logger.log(At::iteration(1), &[("return/pre", 9.5), ("return/post", f64::NAN)], &[("time/rollout_s", 0.25)]);
    logger.log(At::iteration(1 << 40), &[("return/pre", -1e300)], &[]);
    logger.finish(Outcome::Finished);
    assert_eq!(logger.dropped(), 0);

    let files = files(&dir.path().join("tb"));
    assert_eq!(files.len(), 1);
    let name = files[0].file_name().unwrap().to_str().unwrap().to_owned();
    let parts: Vec<&str> = name.split('.').collect();
    assert_eq!(parts[..3], ["events", "out", "tfevents"], "{name}");
    assert!(parts[3].len() == 10 && parts[5] == std::process::id().to_string() && parts[6] == "0", "{name}");

    let events = events(&files[0]);
    assert_eq!(events[0].text(3), "brain.Event:2", "the version comes first");
    assert!(events.iter().all(|event| (before..=now()).contains(&event.double(1))), "wall times");
    assert!(events.iter().all(|event| event.at(&[7]).is_none()), "a new run begins without a mark");
    let got: Vec<_> = events.iter().flat_map(scalars).collect();
    assert_eq!(got.len(), 4);
    assert_eq!((got[0].0, got[0].1.as_str(), got[0].2), (1, "return/pre", 9.5));
    assert!(got[1].2.is_nan() && got[2].1 == "time/rollout_s");
    assert_eq!((got[3].0, got[3].2), (1 << 40, f32::NEG_INFINITY), "beyond f32");

    let text = events[1].at(&[5, 1]).unwrap();
    assert_eq!((text.text(1), plugin(&text).0), ("config".into(), "text".into()));
    let tensor = text.at(&[8]).unwrap();
    assert_eq!(tensor.int(1), 7, "DT_STRING");
    assert!(tensor.text(8).ends_with("| größe | 3 |"));

    let session = events[2].at(&[5, 1]).unwrap();
    assert_eq!((session.text(1), plugin(&session).0), ("_hparams_/session_start_info".into(), "hparams".into()));
    let mut settings: Vec<(String, Message)> =
        plugin(&session).1.at(&[3]).unwrap().messages(1).iter().map(|e| (e.text(1), e.at(&[2]).unwrap())).collect();
    settings.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!((settings[0].0.as_str(), settings[0].1.double(2)), ("inner_lr", 0.05));
    assert_eq!((settings[1].0.as_str(), settings[1].1.text(3)), ("preset", "cartpole-shift".into()));
    assert_eq!((settings[2].0.as_str(), settings[2].1.int(4)), ("second_order", 1));
    let end = events.last().unwrap().at(&[5, 1]).unwrap();
    assert_eq!(plugin(&end).1.at(&[4]).unwrap().int(1), 1, "STATUS_SUCCESS");
}

/// Name and content of the plugin data of a summary value.
fn plugin(value: &Message) -> (String, Message) {
    let data = value.at(&[9, 1]).unwrap();
    (data.text(1), Message::parse(data.bytes(2).unwrap_or_default()))
}

#[test]
fn every_iteration_is_in_the_file_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = TensorBoard::new(dir.path(), Start::New);
    for step in 1..=20 {
        sink.scalars(step, now(), &[("a", step as f64), ("b", 0.0)]).unwrap();
        let seen: Vec<_> = events(&files(dir.path())[0]).iter().flat_map(scalars).collect();
        assert_eq!(seen.len(), 2 * step as usize, "whole records without a flush");
    }
    std::mem::forget(sink); // as if killed
    assert_eq!(events(&files(dir.path())[0]).len(), 21);
}

#[test]
fn writers_in_one_directory_keep_apart_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut names = Vec::new();
    for writer in 0..12 {
        let mut sink = TensorBoard::new(dir.path(), Start::New);
        sink.scalars(writer, now(), &[("writer", writer as f64)]).unwrap();
        names.push(files(dir.path()).last().unwrap().clone());
    }
    let sorted = files(dir.path());
    assert_eq!(sorted, names, "the order of the names is the order of the files");
    // many at once
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for writer in 0..16_u64 {
            let path = dir.path();
            scope.spawn(move || {
                let mut sink = TensorBoard::new(path, Start::New);
                for step in 0..10 {
                    sink.scalars(step, now(), &[("writer", writer as f64)]).unwrap();
                }
            });
        }
    });
    let mut seen = [0; 16];
    let files = files(dir.path());
    assert_eq!(files.len(), 16, "no writer took another one's file");
    for file in files {
        events(&file).iter().flat_map(scalars).for_each(|(_, _, writer)| seen[writer as usize] += 1);
    }
    assert_eq!(seen, [10; 16]);
}

#[test]
fn after_a_resume_every_step_is_there_once_in_one_file() {
    let dir = tempfile::tempdir().unwrap();
    interrupted(dir.path());
    let files = files(dir.path());
    assert_eq!(files.len(), 1);
    let all = events(&files[0]);
    assert_eq!(all[0].text(3), "brain.Event:2");
    assert_eq!((all[1].int(2), all[1].at(&[7]).unwrap().int(1)), (0, 1), "SessionLog START at step 0");
    let steps: Vec<u64> =
        all.iter().flat_map(scalars).filter(|point| point.1 == "return/post").map(|point| point.0).collect();
    assert_eq!(steps, (1..=80).collect::<Vec<_>>());
    // the process died between renaming the new file and deleting the old one
    let copy = files[0].with_file_name("events.out.tfevents.0000000001.host.1.0");
    fs::copy(&files[0], copy).unwrap();
    TensorBoard::new(dir.path(), Start::After(60)).flush().unwrap();
    let left = self::files(dir.path());
    let steps: Vec<u64> = events(&left[0]).iter().flat_map(scalars).map(|point| point.0).collect();
    assert_eq!((left.len(), steps.iter().filter(|step| **step > 50).count()), (1, 10));
}

/// Logs 70 iterations, of which the last 20 are lost, then 51 to 80 with other values.
fn interrupted(dir: &Path) {
    let mut sink = TensorBoard::new(dir, Start::New);
    sink.text("config", "first").unwrap();
    sink.hparams(&hparams()).unwrap();
    for step in 1..=70 {
        sink.scalars(step, now(), &[("return/post", step as f64), ("only/old", 0.0)]).unwrap();
    }
    sink.end(Outcome::Interrupted).unwrap();
    let mut sink = TensorBoard::new(dir, Start::After(50));
    for step in 51..=80 {
        sink.scalars(step, now(), &[("return/post", 1_000.0 + step as f64)]).unwrap();
    }
    sink.end(Outcome::Finished).unwrap();
    sink.flush().unwrap();
}

/// The events that TensorBoard's own reader finds in a directory; none if it is not installed.
fn tensorboard_reads(dir: &Path) -> Option<serde_json::Value> {
    let python = std::env::var("METADRIFT_PYTHON").unwrap_or_else(|_| "python3".into());
    let has = Command::new(&python).args(["-c", "import tensorboard"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        println!("skipped: `{python}` has no tensorboard; set METADRIFT_PYTHON to an interpreter that has it");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/read_events.py");
    let output = Command::new(&python).arg(script).arg(dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn tensorboard_itself_sees_scalars_text_hparams_and_the_resume() {
    let dir = tempfile::tempdir().unwrap();
    interrupted(dir.path());
    let Some(seen) = tensorboard_reads(dir.path()) else { return };
    let points: Vec<(u64, f64)> = serde_json::from_value(seen["scalars"]["return/post"].clone()).unwrap();
    let value = |step: u64| if step <= 50 { step as f64 } else { 1_000.0 + step as f64 };
    assert_eq!(points, (1..=80).map(|step| (step, value(step))).collect::<Vec<_>>());
    assert_eq!(seen["scalars"]["only/old"].as_array().unwrap().len(), 50, "the lost points are purged");
    assert_eq!(seen["text"], serde_json::json!({"config": ["first"]}));
    let hparams = serde_json::json!({"inner_lr": 0.05, "preset": "cartpole-shift", "second_order": true});
    assert_eq!((&seen["hparams"], &seen["status"]), (&hparams, &serde_json::json!(1)));
}

#[test]
fn tensorboard_itself_reads_on_behind_a_torn_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = TensorBoard::new(dir.path(), Start::New);
    for step in 1..=10 {
        sink.scalars(step, now(), &[("a", 1.0)]).unwrap();
    }
    let first = files(dir.path())[0].clone();
    let bytes = fs::read(&first).unwrap();
    fs::write(&first, &bytes[..bytes.len() - 5]).unwrap();
    let mut sink = TensorBoard::new(dir.path(), Start::After(9));
    for step in 10..=12 {
        sink.scalars(step, now(), &[("a", 2.0)]).unwrap();
    }
    let Some(seen) = tensorboard_reads(dir.path()) else { return };
    let points: Vec<(u64, f64)> = serde_json::from_value(seen["scalars"]["a"].clone()).unwrap();
    assert_eq!(points, (1..=12).map(|step| (step, if step < 10 { 1.0 } else { 2.0 })).collect::<Vec<_>>());
}
