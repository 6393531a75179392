//! Policies with a memory, as a user trains, evaluates, traces and films them.

use std::fs;

use crate::command::Place;
use serde_json::Value;

/// An actuator that reverses at every switch; lanes run on from episode to episode.
const SWITCHING: &str = r#"
name = "switching"
iterations = 2
[task]
env = "cartpole"
horizon = 40
[task.drift]
actuator_gain = { kind = "markov", states = [1.0, -1.0], mean_dwell = 60.0 }
[rollout]
episodes_per_env = 0
num_steps = 80
[evaluation]
steps = 100
tasks = 4
[maml]
inner_lr = 0.3
"#;
const SMALL: &str = "--set recurrent.lanes=8 --set recurrent.hidden=4 --set recurrent.embedding=4";

fn place() -> Place {
    let place = Place::new();
    fs::write(place.path("switching.toml"), SWITCHING).unwrap();
    place
}

#[test]
fn another_learner_brings_its_own_settings_and_keeps_tasks_and_evaluation() {
    let place = place();
    let told = place.expect(0, "train switching.toml --learner rl2 --set recurrent.hidden=4 --dry-run");
    for kept in ["horizon = 40", "mean_dwell = 60.0", "steps = 100", "episodes_per_env = 0", "learner = \"rl2\""] {
        assert!(told.contains(kept), "{kept}: {told}");
    }
    // of the learner, not of the file
    for own in ["iterations = 120", "outer_lr = 0.0007", "hidden = 4", "inner_lr = 0.1"] {
        assert!(told.contains(own), "{own}: {told}");
    }
    // what the file was written for stays
    let same = place.expect(0, "train switching.toml --learner maml --dry-run");
    assert!(same.contains("iterations = 2") && same.contains("inner_lr = 0.3"), "{same}");
    let twice = place.expect(3, "train switching.toml --learner rl2 --set learner=ppo");
    assert!(twice.contains("--learner is the same setting"), "{twice}");
}

#[test]
fn an_evaluation_follows_a_life_and_a_trace_shows_it() {
    let place = place();
    place.expect(0, &format!("train switching.toml --learner rl2 --iterations 2 --run-dir run {SMALL} --quiet"));
    place.expect(0, "evaluate run --format json --out e.json");
    let json: Value = serde_json::from_slice(&fs::read(place.path("e.json")).unwrap()).unwrap();
    // two phases of 100 ticks have time for two episodes of 40 each
    assert_eq!(json["curve"].as_array().unwrap().iter().map(|p| p["phase"].clone()).collect::<Vec<_>>(), [0, 1]);
    let episodes = json["episodes"].as_array().unwrap();
    assert_eq!(episodes.len(), 4);
    for (index, episode) in episodes.iter().enumerate() {
        assert_eq!(episode["episode"], index);
        let mean = |kind: &str| episode[kind]["mean"].as_f64().unwrap();
        assert!((1.0..=40.0).contains(&mean("deterministic")) && (1.0..=40.0).contains(&mean("stochastic")));
    }
    // CartPole pays 1 a tick
    assert_eq!(json["life"]["reward_per_tick"], 1.0);
    assert!(json["life"]["changes"].as_u64().unwrap() > 0, "{}", json["life"]);
    let ticks = &json["life"]["recovery_ticks"];
    assert!(ticks["censored"].is_u64() && ticks.get("median").is_some() && ticks.get("p90").is_some(), "{ticks}");

    place.expect(0, "env trace switching.toml --task in-dist/1 --run run --steps 150 --out trace.csv");
    let mut reader = csv::Reader::from_path(place.path("trace.csv")).unwrap();
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let at = |name: &str| header.iter().position(|known| known == name).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 150);
    assert_eq!((&rows[99][at("phase")], &rows[100][at("phase")]), ("0", "1"));
    let other = place.expect(2, "env trace cartpole-flip --run run --policy oracle --out t.csv");
    assert!(other.contains("cannot be used with"), "{other}");
    let film = place.expect(0, "record switching.toml --run run --out film.gif");
    assert!(film.contains("switching: change at tick 162, "), "{film}");
}

#[test]
fn a_trace_of_a_meta_policy_adapts_between_phases() {
    let place = place();
    place.expect(0, "train switching.toml --run-dir run --quiet --no-evaluate --set evaluation.episodes=2");
    let told = place.expect(0, "env trace switching.toml --task in-dist/0 --run run --out trace.csv");
    assert!(told.contains("200 steps"), "{told}");
    let ppo = place.expect(3, "env trace pendulum-flip --run run --out t.csv");
    assert!(ppo.contains("cartpole"), "{ppo}");
}
