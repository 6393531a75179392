//! The file that describes a study.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;
use toml::Table;

use super::lives::{LifeLearning, LivesConfig};
use crate::{
    config::{ConfigError, form},
    presets,
};

/// A study as its file describes it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct StudyFile {
    /// Name of the study.
    pub name: String,
    /// One line on what it asks.
    #[serde(default)]
    pub description: String,
    /// Seeds of the trainings; all methods have the same.
    pub seeds: Vec<u64>,
    /// Names of presets, or files that end in `.toml`.
    pub presets: Vec<String>,
    /// Names of built-in methods, learners and recipes.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Methods with settings of their own.
    #[serde(default)]
    pub method: Vec<OwnMethod>,
    /// The method that all others are compared with.
    #[serde(default)]
    pub baseline: Option<String>,
    /// The methods whose mean returns are 0 and 1 on the scale of normalised scores.
    #[serde(default)]
    pub scale: Option<Scale>,
    /// The budget of training.
    pub budget: Budget,
    /// The protocol of evaluation, the same for all methods.
    #[serde(default)]
    pub evaluation: Evaluation,
    /// Lives in a world that moves, if they are asked for.
    #[serde(default)]
    pub lives: Option<LivesConfig>,
}

/// A method with settings of its own.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct OwnMethod {
    /// Its name in the tables.
    pub name: String,
    /// The built-in method, learner or recipe that it starts from.
    pub from: String,
    /// Its settings, `KEY=VALUE`.
    #[serde(default)]
    pub set: Vec<String>,
    /// Further settings on an environment or a preset, by its name.
    #[serde(default)]
    pub on: BTreeMap<String, Vec<String>>,
    /// Its way of learning in lives.
    #[serde(default)]
    pub live: LifeLearning,
}

/// Ends of the scale of normalised scores.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Scale {
    /// The method that has 0.
    pub zero: String,
    /// The method that has 1.
    pub one: String,
}

/// Environment steps of a training.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Budget {
    /// For each preset that is not named below.
    pub env_steps: u64,
    /// For presets by name.
    #[serde(default)]
    pub presets: BTreeMap<String, u64>,
}

/// The protocol of evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Evaluation {
    /// Number of held-out tasks of each split.
    pub tasks: usize,
    /// Number of lanes per task: the data of an adaptation step.
    pub episodes: usize,
    /// Number of adaptation steps.
    pub adapt_steps: usize,
    /// Seed of tasks, initial states, actions and bootstrap.
    pub seed: u64,
}

impl Default for Evaluation {
    fn default() -> Self {
        Evaluation { tasks: 100, episodes: 20, adapt_steps: 1, seed: 0 }
    }
}

/// Makes the table of the studies that come with the program.
macro_rules! studies {
    ($($name:literal),*) => {
        /// Name and text of every study that comes with the program.
        pub const SHIPPED: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../studies/", $name, ".toml")))),*];
    };
}

studies!("quick", "full", "lives", "bounds", "ns-gym", "cadm", "packer", "actuator-inversion");

/// The keys of each table, for the search for unknown ones.
const KEYS: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "name",
            "description",
            "seeds",
            "presets",
            "methods",
            "method",
            "baseline",
            "scale",
            "budget",
            "evaluation",
            "lives",
        ],
    ),
    ("method", &["name", "from", "set", "on", "live"]),
    ("method.live", &["steps", "anchor", "window", "half_life", "importance"]),
    ("scale", &["zero", "one"]),
    ("budget", &["env_steps", "presets"]),
    ("lives", &["lives", "episodes", "guard"]),
    ("evaluation", &["tasks", "episodes", "adapt_steps", "seed"]),
];

/// The keys that must be there.
const LEAST: &str = "name = ''\nseeds = []\npresets = []\nbudget = { env_steps = 1 }";

/// The text of the study that `what` names: one that comes with the program, or a file that ends in `.toml`.
///
/// # Errors
/// If there is none, or it cannot be read.
pub fn text(what: &str) -> Result<String, ConfigError> {
    if what.ends_with(".toml") {
        let unreadable = |source| ConfigError::Unreadable { path: what.into(), source };
        return presets::read(Path::new(what)).map_err(unreadable);
    }
    let found = SHIPPED.iter().find(|(name, _)| *name == what);
    found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| {
        let names: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        let message = format!(
            "there is no study `{what}`; there are {}, and a file of your own must end in .toml",
            names.join(", ")
        );
        ConfigError::NotFound(message)
    })
}

/// The file's content, if it can be read at all, and the problems of its form: unknown keys, each with the nearest known one.
pub fn parse(text: &str) -> (Option<StudyFile>, Vec<String>) {
    let mut table = match toml::from_str::<Table>(text) {
        Ok(table) => table,
        Err(error) => return (None, vec![error.to_string().trim_end().to_owned()]),
    };
    let mut problems = form::take_unknown(&mut table, KEYS);
    match form::read(table, LEAST) {
        Ok(file) => (Some(file), problems),
        Err(told) => {
            problems.extend(told);
            (None, problems)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_of_the_form_are_told_at_once() {
        let text = "name = \"x\"\nseed = [1]\nseeds = [1]\npresets = []\nmethods = []\n[budget]\nenv_step = 1\n\
                    env_steps = 2\n[[method]]\nname = \"m\"\nfrom = \"ppo\"\nsets = []\nlive = { anker = 1 }\n";
        let (file, problems) = parse(text);
        assert_eq!(file.unwrap().budget.env_steps, 2);
        let expected = [
            "unknown key `seed`; did you mean `seeds`?",
            "unknown key `method.sets`; did you mean `set`?",
            "unknown key `method.live.anker`; did you mean `anchor`?",
            "unknown key `budget.env_step`; did you mean `env_steps`?",
        ];
        assert_eq!(problems, expected);
        let (file, problems) = parse("name = 3\nzzz = 1\n");
        assert!(file.is_none());
        let told = [
            "unknown key `zzz`",
            "`budget` is missing",
            "`presets` is missing",
            "`seeds` is missing",
            "name: invalid type: integer",
        ];
        assert!(
            problems.len() == 5 && problems.iter().zip(told).all(|(found, told)| found.starts_with(told)),
            "{problems:?}"
        );
    }
}
