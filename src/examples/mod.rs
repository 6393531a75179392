//! Tasks of labelled examples instead of episodes: the supervised problems of meta-learning, for the same learners.
//!
//! A task has a few support examples, on which a network adapts, and query examples, on which it is judged. An example is
//! stored as an episode of one step, whose action is the label and whose reward is minus the loss.

mod evaluate;
mod sinusoid;
mod source;

use std::sync::Arc;

use metadrift_agents::{
    layout::Head,
    ranges::{OutOfRange, check},
    settings::Shots,
};
use metadrift_envs::{Split, StreamRng};
use serde::{Deserialize, Serialize};

pub use evaluate::{ExamplesEvaluation, Point, evaluate};
pub use source::{Examples, draw};

/// The section `[examples]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExamplesConfig {
    /// The family of tasks.
    pub family: FamilyName,
    /// Number of examples that adaptation sees.
    #[serde(default = "ten")]
    pub support: usize,
    /// Number of examples on which the adapted network is judged.
    #[serde(default = "ten")]
    pub query: usize,
}

fn ten() -> usize {
    10
}

/// The families of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FamilyName {
    /// Regression of sine waves.
    Sinusoid,
}

/// Largest number of examples of a task.
const MOST: usize = 10_000;

impl ExamplesConfig {
    /// Numbers of examples.
    pub fn shots(&self) -> Shots {
        Shots { support: self.support, query: self.query }
    }

    /// Checks every number against its legal range.
    ///
    /// # Errors
    /// The first key that is out of range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        let legal = |n: usize| (1..=MOST).contains(&n);
        check("examples.support", self.support, legal(self.support), "1 to 10000")?;
        check("examples.query", self.query, legal(self.query), "1 to 10000")
    }

    /// The family.
    pub fn open(&self) -> Arc<dyn Family> {
        match self.family {
            FamilyName::Sinusoid => Arc::new(sinusoid::Sinusoid),
        }
    }
}

/// A family of tasks of labelled examples.
pub trait Family: std::fmt::Debug + Send + Sync {
    /// Number of values of an input.
    fn inputs(&self) -> usize;

    /// The kind of label: a class, or numbers.
    fn head(&self) -> Head;

    /// Draws a task of `split`, and its examples: the support ones, then the query ones.
    fn draw(&self, split: Split, shots: Shots, rng: &mut StreamRng) -> Task;
}

/// The examples of a task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Task {
    /// Inputs, `[examples, inputs]`.
    pub inputs: Vec<f32>,
    /// Labels, `[examples, act_dim]`: the index of a class, or numbers.
    pub labels: Vec<f32>,
}
