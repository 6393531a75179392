//! No statement of a task file is dropped silently: it counts, or it is refused.

use metadrift_envs::{Clocks, EnvKind, Split, Task, TaskConfig, TaskDistribution, channel_index};
use serde_json::{Value, json};

fn new(value: Value, split: Split) -> Result<TaskDistribution, String> {
    let config: TaskConfig = serde_json::from_value(value).map_err(|e| e.to_string())?;
    let spec = EnvKind::from_name(&config.env).unwrap().spec();
    TaskDistribution::new(spec, &config, split).map_err(|e| e.to_string())
}

fn refusal(value: Value) -> String {
    new(value.clone(), Split::Train).err().unwrap_or_else(|| panic!("{value} must be refused"))
}

fn tasks(value: Value, count: u32) -> Vec<Task> {
    let distribution = new(value, Split::Train).unwrap();
    (0..count).map(|index| distribution.sample(3, 1, index)).collect()
}

#[test]
fn outside_its_window_a_drift_leaves_the_value_that_was_set_or_drawn() {
    let drift = json!({"gravity": {"kind": "constant", "value": 20, "window": [3, 5]}});
    let task = &tasks(json!({"env": "pendulum", "base": {"gravity": 5}, "drift": drift}), 1)[0];
    let values = (0..8).map(|tick| task.values_at(tick)[0]).collect::<Vec<_>>();
    assert_eq!(values, [5.0, 5.0, 5.0, 20.0, 20.0, 5.0, 5.0, 5.0]);
    let law = json!({"law": "uniform", "low": 2, "high": 4});
    for task in tasks(json!({"env": "pendulum", "vary": {"gravity": law}, "drift": drift}), 50) {
        let values = [2, 3, 4, 5].map(|tick| task.values_at(tick)[0]);
        assert!((2.0..=4.0).contains(&values[0]), "{values:?}");
        assert_eq!(values[1..], [20.0, 20.0, values[0]]);
    }
    let split = json!({"ood": {"base": {"gravity": 6}, "drift": drift}});
    let ood = new(json!({"env": "pendulum", "split": split}), Split::Ood).unwrap().sample(1, 0, 0);
    assert_eq!([2, 3].map(|tick| ood.values_at(tick)[0]), [6.0, 20.0]);
}

#[test]
fn two_statements_on_one_channel_are_refused() {
    let always = json!({"gravity": {"kind": "constant", "value": 20}});
    let law = json!({"gravity": {"law": "uniform", "low": 2, "high": 4}});
    let number = json!({"gravity": 5});
    for (table, said) in [("base", &number), ("vary", &law)] {
        let message = refusal(json!({"env": "pendulum", table: said, "drift": always}));
        assert!(message.starts_with(&format!("task.drift.gravity: also in task.{table}")), "{message}");
        let config = json!({"env": "pendulum", "split": {"ood": {table: said, "drift": always}}});
        let message = new(config, Split::Ood).unwrap_err();
        assert!(message.starts_with("task.split.ood.drift.gravity: also in task.split.ood"), "{message}");
    }
    let message = refusal(json!({"env": "pendulum", "base": number, "vary": law}));
    assert_eq!(message, "task.vary.gravity: the same channel is also set by task.base.gravity");
    let message = refusal(json!({"env": "pendulum", "base": {"actuator_gain": 1}, "actuator": {"gain": 2}}));
    assert_eq!(message, "task.actuator.gain: the same channel is also set by task.base.actuator_gain");
}

#[test]
fn what_every_alternative_displaces_is_refused() {
    let law = json!({"gravity": {"law": "uniform", "low": 2, "high": 4}});
    let always = refusal(json!({"env": "pendulum", "vary": law, "list": [{"gravity": 5}, {"gravity": 6, "mass": 2}]}));
    assert!(always.starts_with("task.vary.gravity: every alternative of task.list sets gravity"), "{always}");
    let mut sometimes = json!({"env": "pendulum", "vary": law, "list": [{"gravity": 5}, {"mass": 2}]});
    assert!(new(sometimes.clone(), Split::Train).is_ok());
    sometimes["split"] = json!({"ood": {"vary": {"gravity": {"law": "uniform", "low": 5, "high": 9}}}});
    let displaced = new(sometimes.clone(), Split::Ood).unwrap_err();
    assert!(displaced.starts_with("task.split.ood.vary.gravity: task.list[0] also sets gravity"), "{displaced}");
    sometimes["split"]["ood"]["list"] = json!([{"mass": 3}]);
    assert!(new(sometimes, Split::Ood).is_ok());
}

#[test]
fn a_field_of_a_notification_that_would_not_be_read_is_refused() {
    let notify = |notify: Value| json!({"env": "cartpole", "notify": notify});
    for (key, value) in
        [("delay", json!(3)), ("noise_std", json!(0.1)), ("miss_prob", json!(0.1)), ("false_alarm_prob", json!(0.1))]
    {
        let message = refusal(notify(json!({key: value})));
        assert!(message.starts_with(&format!("task.notify.{key}: has no effect")), "{message}");
        assert_eq!(new(notify(json!({key: value, "level": "flag"})), Split::Train).is_ok(), key != "noise_std");
        assert!(new(notify(json!({key: value, "level": "value"})), Split::Train).is_ok());
    }
}

