//! Learned optimisers: the file of a rule, whole trainings of plain PPO in memory, the evolution of a rule over them, and
//! the search for Adam's best settings on the same trainings.

mod evolution;
mod file;
mod training;
mod tuning;

pub use evolution::{Evolution, centred_ranks};
pub use file::{Rule, RuleError, Trained, read, write};
pub use training::{AdamSettings, Choice, Draw, Problem, Within};
pub use tuning::{Candidate, tune};
