//! Commands that print facts print them as JSON, too.

use crate::command::{Place, text};
use metadrift_envs::{EnvKind, channels};
use serde_json::Value;

/// Standard output of a command that succeeds, as one JSON value.
fn json(place: &Place, args: &str) -> Value {
    let output = place.run(args);
    assert!(output.status.success(), "metadrift {args}\n{}", text(&output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("metadrift {args}: {e}\n{}", text(&output)))
}

#[test]
fn training_and_resuming_tell_the_folder_and_the_result() {
    let place = Place::new();
    let result = json(&place, "train tiny.toml --format json -q --set evaluation.tasks=5");
    let run = result["run"].as_str().unwrap().to_owned();
    assert!(place.path(&run).join("manifest.json").exists(), "{result}");
    assert_eq!((&result["state"], &result["iteration"]), (&"finished".into(), &6.into()));
    let curve = result["evaluation"]["curve"].as_array().unwrap();
    assert_eq!(curve[1]["deterministic"]["returns"].as_array().unwrap().len(), 5);

    let stopped = json(&place, "train tiny.toml --format json --run-dir a --max-time 0s --no-evaluate");
    assert_eq!((&stopped["state"], &stopped["evaluation"]), (&"time_up".into(), &Value::Null));
    let resumed = json(&place, "resume a --format json");
    assert_eq!((&resumed["state"], &resumed["run"]), (&"finished".into(), &"a".into()));

    let plan = json(&place, "train tiny.toml --dry-run --format json");
    // 3 tasks x 4 lanes x 30 steps x 2 phases, 6 iterations
    assert_eq!((&plan["env_steps_per_iteration"], &plan["env_steps"]), (&720.into(), &4320.into()));
    assert_eq!(plan["config"]["ppo"]["gamma"], 0.99);
}

#[test]
fn lists_name_all_there_is() {
    let place = Place::new();
    let presets = json(&place, "presets list --format json");
    assert_eq!(presets.as_array().unwrap().len(), metadrift::presets::all().count());
    assert_eq!((&presets[0]["name"], &presets[0]["env"]), (&"cartpole-flip".into(), &"cartpole".into()));
    assert_eq!(json(&place, "presets show pendulum-flip --format json")["task"]["env"], "pendulum");
    let envs = json(&place, "env list --format json");
    assert_eq!(envs.as_array().unwrap().len(), EnvKind::ALL.len());
    for kind in EnvKind::ALL {
        let shown = json(&place, &format!("env show {} --format json", kind.spec().name));
        let (found, expected) = (shown["channels"].as_array().unwrap(), channels(kind.spec()));
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().zip(&expected).all(|(a, b)| a["name"] == b.name && a["max"] == b.bounds.max));
    }
    for list in ["presets list", "learners list"] {
        let text = String::from_utf8(place.run(list).stdout).unwrap();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
    for list in ["presets list", "env list"] {
        let output = place.run(list);
        let text = String::from_utf8(output.stdout).unwrap();
        let columns = text.lines().filter(|line| line.contains("  ")).map(|line| {
            let name = line.find(' ').unwrap();
            name + line[name..].find(|c| c != ' ').unwrap()
        });
        let columns: Vec<usize> = columns.collect();
        assert!(columns.len() > 5 && columns.iter().all(|column| *column == columns[0]), "{text}");
    }
}

#[test]
fn checks_tell_what_they_found() {
    let place = Place::new();
    let doctor = json(&place, "doctor --format json");
    assert!(doctor["ready"] == true && doctor["checks"].as_array().unwrap().len() > 5, "{doctor}");
    let check = json(&place, "env check navigation --format json");
    assert!(check["passed"] == true && check["checks"][0]["failure"].is_null(), "{check}");
    let selftest = json(&place, "selftest --iterations 0 --format json");
    assert!(selftest["passed"] == true && selftest["checks"].as_array().unwrap().len() == 6, "{selftest}");
}

#[test]
fn tasks_are_described_by_numbers() {
    let place = Place::new();
    let tasks = json(&place, "tasks describe tiny.toml --format json");
    let row = &tasks["splits"][0]["channels"][0];
    assert_eq!(
        (&row["channel"], &row["role"], &row["moves_by"]),
        (&"actuator_gain".into(), &"varies".into(), &Value::Null)
    );
    assert!(row["lowest"].as_f64().unwrap() >= 0.7 && row["highest"].as_f64().unwrap() <= 1.3);
    assert!(tasks["audit"].is_null());
    let measured = json(&place, "tasks describe cartpole-flip --format json");
    assert_eq!(measured["audit"]["preset"], "cartpole-flip");
}

#[test]
fn a_device_that_is_not_there_is_named_as_it_was_asked_for() {
    let place = Place::new();
    if json(&place, "doctor --format json")["checks"].as_array().unwrap().iter().any(|c| c["name"] == "on cuda:0") {
        return; // there is a GPU here
    }
    for asked in ["cuda", "cuda:0", "cuda:3"] {
        let told = place.expect(5, &format!("train tiny.toml --dry-run --device {asked}"));
        assert!(told.contains(&format!("error: --device {asked}: ")), "{told}");
    }
}

#[test]
fn one_file_serves_both_learners_while_it_has_the_other_ones_defaults() {
    let place = Place::new();
    let meta = String::from_utf8(place.run("train tiny.toml --dry-run --set rollout.num_tasks=20").stdout).unwrap();
    assert!(!meta.contains("[ppo_learner]"), "{meta}");
    std::fs::write(place.path("meta.toml"), meta).unwrap();
    let plain = String::from_utf8(place.run("train meta.toml --dry-run --set learner=ppo").stdout).unwrap();
    assert!(plain.contains("[ppo_learner]\nanneal = false\nminibatch = 256\n"), "{plain}");
    std::fs::write(place.path("plain.toml"), plain).unwrap();
    // a section that says nothing is no mistake: earlier versions wrote it out with every run
    let meta = String::from_utf8(place.run("train plain.toml --dry-run --set learner=maml").stdout).unwrap();
    assert!(meta.contains("learner = \"maml\"") && !meta.contains("[ppo_learner]"), "{meta}");
    let told = place.expect(3, "train plain.toml --dry-run --set learner=maml --set ppo_learner.anneal=true");
    assert!(told.contains("[ppo_learner] is only read with learner = \"ppo\": leave it out"), "{told}");
}

#[test]
fn mistakes_in_names_are_told_once_with_a_few_near_names() {
    let place = Place::new();
    let told = place.expect(3, "train tiny.toml --dry-run --set task.base.gravty=9.0");
    assert!(told.contains("`gravity`") && told.contains("`metadrift env show cartpole` lists all"), "{told}");
    assert!(told.len() < 300, "{told}");
    let told = place.expect(3, "tasks audit weak-motor");
    assert!(told.contains("no preset `weak-motor`") && told.len() < 300, "{told}");
}
