//! What is trained and how: one TOML file, checked once, nothing to guess afterwards.
//!
//! Text -> [`Config`] (unknown keys refused, line and column named) -> `--set` overrides -> every number checked against
//! its legal range. Every key has a default except `task.env`; the resolved configuration is stored with each run.

use std::{fmt::Display, path::Path};

use metadrift_agents::{
    maml::{MamlConfig, PolicyConfig, PpoConfig},
    ppo::PpoLearnerConfig,
};
use metadrift_envs::{EnvKind, Split, TaskConfig, TaskDistribution, TaskError};
use serde::{Deserialize, Serialize};

use crate::logging::LogConfig;

mod evaluation;
mod learner;
mod rollout;

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
        legal: &'static str,
    },
    /// Settings of plain PPO where the meta-learner learns.
    #[error("config: [ppo_learner] is only used with learner = \"ppo\"; remove it")]
    Unread,
    /// The `[task]` table.
    #[error("config: {0}")]
    Task(TaskError),
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
    /// A preset or file that does not exist.
    #[error("{0}")]
    NotFound(String),
}

/// By hand, for the message is part of this one: a `source` would tell it again.
impl From<TaskError> for ConfigError {
    fn from(error: TaskError) -> ConfigError {
        ConfigError::Task(error)
    }
}

impl Config {
    /// Parses `text`, lays the `sets` (`key.path=value`) over it, and checks everything.
    ///
    /// # Errors
    /// On the first thing that is wrong; `origin` says where `text` came from.
    pub fn parse(origin: &str, text: &str, sets: &[String]) -> Result<Config, ConfigError> {
        let complain = |origin: &str, error: toml::de::Error| ConfigError::Text {
            origin: origin.into(),
            message: with_suggestion(error.to_string().trim_end()),
        };
        let mut config: Config = toml::from_str(text).map_err(|e| complain(origin, e))?;
        let mut table: toml::Table = toml::from_str(text).map_err(|e| complain(origin, e))?;
        for set in sets {
            apply_set(&mut table, set)?;
            config = Config::deserialize(table.clone()).map_err(|e| complain(&format!("--set {set}"), e))?;
        }
        let checked = config.load_traces(origin).and_then(|()| config.resolve_evaluation());
        checked.and_then(|()| config.validate()).map_err(|error| error.at(origin, text, sets))?;
        Ok(config)
    }

