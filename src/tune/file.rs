//! The file that describes a search.

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::space::{Domain, Parameter};
use crate::{
    config::{form, nearest},
    reference::keys,
    study::SEEN,
};
use metadrift_agents::keys::{INTEGER, Key, NUMBER};

/// A search as its file describes it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct TuneFile {
    /// Name of the search, and of its study in the journal.
    pub name: String,
    /// The preset, or the file, that the search starts from.
    pub base: String,
    /// Settings of all trials, `KEY=VALUE`.
    #[serde(default)]
    pub set: Vec<String>,
    /// Number of trials; a grid has all its points.
    #[serde(default)]
    pub trials: Option<u32>,
    /// The way to propose values.
    #[serde(default)]
    pub sampler: Sampler,
    /// Seed of the proposals.
    #[serde(default)]
    pub seed: u64,
    /// Seeds of the trainings of a trial; its values are means over them.
    #[serde(default = "one_seed")]
    pub seeds: Vec<u64>,
    /// The objectives, one or several.
    #[serde(default = "score")]
    pub objectives: Vec<Objective>,
    /// Successive halving, if it is asked for.
    #[serde(default)]
    pub halving: Option<Halving>,
    /// The parameters by their keys.
    pub space: Table,
}

/// A way to propose values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sampler {
    /// By a tree-structured Parzen estimator: near the values of good trials.
    #[default]
    Tpe,
    /// At random.
    Random,
    /// All points of a grid, one after the other.
    Grid,
}

/// Something that is sought.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Objective {
    /// Name of the metric.
    pub metric: String,
    /// The better direction.
    #[serde(default)]
    pub direction: Direction,
}

/// The better direction of a metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Less is better.
    Minimize,
    /// More is better.
    #[default]
    Maximize,
}

/// Successive halving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Halving {
    /// Iterations after which the trials are compared first.
    pub first: u64,
    /// One of so many goes on, and has so many times the iterations at the next comparison.
    #[serde(default = "three")]
    pub factor: u64,
}

fn one_seed() -> Vec<u64> {
    vec![0]
}

fn three() -> u64 {
    3
}

fn score() -> Vec<Objective> {
    vec![Objective { metric: super::objective::SCORE.to_owned(), direction: Direction::Maximize }]
}

/// The keys of each table, for the search for unknown ones.
const KEYS: &[(&str, &[&str])] = &[
    ("", &["tune"]),
    ("tune", &["name", "base", "set", "trials", "sampler", "seed", "seeds", "objectives", "halving", "space"]),
    ("tune.objectives", &["metric", "direction"]),
    ("tune.halving", &["first", "factor"]),
];

/// The keys that must be there.
const LEAST: &str = "name = ''\nbase = ''\nspace = {}";

/// The file's content, if it can be read at all, and the problems of its form.
pub fn parse(text: &str) -> (Option<TuneFile>, Vec<String>) {
    let told = |error: &toml::de::Error| error.to_string().trim_end().to_owned();
    let mut table = match toml::from_str::<Table>(text) {
        Ok(table) => table,
        Err(error) => return (None, vec![told(&error)]),
    };
    let mut problems = form::take_unknown(&mut table, KEYS);
    match table.remove("tune") {
        Some(Value::Table(inner)) => match form::read(inner, LEAST) {
            Ok(file) => return (Some(file), problems),
            Err(told) => problems.extend(told.into_iter().map(|problem| format!("[tune]: {problem}"))),
        },
        _ => problems.push("the table [tune] is missing".to_owned()),
    }
    (None, problems)
}

/// The parameters in a table, and its problems.
pub fn parameters(space: &Table, sampler: Sampler, problems: &mut Vec<String>) -> Vec<Parameter> {
    let mut found = Vec::new();
    descend("", space, &mut |key, value| match parameter(key, value, sampler) {
        Ok(parameter) => found.push(parameter),
        Err(told) => problems.extend(told.into_iter().map(|problem| format!("space: {key}: {problem}"))),
    });
    if space.is_empty() {
        problems.push("space is empty: name at least one key".to_owned());
    }
    found
}

/// Calls `visit` with every path of keys down to a range, a list or something else that is no table.
fn descend(before: &str, table: &Table, visit: &mut dyn FnMut(&str, &Value)) {
    for (name, value) in table {
        let path = if before.is_empty() { name.clone() } else { format!("{before}.{name}") };
        match value.as_table() {
            Some(inner) if !inner.contains_key("low") && !inner.contains_key("high") && !inner.is_empty() => {
                descend(&path, inner, visit);
            }
            _ => visit(&path, value),
        }
    }
}

