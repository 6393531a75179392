//! `presets list|show`

use serde_json::json;

use crate::{
    cli::{Format, PresetsCommand},
    commands::{fitted, print, print_as},
    config::Experiment,
    failure::Result,
    presets,
};

/// Runs the command.
///
/// # Errors
/// On an unknown preset.
pub fn run(command: &PresetsCommand) -> Result<()> {
    match command {
        PresetsCommand::List(output) => list(output.format),
        PresetsCommand::Show { name, format: Format::Text } => Ok(print(presets::text(name)?)?),
        PresetsCommand::Show { name, format: Format::Json } => {
            presets::text(name)?;
            print_as(Format::Json, &*presets::load(name, &[])?, String::new)
        }
    }
}

/// The environment; none for tasks of examples.
fn env(config: &Experiment) -> Option<&str> {
    config.family().is_none().then_some(config.task.env.as_str())
}

fn list(format: Format) -> Result<()> {
    let mut rows = Vec::new();
    let mut objects = Vec::new();
    for (name, _) in presets::all() {
        let config = presets::load(name, &[])?;
        rows.push([name.to_owned(), config.description.clone()]);
        objects.push(json!({
            "name": name, "description": config.description, "env": env(&config), "role": config.role,
            "learner": config.learner,
        }));
    }
    print_as(format, &objects, || fitted(&rows))
}
