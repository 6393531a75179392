//! `metadrift tasks`, `env check` and `env trace` as a user runs them.

use std::fs;

use crate::command::Place;
use serde_json::Value;

/// A task file whose only purpose is to drift: a switch at a tick that is drawn.
const SWITCHING: &str = r#"
name = "switching"
task.env = "cartpole"
task.horizon = 50
task.vary.gravity = { law = "uniform", low = 9.0, high = 10.0 }
task.drift.actuator_gain = { kind = "step", at = { law = "uniform", low = 20.0, high = 40.0 }, from = 1.0, to = -1.0 }
"#;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn samples_are_reproducible_prefixes_and_differ_by_split_and_seed() {
    let place = Place::new();
    let sample = |args: &str| lines(&place.expect(0, &format!("tasks sample cartpole-physics --format json {args}")));
    let three = sample("--count 3 --seed 5");
    assert_eq!(sample("--count 2 --seed 5"), three[..2]);
    let prints = |tasks: &[Value]| -> Vec<String> {
        tasks.iter().map(|task| task["fingerprint"].as_str().unwrap().to_owned()).collect()
    };
    let mut all = prints(&three);
    all.extend(prints(&sample("--count 3 --seed 6")));
    all.extend(prints(&sample("--count 3 --seed 5 --split in-dist")));
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 9, "{all:?}");
    for task in sample("--split ood --count 50") {
        let gravity = task["values"]["gravity"].as_f64().unwrap();
        assert!((5.0..=16.0).contains(&gravity) && !(7.0..13.0).contains(&gravity), "{gravity}");
    }
    assert!(place.expect(0, "tasks sample cartpole-flip --count 1").contains("train/0"));
}

#[test]
fn describe_says_what_varies_what_drifts_and_how_far() {
    let place = Place::new();
    fs::write(place.path("switching.toml"), SWITCHING).unwrap();
    let told = place.expect(0, "tasks describe switching.toml");
    let row =
        |name: &str| -> Vec<&str> { told.lines().find(|l| l.starts_with(name)).unwrap().split_whitespace().collect() };
    // from 1 to -1 at one tick: it moves by 2 in one switch
    assert_eq!(row("actuator_gain")[2..], ["drifts", "-1.0000", "1.0000", "2.000", "1.0"]);
    assert_eq!(row("gravity")[2], "varies");
    assert!(told.contains("metadrift tasks audit switching"), "{told}");
}

#[test]
fn splits_that_share_tasks_are_told_before_training_and_by_describe() {
    let place = Place::new();
    let signs = "actuator_gain = { law = \"choice\", values = [-1.0, 1.0] }";
    fs::write(place.path("signs.toml"), format!("name = \"signs\"\n[task]\nenv = \"cartpole\"\nvary.{signs}\n"))
        .unwrap();
    for command in ["train signs.toml --dry-run", "tasks describe signs.toml"] {
        let told = place.expect(0, command);
        let start = "warning: task: splits train, in-dist and ood can draw the same tasks";
        assert!(told.starts_with(start) && told.contains("actuator_gain can be -1 or 1 in each"), "{told}");
    }
    for preset in ["cartpole-sign", "cartpole-full", "pendulum-nominal"] {
        assert!(!place.expect(0, &format!("train {preset} --dry-run")).contains("warning"), "{preset}");
    }
}

#[test]
fn a_plot_marks_each_switch_and_refuses_to_draw_nothing() {
    let place = Place::new();
    fs::write(place.path("switching.toml"), SWITCHING).unwrap();
    place.expect(0, "tasks plot switching.toml --count 3 --ticks 100 --out drift.svg");
    let picture = fs::read_to_string(place.path("drift.svg")).unwrap();
    assert_eq!(picture.matches("<circle").count(), 3);
    assert!(picture.contains("actuator_gain") && picture.contains("train/2"));
    let told = place.expect(3, "tasks plot cartpole-physics --out drift.svg");
    assert!(told.contains("no channel drifts"), "{told}");
    let told = place.expect(4, "tasks plot switching.toml --out no/such/folder.svg");
    assert!(told.contains("no/such/folder.svg"), "{told}");
}

#[test]
fn an_audit_has_the_documented_shape_and_finds_the_gap_of_a_reversed_actuator() {
    let place = Place::new();
    let told =
        place.expect(0, "tasks audit cartpole-flip --tasks 40 --lanes 1 --rounds 2 --format json -q --out a.json");
    let audit: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(audit["preset"], "cartpole-flip");
    let names: Vec<&str> = audit["splits"].as_array().unwrap().iter().map(|s| s["split"].as_str().unwrap()).collect();
    assert_eq!(names, ["train", "in-dist", "ood"]);
    for split in audit["splits"].as_array().unwrap() {
        // nothing drifts, so one phase stands for all
        assert_eq!((&split["moves"], split["phases"].as_array().unwrap().len()), (&Value::Bool(false), 1));
        let split = &split["phases"][0];
        let number = |key: &str| split[key].as_f64().unwrap();
        let gap = split["gap"]["mean"].as_f64().unwrap();
        assert!((gap - (number("oracle") - number("fixed"))).abs() < 1e-9);
        // one of two signs is lost: half of 491 steps, give or take five standard errors over 40 tasks
        assert!((245.0 - 195.0..245.0 + 195.0).contains(&gap), "{split}");
        assert!(number("random") < 30.0 && number("oracle") > 495.0, "{split}");
        let [low, high] = [0, 1].map(|k| split["gap"]["ci95"][k].as_f64().unwrap());
        assert!(low < gap && gap < high);
    }
    assert_eq!(fs::read_to_string(place.path("a.json")).unwrap(), told);
    assert_eq!(place.expect(0, "tasks audit cartpole-flip --tasks 40 --lanes 1 --rounds 2 --format json -q"), told);
}

#[test]
fn a_trace_has_every_step_with_its_parameters_and_events() {
    let place = Place::new();
    fs::write(place.path("switching.toml"), SWITCHING).unwrap();
    place.expect(0, "env trace switching.toml --task ood/3 --policy oracle --steps 50 --out trace.csv");
    let mut reader = csv::Reader::from_path(place.path("trace.csv")).unwrap();
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let column = |name: &str| header.iter().position(|known| known == name).unwrap_or_else(|| panic!("{header:?}"));
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let moved: Vec<usize> =
        (0..rows.len()).filter(|row| rows[*row][column("events")].contains("actuator_gain moved")).collect();
    assert_eq!(moved.len(), 1, "{moved:?}");
    assert!((20..=40).contains(&moved[0]));
    assert_eq!(&rows[moved[0] - 1][column("actuator_gain")], "1");
    assert_eq!(&rows[moved[0]][column("actuator_gain")], "-1");
    assert!(rows.iter().all(|row| &row[column("reward")] == "1"));
    // healthy sensors show the state
    assert!(rows.iter().all(|row| row[column("state_2")] == row[column("obs_theta")]));
    let told = place.expect(2, "env trace switching.toml --task ood --out trace.csv");
    assert!(told.contains("SPLIT/INDEX"), "{told}");
}

#[test]
fn every_environment_passes_its_check() {
    let place = Place::new();
    let all = [
        "cartpole",
        "pendulum",
        "navigation",
        "navigation-rotated",
        "double-integrator-2d",
        "complex-ode",
        "cartpole-balance",
    ];
    for env in all {
        let told = place.expect(0, &format!("env check {env}"));
        assert!(told.lines().count() >= 16 && told.lines().skip(1).all(|line| line.starts_with("OK")), "{told}");
    }
    assert!(place.expect(3, "env check pendulm").contains("did you mean `pendulum`?"));
}
