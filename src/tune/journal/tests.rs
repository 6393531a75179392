use std::fs;

use serde_json::json;

use super::*;
use crate::{failure, tune::file::Direction};

/// A journal that Optuna 5.0.0 wrote: a study that was deleted, and one whose trials end in each way; `tests/data/README`
/// says how.
const OPTUNA: &str = include_str!("../../../tests/data/optuna-5.0.log");

fn place(text: &str) -> (tempfile::TempDir, Journal) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.log");
    fs::write(&path, text).unwrap();
    let journal = Journal::open(&path, "test").unwrap();
    (folder, journal)
}

#[test]
fn a_journal_of_optuna_is_read_as_optuna_reads_it() {
    let (_folder, journal) = place(OPTUNA);
    let replay = journal.read().unwrap();
    let names: Vec<(u64, &str)> = replay.studies().iter().map(|study| (study.id, study.name.as_str())).collect();
    assert_eq!((names, replay.next_study()), (vec![(1, "every-kind")], 2));
    // what `study.trials` of Optuna has, but for the infinite value of trial 4, which JSON has no word for
    let expected: [(u64, State, Option<f64>, Option<f64>); 8] = [
        (1, State::Complete, Some(2.9), Some(0.1)),
        (2, State::Pruned, Some(0.035652994302773876), Some(0.017826497151386938)),
        (3, State::Fail, None, Some(0.002755926764027375)),
        (4, State::Complete, Some(4.984501044808622), Some(0.015498955191377133)),
        (5, State::Complete, None, Some(0.004105412016858891)),
        (6, State::Complete, Some(4.982138644802374), Some(0.017861355197625956)),
        (7, State::Running, None, Some(0.25248390936170995)),
        (8, State::Waiting, None, None),
    ];
    for (trial, (id, state, value, rate)) in replay.trials(1).zip(expected) {
        let found = trial.params.get("rate").map(|(value, _)| *value);
        let values = trial.values.as_ref().map(|values| values[0]);
        assert_eq!((trial.id, trial.number, trial.state, values, found), (id, id - 1, state, value, rate));
    }
    let first = replay.trials(1).next().unwrap();
    assert_eq!((first.params["steps"].0, first.params["kind"].0, &first.user["note"]), (3.0, 1.0, &json!(0)));
    assert_eq!(first.params["kind"].1["attributes"]["choices"], json!(["lvc", "dice"]));
}

#[test]
fn records_of_a_newer_optuna_and_lines_that_are_none_are_named_and_kept() {
    let line = OPTUNA.lines().count() + 1;
    for (added, told) in [
        ("{\"op_code\":11,\"worker_id\":\"w\"}\n", "a record of kind 11"),
        ("{\"op_code\":6,\"trial_id\":3,\"state\":9}\n", "a part of it is missing"),
        ("{\"op_co{\"op_code\":4}\n", "this is no record"),
        ("[]\n", "it has no op_code"),
    ] {
        let text = format!("{OPTUNA}{added}{{\"op_code\":10}}\n");
        let (folder, journal) = place(&text);
        let error = journal.change(|_| Ok((vec![json!({ "op_code": 10 })], ()))).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(&format!("line {line}: ")) && message.contains(told), "{message}");
        assert_eq!(error.code(), failure::code::FILE);
        assert_eq!(fs::read_to_string(folder.path().join("journal.log")).unwrap(), text);
        assert!(!folder.path().join("journal.log.lock").exists());
    }
}

#[test]
fn a_torn_line_is_cut_off_by_the_next_record_alone() {
    let (folder, journal) = place(&format!("{OPTUNA}{{\"op_code\":6,\"tri"));
    assert_eq!(journal.read().unwrap().trials(1).count(), 8);
    let path = folder.path().join("journal.log");
    assert!(fs::read_to_string(&path).unwrap().ends_with("\"tri"), "reading changes nothing");
    journal.change(|_| Ok((vec![record::study("more", &[Direction::Minimize])], ()))).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let expected = json!({ "op_code": 0, "study_name": "more", "directions": [1], "worker_id": "test" });
    assert_eq!(serde_json::from_str::<Value>(text.strip_prefix(OPTUNA).unwrap()).unwrap(), expected);
    assert_eq!(journal.read().unwrap().studies().len(), 2);
}

#[test]
fn of_two_that_take_a_trial_the_first_has_it() {
    let (_folder, journal) = place("");
    let worker = |name: &str, claim: u64| json!({ "claim": claim, "process": name });
    let write = |records: Vec<Value>| journal.change(|_| Ok((records, ()))).unwrap();
    write(vec![record::study("s", &[Direction::Maximize]), record::trial(0, &[], &worker("a", 1))]);
    let now = || journal.read().unwrap().trials(0).next().unwrap().user[WORKER]["process"].clone();
    write(["b", "c"].map(|name| record::attribute(0, WORKER, worker(name, 2))).into());
    assert_eq!(now(), "b");
    write(vec![record::attribute(0, WORKER, worker("d", 4))]);
    assert_eq!(now(), "b", "a claim that skips one does not count");
    write(vec![record::end(0, State::Fail, None), record::attribute(0, WORKER, worker("e", 3))]);
    assert_eq!(now(), "b", "nothing changes in a trial that is over");
}

#[test]
fn words_for_numbers_that_are_not_finite_are_none() {
    let line = r#"{"a":NaN,"b":[-Infinity,Infinity],"c":"NaN \" Infinity\\"}"#;
    assert_eq!(json(line.as_bytes()).unwrap(), json!({ "a": null, "b": [null, null], "c": "NaN \" Infinity\\" }));
    assert!(json(b"{NaNN").is_err());
}
