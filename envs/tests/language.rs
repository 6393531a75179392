//! The task language beyond single laws: bounds, filters, alternatives, correlations, sugar.

use metadrift_envs::{
    Apply, CartPole, Clock, Clocks, Env, EnvKind, Noise, OnBound, Pendulum, Schedule, Split, Task, TaskConfig,
    TaskDistribution, Timing, channel_index,
};
use serde_json::{Value, json};

fn new(value: Value, split: Split) -> Result<TaskDistribution, String> {
    let config: TaskConfig = serde_json::from_value(value).map_err(|e| e.to_string())?;
    let spec = EnvKind::from_name(&config.env).unwrap().spec();
    TaskDistribution::new(spec, &config, split).map_err(|e| e.to_string())
}

fn tasks(value: Value, split: Split, count: u32) -> Vec<Task> {
    let distribution = new(value, split).unwrap();
    (0..count).map(|index| distribution.sample(3, 1, index)).collect()
}

fn of(task: &Task, name: &str) -> f64 {
    let spec = if task.values.len() == Task::nominal(&Pendulum::SPEC).values.len() {
        &Pendulum::SPEC
    } else {
        &CartPole::SPEC
    };
    task.values[channel_index(spec, name).unwrap()]
}

#[test]
fn a_filter_leaves_only_what_passes_and_refuses_what_nothing_passes() {
    let task = |margin: f64, tries: u32| {
        json!({"env": "pendulum", "filter": {"energy_margin_min": margin, "max_tries": tries},
            "vary": {"mass": {"law": "uniform", "low": 0.5, "high": 3}, "gravity": {"law": "uniform", "low": 5, "high": 15}}})
    };
    for split in Split::ALL {
        for task in tasks(task(1.5, 1000), split, 500) {
            let (m, g) = (of(&task, "mass"), of(&task, "gravity"));
            assert!((m * 64.0 / 6.0 + std::f64::consts::PI * 2.0) / (m * g) >= 1.5);
        }
    }
    // 64 / (6 * 5) + 2 pi / (0.5 * 5) is the best that can be had: 4.65
    let message = new(task(4.7, 200), Split::Train).unwrap_err();
    let start =
        "task.filter: of 200 tasks tried for split train, 0 passed and 200 failed energy_margin_min (the first had";
    assert!(message.starts_with(start), "{message}");
    let other = json!({"env": "cartpole", "filter": {"energy_margin_min": 1.0}});
    assert!(new(other, Split::Train).unwrap_err().contains("is about pendulum"));
}

#[test]
fn one_out_leaves_the_training_range_in_exactly_one_channel() {
    let laws = |low: f64, high: f64| json!({"law": "uniform", "low": low, "high": high});
    let value = json!({"env": "pendulum",
        "vary": {"mass": laws(0.8, 1.2), "length": laws(0.8, 1.2), "gravity": laws(9.0, 11.0)},
        "split": {"ood": {"mode": "one_out", "vary": {"mass": laws(1.5, 2.0), "length": laws(1.5, 2.0)}}}});
    let drawn = tasks(value.clone(), Split::Ood, 1000);
    assert!(drawn.iter().all(|t| (of(t, "mass") > 1.3) != (of(t, "length") > 1.3) && of(t, "gravity") <= 11.0));
    // half of them each, within five standard errors
    let heavy = drawn.iter().filter(|t| of(t, "mass") > 1.3).count();
    assert!((421..=579).contains(&heavy), "{heavy}");
    assert!(new(value.clone(), Split::Ood).unwrap().disjoint_from(&new(value, Split::Train).unwrap()));
}