#[test]
fn groups_of_correlated_channels_do_not_overlap() {
    let laws = json!({"gravity": {"law": "uniform", "low": 5, "high": 15},
        "mass_cart": {"law": "uniform", "low": 0.5, "high": 2}, "mass_pole": {"law": "uniform", "low": 0.05, "high": 0.5}});
    for second in [["mass_pole", "gravity"], ["gravity", "mass_pole"], ["gravity", "mass_cart"]] {
        let groups = json!([{"channels": ["gravity", "mass_cart"], "correlation": 0.9},
            {"channels": second, "correlation": 0.9}]);
        let message = refusal(json!({"env": "cartpole", "vary": laws, "correlated": groups}));
        assert!(message.starts_with("task.correlated[1]: `gravity` is also in task.correlated[0]"), "{message}");
    }
    // the matrix that the message asks for: rank correlations 6 / pi asin(rho / 2)
    let matrix = json!([[1, 0.9, 0.9], [0.9, 1, 0.81], [0.9, 0.81, 1]]);
    let group = json!([{"channels": ["gravity", "mass_cart", "mass_pole"], "correlation": matrix}]);
    let drawn = tasks(json!({"env": "cartpole", "vary": laws, "correlated": group}), 20_000);
    let spread = [("gravity", 10.0, 10.0), ("mass_cart", 1.25, 1.5), ("mass_pole", 0.275, 0.45)];
    let spec = EnvKind::from_name("cartpole").unwrap().spec();
    let places = spread.map(|(name, mean, width)| (channel_index(spec, name).unwrap(), mean, width));
    let score = |task: &Task, (index, mean, width): (usize, f64, f64)| (task.values[index] - mean) / width;
    for (i, j, rho) in [(0, 1, 0.9_f64), (0, 2, 0.9), (1, 2, 0.81)] {
        let product = |task: &Task| score(task, places[i]) * score(task, places[j]);
        let found = 12.0 * drawn.iter().map(product).sum::<f64>() / 20_000.0;
        let expected = 6.0 / std::f64::consts::PI * (rho / 2.0).asin();
        assert!((found - expected).abs() < 5.0 / 20_000.0_f64.sqrt(), "{i} {j}: {found} {expected}");
    }
    let fixed = json!({"gravity": {"law": "fixed", "value": 9}, "mass_cart": laws["mass_cart"]});
    let group = json!([{"channels": ["gravity", "mass_cart"], "correlation": 0.9}]);
    let message = refusal(json!({"env": "cartpole", "vary": fixed, "correlated": group}));
    assert!(message.contains("`gravity` always has the same value"), "{message}");
}

#[test]
fn a_filter_sees_the_whole_range_of_a_drift_over_any_clock() {
    for clock in ["episode_step", "lifetime_step", "episode", "task", "adapt_round"] {
        // far beyond two episodes' time
        let late = json!({"kind": "step", "at": 1_000_000, "from": 0, "to": 50, "clock": clock});
        let message =
            refusal(json!({"env": "cartpole", "filter": {"max_wind_share": 0.5}, "drift": {"wind_force": late}}));
        assert!(message.starts_with("task.filter: of 1000 tasks") && message.contains("max_wind_share"), "{message}");
        let top = json!({"law": "uniform", "low": 0, "high": 10});
        let wave = json!({"kind": "sinusoid", "mean": 0, "amplitude": top, "period": 7.3, "clock": clock});
        let config = json!({"env": "cartpole", "filter": {"max_wind_share": 0.5}, "drift": {"wind_force": wave}});
        if clock == "task" {
            // all tasks share one draw of the amplitude: where one fails, all do
            let message = refusal(config);
            assert!(message.starts_with("task.drift.wind_force: the filter cannot choose"), "{message}");
            continue;
        }
        for task in tasks(config, 200) {
            let clocks = |n| Clocks { episode_step: n, lifetime_step: n, episode: n, task: n, adapt_round: n };
            let wind = channel_index(EnvKind::from_name("cartpole").unwrap().spec(), "wind_force").unwrap();
            assert!((0..200).all(|n| task.values_on(&clocks(n))[wind].abs() <= 5.0));
        }
    }
    // a walk without limits reaches every legal value
    let walk = json!({"kind": "random_walk", "sigma": 0.01});
    refusal(json!({"env": "cartpole", "filter": {"max_wind_share": 0.5}, "drift": {"wind_force": walk}}));
    let kept = json!({"kind": "random_walk", "sigma": 0.01, "bounds": [-4, 4], "on_bound": "reflect"});
    tasks(json!({"env": "cartpole", "filter": {"max_wind_share": 0.5}, "drift": {"wind_force": kept}}), 1);
}
