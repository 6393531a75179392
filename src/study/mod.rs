//! A study: a grid of methods, presets and seeds under equal budgets of environment steps and of adaptation.
//!
//! ```text
//! study.toml --[file, methods]--> Plan: cells, each checked --[run]--> DIR/cells/<method>--<preset>--s<seed>/
//!                                                                        run/           the training, if it has its own
//!                                                                        result.json    its evaluations, with a digest
//!                                 all cells --[results, table]--> DIR/results.json, DIR/results.csv, the terminal
//! ```
//!
//! A cell is finished when its `result.json` is there and whole. Everything else can be continued or done again, so that the
//! same command goes on after any interruption, to the same bytes. Several processes share the cells of a folder (`queue.rs`).

mod cell;
mod check;
mod file;
mod lives;
mod measure;
mod methods;
mod outline;
mod plan;
mod progress;
mod queue;
mod results;
mod run;
mod scores;
mod shown;
mod specialists;
mod table;

pub use cell::{CellResult, Evaluated, HeldOutScores, Phase};
pub use file::{SHIPPED, StudyFile, text};
pub use lives::{LifeScores, LivesConfig};
pub(crate) use methods::SEEN;
pub use methods::{BUILT_IN, Method};
pub use outline::Outline;
pub use plan::{Cell, Plan, StudyError};
pub(crate) use progress::FASTER;
pub use progress::{Progress, training_steps, work};
pub use queue::Queue;
pub use results::{ALL, Results, Row};
pub use run::{State, run, states};
pub use table::{to_csv, to_text};
