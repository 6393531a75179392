//! A configuration as a flat list of keys, for comparisons and for TensorBoard's table of runs.

use toml::Value;

use super::Config;

impl Config {
    /// Every key that holds a value (`task.vary.mass.low`), with its value. Lists count as values.
    pub fn flat(&self) -> Vec<(String, Value)> {
        let table = toml::Table::try_from(self).expect("a configuration always has a TOML form");
        let mut flat = Vec::new();
        descend("", &Value::Table(table), &mut flat);
        flat
    }

    /// The keys in which `other` differs, with both values as TOML; `nothing` stands for a missing value.
    pub fn differences(&self, other: &Config) -> Vec<(String, String, String)> {
        let (ours, theirs) = (self.flat(), other.flat());
        let text = |all: &[(String, Value)], key: &str| {
            all.iter().find(|(known, _)| known == key).map_or_else(|| "nothing".to_owned(), |(_, v)| v.to_string())
        };
        let added = theirs.iter().filter(|(key, _)| !ours.iter().any(|(known, _)| known == key));
        let keys = ours.iter().chain(added).map(|(key, _)| key);
        let both = keys.map(|key| (key.clone(), text(&ours, key), text(&theirs, key)));
        both.filter(|(_, ours, theirs)| ours != theirs).collect()
    }
}

fn descend(path: &str, value: &Value, flat: &mut Vec<(String, Value)>) {
    let Value::Table(table) = value else { return flat.push((path.to_owned(), value.clone())) };
    for (key, value) in table {
        let dot = if path.is_empty() { "" } else { "." };
        descend(&format!("{path}{dot}{key}"), value, flat);
    }
}
