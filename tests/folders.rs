//! Run folders that came from elsewhere, move, or cannot be read for a moment; and the provenance of a run.

use std::{fs, os::unix::fs::symlink, path::Path};

use crate::command::Place;
use metadrift::{
    checkpoint::{Checkpoint, CheckpointError, Which, choose, prune, save, steps},
    logging::{CsvFile, Sink, Start},
};
use serde_json::{Value, json};

fn manifest(run: &Path) -> Value {
    serde_json::from_slice(&fs::read(run.join("manifest.json")).unwrap()).unwrap()
}

#[test]
fn links_in_a_run_folder_lead_nowhere() {
    let place = Place::new();
    for name in ["checkpoints", "tb", "eval", "config.toml", "manifest.json", "metrics.csv", "timing.csv", ".lock"] {
        let run = format!("run-{name}");
        place.expect(0, &format!("train tiny.toml -q --no-evaluate --iterations 2 --run-dir {run}"));
        let there = place.path(&run).join(name);
        let elsewhere = place.path(&format!("elsewhere-{name}"));
        fs::rename(&there, &elsewhere).unwrap();
        symlink(&elsewhere, &there).unwrap();
        let before = tree(&elsewhere);
        for command in ["resume RUN -q --iterations 4", "evaluate RUN --tasks 2 --episodes 2"] {
            if name == ".lock" && command.starts_with("evaluate") {
                continue; // reading takes no lock
            }
            let told = place.expect(4, &command.replace("RUN", &run));
            assert!(told.contains(name) && told.contains("has no links in it"), "{told}");
        }
        assert_eq!(tree(&elsewhere), before, "{name}");
    }
}

/// All files below a folder, with their bytes.
fn tree(path: &Path) -> Vec<(String, Vec<u8>)> {
    if path.is_file() {
        return vec![(path.display().to_string(), fs::read(path).unwrap())];
    }
    let mut all: Vec<_> = fs::read_dir(path).unwrap().flat_map(|entry| tree(&entry.unwrap().path())).collect();
    all.sort();
    all
}

#[test]
fn a_header_that_is_damaged_for_a_moment_costs_no_later_row() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("m.csv");
    let mut csv = CsvFile::new(&path, Start::New);
    csv.scalars(1, 0.0, &[("a", 1.0), ("b", 2.0)]).unwrap();
    drop(csv);
    let whole = fs::read(&path).unwrap();
    let mut csv = CsvFile::new(&path, Start::After(1));
    fs::write(&path, "1,1.0,2.0\n").unwrap();
    assert!(csv.flush().is_err());
    fs::write(&path, &whole).unwrap();
    assert_eq!(csv.scalars(2, 0.0, &[("a", 3.0), ("b", 4.0)]).unwrap(), 0, "every value has its column");
    assert_eq!(fs::read_to_string(&path).unwrap(), "iteration,a,b\n1,1.0,2.0\n2,3.0,4.0\n");
    let link = place.path().join("link.csv");
    symlink(&path, &link).unwrap();
    assert!(CsvFile::new(&link, Start::New).flush().is_err());
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3, "what a link points at stays");
}

