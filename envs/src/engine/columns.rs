//! The values of all channels of all lanes.

use std::ops::Range;

use crate::{
    engine::{
        lanes::{Column, LANES},
        used::Used,
        words::{Visit, Words},
    },
    tasks::channel::{ChannelLayout, NO_SATURATION, actuator, sensor},
};

/// Channel values by block. A channel that no task uses has one column for all blocks: it stays in the L1 cache, and
/// costs next to nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Channels {
    layout: ChannelLayout,
    blocks: usize,
    /// Places of the channels, `[count]`.
    places: Vec<Place>,
    columns: Vec<Column>,
}

/// Place of a channel's columns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Index of the column of block 0.
    first: usize,
    /// Stride from one block to the next: 1, or 0 if all blocks share a column.
    step: usize,
}

/// The channels of a block, checked once so that a loop over lanes need not.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    places: &'a [Place],
    columns: &'a [Column],
    block: usize,
    /// Number of channels. If it is a compile-time constant, so is the check of a constant channel.
    count: usize,
}

impl<'a> Block<'a> {
    /// Block number `block` of the channels with these `places` and `columns`.
    ///
    /// # Safety
    /// They come from [`Channels::parts`] for that `count`, and there are that many blocks.
    #[inline(always)]
    pub unsafe fn of(places: &'a [Place], columns: &'a [Column], block: usize, count: usize) -> Self {
        Block { places, columns, block, count }
    }

    /// The column of one channel.
    #[inline(always)]
    pub fn column(self, channel: usize) -> &'a Column {
        assert!(channel < self.count, "channel {channel} of {}", self.count);
        // SAFETY: there are as many places as channels and more blocks than `block` (`Channels::parts` checks both), and
        // every place of every block lies within the columns (`Channels::new`)
        unsafe {
            let Place { first, step } = *self.places.get_unchecked(channel);
            self.columns.get_unchecked(first + self.block * step)
        }
    }
}

impl Channels {
    /// Channels that are all zero.
    pub fn new(layout: ChannelLayout, blocks: usize, used: &Used) -> Channels {
        let mut count = 0;
        let place = |channel: usize| {
            let step = usize::from(used.is(channel));
            let place = Place { first: count, step };
            count += if step == 1 { blocks } else { 1 };
            place
        };
        let places = (0..layout.count).map(place).collect();
        Channels { layout, blocks, places, columns: vec![Column::all(0.0); count] }
    }

    /// The channels of a block; `count` is the environment's number of channels.
    #[inline(always)]
    pub fn block(&self, block: usize, count: usize) -> Block<'_> {
        let (places, columns) = self.parts(block + 1, count);
        Block { places, columns, block, count }
    }

    /// The parts of the first `blocks` blocks ([`Block::of`]); `count` is the environment's number of channels.
    #[inline(always)]
    pub fn parts(&self, blocks: usize, count: usize) -> (&[Place], &[Column]) {
        assert!(blocks <= self.blocks && count == self.places.len(), "{blocks} blocks, {count} channels");
        (&self.places, &self.columns)
    }

    /// One channel of a block.
    #[inline(always)]
    pub fn column(&self, block: usize, channel: usize) -> &Column {
        let Place { first, step } = self.places[channel];
        &self.columns[first + block * step]
    }

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// The columns of a channel that some task uses, `[blocks]`.
    pub fn of(&self, channel: usize) -> &[Column] {
        &self.columns[self.range(channel)]
    }

    /// The mutable [`Channels::of`].
    pub fn of_mut(&mut self, channel: usize) -> &mut [Column] {
        let range = self.range(channel);
        &mut self.columns[range]
    }

    fn range(&self, channel: usize) -> Range<usize> {
        let Place { first, step } = self.places[channel];
        assert_eq!(step, 1, "a channel that no task uses");
        first..first + self.blocks
    }

    /// Sets a channel that some task uses, for one lane.
    #[inline]
    pub fn set(&mut self, channel: usize, lane: usize, value: f64) {
        let value = self.stored(channel, value);
        self.of_mut(channel)[lane / LANES][lane % LANES] = value;
    }

    /// Sets a channel for some lanes; a channel that no task uses, for all.
    pub fn fill(&mut self, channel: usize, lanes: Range<usize>, value: f64) {
        let value = self.stored(channel, value);
        let Place { first, step } = self.places[channel];
        if step == 0 {
            self.columns[first] = Column::all(value);
            return;
        }
        let mut lane = lanes.start;
        while lane < lanes.end {
            let block = lane / LANES;
            let end = lanes.end.min((block + 1) * LANES);
            self.columns[first + block][lane - block * LANES..end - block * LANES].fill(value);
            lane = end;
        }
    }

    /// Copies the values of `lane` to the lanes after it in its block, which no task fills: ordinary numbers, which are
    /// as fast to compute with.
    pub fn extend_from(&mut self, lane: usize) {
        for Place { first, step } in &self.places {
            let column = &mut self.columns[first + lane / LANES * step];
            let value = column[lane % LANES];
            column[lane % LANES..].fill(value);
        }
    }

    /// The stored form of a value. A lane must not notice that another lane of its batch has a fault, so the values
    /// that stand for no fault change no bit.
    #[inline(always)]
    pub fn stored(&self, channel: usize, value: f64) -> f32 {
        let value32 = value as f32;
        let is_bias = channel >= self.layout.sensors && (channel - self.layout.sensors) % sensor::COUNT == sensor::BIAS;
        if is_bias && value32 == 0.0 {
            // the zero that keeps even the sign of a zero it is added to
            -0.0
        } else if channel == self.layout.actuator + actuator::SATURATION && value >= NO_SATURATION {
            f32::INFINITY
        } else {
            value32
        }
    }
}

impl Words for Channels {
    fn words(&mut self, visit: &mut Visit<'_>) {
        self.columns.words(visit);
    }
}
