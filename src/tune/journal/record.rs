//! The records that this program writes, in the form of Optuna's journal.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::replay::{State, WORKER};
use crate::{run_dir::rfc3339, tune::file::Direction};

/// The time as Optuna reads it, with its zone in digits.
fn now() -> String {
    rfc3339(SystemTime::now()).replace('Z', ".000000+00:00")
}

/// A new study.
pub fn study(name: &str, directions: &[Direction]) -> Value {
    let number = |direction: &Direction| match direction {
        Direction::Minimize => 1,
        Direction::Maximize => 2,
    };
    json!({ "op_code": 0, "study_name": name, "directions": directions.iter().map(number).collect::<Vec<_>>() })
}

/// An attribute of a study.
pub fn study_attribute(study: u64, key: &str, value: Value) -> Value {
    json!({ "op_code": 2, "study_id": study, "user_attr": { key: value } })
}

/// The names of a study's objectives, which Optuna's pictures show.
pub fn metric_names(study: u64, names: &[&str]) -> Value {
    json!({ "op_code": 3, "study_id": study, "system_attr": { "study:metric_names": names } })
}

/// A new trial that runs: values and distributions by parameter, and who works on it.
pub fn trial(study: u64, params: &[(&str, f64, Value)], worker: &Value) -> Value {
    let values = params.iter().map(|(name, value, _)| ((*name).to_owned(), json!(value)));
    let texts = params.iter().map(|(name, _, of)| ((*name).to_owned(), json!(of.to_string())));
    json!({
        "op_code": 4, "study_id": study, "datetime_start": now(), "state": State::Running as u64, "value": null,
        "values": null, "params": values.collect::<serde_json::Map<_, _>>(),
        "distributions": texts.collect::<serde_json::Map<_, _>>(), "user_attrs": { WORKER: worker },
        "system_attrs": {}, "intermediate_values": {},
    })
}

/// An attribute of a trial.
pub fn attribute(trial: u64, key: &str, value: Value) -> Value {
    json!({ "op_code": 8, "trial_id": trial, "user_attr": { key: value } })
}

/// A value on the way.
pub fn intermediate(trial: u64, step: u64, value: f64) -> Value {
    json!({ "op_code": 7, "trial_id": trial, "step": step, "intermediate_value": value })
}

/// The end of a trial.
pub fn end(trial: u64, state: State, values: Option<&[f64]>) -> Value {
    json!({ "op_code": 6, "trial_id": trial, "state": state as u64, "values": values, "datetime_complete": now() })
}
