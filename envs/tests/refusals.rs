//! Task files that are refused: the messages name the error, its place and a remedy.

use metadrift_envs::{
    CartPole, Env, EnvKind, Initial, IntegratorKind, Law, Pendulum, Schedule, Split, Task, TaskConfig,
    TaskDistribution, replay_kind,
};
use serde_json::{Value, json};

fn config(value: Value) -> TaskConfig {
    serde_json::from_value(value).unwrap()
}

/// The message for a task file that must be refused.
fn refusal(value: Value) -> String {
    let config = config(value);
    let spec = EnvKind::from_name(&config.env).unwrap().spec();
    config.validate(spec).expect_err("must be refused").to_string()
}

#[test]
fn unknown_names_are_refused_with_the_nearest_first() {
    let vary = |name: &str| json!({"env": "cartpole", "vary": {name: {"law": "fixed", "value": 1}}});
    let message = refusal(vary("gravty"));
    let start = "task.vary.gravty: cartpole has no channel `gravty`; did you mean `gravity`?";
    assert!(message.starts_with(start), "{message}");
    assert!(message.contains("others like it: track_tilt"), "{message}");
    assert!(refusal(vary("actuator_gian")).contains("did you mean `actuator_gain`?"));
    let drift = json!({"env": "pendulum", "split": {"ood": {"drift": {
        "lenght": {"kind": "constant", "value": 1}}}}});
    let message = refusal(drift);
    assert!(message.starts_with("task.split.ood.drift.lenght: pendulum has no"), "{message}");

    let unknown_key = json!({"env": "cartpole", "varry": {}});
    let error = serde_json::from_value::<TaskConfig>(unknown_key).unwrap_err().to_string();
    assert!(error.contains("unknown field `varry`"), "{error}");
    for law in [
        json!({"law": "uniform", "low": 1, "high": 2, "mean": 3}),
        json!({"law": "unifrom", "low": 1, "high": 2}),
        json!({"law": "uniform", "low": 1}),
    ] {
        let drift = json!({"env": "cartpole", "drift": {"gravity": {
            "kind": "constant", "value": law}}});
        let error = serde_json::from_value::<TaskConfig>(drift).unwrap_err().to_string();
        let named = ["unknown field `mean`", "unknown variant `unifrom`", "missing field `high`"];
        assert!(named.iter().any(|name| error.contains(name)), "{error}");
    }
    assert!("ood".parse::<Split>().is_ok_and(|split| split == Split::Ood));
    assert!("test".parse::<Split>().unwrap_err().to_string().contains("train, in-dist, ood"));
}

#[test]
fn illegal_values_are_refused_with_the_nearest_legal_one() {
    let vary = |law: Value| json!({"env": "cartpole", "vary": {"mass_cart": law}});
    assert_eq!(
        refusal(vary(json!({"law": "uniform", "low": 1, "high": 120}))),
        "task.vary.mass_cart: 120 is outside the legal range [0.01, 100] of `mass_cart` (kg); \
         the nearest legal value is 100"
    );
    assert_eq!(
        refusal(json!({"env": "pendulum", "vary": {"max_speed": {"law": "fixed", "value": 0}}})),
        "task.vary.max_speed: 0 is outside the legal range (0, 1000] of `max_speed` (rad/s); \
         it must be above 0"
    );
    let nested = json!({"law": "mixture", "of": [{"law": "fixed", "value": 1},
        {"law": "mixture", "of": [{"law": "choice", "values": [2, -3]}]}]});
    assert!(refusal(vary(nested)).contains("-3 is outside"));
    // a sinusoid leaves the range at the far corner of its laws: 1 - 1.2
    let wave = json!({"env": "cartpole", "drift": {"mass_cart": {"kind": "sinusoid",
        "mean": {"law": "uniform", "low": 1, "high": 2}, "period": 100,
        "amplitude": {"law": "uniform", "low": 0.5, "high": 1.2}}}});
    let message = refusal(wave);
    assert!(message.starts_with("task.drift.mass_cart: -0.19999999999999996 is outside"), "{message}");
    let no_time = json!({"env": "cartpole", "drift": {"gravity": {"kind": "linear",
        "from": 9, "to": 10, "over": {"law": "choice", "values": [100, 0]}}}});
    assert_eq!(refusal(no_time), "task.drift.gravity: `over` must be positive");
}

