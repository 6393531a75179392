//! Checkpoints: a saved one loads to the same bytes, and a damaged one never loads.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use metadrift::checkpoint::{
    Checkpoint, CheckpointError, load, newest, prune, remove_leftovers, save, set_aside_after, steps,
};
use serde_json::json;

const FILES: [&str; 3] = ["params.safetensors", "state.json", "MANIFEST.json"];

fn sample(step: u64) -> Checkpoint {
    let awkward = vec![0.0, -0.0, f32::MIN_POSITIVE, 1e-45, -1e-45, f32::MAX, f32::MIN, 1.0 / 3.0];
    let values = (0..300).map(|i| ((i as u64 * 37 + step) as f32 * 0.01).sin()).collect();
    Checkpoint {
        step,
        // not in the order of the names, and one of them empty
        tensors: vec![("meta_params".into(), values), ("adam.v".into(), awkward), ("adam.m".into(), Vec::new())],
        state: json!({"adam_step": step * 5, "env_steps": u64::MAX, "best": -0.1 - 0.2, "tiny": 5e-324, "z": -0.0}),
    }
}

/// A separate generator (SplitMix64), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

fn bits(checkpoint: &Checkpoint) -> Vec<(String, Vec<u32>)> {
    let tensors = checkpoint.tensors.iter();
    tensors.map(|(name, values)| (name.clone(), values.iter().map(|value| value.to_bits()).collect())).collect()
}

fn damage(path: &Path) -> String {
    match load(path) {
        Ok(_) => panic!("{} was accepted", path.display()),
        Err(CheckpointError::Damaged { reason, .. }) => reason,
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn a_round_trip_keeps_every_bit() {
    let dir = tempfile::tempdir().unwrap();
    for checkpoint in [sample(0), sample(120), sample(123_456_789_012)] {
        let path = save(&dir.path().join("a/b"), &checkpoint).unwrap();
        let back = load(&path).unwrap();
        assert_eq!(back.step, checkpoint.step);
        assert_eq!(bits(&back), bits(&checkpoint));
        assert_eq!(back.state.to_string(), checkpoint.state.to_string());
    }
    assert!(dir.path().join("a/b/step-00000120/MANIFEST.json").is_file());
    let (latest, skipped) = newest(&dir.path().join("a/b")).unwrap();
    assert_eq!((latest.step, skipped.len()), (123_456_789_012, 0));
}

#[test]
fn values_that_are_not_finite_are_refused_when_saving() {
    let dir = tempfile::tempdir().unwrap();
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut checkpoint = sample(1);
        checkpoint.tensors[1].1[5] = value;
        let error = save(dir.path(), &checkpoint).unwrap_err();
        assert!(matches!(&error, CheckpointError::NonFinite { name, index: 5, .. } if name == "adam.v"), "{error:?}");
        assert!(!error.is_disk_full());
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn what_could_not_be_loaded_is_not_saved() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |tensors: Vec<(String, Vec<f32>)>, state: serde_json::Value| {
        let error = save(dir.path(), &Checkpoint { step: 1, tensors, state }).unwrap_err();
        assert!(matches!(error, CheckpointError::Refused(_)), "{error:?}");
    };
    for name in ["", "a/b", "../x", "A", "a b", "ä", "__metadata__\0", &"n".repeat(101)] {
        refused(vec![(name.into(), vec![1.0])], json!({}));
    }
    refused(vec![("a".into(), vec![1.0]), ("a".into(), vec![2.0])], json!({}));
    refused((0..10_001).map(|i| (format!("t{i}"), vec![1.0])).collect(), json!({}));
    refused((0..10_000).map(|i| (format!("{}{i:05}", "long".repeat(23)), vec![1.0])).collect(), json!({}));
    refused(Vec::new(), json!("x".repeat(17 << 20)));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let most = (0..10_000).map(|i| (format!("t{i}"), vec![i as f32])).collect();
    let path = save(dir.path(), &Checkpoint { step: 1, tensors: most, state: json!(null) }).unwrap();
    assert_eq!(load(&path).unwrap().tensors[9_999], ("t9999".to_owned(), vec![9_999.0]));
}

/// Bits flipped, bytes changed, files cut, extended, emptied, exchanged between checkpoints: never a panic, never taken.
#[test]
fn thousands_of_mutations_are_all_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = save(dir.path(), &sample(7)).unwrap();
    let other = save(dir.path(), &sample(8)).unwrap();
    let good = FILES.map(|name| fs::read(path.join(name)).unwrap());
    let foreign = FILES.map(|name| fs::read(other.join(name)).unwrap());
    let mut random = Random(11);
    let mut tried = 0;
    let mut per_kind = [0; 8];
    while tried < 6_000 {
        let file = random.below(3);
        let kind = random.below(8);
        let mut bytes = good[file].clone();
        let at = random.below(bytes.len());
        match kind {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => bytes.truncate(at),
            3 => bytes.extend((0..=random.below(9)).map(|_| b' ')),
            4 => drop(bytes.splice(at..at, [random.next() as u8])),
            5 => bytes.swap(at, random.below(good[file].len())),
            6 => bytes[at..].iter_mut().take(64).for_each(|byte| *byte = 0),
            _ => bytes.clone_from(&foreign[file]),
        }
        if bytes == good[file] {
            continue;
        }
        fs::write(path.join(FILES[file]), &bytes).unwrap();
        let verdict = catch_unwind(AssertUnwindSafe(|| load(&path)));
        match verdict {
            Err(_) => panic!("mutation {tried}, kind {kind} at {at} of {}: panic", FILES[file]),
            Ok(Ok(_)) => panic!("mutation {tried}, kind {kind} at {at} of {}: accepted", FILES[file]),
            // another format number cannot be told from a newer version's: the checkpoint is not used either way
            Ok(Err(error)) => {
                assert!(matches!(error, CheckpointError::Damaged { .. } | CheckpointError::Newer { .. }), "{error:?}");
            }
        }
        fs::write(path.join(FILES[file]), &good[file]).unwrap();
        tried += 1;
        per_kind[kind] += 1;
    }
    assert!(per_kind.iter().all(|count| *count > 300), "{per_kind:?}");
    assert_eq!(bits(&load(&path).unwrap()), bits(&sample(7)), "and the original is still good");
}

#[cfg(unix)]
#[test]
fn symlinks_directories_and_pipes_are_refused() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let path = save(dir.path(), &sample(7)).unwrap();
    let aside = dir.path().join("aside");
    for name in FILES {
        let file = path.join(name);
        fs::rename(&file, &aside).unwrap();
        symlink(&aside, &file).unwrap();
        assert!(damage(&path).contains("symlink"));
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert!(damage(&path).contains("not a regular file"));
        fs::remove_dir(&file).unwrap();
        let status = std::process::Command::new("mkfifo").arg(&file).status();
        if status.is_ok_and(|status| status.success()) {
            assert!(damage(&path).contains("not a regular file"));
            fs::remove_file(&file).unwrap();
        }
        assert!(damage(&path).contains(name), "a missing file is named");
        fs::rename(&aside, &file).unwrap();
    }
    let link = dir.path().join("step-00000009");
    symlink(&path, &link).unwrap();
    assert!(damage(&link).contains("not a directory"));
    let (found, skipped) = newest(dir.path()).unwrap();
    assert_eq!((found.step, skipped.len()), (7, 1));
}

