//! The tables as Markdown: `docs/config.md` and `docs/task-language.md`.

use std::fmt::Write as _;

use metadrift_agents::keys::Key;

use super::{
    keys::readers,
    language::{EXAMPLE_HEAD, Entry, Section},
};

/// The text of `docs/config.md`.
pub fn keys_markdown(keys: &[&Key]) -> String {
    let mut text = String::from(
        "# Configuration keys\n\n\
         This file is generated: `metadrift config keys --format markdown > docs/config.md`.\n\n\
         A configuration is one TOML file. `metadrift train FILE.toml --dry-run` checks it and prints every value;\n\
         `--set KEY=VALUE` changes one. Unknown keys and values outside their range are refused. The column *learner* says\n\
         who reads a key: learners by name, or all. A key that the learner of a configuration does not read must have its\n\
         default. [glossary.md](glossary.md) explains the words, [task-language.md](task-language.md) the tables\n\
         under `[task]`.\n",
    );
    let mut section = None;
    for key in keys {
        let table = key.key.split_once('.').map(|(table, _)| table);
        if section != Some(table) {
            section = Some(table);
            let title = table.map_or_else(|| "Top level".to_owned(), |table| format!("`[{table}]`"));
            let _ = write!(
                text,
                "\n## {title}\n\n| key | type | default | legal values | unit | learner | meaning |\n\
                 |---|---|---|---|---|---|---|\n"
            );
        }
        text += &row(key);
    }
    text
}

fn row(key: &Key) -> String {
    let cells = [
        format!("`{}`", key.key),
        key.kind.into(),
        default(key.default.text()),
        key.legal.text(),
        key.unit.into(),
        readers(key),
        key.meaning.into(),
    ];
    format!("| {} |\n", cells.map(|cell| escaped(&cell)).join(" | "))
}

/// Values as code, words as they are.
fn default(text: &str) -> String {
    let value = toml::from_str::<toml::Table>(&format!("v = {text}")).is_ok();
    if value { format!("`{text}`") } else { text.to_owned() }
}

fn escaped(cell: &str) -> String {
    cell.replace('|', "\\|")
}

/// The text of `docs/task-language.md`.
pub fn language_markdown(entries: &[&Entry]) -> String {
    let mut text = format!(
        "# Task language\n\n\
         This file is generated: `metadrift tasks laws --format markdown > docs/task-language.md`.\n\n\
         The `[task]` table of a configuration describes the differences between tasks and their drift over time. Every\n\
         example here loads when it follows these lines:\n\n```toml\n{EXAMPLE_HEAD}```\n\n\
         `metadrift env show ENV` lists the channels of an environment, with units and legal ranges;\n\
         `metadrift tasks describe FILE.toml` and `metadrift tasks plot` show the tasks of a file. [config.md](config.md) lists\n\
         the keys with numbers and words, [glossary.md](glossary.md) explains the words.\n"
    );
    for section in Section::ALL {
        let members = entries.iter().filter(|entry| entry.section == section);
        let paragraphs: String = members.map(|entry| paragraph(entry)).collect();
        if !paragraphs.is_empty() {
            let (title, intro) = section.title();
            let _ = write!(text, "\n## {title}\n\n{intro}\n{paragraphs}");
        }
    }
    text
}

fn paragraph(entry: &Entry) -> String {
    let mut text = format!("\n### `{}`\n\n{}.\n", entry.name, entry.meaning);
    if !entry.fields.is_empty() {
        text += "\n| field | type | default | meaning |\n|---|---|---|---|\n";
    }
    for field in entry.fields {
        let default = field.default.map_or_else(|| "required".to_owned(), default);
        let cells = [format!("`{}`", field.name), field.kind.into(), default, field.meaning.into()];
        let _ = writeln!(text, "| {} |", cells.map(|cell| escaped(&cell)).join(" | "));
    }
    let _ = write!(text, "\n```toml\n{}\n```\n", entry.example);
    text
}
