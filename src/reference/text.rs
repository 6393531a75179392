//! The tables for the terminal.

use std::fmt::Write as _;

use metadrift_agents::keys::Key;

use super::{
    keys::readers,
    language::{Entry, Section},
};
use crate::commands::aligned;

/// A line for each key, with its meaning below it.
pub fn keys_text(keys: &[&Key]) -> String {
    let mut text = String::new();
    for key in keys {
        let unit = if key.unit.is_empty() { String::new() } else { format!(" ({})", key.unit) };
        let _ = writeln!(text, "{}: {}{unit}, default {}", key.key, key.kind, key.default.text());
        let _ = writeln!(text, "    {}", key.meaning);
        let _ = writeln!(text, "    legal: {}; learner: {}", key.legal.text(), readers(key));
    }
    text
}

/// A paragraph for each word, by section.
pub fn language_text(entries: &[&Entry]) -> String {
    let mut text = String::new();
    for section in Section::ALL {
        let mut members = entries.iter().filter(|entry| entry.section == section).peekable();
        if members.peek().is_none() {
            continue;
        }
        let (title, intro) = section.title();
        let _ = writeln!(text, "{title}\n  {intro}\n");
        for entry in members {
            let _ = writeln!(text, "  {}: {}", entry.name, entry.meaning);
            let rows: Vec<[String; 4]> = entry.fields.iter().map(row).collect();
            aligned(&rows).lines().for_each(|line| _ = writeln!(text, "      {line}"));
            entry.example.lines().for_each(|line| _ = writeln!(text, "      > {line}"));
            text.push('\n');
        }
    }
    text
}

fn row(field: &super::language::Field) -> [String; 4] {
    let default = field.default.map_or_else(|| "required".into(), |default| format!("default {default}"));
    [field.name.into(), field.kind.into(), default, field.meaning.into()]
}