#[test]
fn ill_formed_laws_are_refused() {
    let vary = |law: Value| refusal(json!({"env": "cartpole", "vary": {"gravity": law}}));
    let cases = [
        (json!({"law": "uniform", "low": 3, "high": 2}), "low = 3 lies above high = 2"),
        (json!({"law": "uniform", "low": 3, "high": 3.00001}), "too narrow"),
        (json!({"law": "log_uniform", "low": 0, "high": 2}), "needs low > 0"),
        (json!({"law": "choice", "values": []}), "no values"),
        (json!({"law": "shell", "outer": [1, 5], "inner": [0, 2]}), "must be an interval inside"),
        (json!({"law": "shell", "outer": [1, 5], "inner": [1, 5]}), "leaves nothing"),
        (json!({"law": "mixture", "of": []}), "no laws"),
        (json!({"law": "mixture", "of": [{"law": "fixed", "value": 1}], "weights": [0]}), "weights"),
    ];
    for (law, problem) in cases {
        let message = vary(law);
        assert!(message.starts_with("task.vary.gravity: ") && message.contains(problem), "{message}");
    }
    let twice = json!({"env": "cartpole", "vary": {"gravity": {"law": "fixed", "value": 9}},
        "drift": {"gravity": {"kind": "constant", "value": 9}}});
    assert!(refusal(twice).starts_with("task.drift.gravity: also in task.vary"));
    assert!(refusal(json!({"env": "cartpole", "horizon": 0})).starts_with("task.horizon: 0"));
    let other = config(json!({"env": "cartpole"}));
    assert!(TaskDistribution::new(&Pendulum::SPEC, &other, Split::Train).is_err());
}

#[test]
fn an_integrator_is_judged_alike_in_task_files_and_replays() {
    let task = |env: &str, key: &str, word: &str| {
        let config = config(json!({"env": env, key: word}));
        config.validate(EnvKind::from_name(env).unwrap().spec()).map_err(|error| error.to_string())
    };
    // the environments' own integrators follow from their equations: Pendulum's speed comes first and moves its angle
    let accepted = [
        ("cartpole", &["euler", "semi_implicit", "rk4"][..], &["gym", "sutton_barto", "quadratic"][..]),
        ("pendulum", &["semi_implicit"], &["gym"]),
        ("navigation", &[], &[]),
        ("probe-sign", &[], &[]),
    ];
    for (env, integrators, rewards) in accepted {
        let kind = EnvKind::from_name(env).unwrap();
        let state = vec![
            0.0;
            match env {
                "cartpole" => 4,
                "probe-sign" => 1,
                _ => 2,
            }
        ];
        for (name, integrator) in IntegratorKind::ALL {
            let told = task(env, "integrator", name);
            assert_eq!(told.is_ok(), integrators.contains(&name), "{env} {name}: {told:?}");
            let replayed = replay_kind(kind, Some(integrator), &[], Initial::State(&state), &[]);
            let replayed = replayed.map_err(|error| format!("task.{error}"));
            assert_eq!(told.err(), replayed.err().filter(|error| error.contains("integrator")), "{env} {name}");
        }
        for name in ["gym", "sutton_barto", "quadratic"] {
            assert_eq!(task(env, "reward", name).is_ok(), rewards.contains(&name), "{env} {name}");
        }
    }
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut config = config(json!({"env": "cartpole"}));
        let law = Law::Uniform { low: 1.0, high: value };
        config.vary.insert("gravity".to_string(), law);
        let error = TaskDistribution::new(&CartPole::SPEC, &config, Split::Train).unwrap_err();
        assert_eq!(error.to_string(), format!("task.vary.gravity: {value} is not a finite number"));
        let task = Task::nominal(&CartPole::SPEC);
        assert!(task.clone().with(&CartPole::SPEC, "gravity", value).is_err());
        let schedule = Schedule::Step { at: value, from: 1.0, to: 2.0 };
        assert!(task.with_drift(&CartPole::SPEC, "gravity", schedule).is_err());
    }
}
