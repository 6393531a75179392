//! Errors of configurations: the place, the problem, and a remedy.

use std::{io, path::PathBuf};

use metadrift_agents::ranges::OutOfRange;
use metadrift_envs::TaskError;

use crate::{
    failure::{Coded, code},
    optimizer::RuleError,
};

/// An error of a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The text is not TOML, or has an unknown key or a wrong type.
    #[error("{origin}: {message}")]
    Text {
        /// Source of the text: file, preset or `--set` argument.
        origin: String,
        /// The parser's message, with line and column, and the nearest key.
        message: String,
    },
    /// A number outside its legal range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// A section belongs to a learner other than the chosen one.
    #[error(
        "config: [{section}] is only read with learner = \"{learner}\": leave it out, or set learner = \"{learner}\""
    )]
    Unread {
        /// The section.
        section: &'static str,
        /// Its learner.
        learner: &'static str,
    },
    /// The `[task]` table has an error.
    #[error("config: {0}{list}", list = all_names(.0))]
    Task(#[from] TaskError),
    /// Another of these errors, in a line of a file.
    #[error("{origin}, line {line}: {error}")]
    At {
        /// File or preset.
        origin: String,
        /// Line, counted from 1.
        line: usize,
        /// The error itself.
        error: Box<ConfigError>,
    },
    /// A preset does not exist, or a run does not fit it.
    #[error("{0}")]
    NotFound(String),
    /// The data of a family of examples are missing or damaged.
    #[error("examples.data: {message}")]
    Data {
        /// The problem and what to do.
        message: String,
        /// Exit code of its kind.
        code: u8,
    },
    /// The file of a learned optimiser is missing, damaged or of another kind.
    #[error("ppo_learner.optimizer_file: {0}")]
    Rule(RuleError),
    /// A configuration cannot be read.
    #[error("cannot read configuration {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The run needs more memory than there is.
    #[error("config: this needs about {need} of memory, but only {available} are available: lower {keys}")]
    TooLarge {
        /// Memory that is needed, as text.
        need: String,
        /// Memory that is available, as text.
        available: String,
        /// Settings to lower.
        keys: &'static str,
    },
}

impl Coded for ConfigError {
    fn code(&self) -> u8 {
        match self {
            ConfigError::Unreadable { .. } => code::FILE,
            ConfigError::Data { code, .. } => *code,
            ConfigError::Rule(error) => error.code(),
            _ => code::CONFIG,
        }
    }
}

impl ConfigError {
    /// This error with the line of its key, unless the key was set from the command line.
    pub(super) fn at(self, origin: &str, text: &str, sets: &[String]) -> ConfigError {
        let key = match &self {
            ConfigError::OutOfRange(error) => error.key.to_owned(),
            ConfigError::Unread { section, .. } => (*section).to_owned(),
            ConfigError::Task(error) => error.path().to_owned(),
            _ => return self,
        };
        let set = sets.iter().filter_map(|set| set.split_once('=')).any(|(path, _)| {
            let path = path.trim();
            key.starts_with(path) || path.starts_with(&format!("{key}."))
        });
        match line_of(text, &key) {
            Some(line) if !set => ConfigError::At { origin: origin.to_owned(), line, error: Box::new(self) },
            _ => self,
        }
    }
}

/// A parser's message with the place of the key path `path`, as the parser itself shows it.
pub(super) fn located(text: &str, path: &str, message: &str) -> String {
    let Some(number) = line_of(text, path) else { return message.to_owned() };
    let line = text.lines().nth(number - 1).unwrap_or_default();
    let margin = " ".repeat(number.to_string().len());
    let column = line.len() - line.trim_start().len() + 1;
    format!("TOML parse error at line {number}, column {column}\n{margin} |\n{number} | {line}\n{margin} |\n{message}")
}

/// The line of a key path (`a.b[0].c`), or of the deepest table on the path that exists.
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

/// The parser's message, with long lines shortened and the nearest key added.
pub(super) fn parse_error(origin: &str, error: &str) -> ConfigError {
    let short = |line: &str| -> String {
        let long = line.chars().count() > LONGEST;
        line.chars().take(LONGEST).chain(if long { " ..." } else { "" }.chars()).collect()
    };
    let lines: Vec<String> = error.trim_end().lines().map(short).collect();
    ConfigError::Text { origin: origin.into(), message: with_suggestion(&lines.join("\n")) }
}

/// Length up to which a line of a parser's message is shown whole: a list of keys fits.
const LONGEST: usize = 1000;

/// Keys of earlier versions, and their replacements.
const GONE: [(&str, &str); 1] = [(
    "task_scope",
    "this key was removed: a task lasts for the data before and after adaptation, and with learner = \"ppo\" for \
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

/// The known name nearest to `name`, if any is similar.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.map(|k| (strsim::jaro_winkler(name, k), k));
    scored.filter(|(score, _)| *score > 0.7).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, k)| k)
}
