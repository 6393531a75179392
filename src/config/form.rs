//! The form of files beside configurations: all unknown keys at once, each with the nearest known one.

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::nearest;

/// Takes the keys that are not known out of `table`, and says which; `known` has the keys of each table by its path.
pub(crate) fn take_unknown(table: &mut Table, known: &[(&str, &[&str])]) -> Vec<String> {
    let mut problems = Vec::new();
    for (section, known) in known {
        let before = if section.is_empty() { String::new() } else { format!("{section}.") };
        let path: Vec<&str> = section.split('.').filter(|part| !part.is_empty()).collect();
        in_tables(table, &path, &mut |inner| remove_unknown(inner, &before, known, &mut problems));
    }
    problems
}

/// The content of `table`, or what is wrong with each of its keys; `least` is a text with all keys that must be there, and valid
/// values of them.
pub(crate) fn read<T: DeserializeOwned>(table: Table, least: &str) -> Result<T, Vec<String>> {
    let first = |error: toml::de::Error| error.to_string().trim_end().to_owned();
    let whole = match T::deserialize(table.clone()) {
        Ok(whole) => return Ok(whole),
        Err(error) => first(error),
    };
    let least: Table = toml::from_str(least).expect("a text of this program");
    let missing = least.keys().filter(|key| !table.contains_key(*key)).map(|key| format!("`{key}` is missing"));
    let mut problems: Vec<String> = missing.collect();
    for (key, value) in table {
        let mut alone = least.clone();
        alone.insert(key.clone(), value);
        if let Err(error) = T::deserialize(alone) {
            problems.push(format!("{key}: {}", first(error).lines().next().unwrap_or_default()));
        }
    }
    // keys that are wrong together alone
    Err(if problems.is_empty() { vec![whole] } else { problems })
}

/// Calls `visit` with every table at a path below `table`: one in an array is one for each of its elements.
fn in_tables(table: &mut Table, path: &[&str], visit: &mut dyn FnMut(&mut Table)) {
    let Some((name, rest)) = path.split_first() else { return visit(table) };
    match table.get_mut(*name) {
        Some(Value::Table(inner)) => in_tables(inner, rest, visit),
        Some(Value::Array(list)) => {
            list.iter_mut().filter_map(Value::as_table_mut).for_each(|inner| in_tables(inner, rest, visit));
        }
        _ => {}
    }
}

/// Takes unknown keys out of a table, and reports them.
fn remove_unknown(table: &mut Table, before: &str, known: &[&str], problems: &mut Vec<String>) {
    let unknown: Vec<String> = table.keys().filter(|key| !known.contains(&key.as_str())).cloned().collect();
    for key in unknown {
        table.remove(&key);
        let near =
            nearest(&key, known.iter().copied()).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        problems.push(format!("unknown key `{before}{key}`{near}"));
    }
}
