//! The trials of a search as the journal has them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    journal::{self, Replay, State, Study, WORKER, record},
    order::costs,
    plan::{Plan, TuneError},
};
use crate::failure::Result;

/// Key of the study's attribute with everything that its results depend on.
const SETTINGS: &str = "metadrift";
/// Key of a trial's attribute with its values after so many iterations.
pub const SCORES: &str = "scores";
/// Key of a trial's attribute that says why it has no values.
pub const FAILURE: &str = "failure";

/// A trial of a search.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Its number in the journal, by which records name it.
    pub id: u64,
    /// Its number in the search.
    pub number: u64,
    /// Its state.
    pub state: State,
    /// Its values by parameter; none if it has other parameters.
    pub point: Option<Vec<f64>>,
    /// Its values by objective after each rung, in order; one of another program has those of the last rung alone.
    pub scores: Vec<Vec<f64>>,
    /// Who works on it; none while it waits for its next rung.
    pub worker: Option<Value>,
    /// The number of the last claim.
    pub claim: u64,
    /// The reason why it has no values.
    pub failure: Option<String>,
    /// True if this program made it.
    pub is_own: bool,
}

impl Trial {
    fn of(plan: &Plan, found: &journal::Trial) -> Trial {
        let value = |parameter: &super::space::Parameter| {
            let (value, distribution) = found.params.get(&parameter.key)?;
            (parameter.understands(distribution) && parameter.unit(*value).is_some()).then_some(*value)
        };
        let worker = found.user.get(WORKER);
        let stored = found.user.get(SCORES).and_then(Value::as_object);
        let score = |rung: &u64| -> Option<Vec<f64>> {
            stored?.get(&rung.to_string())?.as_array()?.iter().map(Value::as_f64).collect()
        };
        Trial {
            id: found.id,
            number: found.number,
            state: found.state,
            point: plan.parameters.iter().map(value).collect(),
            scores: plan.rungs.iter().map_while(score).collect(),
            worker: worker.filter(|worker| worker["process"].is_string()).cloned(),
            claim: found.claim(),
            failure: found.user.get(FAILURE).and_then(Value::as_str).map(str::to_owned),
            is_own: worker.is_some(),
        }
        .with_last(plan, found)
    }

    /// A finished trial of another program has its values after a whole training.
    fn with_last(mut self, plan: &Plan, found: &journal::Trial) -> Trial {
        if let (false, State::Complete, Some(values)) = (self.is_own, self.state, &found.values)
            && values.len() == plan.directions.len()
        {
            self.scores = vec![values.clone()];
        }
        self
    }

    /// Its values if it is finished.
    pub fn values(&self) -> Option<&Vec<f64>> {
        self.scores.last().filter(|_| self.state == State::Complete)
    }

    /// Number of rungs that it reached: all of them if it is finished, also if its training was over before.
    pub fn reached(&self, plan: &Plan) -> usize {
        if self.state == State::Complete { plan.rungs.len() } else { self.scores.len() }
    }

    /// Its last values as costs.
    pub fn costs(&self, plan: &Plan) -> Option<Vec<f64>> {
        self.scores.last().map(|values| costs(values, &plan.directions))
    }
}

/// The trials of the search, by number.
pub fn all(plan: &Plan, replay: &Replay, study: u64) -> Vec<Trial> {
    replay.trials(study).map(|trial| Trial::of(plan, trial)).collect()
}

/// A setting for people: of what Optuna writes of a parameter, its attributes.
fn shown(setting: &str) -> String {
    let mut values = serde_json::Deserializer::from_str(setting).into_iter::<Value>();
    match values.next() {
        Some(Ok(Value::Object(mut object))) => object.remove("attributes").unwrap_or(Value::Object(object)).to_string(),
        _ => setting.to_owned(),
    }
}

/// The number of the search's study; records that make it if the journal has none.
///
/// # Errors
/// [`TuneError`] if the journal is that of another search, or this one has other settings there.
pub fn study(plan: &Plan, replay: &Replay) -> Result<(Vec<Value>, u64), TuneError> {
    let refuse = |problem: String| Err(TuneError { origin: plan.file.name.clone(), problems: vec![problem] });
    let is_own = |study: &&Study| study.user.contains_key(SETTINGS);
    if let Some(other) = replay.studies().iter().find(|study| study.name != plan.file.name && is_own(study)) {
        return refuse(format!("its folder has the search `{}`: choose another --out", other.name));
    }
    let Some(found) = replay.studies().iter().find(|study| study.name == plan.file.name) else {
        let (id, names) = (replay.next_study(), plan.file.objectives.iter().map(|sought| sought.metric.as_str()));
        let settings = serde_json::to_value(plan.settings()).expect("texts have a JSON form");
        let records = vec![
            record::study(&plan.file.name, &plan.directions),
            record::study_attribute(id, SETTINGS, settings),
            record::metric_names(id, &names.collect::<Vec<_>>()),
        ];
        return Ok((records, id));
    };
    let Some(stored) = found.user.get(SETTINGS) else {
        return refuse(format!(
            "its folder has a study `{}` that another program made, or that was cut off at once: choose another name or \
             --out",
            found.name
        ));
    };
    let stored: BTreeMap<String, String> = serde_json::from_value(stored.clone()).unwrap_or_default();
    let asked = plan.settings();
    let mut keys: Vec<&String> =
        stored.keys().chain(asked.keys()).filter(|key| stored.get(*key) != asked.get(*key)).collect();
    keys.sort();
    keys.dedup();
    if keys.is_empty() {
        return Ok((Vec::new(), found.id));
    }
    let text =
        |all: &BTreeMap<String, String>, key: &String| all.get(key).map_or("nothing".to_owned(), |value| shown(value));
    let told = |key: &&String| format!("{key} is {} there and {} now", text(&stored, key), text(&asked, key));
    let mut problems: Vec<String> = keys.iter().take(5).map(told).collect();
    problems.push("the search in its folder has other settings: choose another --out".to_owned());
    Err(TuneError { origin: plan.file.name.clone(), problems })
}
