//! Tasks of labelled examples instead of episodes: the supervised problems of meta-learning, for the same learners.
//!
//! A task has a few support examples, on which a network adapts, and query examples, on which it is judged. An example is
//! stored as an episode of one step, whose action is the label and whose reward is minus the loss.

mod evaluate;
mod images;
mod mentions;
mod sinusoid;
mod source;
mod ways;

use std::{path::PathBuf, sync::Arc};

use metadrift_agents::{
    layout::Head,
    ranges::{OutOfRange, check},
    settings::Shots,
};
use metadrift_envs::{Split, StreamRng};
use serde::{Deserialize, Serialize};

use crate::{
    config::ConfigError,
    failure::{Failure, code},
};

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
    /// Number of classes of a task; 0 for a family of numbers.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ways: usize,
    /// Folder of the data, if the family needs any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's interface")]
fn is_zero(ways: &usize) -> bool {
    *ways == 0
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
    /// Classes of images.
    Images,
    /// Types of named entities.
    Entities,
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
        check("examples.query", self.query, legal(self.query), "1 to 10000")?;
        if self.family == FamilyName::Sinusoid {
            check("examples.ways", self.ways, self.ways == 0, "left out: a sine wave has no classes")?;
            let data = self.data.as_ref().map_or_else(String::new, |data| data.display().to_string());
            return check("examples.data", data, self.data.is_none(), "left out: this family makes its own");
        }
        check("examples.ways", self.ways, (2..=100).contains(&self.ways), "given with classes, and 2 to 100")?;
        let even = |n: usize| n.is_multiple_of(self.ways);
        check("examples.support", self.support, even(self.support), "a multiple of examples.ways")?;
        check("examples.query", self.query, even(self.query), "a multiple of examples.ways")
    }

    /// The family with its data; without a folder, only its shape is known.
    ///
    /// # Errors
    /// If the data cannot be read, or are too few.
    pub fn open(&self) -> Result<Arc<dyn Family>, ConfigError> {
        let unread = |inputs| Arc::new(Unread { inputs, ways: self.ways });
        let family: Result<Arc<dyn Family>, Failure> = match (self.family, &self.data) {
            (FamilyName::Sinusoid, _) => Ok(Arc::new(sinusoid::Sinusoid)),
            (FamilyName::Images, None) => Ok(unread(images::PIXELS)),
            (FamilyName::Entities, None) => Ok(unread(mentions::FEATURES)),
            (FamilyName::Images, Some(data)) => images::Images::open(data, self.ways).map(|it| Arc::new(it) as _),
            (FamilyName::Entities, Some(data)) => mentions::Mentions::open(data, self.ways).map(|it| Arc::new(it) as _),
        };
        let family = family.map_err(|failure| ConfigError::Data {
            message: crate::message::of_error(&failure),
            code: failure.code(),
        })?;
        family.check(Split::Train, self.shots()).map_err(|missing| self.lacks(&missing))?;
        Ok(family)
    }

    /// The error of data in which `missing` is missing.
    pub fn lacks(&self, missing: &str) -> ConfigError {
        let folder = self.data.as_ref().map_or_else(String::new, |data| data.display().to_string());
        ConfigError::Data { message: format!("{folder}: {missing}"), code: code::FILE }
    }

    /// Refuses a family without its data.
    ///
    /// # Errors
    /// The place where data can be had.
    pub fn check_data(&self) -> Result<(), ConfigError> {
        let (what, place) = match self.family {
            FamilyName::Images if self.data.is_none() => {
                ("images are", "Omniglot, images_background_small*.zip of github.com/brendenlake/omniglot (MIT)")
            }
            FamilyName::Entities if self.data.is_none() => (
                "texts are",
                "CrossNER of github.com/zliucr/CrossNER (MIT), SNIPS of github.com/sonos/nlu-benchmark (CC0)",
            ),
            _ => return Ok(()),
        };
        let message = format!("the {what} not part of metadrift: --data DIR names their folder, such as {place}");
        Err(ConfigError::Data { message, code: code::CONFIG })
    }
}

/// A family of classes whose data were not read.
#[derive(Debug)]
struct Unread {
    inputs: usize,
    ways: usize,
}

impl Family for Unread {
    fn inputs(&self) -> usize {
        self.inputs
    }

    fn head(&self) -> Head {
        Head::Categorical(self.ways)
    }

    fn draw(&self, _: Split, _: Shots, _: &mut StreamRng) -> Task {
        panic!("the data were asked for before: ExamplesConfig::check_data")
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

    /// One line on the data, empty if the family makes its own.
    fn data(&self) -> String {
        String::new()
    }

    /// Names of the groups of tasks of `split`, such as domains of text, if there are several kinds.
    fn groups(&self, _split: Split) -> &[String] {
        &[]
    }

    /// Refuses data that are too few for tasks of `split` with `shots`.
    ///
    /// # Errors
    /// If there are too few; the text names what is missing.
    fn check(&self, _split: Split, _shots: Shots) -> Result<(), String> {
        Ok(())
    }
}

/// The examples of a task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Task {
    /// Inputs, `[examples, inputs]`.
    pub inputs: Vec<f32>,
    /// Labels, `[examples, act_dim]`: the index of a class, or numbers.
    pub labels: Vec<f32>,
    /// Index of the group that the task belongs to, if the family has groups.
    pub group: usize,
}
