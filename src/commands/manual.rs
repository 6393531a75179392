//! `completions` and `man`

use std::path::Path;

use clap::CommandFactory;

use crate::{
    cli::{Cli, CompletionsArgs, ManArgs},
    commands::print,
    failure::{During, Result},
    output,
};

/// Prints the completions of a shell.
///
/// # Errors
/// If the output cannot be written.
pub fn completions(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "metadrift", &mut script);
    Ok(print(&String::from_utf8(script)?)?)
}

/// Writes a manual page for the program and each of its commands, or prints the program's.
///
/// # Errors
/// If a page cannot be written.
pub fn man(args: &ManArgs) -> Result<()> {
    let mut command = Cli::command();
    command.build();
    let Some(dir) = &args.dir else {
        return Ok(print(&page(command)?)?);
    };
    std::fs::create_dir_all(dir).during(|| format!("cannot create {}", dir.display()))?;
    let mut names = Vec::new();
    pages(dir, command, &mut names)?;
    let count = names.len();
    let first = dir.join("metadrift.1");
    Ok(print(&format!("{count} manual pages in {}; read one with: man {}\n", dir.display(), first.display()))?)
}

/// The pages of a command and its subcommands, by the names that `man` looks for.
fn pages(dir: &Path, command: clap::Command, names: &mut Vec<String>) -> Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    for child in command.get_subcommands().filter(|child| child.get_name() != "help") {
        pages(dir, child.clone(), names)?;
    }
    let file = dir.join(format!("{name}.1"));
    output::write(&file, page(command)?.as_bytes())?;
    names.push(name);
    Ok(())
}

fn page(command: clap::Command) -> Result<String> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text)?;
    Ok(String::from_utf8(text)?)
}
