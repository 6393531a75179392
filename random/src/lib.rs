//! Random streams with names: every draw is a pure function of a seed and a [`Stream`], so results depend neither on
//! the order of drawing nor on threads, and a checkpoint holds no state of a generator.
//!
//! ```
//! use metadrift_random::{Purpose, Stream};
//!
//! let actions = Stream::new(7, Purpose::Action).task(3).env(12);
//! // the words of step 41, without those of the steps before
//! assert_eq!(actions.block(41), actions.block(41));
//! assert_ne!(actions.block(41), actions.env(13).block(41));
//! ```
//!
//! The generator is Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
//! SC 2011): a bijection of 128-bit counters for every 64-bit key. The key is the seed of the run. The counter encodes
//! the name of the stream and the step, each part in its own bits, so two different names never share a counter:
//!
//! | word | bits 0..24 | bits 24..32 |
//! |---|---|---|
//! | 0 | step, all 32 bits | |
//! | 1 | iteration | part |
//! | 2 | env | phase |
//! | 3 | task | purpose |
//!
//! [`StreamRng`] reads a stream word by word, as a generator of the `rand` crates.

mod philox;

use std::convert::Infallible;

use rand::TryRng;

pub use philox::philox4x32_10;

/// The purpose of random numbers. The codes are frozen: changing one changes results.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Initial weights of a policy.
    Init = 1,
    /// Parameters of a task.
    TaskDraw = 2,
    /// Initial states of episodes.
    Reset = 3,
    /// Actions sampled from a policy.
    Action = 4,
    /// Resampling for confidence intervals.
    Bootstrap = 5,
    /// Initial states of evaluation episodes.
    EvaluationReset = 6,
    /// Actions sampled during evaluation.
    EvaluationAction = 7,
    /// Order in which samples are learned from.
    Shuffle = 8,
    /// Candidates of the search for the best fixed law.
    Search = 9,
    /// Steps in which a teacher acts in a student's place.
    Lesson = 10,
    /// Draws from an observer's belief.
    Belief = 11,
    /// Perturbations of an optimiser that evolves, and seeds of its trainings.
    Evolution = 14,
    /// Coins that decide which of two policies acts.
    Trial = 15,
    /// Noise of random schedules.
    Drift = 16,
    /// Noise and failures of actuators.
    Actuator = 17,
    /// Noise and failures of sensors.
    Sensor = 18,
    /// Notifications of a change: noise, misses and false alarms.
    Notification = 19,
    /// Noise and failures of actuators during evaluation.
    EvaluationActuator = 20,
    /// Noise and failures of sensors during evaluation.
    EvaluationSensor = 21,
    /// Notifications of a change during evaluation.
    EvaluationNotification = 22,
    /// Values that a search proposes for its trials.
    Proposal = 23,
}

/// Iterations, tasks and envs are numbered below this (2^24).
pub const MAX_INDEX: u32 = 1 << 24;

/// The name of a stream of random numbers; its blocks are numbered by `step`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stream {
    /// Seed of the run.
    pub seed: u64,
    /// Purpose of the numbers.
    pub purpose: Purpose,
    /// Iteration of the meta loop, below [`MAX_INDEX`].
    pub iteration: u32,
    /// Number of the block, if several are drawn in the same step.
    pub part: u8,
    /// Adaptation phase within the iteration.
    pub phase: u8,
    /// Index of the task, below [`MAX_INDEX`].
    pub task: u32,
    /// Index of the env (lane) within the task, below [`MAX_INDEX`].
    pub env: u32,
}

impl Stream {
    /// The stream of `seed` for `purpose`, all indices zero.
    #[inline]
    pub fn new(seed: u64, purpose: Purpose) -> Stream {
        Stream { seed, purpose, iteration: 0, part: 0, phase: 0, task: 0, env: 0 }
    }

    /// The same stream for another iteration.
    #[inline]
    pub fn iteration(self, iteration: u32) -> Stream {
        Stream { iteration, ..self }
    }

    /// The same stream for another part of each step.
    #[inline]
    pub fn part(self, part: u8) -> Stream {
        Stream { part, ..self }
    }

    /// The same stream for another purpose.
    #[inline]
    pub fn purpose(self, purpose: Purpose) -> Stream {
        Stream { purpose, ..self }
    }

    /// The same stream for another adaptation phase.
    #[inline]
    pub fn phase(self, phase: u8) -> Stream {
        Stream { phase, ..self }
    }

    /// The same stream for another task.
    #[inline]
    pub fn task(self, task: u32) -> Stream {
        Stream { task, ..self }
    }

    /// The same stream for another env.
    #[inline]
    pub fn env(self, env: u32) -> Stream {
        Stream { env, ..self }
    }

    /// The four random words of `step`.
    ///
    /// # Panics
    /// If `iteration`, `task` or `env` is not below [`MAX_INDEX`]: two names would share numbers.
    #[inline]
    pub fn block(&self, step: u32) -> [u32; 4] {
        assert!(
            self.iteration < MAX_INDEX && self.task < MAX_INDEX && self.env < MAX_INDEX,
            "random stream: iteration {}, task {} and env {} must be below {MAX_INDEX}",
            self.iteration,
            self.task,
            self.env
        );
        self.block_unchecked(step)
    }

