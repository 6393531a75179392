//! Learned optimisers: evolution, its resume, trainings by a rule, and what is refused.

use std::fs;

use serde_json::Value;

use crate::command::{Place, checkpoint_bytes};

const SMALL: &str = "cartpole-physics --iterations 16 --set ppo_learner.value_hidden=[8] --set policy.hidden=[8]";

#[test]
fn an_evolution_is_the_same_on_any_number_of_threads_and_after_a_resume() {
    let place = Place::new();
    let run = |out: &str, generations: u32, more: &str| {
        let arguments =
            format!("optimizer train {SMALL} --population 4 --held-out 2 --every 2 --generations {generations}");
        place.expect(0, &format!("{arguments} --out {out} {more}"))
    };
    run("one", 3, "--actors 1");
    run("two", 1, "--actors 2");
    let told = place.expect(2, &format!("optimizer train {SMALL} --population 4 --out two"));
    assert!(told.contains("go on with --resume"), "{told}");
    let told = place.expect(3, &format!("optimizer train {SMALL} --population 6 --out two --resume"));
    assert!(told.contains("does not belong to this configuration"), "{told}");
    let told = run("two", 3, "--actors 2 --resume");
    assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
    assert!(fs::read(place.path("one")).unwrap() == fs::read(place.path("two")).unwrap());
    let told = place.expect(0, &format!("optimizer evaluate one {SMALL} --seeds 3 --format json"));
    let found: Value = serde_json::from_str(&told).unwrap();
    let [rule, adam] = &found["optimizers"].as_array().unwrap()[..] else { panic!("{told}") };
    assert_eq!((rule["trainings"].as_u64(), adam["name"].as_str()), (Some(12), Some("Adam, as given")));
    let scores = |row: &Value| row["scores"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).sum::<f64>();
    let difference = adam["rule_minus_this"]["mean"].as_f64().unwrap();
    assert!((difference - (scores(rule) - scores(adam)) / 3.0).abs() < 1e-9, "{told}");
}

#[test]
fn a_run_keeps_its_rule_and_resumes_exactly() {
    let place = Place::new();
    place.expect(0, &format!("optimizer train {SMALL} --population 2 --held-out 1 --generations 1 --out rule"));
    let by_rule = "--set ppo_learner.optimizer=learned --set ppo_learner.optimizer_file=rule";
    place.expect(0, &format!("train cartpole-ppo {by_rule} --iterations 4 --no-evaluate --run-dir whole"));
    place.expect(0, &format!("train cartpole-ppo {by_rule} --iterations 4 --no-evaluate --run-dir part --max-time 0s"));
    fs::remove_file(place.path("rule")).unwrap();
    place.expect(0, "resume part --no-evaluate");
    let saved = |run: &str| checkpoint_bytes(&place.path(run), 4);
    assert_eq!(saved("part"), saved("whole"));
    let params = saved("whole").into_iter().find(|(name, _)| name == "params.safetensors").unwrap().1;
    assert!(String::from_utf8_lossy(&params).contains("value_adam_memory"));
}

#[test]
fn a_rule_that_is_missing_damaged_or_beside_adam_is_refused() {
    let place = Place::new();
    fs::write(place.path("x"), "no rule").unwrap();
    let by = "--dry-run --set ppo_learner.optimizer=learned";
    for (code, arguments, reason) in [
        (4, format!("train cartpole-ppo {by} --set ppo_learner.optimizer_file=none"), "cannot read none"),
        (4, format!("train cartpole-ppo {by} --set ppo_learner.optimizer_file=x"), "It is damaged or not a rule"),
        (3, format!("train cartpole-ppo {by}"), "unless ppo_learner.optimizer_file names"),
        (3, "train cartpole-ppo --dry-run --set ppo_learner.optimizer_file=x".into(), "which does not read it"),
        (4, "optimizer evaluate none cartpole-physics".into(), "cannot read none"),
        (3, "optimizer tune cartpole-physics --ppo cartpole-flip --out y".into(), "learner = \"ppo\""),
        (3, "optimizer tune cartpole-physics --iterations 1 --out y".into(), "more --iterations"),
    ] {
        let told = place.expect(code, &arguments);
        assert!(told.contains(reason), "{arguments}: {told}");
    }
}
