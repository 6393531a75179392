//! The reference of the configuration and of the task language.
//!
//! One table each ([`keys::all`], [`language::entries`]) is the source of `metadrift config keys`,
//! `metadrift tasks laws`, `docs/config.md` and `docs/task-language.md`. `tests/reference.rs` holds the tables to what
//! serde and the range checks accept, and the documents to the tables.

mod entry;
pub mod keys;
pub mod language;
mod laws;
mod markdown;
mod schedules;
mod tables;
mod text;

pub use markdown::{keys_markdown, language_markdown};
pub use text::{keys_text, language_text};
