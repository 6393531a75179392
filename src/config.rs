//! What is trained and how: one TOML file, checked once, nothing to guess afterwards.
//!
//! Text -> [`Config`] (unknown keys refused, line and column named) -> `--set` overrides -> every number checked against
//! its legal range. Every key has a default except `task.env`; the resolved configuration is stored with each run.

use std::{borrow::Cow, fmt::Display, io, path::PathBuf};

use metadrift_agents::{
    maml::{MamlConfig, PolicyConfig, PpoConfig},
    ppo::PpoLearnerConfig,
};
use metadrift_envs::{EnvKind, Split, TaskConfig, TaskDistribution, TaskError};
use serde::{Deserialize, Serialize};

use crate::logging::LogConfig;

mod evaluation;
mod flat;
mod learner;
mod ranges;
mod rollout;
mod set;
mod traces;

pub use self::{evaluation::EvaluationConfig, learner::Learner, rollout::RolloutConfig};

/// A training run: preset or file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// What learns.
    #[serde(default)]
    pub learner: Learner,
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
    /// What plain PPO has besides.
    #[serde(default)]
    pub ppo_learner: PpoLearnerConfig,
    /// What is kept.
    #[serde(default)]
    pub checkpoint: CheckpointConfig,
    /// How it is logged.
    #[serde(default)]
    pub log: LogConfig,
}

/// What the tasks of a configuration are for.
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

/// A configuration that cannot be used: where, what, and what would do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The text is no TOML, or has a key or a type that does not belong there.
    #[error("{origin}: {message}")]
    Text {
        /// File, preset or `--set` argument.
        origin: String,
        /// The parser's words, with line and column, and the nearest key.
        message: String,
    },
    /// A number outside its legal range.
    #[error("config: {key} = {value}: must be {legal}")]
    OutOfRange {
        /// Key path.
        key: &'static str,
        /// As it was given.
        value: String,
        /// In words.
        legal: Cow<'static, str>,
    },
    /// Settings of plain PPO where the meta-learner learns.
    #[error("config: [ppo_learner] is only used with learner = \"ppo\"; remove it")]
    Unread,
    /// The `[task]` table.
    #[error("config: {0}{list}", list = all_names(.0))]
    Task(#[from] TaskError),
    /// What is wrong stands in a line of a file.
    #[error("{origin}, line {line}: {error}")]
    At {
        /// File or preset.
        origin: String,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        error: Box<ConfigError>,
    },
    /// A preset that does not exist, or a run that does not go with it.
    #[error("{0}")]
    NotFound(String),
    /// A configuration that cannot be read.
    #[error("cannot read configuration {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// More than fits into memory.
    #[error("config: this takes about {need} of memory, and {available} are there: lower {keys}")]
    TooLarge {
        /// Memory that is needed.
        need: String,
        /// Memory that can be had.
        available: String,
        /// What to lower.
        keys: &'static str,
    },
}

impl Config {
    /// Parses `text`, lays the `sets` (`key.path=value`) over it, and checks everything.
    ///
    /// # Errors
    /// On the first thing that is wrong; `origin` says where `text` came from.
    pub fn parse(origin: &str, text: &str, sets: &[String]) -> Result<Config, ConfigError> {
        let mut config: Config = toml::from_str(text).map_err(|e| parse_error(origin, &e))?;
        let mut table: toml::Table = toml::from_str(text).map_err(|e| parse_error(origin, &e))?;
        set::check(sets)?;
        for set in sets {
            config = set::apply(&mut table, set)?;
        }
        let checked = config.load_traces(origin).and_then(|()| config.resolve_evaluation());
        checked.and_then(|()| config.validate()).map_err(|error| error.at(origin, text, sets))?;
        Ok(config)
    }

    /// The resolved configuration as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("a configuration always has a TOML form")
    }

    /// The environment.
    pub fn env(&self) -> Result<EnvKind, ConfigError> {
        Ok(EnvKind::from_name(&self.task.env)?)
    }

    /// The tasks of a split.
    pub fn tasks(&self, split: Split) -> Result<TaskDistribution, ConfigError> {
        Ok(TaskDistribution::new(self.env()?.spec(), &self.task, split)?)
    }

    /// What the user should know about tasks that are legal: splits that share some.
    ///
    /// # Errors
    /// As [`Config::tasks`].
    pub fn warnings(&self) -> Result<Vec<String>, ConfigError> {
        let overlaps = self.task.overlaps(self.env()?.spec())?;
        Ok(overlaps.iter().map(|overlap| format!("task: {overlap}")).collect())
    }

    /// Time limit of an episode (steps).
    pub fn horizon(&self) -> Result<u32, ConfigError> {
        Ok(self.task.horizon.unwrap_or(self.env()?.spec().horizon))
    }

    /// Every number against its legal range, every task law against its channel's.
    fn validate(&self) -> Result<(), ConfigError> {
        let name_ok = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let name_legal = !self.name.is_empty() && !self.name.starts_with('.') && self.name.chars().all(name_ok);
        let name_legal = name_legal && self.name != "tb";
        check(
            "name",
            &self.name,
            name_legal,
            "letters, digits, `-`, `_` and `.`, not starting with `.`, and not `tb`",
        )?;
        self.check_ranges()?;
        self.check_learner()?;
        self.check_evaluation()?;
        for split in Split::ALL {
            self.tasks(split)?;
        }
        let horizon = self.horizon()?;
        check("task.horizon", horizon, (1..=1_000_000).contains(&horizon), "1 to 1000000")
    }
}