    /// Reads the files that traces name, by their paths from the configuration's folder.
    fn load_traces(&mut self, origin: &str) -> Result<(), ConfigError> {
        let folder = Path::new(origin).parent().unwrap_or(Path::new(""));
        let read = |file: &str| {
            let path = folder.join(file);
            let text = std::fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
            let words = text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
            let number = |word: &str| word.parse().map_err(|_| format!("{}: `{word}` is no number", path.display()));
            words.map(number).collect()
        };
        Ok(self.task.load_traces(read)?)
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

    /// Time limit of an episode (steps).
    pub fn horizon(&self) -> Result<u32, ConfigError> {
        Ok(self.task.horizon.unwrap_or(self.env()?.spec().horizon))
    }

    /// Every number against its legal range, every task law against its channel's.
    fn validate(&self) -> Result<(), ConfigError> {
        let (r, m, p) = (&self.rollout, &self.maml, &self.ppo);
        let positive = |x: f64| x.is_finite() && x > 0.0;
        let not_negative = |x: f64| x.is_finite() && x >= 0.0;
        let name_ok = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let name_legal = !self.name.is_empty() && !self.name.starts_with('.') && self.name.chars().all(name_ok);
        check("name", &self.name, name_legal, "letters, digits, `-`, `_` and `.`, not starting with `.`")?;
        check("iterations", self.iterations, (1..=100_000_000).contains(&self.iterations), "1 to 100000000")?;
        check("rollout.num_tasks", r.num_tasks, (1..=100_000).contains(&r.num_tasks), "1 to 100000")?;
        check("rollout.num_envs", r.num_envs, (1..=100_000).contains(&r.num_envs), "1 to 100000")?;
        check("rollout.num_steps", r.num_steps, r.num_steps <= 1_000_000, "0 (the horizon) to 1000000")?;
        let hidden = &self.policy.hidden;
        let widths_legal = hidden.len() <= 8 && hidden.iter().all(|w| (1..=4096).contains(w));
        check("policy.hidden", format!("{hidden:?}"), widths_legal, "at most 8 widths of 1 to 4096")?;
        let log_std = self.policy.init_log_std;
        check("policy.init_log_std", log_std, (-10.0..=3.0).contains(&log_std), "-10 to 3")?;
        check("maml.inner_lr", m.inner_lr, not_negative(m.inner_lr), "a finite number, 0 or more")?;
        check("maml.inner_steps", m.inner_steps, m.inner_steps <= 100, "0 to 100")?;
        check("ppo.outer_lr", p.outer_lr, not_negative(p.outer_lr), "a finite number, 0 or more")?;
        check("ppo.outer_epochs", p.outer_epochs, (1..=1000).contains(&p.outer_epochs), "1 to 1000")?;
        check("ppo.clip_eps", p.clip_eps, positive(p.clip_eps) && p.clip_eps < 1.0, "above 0 and below 1")?;
        check("ppo.kl_coef", p.kl_coef, not_negative(p.kl_coef), "a finite number, 0 or more")?;
        check("ppo.ent_coef", p.ent_coef, not_negative(p.ent_coef), "a finite number, 0 or more")?;
        check("ppo.max_grad_norm", p.max_grad_norm, positive(p.max_grad_norm), "a finite number above 0")?;
        check("ppo.gamma", p.gamma, positive(p.gamma) && p.gamma < 1.0, "above 0 and below 1")?;
        check("ppo.gae_lambda", p.gae_lambda, (0.0..=1.0).contains(&p.gae_lambda), "0 to 1")?;
        check("checkpoint.every", self.checkpoint.every, self.checkpoint.every >= 1, "1 or more")?;
        check("checkpoint.keep", self.checkpoint.keep, self.checkpoint.keep >= 1, "1 or more")?;
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

fn check(key: &'static str, value: impl Display, ok: bool, legal: &'static str) -> Result<(), ConfigError> {
    if ok { Ok(()) } else { Err(ConfigError::OutOfRange { key, value: value.to_string(), legal }) }
}

/// Lays one `key.path=value` over the table. The value is TOML; a bare word is a string.
fn apply_set(table: &mut toml::Table, set: &str) -> Result<(), ConfigError> {
    let bad = |message: String| ConfigError::Text { origin: format!("--set {set}"), message };
    let (path, text) =
        set.split_once('=').ok_or_else(|| bad("write key=value, for example --set maml.inner_lr=0.1".into()))?;
    let value = match toml::from_str::<toml::Table>(&format!("v = {text}")) {
        Ok(mut parsed) if parsed.len() == 1 => parsed.remove("v").expect("the only key"),
        _ => toml::Value::String(text.to_owned()),
    };
    let mut keys: Vec<&str> = path.trim().split('.').collect();
    let last = keys.pop().expect("split yields at least one part");
    let mut at = table;
    for key in keys {
        let next = at.entry(key).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        at = next.as_table_mut().ok_or_else(|| bad(format!("`{key}` is a value, not a table")))?;
    }
    at.insert(last.to_owned(), value);
    Ok(())
}

/// Adds the nearest of the keys that serde names in "unknown field `x`, expected one of `a`, `b`".
fn with_suggestion(message: &str) -> String {
    let law = "a law such as { law = \"uniform\", low = 0.5, high = 2.0 }; a number goes into [task.base]";
    let message = &message.replace("internally tagged enum Law", law);
    let quoted: Vec<&str> = message
        .lines()
        .find(|line| line.contains("unknown field") || line.contains("unknown variant"))
        .map_or_else(Vec::new, |line| line.split('`').skip(1).step_by(2).collect());
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
