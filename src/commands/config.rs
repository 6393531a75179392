//! `config keys`

use crate::{
    cli::{ConfigCommand, ReferenceFormat},
    commands::print,
    config::{ConfigError, nearest},
    failure::Result,
    reference::{
        keys::{all, to_json, with_prefix},
        keys_markdown, keys_text,
    },
};

/// Runs the command.
///
/// # Errors
/// If no key begins with the prefix.
pub fn run(command: &ConfigCommand) -> Result<()> {
    let ConfigCommand::Keys { prefix, format } = command;
    let keys = with_prefix(prefix);
    if keys.is_empty() {
        let near = nearest(prefix, all().map(|key| key.key));
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return Err(ConfigError::NotFound(format!("no configuration key begins with `{prefix}`{near}")).into());
    }
    Ok(print(&match format {
        ReferenceFormat::Text => keys_text(&keys),
        ReferenceFormat::Json => {
            let objects: Vec<serde_json::Value> = keys.iter().map(|key| to_json(key)).collect();
            serde_json::to_string_pretty(&objects)? + "\n"
        }
        ReferenceFormat::Markdown => keys_markdown(&keys),
    })?)
}
