//! The `metadrift` program.

use std::process::ExitCode;

use clap::Parser;
use metadrift::{
    cli::{Cli, Command},
    commands, device,
    failure::{WorkerPanic, exit_code},
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    device::prepare();
    let outcome = std::panic::catch_unwind(|| run(&cli.command));
    let result = outcome.unwrap_or_else(|payload| Err(WorkerPanic::new(payload.as_ref()).into()));
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(exit_code(&error))
    })
}

fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Train(args) => return commands::train::train(args),
        Command::Resume(args) => return commands::train::resume(args),
        Command::Evaluate(args) => commands::evaluate::run(args)?,
        Command::Presets(command) => commands::presets::run(command)?,
        Command::Tasks(command) => commands::tasks::run(command)?,
        Command::Env(command) => commands::env::run(command)?,
        Command::Config(command) => commands::config::run(command)?,
        Command::Record(args) => commands::record::run(args)?,
        Command::Doctor(args) => commands::doctor::run(args.format)?,
        Command::Bench(args) => commands::bench::run(args)?,
        Command::Selftest(args) => commands::selftest::run(args)?,
        Command::Completions(args) => commands::manual::completions(args)?,
        Command::Man(args) => commands::manual::man(args)?,
    }
    Ok(ExitCode::SUCCESS)
}
