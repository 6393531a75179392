//! Tasks: one choice of all channels of an environment.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    physics::spec::EnvSpec,
    tasks::{
        channel::{channel_index, channels, check_value},
        clock::Clocks,
        drift::{Drift, Timing},
        error::TaskError,
        noise::Noise,
        schedule::Schedule,
        settings::TaskSettings,
    },
};

/// The part of the data that a task belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// Meta-training.
    Train,
    /// Held-out tasks of the training distribution (or its override).
    InDist,
    /// Tasks outside the training distribution.
    Ood,
}

impl Split {
    /// The splits, in order.
    pub const ALL: [Split; 3] = [Split::Train, Split::InDist, Split::Ood];

    /// The text form: `train`, `in-dist`, `ood`.
    pub const fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::InDist => "in-dist",
            Split::Ood => "ood",
        }
    }

    /// The number stamped into draws; frozen.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Split::Train => 0,
            Split::InDist => 1,
            Split::Ood => 2,
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Split {
    type Err = TaskError;

    fn from_str(text: &str) -> Result<Split, TaskError> {
        Split::ALL.into_iter().find(|split| split.name() == text).ok_or_else(|| TaskError::Invalid {
            path: "split".to_string(),
            problem: format!("`{text}` is none of train, in-dist, ood"),
        })
    }
}

/// The identity of a task: its split and its number among the draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TaskId {
    /// Split of the task.
    pub split: Split,
    /// Iteration of the meta loop.
    pub iteration: u32,
    /// Number of the task in that iteration.
    pub index: u32,
}

/// A task: a value for every channel, and the drifts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Identity of the task.
    pub id: TaskId,
    /// Undrifted values by channel, `[channels]`.
    pub values: Vec<f64>,
    /// The channels that drift, each at most once.
    pub drifts: Vec<Drift>,
    /// Settings that all tasks of the distribution have in common.
    pub settings: TaskSettings,
}

impl Task {
    /// The unperturbed environment.
    pub fn nominal(spec: &EnvSpec) -> Task {
        Task {
            id: TaskId { split: Split::Train, iteration: 0, index: 0 },
            values: channels(spec).iter().map(|c| c.default).collect(),
            drifts: Vec::new(),
            settings: TaskSettings::default(),
        }
    }

    /// The task with one channel set to a legal value.
    pub fn with(mut self, spec: &EnvSpec, name: &str, value: f64) -> Result<Task, TaskError> {
        let index = channel_index(spec, name)?;
        check_value(name, &channels(spec)[index], value)?;
        self.values[index] = value;
        Ok(self)
    }

    /// The task with one channel following a legal schedule on the clock of the task's life.
    pub fn with_drift(self, spec: &EnvSpec, name: &str, schedule: Schedule) -> Result<Task, TaskError> {
        self.with_timed_drift(spec, name, schedule, Timing::default(), Noise::default())
    }

    /// The task with one channel following a legal schedule, with its clock, application and bounds, and its noise if
    /// it is random.
    pub fn with_timed_drift(
        mut self,
        spec: &EnvSpec,
        name: &str,
        schedule: Schedule,
        timing: Timing,
        noise: Noise,
    ) -> Result<Task, TaskError> {
        let index = channel_index(spec, name)?;
        let place = (index, &channels(spec)[index]);
        let drift = Drift::new(name, place, self.values[index], schedule, timing, noise)?;
        self.drifts.retain(|drift| drift.channel != index);
        self.drifts.push(drift);
        Ok(self)
    }

    /// The values of all channels at `clock` (ticks of the task's life), `[channels]`, on a lane
    /// that is in its first episode.
    pub fn values_at(&self, clock: u64) -> Vec<f64> {
        self.values_on(&Clocks { episode_step: clock, lifetime_step: clock, ..Clocks::default() })
    }

    /// The values of all channels on a lane at `clocks`, `[channels]`.
    pub fn values_on(&self, clocks: &Clocks) -> Vec<f64> {
        let mut values = self.values.clone();
        for drift in &self.drifts {
            values[drift.channel] = drift.value(self.values[drift.channel], clocks);
        }
        values
    }

    /// The dynamics as bits: two tasks with different bits differ.
    pub fn bits(&self) -> Vec<u64> {
        let mut bits: Vec<u64> = self.values.iter().map(|value| value.to_bits()).collect();
        for drift in &self.drifts {
            bits.extend(drift.bits());
        }
        bits
    }

    /// A 64-bit digest of [`Task::bits`] (FNV-1a), to name a task in logs.
    pub fn fingerprint(&self) -> u64 {
        fnv1a(self.bits().into_iter().flat_map(u64::to_le_bytes))
    }

    /// A 64-bit digest for task lists (FNV-1a) of the differences from the unperturbed environment: unlike
    /// [`Task::fingerprint`] it stays the same when an environment gains channels.
    pub fn digest(&self, spec: &EnvSpec) -> u64 {
        let mut bytes = spec.name.as_bytes().to_vec();
        for (index, channel) in channels(spec).iter().enumerate() {
            if self.values[index] != channel.default {
                bytes.extend(format!(" {}=", channel.name).as_bytes());
                bytes.extend(self.values[index].to_bits().to_le_bytes());
            }
            for drift in self.drifts.iter().filter(|drift| drift.channel == index) {
                bytes.extend(format!(" {}~", channel.name).as_bytes());
                // the first word is the index
                bytes.extend(drift.bits().into_iter().skip(1).flat_map(u64::to_le_bytes));
            }
        }
        fnv1a(bytes.into_iter())
    }
}

/// The Fowler-Noll-Vo hash, version 1a, 64 bits.
fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
