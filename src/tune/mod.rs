//! A search for settings: trials of a space of parameters, proposed one after the other, compared after more and more
//! iterations.
//!
//! ```text
//! space.toml --[file, space]--> Plan --[run]--> DIR/journal.log            every step of the search, as Optuna writes it
//!                                                DIR/trials/0007/s0/        the run of trial 7 with seed 0
//!                                                DIR/workers/               the processes that work on it now
//!            all trials --[results]--> DIR/best.toml, DIR/results.json, the terminal
//! ```
//!
//! The journal is the one state that processes share. What is to be done next follows from it (`halving.rs`, `sampler.rs`):
//! a process takes a trial by a record, trains it up to its next rung, and ends it by a record. A trial whose process died
//! is taken over, and its runs go on where they stand; one that waits to be promoted does the same.

mod file;
mod halving;
mod importance;
mod journal;
mod objective;
mod order;
mod plan;
mod progress;
mod results;
mod run;
mod sampler;
mod space;
mod trial;

pub use file::{Direction, Halving, Objective, Sampler, TuneFile};
pub use journal::JournalError;
pub use objective::unknown;
pub use plan::{Plan, TuneError};
pub use progress::Progress;
pub use results::Results;
pub use run::{JOURNAL, Search};
pub use space::{Domain, Parameter};
pub use trial::Trial;
