//! `metadrift score` as a user runs it.

use crate::command::Place;

#[test]
fn runs_are_scored_by_the_published_metric() {
    let place = Place::new();
    place.expect(0, "train double-integrator-aib --learner adaptive-control --run-dir run --no-evaluate");
    // a run that is named twice counts once
    let told = place.expect(0, "score run run --format json");
    let json: serde_json::Value = serde_json::from_str(&told).unwrap();
    let line = &json["presets"][0];
    assert_eq!((line["name"].as_str(), line["runs"].as_u64()), (Some("double-integrator-aib"), Some(1)));
    for (split, largest) in line["scores"].as_array().unwrap().iter().zip([0.866, 0.867, 0.865]) {
        // by the kinematics alone no law earns more; the best fixed law has 0.39 to 0.50
        let score = split["iqm"].as_f64().unwrap();
        assert!((0.6..=largest).contains(&score), "{split}");
        assert!(split["runs"].as_array().unwrap().len() == 1 && split.get("ci95").is_none(), "{split}");
    }
    place.expect(0, "train complex-ode-aib --learner distill-window --iterations 1 --run-dir other --no-evaluate");
    assert!(place.expect(2, "score run other").contains("a score belongs to one learner"));
    let text = place.expect(0, "score run");
    assert!(text.contains("double-integrator-aib") && text.contains("DMA*-SH"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn runs_of_no_benchmark_are_refused() {
    let place = Place::new();
    place.expect(0, "train tiny.toml --iterations 1 --run-dir run");
    let told = place.expect(3, "score run");
    assert!(told.contains("its tasks are those of no benchmark") && told.contains("complex-ode-aib"), "{told}");
    place.expect(2, "score");
}

#[test]
fn decisions_are_timed_where_asked() {
    let place = Place::new();
    place.expect(0, "train tiny.toml --iterations 1 --run-dir run");
    assert!(!place.expect(0, "evaluate run --format json").contains("decision_us"));
    let told = place.expect(0, "evaluate run --format json --timing");
    let json: serde_json::Value = serde_json::from_str(&told).unwrap();
    let [median, p90] = ["median", "p90"].map(|key| json["decision_us"][key].as_f64().unwrap());
    assert!(0.0 < median && median <= p90, "{told}");
    assert!(place.expect(0, "evaluate run --timing").contains("a decision takes"));
}