/// Keys that a search does not vary, or their beginnings, with the reason; [`SEEN`] are exceptions.
const FIXED: &[(&str, &str)] = &[
    ("task.", "it would change what is measured, so that trials could not be compared; put it into `set`"),
    ("examples.", "it would change what is measured, so that trials could not be compared; put it into `set`"),
    ("evaluation.", "it would change what is measured, so that trials could not be compared; put it into `set`"),
    ("seed", "`seeds` has the seeds of the trainings"),
    ("iterations", "all trials have the same; put it into `set`"),
    ("max_env_steps", "all trials have the same; put it into `set`"),
    ("name", "it has no effect on a training"),
    ("description", "it has no effect on a training"),
    ("role", "it has no effect on a training"),
    ("log.", "it has no effect on a training"),
    ("checkpoint.every", "it has no effect on a training"),
    ("checkpoint.keep", "it has no effect on a training"),
];

/// The parameter of a key, or what is wrong with it.
fn parameter(key: &str, value: &Value, sampler: Sampler) -> Result<Parameter, Vec<String>> {
    let is_fixed = |(fixed, _): &&(&str, &str)| key == *fixed || (fixed.ends_with('.') && key.starts_with(fixed));
    if let Some((_, why)) = FIXED.iter().find(is_fixed).filter(|_| !SEEN.contains(&key)) {
        return Err(vec![format!("a search does not vary this key: {why}")]);
    }
    let Some(known) = keys::all().find(|known| known.key == key) else {
        let near = nearest(key, keys::all().map(|known| known.key));
        let near = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        return Err(vec![format!("unknown key{near}")]);
    };
    match value {
        Value::Array(choices) => choice(key, choices),
        Value::Table(range) => self::range(known, range, sampler),
        _ => Err(vec!["write { low = 0.1, high = 1.0 } or a list of choices; one value goes into `set`".to_owned()]),
    }
}

fn choice(key: &str, choices: &[Value]) -> Result<Parameter, Vec<String>> {
    let twice = choices.iter().enumerate().any(|(at, choice)| choices[..at].contains(choice));
    if choices.len() < 2 || twice {
        return Err(vec!["a list needs at least two different choices".to_owned()]);
    }
    Ok(Parameter { key: key.to_owned(), domain: Domain::Choice(choices.to_vec()), points: None })
}

/// Most values of a grid's parameter.
const MOST_POINTS: i64 = 1000;

fn range(known: &Key, range: &Table, sampler: Sampler) -> Result<Parameter, Vec<String>> {
    let (mut problems, mut left) = (Vec::new(), range.clone());
    let whole = known.kind == INTEGER;
    if !whole && known.kind != NUMBER {
        return Err(vec![format!("its values are of the kind `{}`: write a list of choices", known.kind)]);
    }
    let low = end(&mut left, "low", whole, &mut problems);
    let high = end(&mut left, "high", whole, &mut problems);
    let log = match left.remove("log") {
        None => false,
        Some(Value::Boolean(log)) => log,
        Some(_) => {
            problems.push("log is to be true or false".to_owned());
            false
        }
    };
    let can_count = whole && high - low < MOST_POINTS as f64;
    let points = points(&mut left, (sampler, can_count), &mut problems);
    for name in left.keys() {
        let near = nearest(name, ["low", "high", "log", "points"].into_iter());
        let near = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        problems.push(format!("unknown key `{name}`{near}"));
    }
    if low >= high {
        problems.push(format!("low = {low} is to be below high = {high}; one value goes into `set`"));
    }
    if log && low <= 0.0 {
        problems.push(format!("low = {low} is to be above 0 with log = true"));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let domain = match whole {
        true => Domain::Whole { low: low as i64, high: high as i64, log },
        false => Domain::Real { low, high, log },
    };
    Ok(Parameter { key: known.key.to_owned(), domain, points })
}

/// Takes an end of a range out of its table; not a number, and a problem, if it is none of the kind.
fn end(left: &mut Table, name: &str, whole: bool, problems: &mut Vec<String>) -> f64 {
    let number = match left.remove(name) {
        Some(Value::Integer(number)) => Some(number as f64),
        Some(Value::Float(number)) if !whole && number.is_finite() => Some(number),
        _ => None,
    };
    number.unwrap_or_else(|| {
        problems.push(format!("{name} is to be {}", if whole { "a whole number" } else { "a number" }));
        f64::NAN
    })
}

/// Takes the number of a grid's values out of a table; `can_count` says that the range has few values of its own.
fn points(left: &mut Table, (sampler, can_count): (Sampler, bool), problems: &mut Vec<String>) -> Option<usize> {
    let asked = left.remove("points");
    let count = asked.as_ref().and_then(Value::as_integer).filter(|points| (2..=MOST_POINTS).contains(points));
    if asked.is_some() && sampler != Sampler::Grid {
        problems.push("points is read with sampler = \"grid\" alone".to_owned());
    } else if asked.is_some() && count.is_none() {
        problems.push(format!("points is to be 2 to {MOST_POINTS}"));
    } else if asked.is_none() && sampler == Sampler::Grid && !can_count {
        problems.push("a grid needs points, the number of its values".to_owned());
    }
    count.map(|points| points as usize)
}
