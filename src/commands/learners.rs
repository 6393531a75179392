//! The command `learners list|show NAME`.

use metadrift_agents::{
    keys::Key,
    learner::Entry,
    learners::{
        self, Kind,
        recipes::{self, Recipe},
    },
};
use serde_json::{Value, json};

use super::{fitted, print_as};
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
    let of_recipe = |recipe: &Recipe| json!({ "name": recipe.name, "about": recipe.about, "recipe_of": "maml" });
    let objects: Vec<Value> = learners::all().map(object).chain(recipes::ALL.iter().map(of_recipe)).collect();
    print_as(format, &objects, || {
        let rows: Vec<[String; 2]> = learners::all().map(|entry| [entry.name.into(), entry.about.into()]).collect();
        let recipes: Vec<[String; 2]> = recipes::ALL.iter().map(|it| [it.name.into(), it.about.into()]).collect();
        format!("{}\nrecipes: settings of maml, also for --learner\n{}", fitted(&rows), fitted(&recipes))
    })
}

fn show(name: &str, format: Format) -> Result<()> {
    if let Some(recipe) = recipes::find(name) {
        return show_recipe(recipe, format);
    }
    let entry = Kind::from_name(name).ok_or_else(|| unknown(name))?;
    let own: Vec<&Key> = entry.own.map_or_else(Vec::new, |own| own.keys.iter().collect());
    let objects: Vec<Value> = own.iter().map(|key| keys::to_json(key)).collect();
    let unread: Vec<&str> = keys::all().map(|key| key.key).filter(|key| entry.ignores(key)).collect();
    let object = json!({
        "name": entry.name, "about": entry.about, "details": entry.details, "does_not_read": unread,
        "settings": entry.settings, "own_keys": objects,
    });
    print_as(format, &object, || {
        let mut text = format!("{}: {}\n", entry.name, entry.about);
        let mut paragraph = |words: &str| text += &format!("\n{}\n", textwrap::fill(words, 80));
        if !entry.details.is_empty() {
            paragraph(entry.details);
        }
        let (read, unread): (Vec<&str>, Vec<&str>) = entry.ignores.iter().partition(|entry| entry.starts_with('!'));
        if !unread.is_empty() {
            let but = if read.is_empty() { "" } else { ", but it reads " };
            paragraph(&format!("It does not read {}{but}{}.", unread.join(", "), read.join(", ").replace('!', "")));
        }
        if let Some(settings) = entry.settings {
            text += &format!("\nSettings in place of a preset's own, with --learner {}:\n", entry.name);
            settings.lines().for_each(|line| text += &format!("  {line}\n"));
        }
        if !own.is_empty() {
            text += &format!("\nKeys of its own:\n{}", keys_text(&own));
        }
        text + "\nAll keys: metadrift config keys\n"
    })
}

/// The error of a name that is neither a learner's nor a recipe's.
pub(super) fn unknown(name: &str) -> ConfigError {
    let names = learners::all().map(|entry| entry.name).chain(recipes::ALL.iter().map(|recipe| recipe.name));
    let near = nearest(name, names);
    let near = near.map_or(".".to_owned(), |near| format!("; did you mean `{near}`?"));
    ConfigError::NotFound(format!("there is no learner `{name}`{near} `metadrift learners list` lists them"))
}

fn show_recipe(recipe: &Recipe, format: Format) -> Result<()> {
    let Recipe { name, about, paper, sets } = recipe;
    let object = json!({ "name": name, "about": about, "paper": paper, "recipe_of": "maml", "settings": sets });
    print_as(format, &object, || {
        let settings: String = sets.iter().map(|set| format!("  {set}\n")).collect();
        format!(
            "{name}: {about}\n{paper}\n\nA recipe, settings of learner = \"maml\":\n{settings}\n\
             Example:\n  metadrift train cartpole-flip --learner {name}\n"
        )
    })
}
