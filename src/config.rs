//! The description of a training run: one TOML file, checked once, nothing to guess afterwards.
//!
//! Text -> [`Config`] (unknown keys refused, line and column named) -> `--set` overrides -> [`Experiment`], every number
//! checked against its legal range. Every key has a default except `task.env`; the resolved configuration is stored with
//! each run.

use metadrift_agents::{
    learners::{self, Kind},
    settings::{MamlConfig, PolicyConfig, PpoConfig, RolloutConfig},
};
use metadrift_envs::TaskConfig;
use serde::{Deserialize, Serialize, de::Error};
use toml::{Table, Value};

use crate::logging::LogConfig;

mod error;
mod evaluation;
mod experiment;
mod flat;
mod ranges;
mod set;
mod traces;

use self::error::{located, parse_error};
pub use self::{
    error::{ConfigError, nearest},
    evaluation::EvaluationConfig,
    experiment::Experiment,
};

/// A training run as a preset or file describes it. Whether it holds together only [`Experiment`] knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Name of the run's folder and of its evaluations.
    pub name: String,
    /// One line on what the tasks are and whether adaptation pays.
    #[serde(default)]
    pub description: String,
    /// Whether the tasks need adaptation.
    #[serde(default)]
    pub role: Role,
    /// Every random number of the run follows from it.
    #[serde(default)]
    pub seed: u64,
    /// The learner.
    #[serde(default)]
    pub learner: Kind,
    /// Updates.
    #[serde(default = "default_iterations")]
    pub iterations: u64,
    /// Which tasks.
    pub task: TaskConfig,
    /// How much experience.
    #[serde(default)]
    pub rollout: RolloutConfig,
    /// How much an evaluation sees and adapts.
    #[serde(default)]
    pub evaluation: EvaluationConfig,
    /// The network.
    #[serde(default)]
    pub policy: PolicyConfig,
    /// The inner loop.
    #[serde(default)]
    pub maml: MamlConfig,
    /// The outer loop.
    #[serde(default)]
    pub ppo: PpoConfig,
    /// Which checkpoints are kept.
    #[serde(default)]
    pub checkpoint: CheckpointConfig,
    /// The form of the log.
    #[serde(default)]
    pub log: LogConfig,
    /// Sections that belong to one learner each, by name.
    #[serde(flatten)]
    pub own: Table,
}

/// The purpose of a configuration's tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// No fixed policy does well on all of them.
    #[default]
    Adaptation,
    /// A fixed policy does: they measure robustness, and what adaptation must not spoil.
    Control,
}

fn default_iterations() -> u64 {
    100
}

/// Which checkpoints there are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointConfig {
    /// Iterations between two checkpoints; the first and the last iteration always have one.
    pub every: u64,
    /// How many are kept.
    pub keep: usize,
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        CheckpointConfig { every: 10, keep: 3 }
    }
}

impl Config {
    /// The configuration in `text`; `origin` says where it came from.
    fn from_text(origin: &str, text: &str) -> Result<Config, ConfigError> {
        let config: Config = toml::from_str(text).map_err(|error| parse_error(origin, &error.to_string()))?;
        config
            .check_sections()
            .map_err(|(path, error)| parse_error(origin, &located(text, &path, &error.to_string())))?;
        Ok(config)
    }

    /// The configuration in a table.
    fn from_table(table: Table) -> Result<Config, toml::de::Error> {
        let config = Config::deserialize(table)?;
        config.check_sections().map_err(|(_, error)| error)?;
        Ok(config)
    }

    /// Refuses sections that no learner has, and keys or types that do not belong into those of a learner; says where.
    fn check_sections(&self) -> Result<(), (String, toml::de::Error)> {
        for (name, value) in &self.own {
            let Some(section) = learners::all().filter_map(|entry| entry.own).find(|own| own.name == name) else {
                return Err((name.clone(), self.unknown(name)));
            };
            let Value::Table(table) = value else {
                return Err((name.clone(), toml::de::Error::custom(format!("`{name}` is a value, not a table"))));
            };
            (section.resolve)(table.clone()).map_err(|error| {
                let key = error.message().split('`').nth(1).unwrap_or_default().to_owned();
                (format!("{name}.{key}"), error)
            })?;
        }
        Ok(())
    }

    /// The error for a key that does not exist, in the words of serde.
    fn unknown(&self, name: &str) -> toml::de::Error {
        let all = Table::try_from(Config { own: Table::new(), ..self.clone() }).expect(HAS_TOML);
        let sections = learners::all().filter_map(|entry| entry.own).map(|own| own.name);
        let known: Vec<String> = all.keys().map(String::as_str).chain(sections).map(|key| format!("`{key}`")).collect();
        toml::de::Error::custom(format!("unknown field `{name}`, expected one of {}", known.join(", ")))
    }

    /// The configuration as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect(HAS_TOML)
    }
}

/// A fact about configurations.
const HAS_TOML: &str = "a configuration always has a TOML form";

#[cfg(test)]
mod tests;
