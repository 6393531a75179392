//! The form of files beside configurations: all unknown keys at once, each with the nearest known one.

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
