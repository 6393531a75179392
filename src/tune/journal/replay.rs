//! The state that the records of a journal add up to, as Optuna's `JournalStorageReplayResult` has it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The state of a trial, by Optuna's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs, or waits for its next rung.
    Running = 0,
    /// It has its values.
    Complete = 1,
    /// It was stopped early.
    Pruned = 2,
    /// It has no values.
    Fail = 3,
    /// It was enqueued.
    Waiting = 4,
}

impl State {
    fn of(number: &Value) -> Option<State> {
        let all = [State::Running, State::Complete, State::Pruned, State::Fail, State::Waiting];
        all.into_iter().find(|state| number.as_u64() == Some(*state as u64))
    }

    /// True if nothing about the trial changes any more.
    pub fn is_over(self) -> bool {
        matches!(self, State::Complete | State::Pruned | State::Fail)
    }
}

/// A trial.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Its number among all trials of the journal, from 0.
    pub id: u64,
    /// Its number in its study, from 0.
    pub number: u64,
    /// Its state.
    pub state: State,
    /// Values as Optuna stores them, with their distributions, by parameter.
    pub params: BTreeMap<String, (f64, Value)>,
    /// Its values by objective; none if there are none, or one is no finite number.
    pub values: Option<Vec<f64>>,
    /// User attributes.
    pub user: Map<String, Value>,
    study: u64,
}

/// A study.
#[derive(Clone, Debug)]
pub struct Study {
    /// Its number, from 0.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// User attributes.
    pub user: Map<String, Value>,
}

/// All studies and trials of a journal.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    studies: Vec<Study>,
    trials: Vec<Trial>,
    /// Number of studies that ever were.
    ever: u64,
}

/// Key of the user attribute that says who works on a trial. A record of it counts only if its `claim` follows the
/// last one, so that of two that want the same trial the first has it.
pub const WORKER: &str = "worker";

/// The largest kind of a record that this version knows: that of Optuna 5.0.
const LAST_KIND: u64 = 10;

impl Replay {
    /// The studies.
    pub fn studies(&self) -> &[Study] {
        &self.studies
    }

    /// The number that the next study will have.
    pub fn next_study(&self) -> u64 {
        self.ever
    }

    /// The trials of a study, by number.
    pub fn trials(&self, study: u64) -> impl Iterator<Item = &Trial> {
        self.trials.iter().filter(move |trial| trial.study == study)
    }

    /// Adds a record.
    ///
    /// # Errors
    /// If the record is of a kind that is not known, or lacks a part.
    pub fn apply(&mut self, record: &Value) -> Result<(), Unread> {
        let kind = record["op_code"].as_u64().ok_or(Unread::Damaged("it has no op_code"))?;
        match kind {
            0 => self.create_study(record),
            1 => self.delete_study(record),
            2 => self.study_attribute(record),
            4 => self.create_trial(record),
            5 => self.parameter(record),
            6 => self.state(record),
            8 => self.attribute(record),
            // attributes of Optuna's samplers, intermediate values, and what only another engine reads
            3 | 7 | 9 | 10 => Some(()),
            _ => return Err(Unread::Unknown(kind, LAST_KIND)),
        }
        .ok_or(Unread::Damaged("a part of it is missing"))
    }

    fn create_study(&mut self, record: &Value) -> Option<()> {
        let name = record["study_name"].as_str()?;
        if !self.studies.iter().any(|study| study.name == name) {
            self.studies.push(Study { id: self.ever, name: name.to_owned(), user: Map::new() });
            self.ever += 1;
        }
        Some(())
    }

    fn delete_study(&mut self, record: &Value) -> Option<()> {
        let id = record["study_id"].as_u64()?;
        self.studies.retain(|study| study.id != id);
        Some(())
    }

    fn study_attribute(&mut self, record: &Value) -> Option<()> {
        let (id, added) = (record["study_id"].as_u64()?, record["user_attr"].as_object()?);
        if let Some(study) = self.studies.iter_mut().find(|study| study.id == id) {
            study.user.extend(added.clone());
        }
        Some(())
    }

    fn create_trial(&mut self, record: &Value) -> Option<()> {
        let study = record["study_id"].as_u64()?;
        if !self.studies.iter().any(|known| known.id == study) {
            return Some(());
        }
        let mut trial = Trial {
            id: self.trials.len() as u64,
            number: self.trials(study).count() as u64,
            state: State::Running,
            params: BTreeMap::new(),
            values: None,
            user: Map::new(),
            study,
        };
        if let Some(state) = record.get("state") {
            trial.state = State::of(state)?;
        }
        for (name, value) in record.get("params").and_then(Value::as_object).into_iter().flatten() {
            let distribution = distribution(&record["distributions"][name])?;
            trial.params.insert(name.clone(), (value.as_f64()?, distribution));
        }
        if let Some(attributes) = record.get("user_attrs") {
            trial.user = attributes.as_object()?.clone();
        }
        let single = record.get("value").filter(|value| !value.is_null()).map(|value| Value::from(vec![value.clone()]));
        trial.values = numbers(record.get("values").filter(|values| !values.is_null()).or(single.as_ref()));
        self.trials.push(trial);
        Some(())
    }

    /// The trial of a record, if it is there and not over.
    fn open(&mut self, record: &Value) -> Option<Option<&mut Trial>> {
        let id = record["trial_id"].as_u64()?;
        Some(self.trials.get_mut(id as usize).filter(|trial| !trial.state.is_over()))
    }

    fn parameter(&mut self, record: &Value) -> Option<()> {
        let (name, value) = (record["param_name"].as_str()?, record["param_value_internal"].as_f64()?);
        let distribution = distribution(&record["distribution"])?;
        if let Some(trial) = self.open(record)? {
            trial.params.insert(name.to_owned(), (value, distribution));
        }
        Some(())
    }

    fn state(&mut self, record: &Value) -> Option<()> {
        let state = State::of(&record["state"])?;
        let values = record.get("values").filter(|values| !values.is_null());
        if let Some(trial) = self.open(record)? {
            trial.state = state;
            trial.values = if values.is_some() { numbers(values) } else { trial.values.take() };
        }
        Some(())
    }

    fn attribute(&mut self, record: &Value) -> Option<()> {
        let added = record["user_attr"].as_object()?;
        let Some(trial) = self.open(record)? else { return Some(()) };
        for (key, value) in added {
            if key != WORKER || value["claim"].as_u64() == Some(trial.claim() + 1) {
                trial.user.insert(key.clone(), value.clone());
            }
        }
        Some(())
    }
}

impl Trial {
    /// The number of the last claim.
    pub fn claim(&self) -> u64 {
        self.user.get(WORKER).and_then(|worker| worker["claim"].as_u64()).unwrap_or(0)
    }
}

/// The reason why a record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is of this kind; the last that is known is the second.
    Unknown(u64, u64),
    /// It is no record.
    Damaged(&'static str),
}

/// A distribution, which a journal has as JSON in a text.
fn distribution(text: &Value) -> Option<Value> {
    serde_json::from_str(text.as_str()?).ok()
}

/// Finite numbers in a list.
fn numbers(list: Option<&Value>) -> Option<Vec<f64>> {
    list?.as_array()?.iter().map(Value::as_f64).collect()
}
