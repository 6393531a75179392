//! Checkpoints made by hand with right checksums and wrong content: the other checks must refuse them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::faults::forged::{FILES, Forged, ForgedTensor, reseal};

use metadrift::checkpoint::{Checkpoint, CheckpointError, load, save};
use serde_json::json;

fn sample(step: u64) -> Checkpoint {
    let tensors = ["meta_params", "adam.v", "adam.m"].map(|name| (name.to_owned(), vec![0.5; 20]));
    Checkpoint { step, tensors: tensors.into(), state: json!({"adam_step": 3}) }
}

fn damage(path: &Path) -> String {
    match load(path) {
        Ok(_) => panic!("{} was accepted", path.display()),
        Err(CheckpointError::Damaged { reason, .. }) => reason,
        Err(CheckpointError::Newer { schema, .. }) => format!("schema {schema}"),
        Err(error) => panic!("{error:?}"),
    }
}

type Change = Box<dyn FnOnce(&mut Forged)>;

/// Puts `content` into a file of a good checkpoint, changes its manifest, and makes all checksums right again.
fn forge(dir: &Path, content: Option<(usize, Vec<u8>)>, change: impl FnOnce(&mut Forged)) -> PathBuf {
    let path = save(dir, &sample(7)).unwrap();
    if let Some((file, bytes)) = content {
        fs::write(path.join(FILES[file]), bytes).unwrap();
    }
    reseal(&path, change);
    path
}

fn params_with(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

#[test]
fn forged_tensors_with_right_checksums_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let one = |manifest: &mut Forged| manifest.tensors = vec![ForgedTensor { name: "a".into(), len: 2 }];
    let tensor = |dtype: &str, shape: &str, end: usize| {
        format!(r#"{{"a":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[0,{end}]}}}}"#)
    };
    let good = params_with(&tensor("F32", "[2]", 8), &[0; 8]);
    assert!(load(&forge(dir.path(), Some((0, good)), one)).is_ok(), "the forging itself works");
    let nan = [0.0_f32.to_le_bytes(), f32::NAN.to_le_bytes()].concat();
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (params_with(&tensor("F64", "[1]", 8), &[0; 8]), "F64"),
        (params_with(&tensor("I32", "[2]", 8), &[0; 8]), "I32"),
        (params_with(&tensor("F32", "[2,1]", 8), &[0; 8]), "[2, 1]"),
        (params_with(&tensor("F32", "[]", 4), &[0; 4]), "[]"),
        (params_with(&tensor("F32", "[3]", 12), &[0; 12]), "[3]"),
        (params_with(&tensor("F32", "[2]", 8), &nan), "a[1] is NaN"),
        (params_with(&tensor("F32", "[1000000000]", 4_000_000_000), &[0; 8]), "params"),
        (params_with(&tensor("F32", "[18446744073709551615]", 8), &[0; 8]), "params"),
        (params_with(&tensor("F32", "[2]", 8), &[0; 9]), "params"),
        (params_with("{}", &[]), "0 tensors"),
        (params_with(&tensor("F32", "[2]", 8).replace("\"a\"", "\"b\""), &[0; 8]), "`a` not found"),
        (params_with(&format!("{}{}", tensor("F32", "[2]", 8), " ".repeat(1 << 20)), &[0; 8]), "header of"),
        (u64::MAX.to_le_bytes().to_vec(), "header of"),
        (vec![1, 2, 3], "header of"),
        (Vec::new(), "header of"),
    ];
    for (params, expected) in cases {
        let reason = damage(&forge(dir.path(), Some((0, params)), one));
        assert!(reason.contains(expected), "expected {expected:?} in {reason:?}");
    }
}

#[test]
fn forged_manifests_with_right_checksums_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("outside"), "secret").unwrap();
    let cases: Vec<(Change, &str)> = vec![
        (Box::new(|m| m.schema = 2), "schema 2"),
        (Box::new(|m| m.step = 8), "holds step 8"),
        (Box::new(|m| drop(m.files.pop())), "other files"),
        (Box::new(|m| m.files.reverse()), "in place of params.safetensors"),
        (Box::new(|m| m.files[1].name = "../outside".into()), "in place of state.json"),
        (Box::new(|m| m.files[1].name = "/etc/hostname".into()), "in place of state.json"),
        (Box::new(|m| m.files[0].size = u64::MAX), "B, should be"),
        (Box::new(|m| m.tensors[0].len += 1), "should be F32"),
        (Box::new(|m| drop(m.tensors.pop())), "3 tensors, should be 2"),
        (Box::new(|m| m.tensors[1].name = "meta_params".into()), "occurs twice"),
        (Box::new(|m| m.tensors[1].name = "../a".into()), "is not 1 to 100 of"),
    ];
    for (change, expected) in cases {
        let reason = damage(&forge(dir.path(), None, change));
        assert!(reason.contains(expected), "expected {expected:?} in {reason:?}");
    }
    let path = forge(dir.path(), None, |_| {});
    fs::write(path.join("MANIFEST.json"), " ".repeat((4 << 20) + 1)).unwrap();
    assert!(damage(&path).contains("are more than"));
    fs::write(path.join("MANIFEST.json"), "[".repeat(100_000)).unwrap();
    assert!(damage(&path).contains("MANIFEST.json"));
    for (state, expected) in [("[".repeat(100_000), "recursion"), ("{".into(), "EOF"), (String::new(), "EOF")] {
        let reason = damage(&forge(dir.path(), Some((1, state.into_bytes())), |_| {}));
        assert!(reason.contains(expected), "{reason}");
    }
}

/// The checksum of the manifest itself covers the entries that no other file contradicts.
#[test]
fn a_manifest_changed_by_hand_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let saved = save(dir.path(), &sample(7)).unwrap();
    let path = dir.path().join("best"); // a copy under another name, which says no step
    fs::rename(saved, &path).unwrap();
    let good = fs::read_to_string(path.join("MANIFEST.json")).unwrap();
    assert_eq!(load(&path).unwrap(), sample(7), "it may be moved");
    let exchanged = good.replace("adam.m", "adam.x").replace("adam.v", "adam.m").replace("adam.x", "adam.v");
    let changes = [good.replace("\"step\": 7", "\"step\": 8"), exchanged, good.replace("  ", " "), good.clone() + "\n"];
    for changed in changes {
        assert_ne!(changed, good);
        fs::write(path.join("MANIFEST.json"), &changed).unwrap();
        let reason = damage(&path);
        assert!(reason.contains("MANIFEST.json: the content does not match"), "{reason}");
    }
}
