//! `metadrift live` as a user runs it.

use crate::command::Place;

/// Lines of JSON: episodes, and the summary.
fn lines(told: &str) -> (Vec<serde_json::Value>, serde_json::Value) {
    let mut lines: Vec<serde_json::Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = lines.pop().unwrap()["summary"].take();
    (lines, summary)
}

#[test]
fn a_life_is_told_episode_by_episode_and_is_the_same_for_any_number_of_threads() {
    let place = Place::new();
    place.expect(0, "train cartpole-switch --iterations 1 --set rollout.num_tasks=4 --run-dir run --no-evaluate");
    let asked = "live run --lives 5 --episodes 6 --window 2 --half-life 1 --anchor 0.5 --every 20 --detector prediction \
                 --reference run --format json";
    let told = place.expect(0, &format!("{asked} --actors 1"));
    assert_eq!(told, place.expect(0, &format!("{asked} --actors 2")));
    let (episodes, summary) = lines(&told);
    assert_eq!(episodes.len(), 5 * 6);
    for (k, line) in episodes.iter().enumerate() {
        assert_eq!((line["life"].as_u64(), line["episode"].as_u64()), (Some(k as u64 / 6), Some(k as u64 % 6)));
        // a slot has the 100 ticks of the time limit, and the privileged controller fails in none
        assert_eq!((line["tick"].as_u64(), line["oracle_return"].as_f64()), (Some(k as u64 % 6 * 100), Some(100.0)));
        // a gain of its own in each slot, and another one at every sudden change and nowhere else
        let gains = line["parameters"]["actuator_gain"].as_array().unwrap();
        let start = k as u64 % 6 * 100;
        let ticks: Vec<u64> = gains.iter().map(|point| point[0].as_u64().unwrap()).collect();
        let switches: Vec<u64> = serde_json::from_value(line["switches"].clone()).unwrap();
        assert_eq!((ticks[0], line["switched"].as_bool()), (start, Some(!switches.is_empty())));
        let sudden: Vec<u64> = ticks[1..].iter().copied().chain((switches.contains(&start)).then_some(start)).collect();
        assert_eq!(sudden.len(), switches.len(), "{line}");
        assert!(switches.iter().all(|tick| sudden.contains(tick)) && line["adaptations"].is_array(), "{line}");
        // nothing is adapted before the first episode, which is then that of the unadapted policy
        if k % 6 == 0 {
            assert_eq!((&line["adapted"], &line["return"]), (&false.into(), &line["unadapted_return"]));
            assert_eq!(line["guard"], "trial");
        }
    }
    let mean = |key: &str| episodes.iter().map(|line| line[key].as_f64().unwrap()).sum::<f64>() / 30.0;
    let close = |a: f64, b: &serde_json::Value| assert!((a - b.as_f64().unwrap()).abs() < 1e-9, "{a} {b}");
    close(mean("return"), &summary["mean_return"]["value"]);
    close(mean("return") / 100.0, &summary["return_per_tick"]["value"]);
    close(100.0 - mean("return"), &summary["regret"]["per_episode"]["value"]);
    close(mean("random_return"), &summary["random"]);
    assert_eq!((summary["lives"].as_u64(), summary["learning"]["window"].as_u64()), (Some(5), Some(2)));
}

#[test]
fn a_policy_that_goes_on_from_its_last_adaptation_learns_in_its_life() {
    let place = Place::new();
    place.expect(0, "train cartpole-flip --iterations 25 --run-dir run --no-evaluate -q");
    let (_, summary) = lines(&place.expect(0, "live run --lives 10 --episodes 30 --guard off --format json"));
    // no fixed policy survives both signs: the audit's best fixed law has 255 of 500
    let [low, _] = [0, 1].map(|k| summary["gain"]["ci95"][k].as_f64().unwrap());
    assert!(low > 50.0, "{summary}");
    assert_eq!((&summary["changes"], &summary["recovery_ticks"]), (&0.into(), &serde_json::Value::Null));
}

#[test]
fn a_policy_with_full_knowledge_of_its_world_has_no_regret() {
    let place = Place::new();
    let asked = "live --learner adaptive-control --preset cartpole-switch --lives 4 --episodes 10 --format json";
    let (_, summary) = lines(&place.expect(0, asked));
    assert!(summary["regret"]["per_episode"]["value"].as_f64().unwrap() < 1.0, "{summary}");
    assert!(summary["changes"].as_u64().unwrap() > 5 && summary["learning"].is_null(), "{summary}");
}

#[test]
fn a_log_of_adaptations_is_chained() {
    let place = Place::new();
    place.expect(0, "train tiny.toml --iterations 1 --run-dir run --no-evaluate");
    let text = place.expect(0, "live run --lives 3 --episodes 4 --log log.jsonl");
    assert!(text.contains("regret per episode") && text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(place.expect(0, "live --verify log.jsonl").contains("12 adaptations"));
    assert!(place.expect(2, "live run --lives 1 --episodes 2 --log log.jsonl").contains("is there already"));
    let path = place.path("log.jsonl");
    let log = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, log.replacen("\"rolled_back\":false", "\"rolled_back\":true", 1)).unwrap();
    assert!(place.expect(4, "live --verify log.jsonl").contains("line 2: its digest"));
}

#[test]
fn options_without_effect_and_worlds_that_do_not_fit_are_refused() {
    let place = Place::new();
    place.expect(0, "train tiny.toml --iterations 1 --run-dir run --no-evaluate");
    for (asked, told) in [
        ("live run --preset pendulum-flip", "its policy is for cartpole"),
        ("live run --level 0.1 --guard off", "--level has no effect"),
        ("live run --threshold 3", "--test and --threshold have no effect"),
        ("live --learner rl2 --preset cartpole-switch --window 3", "--window has no effect: rl2 adapts while it acts"),
        ("live --preset cartpole-switch", "<RUN>"),
    ] {
        let found = place.expect(2, asked);
        assert!(found.contains(told), "{asked}: {found}");
    }
    assert!(place.expect(3, "live run --detector notified").contains("has no notifications"));
    assert!(place.expect(3, "live --learner no-such --preset cartpole-switch").contains("no-such"));
    place.expect(4, "live no-such-run");
}
