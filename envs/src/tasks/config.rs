//! Task files: the `[task]` table, as written.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeSeed, Error as _, IntoDeserializer, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::{
    physics::version::{IntegratorKind, RewardKind},
    tasks::{
        drift::Timing,
        error::TaskError,
        filter::Filter,
        law::Law,
        number::Number,
        schedule::Schedule,
        settings::{Notify, SensorFill, TaskSettings},
        task::Split,
    },
};

/// The `[task]` table of a configuration file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskConfig {
    /// Name of the environment.
    pub env: String,
    /// Time limit (steps per episode); the environment's default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon: Option<u32>,
    /// Number of the last actions that are appended to the observation, 0 to 64.
    #[serde(default, skip_serializing_if = "is_default")]
    pub observe_actions: u32,
    /// Integrator of the state; the environment's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integrator: Option<IntegratorKind>,
    /// Reward of a step; the environment's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward: Option<RewardKind>,
    /// Reading that a sensor shows in place of a dropped one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sensor_fill: SensorFill,
    /// Notifications of changes to the agent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub notify: Notify,
    /// Filter that leaves out tasks which cannot be solved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// Channels with the same value in all tasks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub base: BTreeMap<String, f64>,
    /// Channels drawn once per task.
    #[serde(default)]
    pub vary: BTreeMap<String, Law>,
    /// Channels that follow a schedule.
    #[serde(default)]
    pub drift: BTreeMap<String, DriftConfig>,
    /// Channels of the actuator, such as `gain = 1.2` for `actuator_gain`: numbers or laws.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub actuator: BTreeMap<String, Number>,
    /// Channels of the sensors by component of the observation, such as `theta = { bias = 0.1 }` for
    /// `sensor_theta_bias`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sensor: BTreeMap<String, BTreeMap<String, Number>>,
    /// Channels of `vary` that are drawn together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub correlated: Vec<Correlated>,
    /// Alternatives, equally likely: each lays its channels (numbers or laws) over the rest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<BTreeMap<String, Number>>,
    /// Differences of the test splits.
    #[serde(default)]
    pub split: SplitOverrides,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl TaskConfig {
    /// Settings that all tasks have in common.
    pub fn settings(&self) -> TaskSettings {
        TaskSettings {
            observe_actions: self.observe_actions,
            integrator: self.integrator,
            reward: self.reward,
            sensor_fill: self.sensor_fill,
            notify: self.notify,
        }
    }

    /// Replaces the name of a trace's `file` by the numbers that `read` finds in it; an error of `read` is reported at
    /// the key of its drift.
    ///
    /// # Errors
    /// The first error of `read`.
    pub fn load_traces(&mut self, mut read: impl FnMut(&str) -> Result<Vec<f64>, String>) -> Result<(), TaskError> {
        let mut tables = vec![("task", &mut self.drift)];
        tables.extend(self.split.in_dist.iter_mut().map(|o| ("task.split.in_dist", &mut o.drift)));
        tables.extend(self.split.ood.iter_mut().map(|o| ("task.split.ood", &mut o.drift)));
        for (table, drifts) in tables {
            for (name, drift) in drifts {
                drift.schedule.visit_traces(&mut |trace| {
                    if let Some(file) = trace.file.take() {
                        let path = format!("{table}.drift.{name}.file");
                        if !trace.values.is_empty() {
                            let problem = "`values` is there too; a recording comes from one of the two".into();
                            return Err(TaskError::Invalid { path, problem });
                        }
                        trace.values = read(&file).map_err(|problem| TaskError::Invalid { path, problem })?;
                    }
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    /// The overrides of a split, with their key path.
    pub(crate) fn overrides(&self, split: Split) -> Option<(&'static str, &Overrides)> {
        match split {
            Split::Train => None,
            Split::InDist => self.split.in_dist.as_ref().map(|overrides| ("task.split.in_dist", overrides)),
            Split::Ood => self.split.ood.as_ref().map(|overrides| ("task.split.ood", overrides)),
        }
    }
}

/// Overrides by split, `[task.split.in_dist]` and `[task.split.ood]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitOverrides {
    /// Overrides for held-out tasks of the training distribution; usually absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_dist: Option<Overrides>,
    /// Overrides for tasks outside the training distribution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ood: Option<Overrides>,
}

/// Entries that replace those of the training distribution for the same channel, be they in `vary` or in `drift`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overrides {
    /// Number of the channels below that leave the training distribution at once.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mode: Mode,
    /// Channels with the same value in all tasks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub base: BTreeMap<String, f64>,
    /// Channels drawn once per task.
    #[serde(default)]
    pub vary: BTreeMap<String, Law>,
    /// Channels that follow a schedule.
    #[serde(default)]
    pub drift: BTreeMap<String, DriftConfig>,
    /// Channels of the actuator, as in [`TaskConfig::actuator`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub actuator: BTreeMap<String, Number>,
    /// Channels of the sensors, as in [`TaskConfig::sensor`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sensor: BTreeMap<String, BTreeMap<String, Number>>,
    /// Alternatives in place of [`TaskConfig::list`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<BTreeMap<String, Number>>,
}

/// Number of channels that a task takes from [`Overrides`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// All channels.
    #[default]
    AllOut,
    /// One channel, each equally likely; the others stay as in training.
    OneOut,
}

/// Channels whose draws depend on each other, by a Gaussian copula: normal numbers with these
/// correlations are turned into uniform numbers, and each gives the quantile of its channel's own law.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correlated {
    /// Names of the channels; each has a law in `vary` that is no mixture.
    pub channels: Vec<String>,
    /// The correlation of two channels, or the matrix of all.
    pub correlation: Correlation,
}

/// Correlations of the normal numbers behind [`Correlated`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Correlation {
    /// One correlation for every two channels.
    Common(f64),
    /// A symmetric matrix, ones on the diagonal.
    Matrix(Vec<Vec<f64>>),
}