#[test]
fn the_manifest_says_what_made_the_run() {
    let place = Place::new();
    place.expect(0, "train tiny.toml -q --no-evaluate --iterations 2 --run-dir a");
    place.expect(0, "train tiny.toml -q --no-evaluate --iterations 2 --run-dir b --actors 1");
    place.expect(0, "train tiny.toml -q --no-evaluate --iterations 2 --run-dir c --seed 1");
    let [a, b, c] = ["a", "b", "c"].map(|run| manifest(&place.path(run)));
    assert!(a["build"]["rustc"].as_str().unwrap().starts_with("rustc 1."), "{a}");
    let commit = &a["build"]["commit"];
    assert!(commit.is_null() || commit.as_str().unwrap().len() >= 40, "{a}");
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = a["machine"]["processor"].as_str().unwrap();
    assert!(!processor.is_empty() && (cpus.contains(processor) || !cpus.contains("model name")), "{a}");
    assert!(["avx512", "avx2", "portable"].contains(&a["machine"]["instructions"].as_str().unwrap()), "{a}");
    assert_eq!(a["tasks"].as_object().unwrap().len(), 3, "one digest per split: {a}");
    assert_eq!(a["tasks"], b["tasks"], "the same tasks for any number of actors");
    assert_ne!(a["tasks"]["train"], c["tasks"]["train"], "other tasks for another seed");
    assert!(a.get("threads").is_none());
    let trained = a["seconds"].as_f64().unwrap();
    assert!(trained > 0.0);
    place.expect(0, "resume a -q --iterations 4");
    assert!(manifest(&place.path("a"))["seconds"].as_f64().unwrap() > trained, "resumes add up");
    // a manifest of an older version has none of these
    let mut old = manifest(&place.path("a"));
    for key in ["build", "machine", "tasks", "seconds"] {
        old.as_object_mut().unwrap().remove(key);
    }
    old["threads"] = json!(1);
    fs::write(place.path("a/manifest.json"), old.to_string()).unwrap();
    place.expect(0, "resume a -q --iterations 5");
    // a newer manifest is named as such and left alone
    old["schema"] = json!(2);
    fs::write(place.path("a/manifest.json"), old.to_string()).unwrap();
    for command in ["resume a -q --iterations 6", "evaluate a --tasks 2 --episodes 2"] {
        let told = place.expect(4, command);
        assert!(told.contains("newer metadrift") && !told.contains("delete"), "{told}");
    }
    assert_eq!(manifest(&place.path("a")), old);
}

#[test]
fn a_changed_configuration_is_told_once() {
    let place = Place::new();
    place.expect(0, "train tiny.toml -q --no-evaluate --iterations 2 --run-dir a");
    let path = place.path("a/config.toml");
    let text = fs::read_to_string(&path).unwrap().replace("low = 0.7", "low = 0.1");
    assert!(text.contains("low = 0.1"));
    for command in ["evaluate a --tasks 2 --episodes 2", "resume a -q --iterations 3"] {
        fs::write(&path, &text).unwrap();
        assert_eq!(place.expect(0, command).matches("was changed after").count(), 1, "{command}");
    }
    let told = place.expect(0, "evaluate a --tasks 2 --episodes 2");
    assert!(!told.contains("was changed after"), "the resumed run goes on with it: {told}");
}

#[test]
fn last_best_and_any_step_can_be_chosen() {
    let dir = tempfile::tempdir().unwrap();
    let of = |step: u64, state| Checkpoint { step, tensors: vec![("a".into(), vec![step as f32])], state };
    let chosen = |which: &str| choose(dir.path(), which.parse::<Which>().unwrap()).map(|(found, _)| found.step);
    for step in [10, 20] {
        save(dir.path(), &of(step, json!({}))).unwrap();
    }
    assert!(matches!(chosen("best"), Err(CheckpointError::NoBest { .. })));
    save(dir.path(), &of(30, json!({"best": {"step": 10, "return": 1.5}}))).unwrap();
    assert_eq!([chosen("last").unwrap(), chosen("best").unwrap(), chosen("20").unwrap()], [30, 10, 20]);
    let error = chosen("25").unwrap_err().to_string();
    assert!(error.contains("25") && error.contains("[10, 20, 30]"), "{error}");
    assert!(["", "first", "-1", "1.5"].iter().all(|text| text.parse::<Which>().is_err()));
    prune(dir.path(), 1, 30, Some(10)).unwrap();
    assert_eq!(steps(dir.path()).unwrap().iter().map(|(step, _)| *step).collect::<Vec<_>>(), [10, 30]);
    assert_eq!(chosen("best").unwrap(), 10);
}

#[test]
fn an_evaluation_through_a_link_is_stored_with_the_run_it_read() {
    let place = Place::new();
    place.expect(0, "train tiny.toml -q --no-evaluate --iterations 2");
    let latest = place.path("runs/tiny/latest");
    let first = fs::canonicalize(&latest).unwrap();
    let trained =
        metadrift::trained::Trained::open(&latest, Which::Last, metadrift_agents::device::Device::Cpu, None, 1)
            .unwrap();
    place.expect(0, "train tiny.toml -q --no-evaluate --iterations 2 --seed 1");
    assert_ne!(fs::canonicalize(&latest).unwrap(), first);
    assert_eq!(trained.dir, first);
    assert_eq!(trained.iteration, 2);
}
