//! Arguments of the commands that explain the program itself.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Format, FormatArgs};

/// `config`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// List every configuration key: type, default, legal values, unit, learner, meaning
    #[command(after_help = "Examples:\n  metadrift config keys\n  metadrift config keys ppo --format json")]
    Keys {
        /// Beginning of the keys to list, such as `maml` or `task.notify`
        #[arg(default_value = "", hide_default_value = true)]
        prefix: String,
        /// Output for people, for programs, or for docs/config.md
        #[arg(long, default_value = "text")]
        format: ReferenceFormat,
    },
}

/// `tasks laws`
#[derive(Args, Clone, Debug)]
pub struct LawsArgs {
    /// Words to list, such as `uniform`, `sinusoid` or `clock`
    #[arg(value_name = "WORD")]
    pub names: Vec<String>,
    /// Output for people, for programs, or for docs/task-language.md
    #[arg(long, default_value = "text")]
    pub format: ReferenceFormat,
}

/// Forms of a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReferenceFormat {
    /// Text for the terminal.
    Text,
    /// JSON for programs: an array of objects.
    Json,
    /// The whole document.
    Markdown,
}

/// `completions`
#[derive(Args, Clone, Debug)]
pub struct CompletionsArgs {
    /// Shell to write the completions for
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `man`
#[derive(Args, Clone, Debug)]
pub struct ManArgs {
    /// Write a page for each command to this folder; without it, print the program's page
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// `learners`
#[derive(Debug, Subcommand)]
pub enum LearnersCommand {
    /// List names with one line each
    List(FormatArgs),
    /// Describe a learner: the keys it has for itself, and those it does not read
    Show {
        /// Name of the learner
        name: String,
        /// Text for people, or JSON for programs
        #[arg(long, default_value = "text")]
        format: Format,
    },
}
