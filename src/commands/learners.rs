//! The command `learners list|show NAME`.

use metadrift_agents::{
    keys::Key,
    learner::Entry,
    learners::{self, Kind},
};
use serde_json::{Value, json};

use super::{aligned, print_as};
use crate::{
    cli::{Format, LearnersCommand},
    config::{ConfigError, nearest},
    failure::Result,
    reference::{keys, keys_text},
};

/// Runs the command.
///
/// # Errors
/// If the learner is unknown.
pub fn run(command: &LearnersCommand) -> Result<()> {
    match command {
        LearnersCommand::List(output) => list(output.format),
        LearnersCommand::Show { name, format } => show(name, *format),
    }
}

fn list(format: Format) -> Result<()> {
    let object = |entry: &Entry| json!({ "name": entry.name, "about": entry.about });
    let objects: Vec<Value> = learners::all().map(object).collect();
    print_as(format, &objects, || {
        let rows: Vec<[String; 2]> = learners::all().map(|entry| [entry.name.into(), entry.about.into()]).collect();
        aligned(&rows)
    })
}

fn show(name: &str, format: Format) -> Result<()> {
    let Some(entry) = Kind::from_name(name) else {
        let near = nearest(name, learners::all().map(|entry| entry.name));
        let near = near.map_or(".".to_owned(), |near| format!("; did you mean `{near}`?"));
        let message = format!("there is no learner `{name}`{near} `metadrift learners list` lists them");
        return Err(ConfigError::NotFound(message).into());
    };
    let own: Vec<&Key> = entry.own.map_or_else(Vec::new, |own| own.keys.iter().collect());
    let objects: Vec<Value> = own.iter().map(|key| keys::to_json(key)).collect();
    let object =
        json!({ "name": entry.name, "about": entry.about, "does_not_read": entry.ignores, "own_keys": objects });
    print_as(format, &object, || {
        let mut text = format!("{}: {}\n", entry.name, entry.about);
        if !entry.ignores.is_empty() {
            text += &format!("\nIt does not read {}.\n", entry.ignores.join(", "));
        }
        if !own.is_empty() {
            text += &format!("\nKeys of its own:\n{}", keys_text(&own));
        }
        text + "\nAll keys: metadrift config keys\n"
    })
}