#[test]
fn lists_are_joint_and_sugar_names_the_same_channels() {
    let value = json!({"env": "pendulum", "base": {"gravity": 9.0}, "actuator": {"gain": 0.5},
        "list": [{"mass": 0.5, "length": 2.0}, {"mass": 2.0, "length": {"law": "uniform", "low": 0.4, "high": 0.5}}]});
    let drawn = tasks(value, Split::InDist, 400);
    assert!(drawn.iter().all(|t| of(t, "gravity") == 9.0 && of(t, "actuator_gain") == 0.5));
    assert!(drawn.iter().all(|t| (of(t, "mass") == 0.5) == (of(t, "length") == 2.0)));
    let light = drawn.iter().filter(|t| of(t, "mass") == 0.5).count();
    assert!((150..=250).contains(&light), "{light}");
    let twice = json!({"env": "pendulum", "actuator": {"gain": 1.0}, "vary": {"actuator_gain": {"law": "fixed", "value": 2.0}}});
    assert!(new(twice, Split::Train).unwrap_err().contains("the same channel is also set by task.vary.actuator_gain"));
    let unknown = json!({"env": "pendulum", "sensor": {"theta_dt": {"bias": 1.0}}});
    let message = new(unknown, Split::Train).unwrap_err();
    assert!(message.starts_with("task.sensor.theta_dt.bias: ") && message.contains("sensor_theta_dot_"), "{message}");
}

#[test]
fn a_copula_keeps_the_laws_and_joins_the_ranks() {
    let unit = json!({"law": "uniform", "low": 1, "high": 2});
    let value = json!({"env": "pendulum", "vary": {"mass": unit, "length": unit},
        "correlated": [{"channels": ["mass", "length"], "correlation": 0.8}]});
    let n = 20_000;
    let drawn = tasks(value, Split::Train, n);
    let mean = |f: &dyn Fn(&Task) -> f64| drawn.iter().map(f).sum::<f64>() / f64::from(n);
    for name in ["mass", "length"] {
        let m = mean(&|t| of(t, name));
        let v = mean(&|t| (of(t, name) - 1.5).powi(2));
        assert!((m - 1.5).abs() < 5.0 * (1.0 / 12.0 / f64::from(n)).sqrt(), "{m}");
        assert!((v - 1.0 / 12.0).abs() < 5.0 * (1.0 / 180.0 / f64::from(n)).sqrt(), "{v}");
    }
    // Spearman's rank correlation of a Gaussian copula: 6 / pi asin(rho / 2)
    let rho = 12.0 * mean(&|t| (of(t, "mass") - 1.5) * (of(t, "length") - 1.5));
    let expected = 6.0 / std::f64::consts::PI * 0.4_f64.asin();
    assert!((rho - expected).abs() < 5.0 * (1.0 / f64::from(n)).sqrt(), "{rho} {expected}");
    let impossible = json!({"env": "pendulum", "vary": {"mass": unit, "length": unit},
        "correlated": [{"channels": ["mass", "length"], "correlation": 1.2}]});
    assert!(new(impossible, Split::Train).unwrap_err().contains("positive definite"));
}

