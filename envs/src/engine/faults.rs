//! Common ground of the faults of actuator and sensors.

use std::ops::Range;

use metadrift_random::Purpose;

use crate::engine::{
    columns::Channels,
    gauss::normal,
    lanes::{Column, LANES},
    streams::Streams,
};

/// The scene of a tick: the lanes' parameters and random streams.
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

    /// The purpose of random numbers: training or evaluation, as for the initial states of the lanes.
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

/// The standard [`normal`] numbers of the lanes, from the words of each.
#[inline(always)]
pub(crate) fn normals(first: &[u32; LANES], second: &[u32; LANES]) -> Column {
    let mut numbers = Column::all(0.0);
    for lane in 0..LANES {
        numbers[lane] = normal([first[lane], second[lane]]);
    }
    numbers
}

/// The nearest whole number to a count of up to a million (halves up), without a conversion, which would not vectorise
/// everywhere.
#[inline(always)]
pub(crate) fn whole(count: f32) -> u32 {
    /// The number 2^23: the last bit of a sum with it counts ones.
    const ONES: f32 = 8_388_608.0;
    let x = count + 0.5;
    let nearest = (x + ONES) - ONES;
    let floor = if nearest > x { nearest - 1.0 } else { nearest };
    (floor + ONES).to_bits() & 0x007f_ffff
}

/// Returns true if an event of that probability happens: never for 0, always for 1.
#[inline(always)]
pub(crate) fn happens(word: u32, probability: f32) -> bool {
    metadrift_random::unit_f32(word) < probability
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
