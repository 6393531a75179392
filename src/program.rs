//! The `metadrift` program, also as the body of programs with environments of their own.

use std::{ffi::OsString, process::ExitCode};

use clap::Parser;
use metadrift_agents::{
    learner::Entry,
    learners,
    stop::{self, Stopped},
};
use metadrift_envs::{
    Dynamics, Env, EnvKind,
    check::{self, Check, check_type},
    dynamics,
};

use crate::{
    cli::{Cli, Command},
    commands, device,
    failure::{self, Coded, WorkerPanic, code},
    message, run_dir, signals,
};

/// An addition for [`main_with`].
#[derive(Clone, Copy)]
pub enum Own {
    /// An environment.
    Environment {
        /// The environment without its type.
        dynamics: &'static dyn Dynamics,
        /// The checks of `env check`.
        check: fn() -> Vec<Check>,
    },
    /// A learner.
    Learner(&'static Entry),
}

/// The environment `E` for [`main_with`].
pub fn own<E: Env>() -> Own {
    Own::Environment { dynamics: dynamics::<E>(), check: check_type::<E> }
}

/// A learner for [`main_with`].
pub fn own_learner(entry: &'static Entry) -> Own {
    Own::Learner(entry)
}

/// Runs the whole program: `train`, `resume`, `evaluate`, `tasks`, `record` and the rest. It knows the environments and
/// learners in `own` by name, in addition to the built-in ones.
///
/// ```no_run
/// # use metadrift_envs::CartPole as Mine;
/// fn main() -> std::process::ExitCode {
///     metadrift::main_with(&[metadrift::own::<Mine>()])
/// }
/// ```
pub fn main_with(own: &[Own]) -> ExitCode {
    main_as(own, std::env::args_os().collect())
}

/// [`main_with`] for a command line that is not the process's own: the program's name, then its arguments. A process runs
/// one.
pub fn main_as(own: &[Own], command_line: Vec<OsString>) -> ExitCode {
    if let Err(reason) = register(own) {
        message::say(&format!("error: {reason}"));
        return ExitCode::from(code::CONFIG);
    }
    // SAFETY: no thread has been started yet.
    unsafe { device::prepare() };
    signals::ignore_file_size_limit();
    let cli = match Cli::try_parse_from(command_line.iter()) {
        Ok(cli) => cli,
        Err(usage) => return show_usage(&usage),
    };
    run_dir::set_command_line(command_line);
    if is_long(&cli.command)
        && let Err(error) = signals::watch()
    {
        message::warn(&format!("cannot watch for signals: {error}; they will end the program at once"));
    }
    let result = match std::panic::catch_unwind(|| stop::catch(|| run(&cli.command))) {
        Ok(Ok(result)) => result,
        Ok(Err(Stopped(signal))) => {
            message::say("stopped early: there is no result");
            return code::of_signal(signal);
        }
        Err(payload) => Err(WorkerPanic::new(payload.as_ref()).into()),
    };
    match (result, stop::requested()) {
        (Ok(code), None) => code,
        (Ok(_), Some(signal)) => code::of_signal(signal),
        (Err(error), _) => {
            message::say(&format!("error: {}", message::of_error(&error)));
            ExitCode::from(error.code())
        }
    }
}

/// Registers the environments and learners in `own` by name.
fn register(own: &[Own]) -> Result<(), String> {
    let environment = |own: &Own| if let Own::Environment { dynamics, .. } = own { Some(*dynamics) } else { None };
    let learner = |own: &Own| if let Own::Learner(entry) = own { Some(*entry) } else { None };
    let checks = |own: &Own| match own {
        Own::Environment { dynamics, check } => Some((dynamics.spec().name, *check)),
        Own::Learner(_) => None,
    };
    check::register(own.iter().filter_map(checks).collect());
    EnvKind::register(&own.iter().filter_map(environment).collect::<Vec<_>>())?;
    learners::register(&own.iter().filter_map(learner).collect::<Vec<_>>())
}

/// Says whether signals end a command cleanly, rather than at once.
fn is_long(command: &Command) -> bool {
    use crate::cli::{EnvCommand, TasksCommand};
    match command {
        Command::Train(_) | Command::Resume(_) | Command::Evaluate(_) | Command::Adapt(_) => true,
        Command::Live(_) | Command::Score(_) | Command::Record(_) | Command::Export(_) => true,
        Command::Study(_) | Command::Tune(_) | Command::Compare(_) => true,
        Command::Bench(_) | Command::Selftest(_) | Command::Estimators(_) | Command::Optimizer(_) => true,
        Command::Tasks(command) => matches!(command, TasksCommand::Audit(_)),
        Command::Env(command) => matches!(command, EnvCommand::Trace(_)),
        Command::Report(_) => false,
        Command::Runs(_) | Command::Presets(_) | Command::Learners(_) | Command::Config(_) | Command::Doctor(_) => {
            false
        }
        Command::Completions(_) | Command::Man(_) => false,
    }
}

/// Prints help, the version, or the error in the arguments: in colours, unless they would have to be escaped.
fn show_usage(usage: &clap::Error) -> ExitCode {
    let plain = usage.to_string();
    let shown = if message::shown(&plain) == plain {
        usage.print()
    } else {
        message::say(&plain);
        Ok(())
    };
    match shown {
        Err(error) if !usage.use_stderr() && error.kind() != std::io::ErrorKind::BrokenPipe => {
            ExitCode::from(error.code())
        }
        _ => ExitCode::from(usage.exit_code() as u8),
    }
}

fn run(command: &Command) -> failure::Result<ExitCode> {
    match command {
        Command::Train(args) => return commands::train::train(args),
        Command::Resume(args) => return commands::train::resume(args),
        Command::Study(args) => return commands::study::run(args),
        Command::Tune(args) => return commands::tune::run(args),
        Command::Compare(args) => commands::compare::run(args)?,
        Command::Report(args) => commands::report::run(args)?,
        Command::Runs(command) => commands::runs::run(command)?,
        Command::Evaluate(args) => return commands::evaluate::run(args),
        Command::Tasks(command) => return commands::tasks::run(command),
        Command::Adapt(args) => commands::adapt::run(args)?,
        Command::Live(args) => commands::live::run(args)?,
        Command::Export(args) => commands::export::run(args)?,
        Command::Estimators(args) => commands::estimators::run(args)?,
        Command::Optimizer(command) => commands::optimizer::run(command)?,
        Command::Score(args) => commands::score::run(args)?,
        Command::Presets(command) => commands::presets::run(command)?,
        Command::Env(command) => commands::env::run(command)?,
        Command::Learners(command) => commands::learners::run(command)?,
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
