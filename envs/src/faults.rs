//! What the faults of actuator and sensors have in common.

use std::ops::Range;

use crate::columns::Channels;
use crate::lanes::LANES;
use crate::rng::Purpose;
use crate::streams::Streams;

/// Where a tick happens: the lanes' parameters and random streams.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub channels: &'a Channels,
    /// Streams of the initial states, `[envs]`.
    pub streams: &'a Streams,
    /// Ticks since construction.
    pub tick: u32,
}

impl Scene<'_> {
    /// The lanes of a block that are in use.
    pub fn lanes(&self, block: usize) -> Range<usize> {
        0..LANES.min(self.streams.len() - block * LANES)
    }

    /// What randomness of the lanes is for, by what their initial states are drawn for.
    pub fn purpose(&self, [training, evaluation]: [Purpose; 2]) -> Purpose {
        if self.streams.common().purpose == Purpose::Reset { training } else { evaluation }
    }

    /// Random words of a lane.
    pub fn draw(&self, lane: usize, purposes: [Purpose; 2], part: usize) -> [u32; 4] {
        self.streams.of(lane).purpose(self.purpose(purposes)).part(part as u8).block(self.tick)
    }
}

/// Whether an event of that probability happens: never for 0, always for 1.
pub(crate) fn happens(word: u32, probability: f32) -> bool {
    crate::rng::unit_f32(word) < probability
}

/// Which channels the tasks of a batch use: not at their defaults, or drifting.
#[derive(Clone, Debug)]
pub(crate) struct Used(Vec<bool>);

impl Used {
    pub fn new(spec: &crate::EnvSpec, tasks: &[(&crate::Task, usize)]) -> Used {
        let mut used: Vec<bool> = Vec::new();
        for (channel, description) in crate::channels(spec).iter().enumerate() {
            used.push(tasks.iter().any(|(task, _)| {
                task.values[channel] != description.default || task.drifts.iter().any(|drift| drift.channel == channel)
            }));
        }
        Used(used)
    }

    /// These channels too.
    pub fn and(mut self, channels: &[usize]) -> Used {
        channels.iter().for_each(|channel| self.0[*channel] = true);
        self
    }

    pub fn is(&self, channel: usize) -> bool {
        self.0[channel]
    }

    pub fn any(&self, channels: impl IntoIterator<Item = usize>) -> bool {
        channels.into_iter().any(|channel| self.0[channel])
    }
}