impl ConfigError {
    /// The same with the line of its key, unless the key was set from the command line.
    fn at(self, origin: &str, text: &str, sets: &[String]) -> ConfigError {
        let key = match &self {
            ConfigError::OutOfRange { key, .. } => (*key).to_owned(),
            ConfigError::Unread => "ppo_learner".to_owned(),
            ConfigError::Task(error) => error.path().to_owned(),
            _ => return self,
        };
        let set = sets.iter().filter_map(|set| set.split_once('=')).any(|(path, _)| key.starts_with(path.trim()));
        match line_of(text, &key) {
            Some(line) if !set => ConfigError::At { origin: origin.to_owned(), line, error: Box::new(self) },
            _ => self,
        }
    }
}

/// The line of a key path (`a.b[0].c`), or of the deepest table on its way that is there.
fn line_of(text: &str, path: &str) -> Option<usize> {
    let document = toml::de::DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut start = None;
    for part in path.split('.') {
        let (name, index) = part.split_once('[').map_or((part, None), |(name, rest)| (name, Some(rest)));
        let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == name) else { break };
        start = Some(key.span().start);
        let mut value = value;
        if let Some(index) = index
            && let Some(item) = value.get_ref().get(index.trim_end_matches(']').parse::<usize>().ok()?)
        {
            start = Some(item.span().start);
            value = item;
        }
        let Some(next) = value.get_ref().as_table() else { break };
        table = next;
    }
    start.map(|start| text[..start].matches('\n').count() + 1)
}

/// The command that lists all names, for an unknown one.
fn all_names(error: &TaskError) -> String {
    match error {
        TaskError::UnknownChannel { env, .. } => format!(". `metadrift env show {env}` lists all"),
        TaskError::UnknownEnv { .. } => ". `metadrift env list` lists all".to_owned(),
        _ => String::new(),
    }
}

fn check(key: &'static str, value: impl Display, ok: bool, legal: &'static str) -> Result<(), ConfigError> {
    if ok { Ok(()) } else { Err(ConfigError::OutOfRange { key, value: value.to_string(), legal: legal.into() }) }
}

/// The parser's words, long lines shortened, with the nearest key.
fn parse_error(origin: &str, error: &toml::de::Error) -> ConfigError {
    let short = |line: &str| -> String {
        let long = line.chars().count() > LONGEST;
        line.chars().take(LONGEST).chain(if long { " ..." } else { "" }.chars()).collect()
    };
    let lines: Vec<String> = error.to_string().trim_end().lines().map(short).collect();
    ConfigError::Text { origin: origin.into(), message: with_suggestion(&lines.join("\n")) }
}

/// Longest line of a parser's message that is shown whole: a list of keys fits.
const LONGEST: usize = 1000;

/// Keys of former versions, and what takes their place.
const GONE: [(&str, &str); 1] = [(
    "task_scope",
    "there is no such choice: a task lasts for the data before and after adaptation, and with learner = \"ppo\" for \
     `rollout.episodes_per_env` episodes (1 draws a new task for every episode)",
)];

/// Adds the nearest of the keys that serde names in "unknown field `x`, expected one of `a`, `b`".
fn with_suggestion(message: &str) -> String {
    let law = "a law such as { law = \"uniform\", low = 0.5, high = 2.0 }; a number goes into [task.base]";
    let message = &message.replace("internally tagged enum Law", law);
    let quoted: Vec<&str> = message
        .lines()
        .find(|line| line.contains("unknown field") || line.contains("unknown variant"))
        .map_or_else(Vec::new, |line| line.split('`').skip(1).step_by(2).collect());
    let gone = quoted.first().and_then(|unknown| GONE.iter().find(|(key, _)| key == unknown));
    if let Some((_, instead)) = gone {
        return format!("{message}; {instead}");
    }
    match quoted.split_first() {
        Some((unknown, known)) => match nearest(unknown, known.iter().copied()) {
            Some(near) => format!("{message}; did you mean `{near}`?"),
            None => message.clone(),
        },
        None => message.clone(),
    }
}

/// The known name most like `name`, if any is at all alike.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.map(|k| (strsim::jaro_winkler(name, k), k));
    scored.filter(|(score, _)| *score > 0.7).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, k)| k)
}

#[cfg(test)]
mod tests;
