//! Overrides of the form `--set KEY=VALUE`.

use metadrift_agents::learners::{Kind, recipes};
use toml::{Table, Value};

use super::{Config, ConfigError, error::parse_error};

/// Largest number of parts of a key path: more than any key has, and few enough for recursion.
const MAX_PARTS: usize = 16;
/// Longest key path (bytes).
const MAX_PATH: usize = 1000;

/// Refuses two arguments if one undoes the other.
pub(super) fn check(sets: &[String]) -> Result<(), ConfigError> {
    let key = |set: &str| set.split('=').next().unwrap_or_default().trim().to_owned();
    for (index, later) in sets.iter().enumerate() {
        let path = key(later);
        let below = format!("{}.", key(later));
        if let Some(first) = sets[..index].iter().find(|set| key(set) == path || key(set).starts_with(&below)) {
            let short_forms = ["learner", "seed", "iterations"].contains(&path.as_str());
            let hint = if short_forms { format!(" (--{path} is the same setting)") } else { String::new() };
            let message = format!("it undoes --set {}{hint}; leave one of them out", short(first));
            return Err(ConfigError::Text { origin: format!("--set {}", short(later)), message });
        }
    }
    Ok(())
}

/// Applies one `key.path=value` to the table and reads the result. The value is TOML; a bare word is a string. Text
/// that is not TOML but has only one possible meaning is accepted: `.1`, `1e3` for a whole number, `True`.
pub(super) fn apply(table: &mut Table, set: &str) -> Result<Config, ConfigError> {
    let origin = || format!("--set {}", short(set));
    let bad = |message: String| ConfigError::Text { origin: origin(), message };
    let (path, text) =
        set.split_once('=').ok_or_else(|| bad("write key=value, for example --set maml.inner_lr=0.1".into()))?;
    let path = path.trim();
    if path.len() > MAX_PATH || path.split('.').count() > MAX_PARTS {
        return Err(bad(format!("a key has at most {MAX_PARTS} parts and {MAX_PATH} characters")));
    }
    let mut first_error = None;
    for value in readings(text) {
        let mut changed = table.clone();
        put(&mut changed, path, value).map_err(bad)?;
        match Config::from_table(changed.clone()) {
            Ok(config) => {
                *table = changed;
                return Ok(config);
            }
            Err(error) => drop(first_error.get_or_insert(error)),
        }
    }
    Err(parse_error(&origin(), &first_error.expect("a text has a reading").to_string()))
}

/// The learner that the arguments choose.
pub(super) fn learner(sets: &[String]) -> Option<Kind> {
    sets.iter().find_map(|set| named(set)).and_then(Kind::from_name)
}

/// The learner that an argument names.
fn named(set: &str) -> Option<&str> {
    let (key, name) = set.split_once('=')?;
    (key.trim() == "learner").then(|| name.trim().trim_matches('"'))
}

/// The arguments with a recipe in place of a learner written out; those of the user's own come behind it and win.
pub(super) fn expand(sets: &[String]) -> Vec<String> {
    let expanded = |set: &String| match named(set).and_then(recipes::find) {
        Some(recipe) => {
            let asked = |of_recipe: &&&str| {
                let key = of_recipe.split('=').next().unwrap_or_default();
                !sets.iter().any(|set| set.split('=').next().unwrap_or_default().trim() == key)
            };
            let of_recipe = recipe.sets.iter().filter(asked).map(|set| (*set).to_owned());
            std::iter::once("learner=maml".to_owned()).chain(of_recipe).collect()
        }
        None => vec![set.clone()],
    };
    sets.iter().flat_map(expanded).collect()
}

fn put(table: &mut Table, path: &str, value: Value) -> Result<(), String> {
    let mut keys: Vec<&str> = path.split('.').collect();
    let last = keys.pop().expect("split yields at least one part");
    let mut at = table;
    for key in keys {
        let next = at.entry(key).or_insert_with(|| Value::Table(Table::new()));
        at = next.as_table_mut().ok_or_else(|| format!("`{key}` is a value, not a table"))?;
    }
    at.insert(last.to_owned(), value);
    Ok(())
}

/// The possible values of the text, likeliest first; the key's type decides.
fn readings(text: &str) -> Vec<Value> {
    let word = text.trim();
    let mut readings = Vec::new();
    match toml::from_str::<Table>(&format!("v = {text}")) {
        Ok(mut parsed) if parsed.len() == 1 => readings.extend(parsed.remove("v")),
        _ => match word.to_ascii_lowercase().as_str() {
            "true" => readings.push(Value::Boolean(true)),
            "false" => readings.push(Value::Boolean(false)),
            _ => readings.extend(word.parse().ok().filter(|x: &f64| x.is_finite()).map(Value::Float)),
        },
    }
    // whole numbers up to 2^53 are exact
    let whole = readings.first().and_then(Value::as_float).filter(|x| x.fract() == 0.0 && x.abs() < 9e15);
    readings.extend(whole.map(|x| Value::Integer(x as i64)));
    readings.push(Value::String(text.to_owned()));
    readings
}

/// The beginning of a long argument, for messages.
fn short(set: &str) -> String {
    if set.chars().count() <= 120 { set.to_owned() } else { set.chars().take(100).chain(" ...".chars()).collect() }
}