/// A drift as written: every number of the schedule is fixed or has a law to be drawn from, once
/// per task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DriftConfig {
    /// Kind and numbers.
    #[serde(flatten)]
    pub schedule: Schedule<Number>,
    /// Fields that all kinds have in common.
    #[serde(flatten)]
    pub timing: Timing,
}

/// Names of the fields of [`Timing`].
const TIMING: [&str; 6] = ["clock", "apply", "hold", "window", "on_bound", "bounds"];

/// The implementation is by hand: serde cannot both refuse unknown fields and merge two types.
impl<'de> Deserialize<'de> for DriftConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<DriftConfig, D::Error> {
        struct DriftVisitor;

        impl<'de> Visitor<'de> for DriftVisitor {
            type Value = DriftConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a schedule such as { kind = \"step\", at = 100, from = 1, to = -1 }")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DriftConfig, A::Error> {
                let mut timing = Timing::default();
                let rest = Rest { map, timing: &mut timing };
                let schedule = Schedule::deserialize(MapAccessDeserializer::new(rest)).map_err(|error| {
                    let error = error.to_string().trim_end().to_owned();
                    let common = TIMING.map(|name| format!("`{name}`")).join(", ");
                    let unknown_field = error.contains("unknown field");
                    A::Error::custom(if unknown_field { format!("{error}, or of all kinds {common}") } else { error })
                })?;
                Ok(DriftConfig { schedule, timing })
            }
        }
        deserializer.deserialize_map(DriftVisitor)
    }
}

/// A map without the fields of [`Timing`], which it keeps.
struct Rest<'a, A> {
    map: A,
    timing: &'a mut Timing,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Rest<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        while let Some(key) = self.map.next_key::<String>()? {
            match key.as_str() {
                "clock" => self.timing.clock = self.map.next_value()?,
                "apply" => self.timing.apply = self.map.next_value()?,
                "hold" => self.timing.hold = self.map.next_value()?,
                "window" => self.timing.window = Some(self.map.next_value()?),
                "on_bound" => self.timing.on_bound = Some(self.map.next_value()?),
                "bounds" => self.timing.bounds = Some(self.map.next_value()?),
                _ => return seed.deserialize(key.into_deserializer()).map(Some),
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}