#[test]
fn the_newest_whole_one_is_found_and_the_damaged_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = newest(dir.path()).unwrap_err().to_string();
    assert!(error.contains("no checkpoint in") && error.contains("before its first"), "{error}");
    assert!(newest(&dir.path().join("missing")).is_err());
    let paths: Vec<PathBuf> = [10, 20, 30].map(|step| save(dir.path(), &sample(step)).unwrap()).into();
    fs::create_dir(dir.path().join(".tmp-00000040")).unwrap();
    fs::create_dir(dir.path().join("step-40")).unwrap(); // not our spelling
    fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    fs::write(paths[2].join("state.json"), "{}").unwrap();
    fs::remove_file(paths[1].join("MANIFEST.json")).unwrap();
    let (found, skipped) = newest(dir.path()).unwrap();
    assert_eq!(found, sample(10));
    assert_eq!(
        skipped.iter().map(|skipped| skipped.path.clone()).collect::<Vec<_>>(),
        [&paths[2], &paths[1]].map(PathBuf::clone)
    );
    assert!(skipped[0].reason.contains("state.json") && skipped[1].reason.contains("MANIFEST.json"), "{skipped:?}");
    fs::write(paths[0].join("params.safetensors"), "").unwrap();
    let error = newest(dir.path()).unwrap_err().to_string();
    assert!(["step-00000010", "step-00000020", "step-00000030"].iter().all(|name| error.contains(name)), "{error}");
    assert_eq!(remove_leftovers(dir.path()).unwrap(), 1);
    assert!(dir.path().join("notes.txt").exists() && dir.path().join("step-40").exists());
}

#[test]
fn saving_a_step_again_replaces_it_only_if_it_differs() {
    let dir = tempfile::tempdir().unwrap();
    let path = save(dir.path(), &sample(7)).unwrap();
    let changed = |path: &Path| fs::metadata(path.join("MANIFEST.json")).unwrap().modified().unwrap();
    let before = changed(&path);
    std::thread::sleep(std::time::Duration::from_millis(20));
    save(dir.path(), &sample(7)).unwrap();
    assert_eq!(changed(&path), before, "the same content is left alone");
    let different = Checkpoint { step: 7, ..sample(9) };
    assert_eq!(save(dir.path(), &different).unwrap(), path);
    assert_eq!(load(&path).unwrap(), different);
    fs::write(path.join("params.safetensors"), "damaged").unwrap();
    save(dir.path(), &different).unwrap();
    assert_eq!(load(&path).unwrap(), different, "a damaged one is replaced");
    fs::remove_dir_all(&path).unwrap();
    fs::write(&path, "a file in its place").unwrap();
    save(dir.path(), &different).unwrap();
    assert_eq!(load(&path).unwrap(), different);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
}

#[test]
fn pruning_keeps_the_newest_up_to_the_current_step() {
    let dir = tempfile::tempdir().unwrap();
    let here = || steps(dir.path()).unwrap().into_iter().map(|(step, _)| step).collect::<Vec<_>>();
    for step in [10, 20, 30, 40, 50] {
        save(dir.path(), &sample(step)).unwrap();
    }
    assert_eq!(prune(dir.path(), 2, 30, None).unwrap().len(), 1, "10 goes; 40 and 50 are not of this run");
    assert_eq!(here(), [20, 30, 40, 50]);
    prune(dir.path(), 1, 40, Some(20)).unwrap();
    assert_eq!(here(), [20, 40, 50], "the best one stays");
    prune(dir.path(), 0, 40, None).unwrap();
    assert_eq!(here(), [40, 50], "the current one stays whatever `keep` says");
    assert_eq!(set_aside_after(dir.path(), 40).unwrap().len(), 1);
    assert_eq!(here(), [40]);
    assert!(prune(dir.path(), 5, 40, None).unwrap().is_empty());
    assert!(prune(&dir.path().join("missing"), 5, 40, None).unwrap().is_empty());
    assert!(dir.path().join("aside-step-00000050").is_dir(), "what was abandoned is still there");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}
