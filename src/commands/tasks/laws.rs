//! `tasks laws`

use crate::{
    cli::{LawsArgs, ReferenceFormat},
    commands::print,
    config::{ConfigError, nearest},
    failure::Result,
    reference::{
        language::{Entry, entries},
        language_markdown, language_text,
    },
};

/// Runs the command.
///
/// # Errors
/// On a word that the task language does not have.
pub fn run(args: &LawsArgs) -> Result<()> {
    for name in &args.names {
        if !entries().any(|entry| entry.name == name) {
            let near = nearest(name, entries().map(|entry| entry.name));
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Err(ConfigError::NotFound(format!("the task language has no word `{name}`{near}")).into());
        }
    }
    let asked = |entry: &&Entry| args.names.is_empty() || args.names.iter().any(|name| name == entry.name);
    let entries: Vec<&Entry> = entries().filter(asked).collect();
    Ok(print(&match args.format {
        ReferenceFormat::Text => language_text(&entries),
        ReferenceFormat::Json => serde_json::to_string_pretty(&entries)? + "\n",
        ReferenceFormat::Markdown => language_markdown(&entries),
    })?)
}
