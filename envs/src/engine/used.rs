//! The channels that the tasks of a batch use.

use crate::{
    physics::spec::EnvSpec,
    tasks::{
        channel::{MAX_DELAY, channels},
        task::Task,
    },
};

/// The set of channels that tasks use: those that are not at their defaults, or drift.
#[derive(Clone, Debug)]
pub(crate) struct Used {
    used: Vec<bool>,
    /// Largest value of each channel; infinite for those that drift.
    largest: Vec<f64>,
}

impl Used {
    pub fn new(spec: &EnvSpec, tasks: &[(&Task, usize)]) -> Used {
        let mut all = Used { used: Vec::new(), largest: Vec::new() };
        for (channel, description) in channels(spec).iter().enumerate() {
            let drifts = tasks.iter().any(|(task, _)| task.drifts.iter().any(|drift| drift.channel == channel));
            let values = || tasks.iter().map(|(task, _)| task.values[channel]);
            all.used.push(drifts || values().any(|value| value != description.default));
            all.largest.push(if drifts { f64::INFINITY } else { values().fold(f64::NEG_INFINITY, f64::max) });
        }
        all
    }

    /// The set with these channels added.
    pub fn and(mut self, channels: &[usize]) -> Used {
        for channel in channels {
            self.used[*channel] = true;
            self.largest[*channel] = f64::INFINITY;
        }
        self
    }

    pub fn is(&self, channel: usize) -> bool {
        self.used[channel]
    }

    /// The longest of some delays (steps).
    pub fn longest(&self, delays: impl IntoIterator<Item = usize>) -> usize {
        let largest = delays.into_iter().map(|channel| self.largest[channel]).fold(0.0, f64::max);
        largest.round().min(MAX_DELAY as f64) as usize
    }

    pub fn any(&self, channels: impl IntoIterator<Item = usize>) -> bool {
        channels.into_iter().any(|channel| self.used[channel])
    }
}
