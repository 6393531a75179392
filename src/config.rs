//! The description of a training run: one TOML file, checked once and complete afterwards.
//!
//! Text -> [`Config`] (unknown keys refused, line and column named) -> `--set` overrides -> [`Experiment`], every
//! number checked against its legal range. Every key has a default except `task.env`; the resolved configuration is
//! stored with each run.

use metadrift_agents::{
    learners::{self, Kind},
    settings::{MamlConfig, PolicyConfig, PpoConfig, RolloutConfig},
};
use metadrift_envs::TaskConfig;
use serde::{Deserialize, Serialize, de::Error};
use toml::{Table, Value};

use crate::{examples::ExamplesConfig, logging::LogConfig};

mod error;
mod evaluation;
mod experiment;
mod flat;
pub(crate) mod form;
mod ranges;
mod recipe;
mod rule;
mod set;
mod traces;

use self::error::{located, parse_error};
pub use self::{
    error::{ConfigError, nearest},
    evaluation::EvaluationConfig,
    experiment::Experiment,
};

/// A training run as a preset or file describes it. Only an [`Experiment`] is known to be consistent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Name of the run's folder and of its evaluations.
    pub name: String,
    /// One line on the tasks, and whether adaptation pays.
    #[serde(default)]
    pub description: String,
    /// The purpose of the tasks: adaptation or control.
    #[serde(default)]
    pub role: Role,
    /// Seed of every random number of the run.
    #[serde(default)]
    pub seed: u64,
    /// The learner.
    #[serde(default)]
    pub learner: Kind,
    /// Number of training iterations.
    #[serde(default = "default_iterations")]
    pub iterations: u64,
    /// Environment steps after which training ends, with the iteration that reaches them; 0 for no such limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub max_env_steps: u64,
    /// The tasks, unless they are made of examples.
    #[serde(default = "no_task", skip_serializing_if = "is_no_task")]
    pub task: TaskConfig,
    /// Tasks of labelled examples in place of episodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub examples: Option<ExamplesConfig>,
    /// The experience per iteration.
    #[serde(default)]
    pub rollout: RolloutConfig,
    /// The protocol of evaluation.
    #[serde(default)]
    pub evaluation: EvaluationConfig,
    /// The policy network.
    #[serde(default)]
    pub policy: PolicyConfig,
    /// The inner loop.
    #[serde(default)]
    pub maml: MamlConfig,
    /// The outer loop.
    #[serde(default)]
    pub ppo: PpoConfig,
    /// The checkpoints that are written and kept.
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
    /// Tasks on which no single fixed policy does well.
    #[default]
    Adaptation,
    /// Tasks on which a fixed policy does well: they measure robustness, and that adaptation does no harm.
    Control,
}

/// The section `[task]` of an experiment on examples, which has none.
fn no_task() -> TaskConfig {
    toml::from_str("env = \"\"").expect("a table of tasks needs an environment alone")
}

fn is_no_task(task: &TaskConfig) -> bool {
    task.env.is_empty()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's interface")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn default_iterations() -> u64 {
    100
}

/// The checkpoints that are written and kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointConfig {
    /// Iterations between two checkpoints; the first and the last iteration always have one.
    pub every: u64,
    /// Number of checkpoints that are kept.
    pub keep: usize,
    /// Number of times that training goes back to its best policy after a collapse ([`crate::guard`]).
    #[serde(skip_serializing_if = "is_default_tries")]
    pub tries: u64,
}

/// The default of `checkpoint.tries`.
const TRIES: u64 = 3;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's interface")]
fn is_default_tries(tries: &u64) -> bool {
    *tries == TRIES
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        CheckpointConfig { every: 10, keep: 3, tries: TRIES }
    }
}

impl Config {
    /// The configuration in `text`; `origin` names its source.
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

    /// Refuses sections of no learner, and keys or types that do not belong in a learner's section; names the section.
    fn check_sections(&self) -> Result<(), (String, toml::de::Error)> {
        for (name, value) in &self.own {
            let Some(section) = learners::all().filter_map(|entry| entry.own).find(|own| own.name == name) else {
                return Err((name.clone(), self.unknown(name)));
            };
            let Value::Table(table) = value else {
                return Err((name.clone(), toml::de::Error::custom(format!("`{name}` must be a table: [{name}]"))));
            };
            (section.resolve)(table.clone()).map_err(|error| {
                // "unknown field `key`, …", or "invalid type: … in `key`"
                let text = error.to_string();
                let named = text.rsplit_once("in `").or_else(|| text.split_once('`'));
                let key = named.and_then(|(_, rest)| rest.split('`').next()).unwrap_or_default().to_owned();
                (format!("{name}.{key}"), error)
            })?;
        }
        Ok(())
    }

    /// The error for an unknown key, in serde's words.
    fn unknown(&self, name: &str) -> toml::de::Error {
        let all = Table::try_from(Config { own: Table::new(), ..self.clone() }).expect(HAS_TOML);
        let sections = learners::sections().map(|own| own.name);
        let absent = ["examples", "max_env_steps", "task"].into_iter().filter(|name| !all.contains_key(*name));
        let known: Vec<String> =
            all.keys().map(String::as_str).chain(absent).chain(sections).map(|key| format!("`{key}`")).collect();
        toml::de::Error::custom(format!("unknown field `{name}`, expected one of {}", known.join(", ")))
    }

    /// The configuration as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect(HAS_TOML)
    }
}

/// Message of an impossible error.
const HAS_TOML: &str = "a configuration always has a TOML form";

#[cfg(test)]
mod tests;
