//! What the faults of actuator and sensors have in common.

use std::ops::Range;

use crate::channel::MAX_DELAY;
use crate::columns::Channels;
use crate::gauss::normal;
use crate::lanes::{Column, LANES};
use metadrift_random::Purpose;
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
    #[inline(always)]
    pub fn purpose(&self, [training, evaluation]: [Purpose; 2]) -> Purpose {
        if self.streams.common().purpose == Purpose::Reset { training } else { evaluation }
    }

    /// Random words of the lanes of a block.
    #[inline(always)]
    pub fn draw_all(&self, block: usize, purposes: [Purpose; 2], part: usize) -> [[u32; LANES]; 4] {
        self.streams.draw(block, self.purpose(purposes), part as u8, self.tick)
    }

    /// Standard normal numbers of the lanes of a block.
    #[inline(always)]
    pub fn normals(&self, block: usize, purposes: [Purpose; 2], part: usize) -> Column {
        let [first, second, ..] = self.draw_all(block, purposes, part);
        normals(&first, &second)
    }

    /// Random words of a lane.
    pub fn draw(&self, lane: usize, purposes: [Purpose; 2], part: usize) -> [u32; 4] {
        self.streams.of(lane).purpose(self.purpose(purposes)).part(part as u8).block(self.tick)
    }
}

/// [`normal`] of the words of each lane.
#[inline(always)]
pub(crate) fn normals(first: &[u32; LANES], second: &[u32; LANES]) -> Column {
    let mut numbers = Column::all(0.0);
    for lane in 0..LANES {
        numbers[lane] = normal([first[lane], second[lane]]);
    }
    numbers
}

/// The nearest whole number to a count of up to a million (halves up): without a conversion, which
/// would not vectorise everywhere.
#[inline(always)]
pub(crate) fn whole(count: f32) -> u32 {
    /// 2^23: the last bit of a sum with it counts ones.
    const ONES: f32 = 8_388_608.0;
    let x = count + 0.5;
    let nearest = (x + ONES) - ONES;
    let floor = if nearest > x { nearest - 1.0 } else { nearest };
    (floor + ONES).to_bits() & 0x007f_ffff
}

/// Whether an event of that probability happens: never for 0, always for 1.
#[inline(always)]
pub(crate) fn happens(word: u32, probability: f32) -> bool {
    metadrift_random::unit_f32(word) < probability
}

/// Which channels the tasks of a batch use: not at their defaults, or drifting.
#[derive(Clone, Debug)]
pub(crate) struct Used {
    used: Vec<bool>,
    /// The largest value of each, where it is known: infinite for those that drift.
    largest: Vec<f64>,
}

impl Used {
    pub fn new(spec: &crate::EnvSpec, tasks: &[(&crate::Task, usize)]) -> Used {
        let mut all = Used { used: Vec::new(), largest: Vec::new() };
        for (channel, description) in crate::channels(spec).iter().enumerate() {
            let drifts = tasks.iter().any(|(task, _)| task.drifts.iter().any(|drift| drift.channel == channel));
            let values = || tasks.iter().map(|(task, _)| task.values[channel]);
            all.used.push(drifts || values().any(|value| value != description.default));
            all.largest.push(if drifts { f64::INFINITY } else { values().fold(f64::NEG_INFINITY, f64::max) });
        }
        all
    }

    /// These channels too.
    pub fn and(mut self, channels: &[usize]) -> Used {
        for channel in channels {
            (self.used[*channel], self.largest[*channel]) = (true, f64::INFINITY);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_rounded_to_the_nearest_whole_number() {
        for i in 0..100_000 {
            let count = i as f32 * 0.013;
            assert_eq!(whole(count), (count + 0.5) as u32, "{count}");
        }
        assert_eq!([0.0, 0.49, 0.5, 1.5, 2.5, 64.0].map(whole), [0, 0, 1, 2, 3, 64]);
    }
}
