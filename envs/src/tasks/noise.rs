//! Noise: a random function of places, so that any place can be evaluated without those before.

use std::convert::Infallible;

use metadrift_random::{Stream, philox4x32_10};
use rand::TryRng;
use serde::{Deserialize, Serialize};

use crate::tasks::normal;

/// The noise of one process, named by 64 bits: those of a drift follow from seed, split, iteration, task and channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noise(u64);

impl Noise {
    /// The noise of a stream.
    pub fn of(stream: Stream) -> Noise {
        let words = stream.block(0);
        Noise(u64::from(words[0]) | u64::from(words[1]) << 32)
    }

    /// An independent process for part `index` of this one.
    pub(crate) fn part(self, index: u32) -> Noise {
        let words = self.block(u64::MAX, index);
        Noise(u64::from(words[0]) | u64::from(words[1]) << 32)
    }

    /// The name of the process as bits.
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// The random words number `4 block` to `4 block + 3` of `place`.
    #[inline(always)]
    fn block(self, place: u64, block: u32) -> [u32; 4] {
        let counter = [place as u32, (place >> 32) as u32, block, 0];
        philox4x32_10(counter, [self.0 as u32, (self.0 >> 32) as u32])
    }

    /// The uniform number of `place` in (0, 1), 53 bits.
    #[inline(always)]
    pub(crate) fn uniform(self, place: u64) -> f64 {
        let words = self.block(place, 0);
        open_unit(u64::from(words[0]) | u64::from(words[1]) << 32)
    }

    /// The standard normal number of `place`.
    #[inline]
    pub(crate) fn normal(self, place: u64) -> f64 {
        normal::quantile(self.uniform(place))
    }

    /// The words of `place`, as a generator.
    pub(crate) fn words(self, place: u64) -> Words {
        Words { noise: self, place, next_block: 0, words: [0; 4], used: 4 }
    }
}

/// Number of normal numbers that are drawn at once.
const AT_ONCE: usize = 32;

/// The normal numbers of a process, with those of some successive places drawn at once.
pub(crate) struct Normals {
    noise: Noise,
    first: u64,
    numbers: [f64; AT_ONCE],
    count: usize,
}

impl Normals {
    /// The normal numbers, with those of `count` places from `first` on drawn ahead if they fill a block.
    #[inline(always)]
    pub(crate) fn new(noise: Noise, first: u64, count: usize) -> Normals {
        let mut numbers = [0.0; AT_ONCE];
        let count = if count == AT_ONCE { count } else { 0 };
        if count > 0 {
            for (i, number) in numbers.iter_mut().enumerate() {
                *number = noise.uniform(first + i as u64);
            }
            normal::quantiles(&mut numbers);
        }
        Normals { noise, first, numbers, count }
    }

    /// The [`Noise::normal`] of a place.
    #[inline(always)]
    pub(crate) fn at(&self, place: u64) -> f64 {
        let index = place.wrapping_sub(self.first);
        if index < self.count as u64 { self.numbers[index as usize] } else { self.noise.normal(place) }
    }
}

/// The word as a number in (0, 1).
#[inline(always)]
pub(crate) fn open_unit(word: u64) -> f64 {
    // the largest of 2^53 words would be rounded to 1
    (((word >> 11) as f64 + 0.5) / 9_007_199_254_740_992.0).min(1.0 - f64::EPSILON / 2.0)
}

/// The words of one place, as a generator.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    noise: Noise,
    place: u64,
    next_block: u32,
    words: [u32; 4],
    used: usize,
}

impl TryRng for Words {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        if self.used == 4 {
            self.words = self.noise.block(self.place, self.next_block);
            self.next_block = self.next_block.wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        Ok(self.words[self.used - 1])
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let Ok(low) = self.try_next_u32();
        let Ok(high) = self.try_next_u32();
        Ok(u64::from(low) | u64::from(high) << 32)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(4) {
            let Ok(word) = self.try_next_u32();
            chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_unit_is_neither_0_nor_1_and_its_normal_is_finite() {
        for word in [0, 1 << 10, u64::MAX >> 1, u64::MAX - (1 << 11), u64::MAX] {
            let unit = open_unit(word);
            assert!(0.0 < unit && unit < 1.0, "{word}: {unit}");
            assert!(normal::quantile(unit).is_finite(), "{word}");
        }
    }
}
