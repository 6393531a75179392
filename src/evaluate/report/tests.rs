//! Tests of the report.

use super::*;

/// Two tasks: adaptation gains 10 and 30, or loses as much.
fn evaluation(sign: f64) -> Evaluation {
    let before = vec![100.0, 200.0];
    let after = vec![100.0 + sign * 10.0, 200.0 + sign * 30.0];
    let point = |k, score: Score, normalised| Point {
        at: At::new(Adapts::ByGradient, k),
        stochastic: score.clone(),
        deterministic: score,
        success: Some(0.25 * k as f64),
        normalised,
        oracle: None,
        fixed: None,
    };
    Evaluation {
        preset: "p".into(),
        iteration: Some(40),
        split: "ood",
        seed: 3,
        tasks: 2,
        lanes: 20,
        fingerprints: vec!["a".into(), "b".into()],
        episodes: Vec::new(),
        life: None,
        decision_us: None,
        windowed: Some(0.97),
        curve: vec![
            point(0, Score::new(before.clone(), None, 0), Some(0.0)),
            point(1, Score::new(after, Some(before), 0), Some(0.5)),
        ],
    }
}

#[test]
fn the_table_fits_a_terminal_and_calls_a_loss_harm() {
    let text = evaluation(1.0).to_text();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("170.0") && text.contains("+20.0"), "{text}");
    assert!(text.contains("1 = oracle): 0.00, 0.50\n"), "{text}");
    assert!(text.contains("success, most likely actions: 0.0, 25.0 % of first episodes\n"), "{text}");
    assert!(text.contains("transitions: 0.97: a short memory is enough here\n"), "{text}");
    assert!(!text.contains("harm"), "{text}");
    let harm = evaluation(-1.0).to_text();
    assert!(harm.contains("harm: adaptation lowers the return by 20.0 [10.0, 30.0] after 1 step"), "{harm}");
}

#[test]
fn programs_get_every_task() {
    let rows: Vec<String> = evaluation(1.0).to_csv().lines().map(str::to_owned).collect();
    assert_eq!(rows.len(), 1 + 2 * 2 * 2);
    assert_eq!(rows[6], "ood,1,b,1,most likely,230,200,40");
    let json = serde_json::to_value(evaluation(1.0)).unwrap();
    assert_eq!(json["curve"][1]["deterministic"]["mean"], 170.0);
    assert_eq!(json["curve"][1]["deterministic"]["returns"], serde_json::json!([110.0, 230.0]));
    assert_eq!(json["curve"][1]["deterministic"]["gain"]["mean"], 20.0);
    let scalars = evaluation(1.0).scalars();
    assert!(scalars.contains(&("eval/ood/return_k1".to_owned(), 170.0)), "{scalars:?}");
    assert!(!scalars.iter().any(|(name, _)| name == "eval/ood/gain_k0"));
}