#[test]
fn bounds_are_kept_as_asked() {
    let spec = &Pendulum::SPEC;
    let ramp = || Schedule::Linear { from: 0.0, to: 10.0, start: 0.0, over: 10.0, returns: false };
    let timing = |on_bound| Timing { bounds: Some([2.0, 4.0]), on_bound: Some(on_bound), ..Timing::default() };
    let with =
        |schedule, timing| Task::nominal(spec).with_timed_drift(spec, "mass", schedule, timing, Noise::default());
    let values = |task: &Task| (0..=10).map(|tick| task.values_at(tick)[1]).collect::<Vec<_>>();
    let clamped = with(ramp(), timing(OnBound::Clamp)).unwrap();
    assert_eq!(values(&clamped), [2.0, 2.0, 2.0, 3.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0]);
    let counted = (0..=10).filter(|tick| {
        let clocks = Clocks { lifetime_step: *tick, ..Clocks::default() };
        clamped.drifts[0].evaluate(1.0, &clocks).1
    });
    assert_eq!(counted.count(), 8);
    let folded = with(ramp(), timing(OnBound::Reflect)).unwrap();
    assert_eq!(values(&folded), [4.0, 3.0, 2.0, 3.0, 4.0, 3.0, 2.0, 3.0, 4.0, 3.0, 2.0]);
    assert!(
        with(ramp(), timing(OnBound::Error)).unwrap_err().to_string().contains("0 is outside the legal range [2, 4]")
    );
    assert!(with(ramp(), timing(OnBound::Resample)).is_err());
    // without a word, what is known ahead must stay inside, and what is random is clamped
    assert!(with(ramp(), Timing::default()).is_err());
    let ou = json!({"kind": "ou", "mean": 1, "stationary_std": 0.5, "relax_time": 10});
    let ou: Schedule = serde_json::from_value(ou).unwrap();
    for on_bound in [OnBound::Clamp, OnBound::Reflect, OnBound::Resample] {
        let timing = Timing { bounds: Some([0.5, 1.5]), on_bound: Some(on_bound), ..Timing::default() };
        let task = with(ou.clone(), timing).unwrap();
        assert!((0..1000).all(|tick| (0.5..=1.5).contains(&task.values_at(tick)[1])));
    }
    assert!(with(ou, Timing::default()).is_ok());
}

#[test]
fn clocks_windows_and_holds_are_those_asked_for() {
    let spec = &Pendulum::SPEC;
    let ramp = || Schedule::Linear { from: 1.0, to: 129.0, start: 0.0, over: 128.0, returns: false };
    let value = |timing: Timing, clocks: Clocks| {
        // the ramp leaves the legal range of gravity long after these clocks
        let timing = Timing { on_bound: Some(OnBound::Clamp), ..timing };
        let task = Task::nominal(spec).with(spec, "gravity", 2.0).unwrap();
        let task = task.with_timed_drift(spec, "gravity", ramp(), timing, Noise::default());
        task.unwrap().values_on(&clocks)[0]
    };
    let clocks = Clocks { episode_step: 3, lifetime_step: 25, episode: 7, task: 11, adapt_round: 13 };
    let on = |clock| Timing { clock, ..Timing::default() };
    let shown = [Clock::EpisodeStep, Clock::LifetimeStep, Clock::Episode, Clock::Task, Clock::AdaptRound];
    assert_eq!(shown.map(|clock| value(on(clock), clocks)), [4.0, 26.0, 8.0, 12.0, 14.0]);
    assert_eq!(value(Timing { hold: 10, ..Timing::default() }, clocks), 21.0);
    assert_eq!(value(Timing { window: Some([0, 25]), ..Timing::default() }, clocks), 2.0);
    assert_eq!(value(Timing { window: Some([25, 26]), ..Timing::default() }, clocks), 26.0);
    assert_eq!(value(Timing { apply: Apply::Add, ..Timing::default() }, clocks), 28.0);
    assert_eq!(value(Timing { apply: Apply::Scale, ..Timing::default() }, clocks), 52.0);
}

#[test]
fn a_normal_law_is_cut_at_its_limits() {
    let law = json!({"law": "normal", "mean": 10, "std": 2, "low": 8, "high": 14});
    let drawn = tasks(json!({"env": "pendulum", "vary": {"gravity": law}}), Split::Train, 20_000);
    let values: Vec<f64> = drawn.iter().map(|task| task.values[0]).collect();
    assert!(values.iter().all(|x| (8.0..=14.0).contains(x)));
    // a = -1, b = 2: mean 10 + 2 (pdf(-1) - pdf(2)) / (cdf(2) - cdf(-1)) = 10 + 2 (0.241971 - 0.053991) / 0.818595
    let mean = values.iter().sum::<f64>() / 20_000.0;
    assert!((mean - 10.459_276).abs() < 5.0 * 1.5 / 20_000.0_f64.sqrt(), "{mean}");
}