    /// [`Stream::block`] without the check of the indices; with one that is too large, two names share numbers.
    #[inline(always)]
    pub fn block_unchecked(&self, step: u32) -> [u32; 4] {
        let counter = [
            step,
            self.iteration | u32::from(self.part) << 24,
            self.env | u32::from(self.phase) << 24,
            self.task | (self.purpose as u32) << 24,
        ];
        philox4x32_10(counter, [self.seed as u32, (self.seed >> 32) as u32])
    }

    /// Four uniform numbers in [0, 1) of `step`, with the resolution of `f32`.
    #[inline]
    pub fn uniforms(&self, step: u32) -> [f32; 4] {
        self.block(step).map(unit_f32)
    }

    /// A sequential generator over the blocks 0, 1, 2, ... of this stream.
    #[inline]
    pub fn rng(self) -> StreamRng {
        StreamRng { stream: self, next_block: 0, words: [0; 4], used: 4 }
    }

    /// A permutation of the numbers below `count` (Fisher and Yates).
    pub fn permutation(self, count: u32) -> Vec<u32> {
        let mut numbers: Vec<u32> = (0..count).collect();
        let mut rng = self.rng();
        for last in (1..count).rev() {
            // the bias is below count / 2^32
            let other = (u64::from(rng.next_word()) * u64::from(last + 1)) >> 32;
            numbers.swap(last as usize, other as usize);
        }
        numbers
    }
}

/// The words of a [`Stream`] one after the other, for the laws of `rand_distr`.
#[derive(Clone, Debug)]
pub struct StreamRng {
    stream: Stream,
    next_block: u32,
    words: [u32; 4],
    used: usize,
}

impl StreamRng {
    #[inline]
    fn next_word(&mut self) -> u32 {
        if self.used == 4 {
            self.words = self.stream.block(self.next_block);
            self.next_block = (self.next_block.checked_add(1)).expect("2^32 blocks drawn");
            self.used = 0;
        }
        self.used += 1;
        self.words[self.used - 1]
    }
}

impl TryRng for StreamRng {
    type Error = Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.next_word())
    }

    /// Two words, the lower half first.
    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let low = u64::from(self.next_word());
        Ok(low | u64::from(self.next_word()) << 32)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(4) {
            chunk.copy_from_slice(&self.next_word().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// A uniform number in [0, 1): the top 24 bits of `word`, times 2^-24.
#[inline(always)]
pub fn unit_f32(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}

#[cfg(test)]
mod tests {
    use rand::Rng;
    use rand_distr::{Distribution, Normal};

    use super::*;

    #[test]
    fn every_part_of_the_name_has_its_own_bits() {
        let stream = Stream::new(0x299f31d0_a4093822, Purpose::Reset)
            .iteration(0xa308d3)
            .part(0x85)
            .phase(0x13)
            .env(0x198a2e)
            .task(0x707344);
        // the counter of the third known answer, but for the purpose (3: its own top byte)
        assert_eq!(stream.block(0x243f6a88), [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]);
    }

    #[test]
    #[should_panic(expected = "must be below 16777216")]
    fn an_index_that_would_collide_is_refused() {
        Stream::new(1, Purpose::Action).env(MAX_INDEX).block(0);
    }

    #[test]
    fn sequential_words_are_the_blocks_in_order() {
        let stream = Stream::new(7, Purpose::Action).task(3);
        let expected: Vec<u32> = (0..3).flat_map(|step| stream.block(step)).collect();
        let mut rng = stream.rng();
        let words: Vec<u32> = (0..12).map(|_| rng.next_u32()).collect();
        assert_eq!(words, expected);
        let mut rng = stream.rng();
        assert_eq!(rng.next_u64(), u64::from(expected[0]) | u64::from(expected[1]) << 32);
        let mut bytes = [0; 6];
        rng.fill_bytes(&mut bytes);
        assert_eq!(bytes[..4], expected[2].to_le_bytes());
        assert_eq!(bytes[4..], expected[3].to_le_bytes()[..2]);
    }

    #[test]
    fn laws_of_rand_distr_draw_from_a_stream() {
        let law = Normal::new(2.0, 3.0).unwrap();
        let draws: Vec<f64> = law.sample_iter(Stream::new(1, Purpose::Init).rng()).take(100_000).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        // five standard errors: 3 / sqrt(n) and 9 * sqrt(2 / n)
        assert!((mean - 2.0).abs() < 0.048, "{mean}");
        assert!((variance - 9.0).abs() < 0.21, "{variance}");
    }

    #[test]
    fn units_cover_zero_to_below_one() {
        assert_eq!(unit_f32(0), 0.0);
        assert_eq!(unit_f32(0x8000_0000), 0.5);
        assert_eq!(unit_f32(u32::MAX), 1.0 - f32::EPSILON / 2.0);
    }
}
