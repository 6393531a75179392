//! The values of all channels of all lanes.

use std::ops::Range;

use crate::channel::{ChannelLayout, NO_SATURATION, actuator, sensor};
use crate::kernel::{Column, LANES};
use crate::words::{Visit, Words};

/// Channel values by block: those that every step reads in one array, those that only faults read
/// in another, which is empty where there are no faults.
#[derive(Clone, Debug)]
pub(crate) struct Channels {
    layout: ChannelLayout,
    /// Physical parameters, gain and bias, `[blocks, hot_len]`.
    hot: Vec<Column>,
    /// The others, `[blocks, count - hot_len]`.
    cold: Vec<Column>,
}

impl Channels {
    /// How many channels every step may read.
    pub const fn hot_len(layout: ChannelLayout) -> usize {
        layout.actuator + actuator::NOISE_STD
    }

    pub fn new(layout: ChannelLayout, blocks: usize, cold: bool) -> Channels {
        let hot_len = Self::hot_len(layout);
        let cold_len = if cold { layout.count - hot_len } else { 0 };
        Channels { layout, hot: vec![[0.0; LANES]; blocks * hot_len], cold: vec![[0.0; LANES]; blocks * cold_len] }
    }

    /// What every step may read of a block, `[hot_len]`.
    #[inline(always)]
    pub fn hot(&self, block: usize) -> &[Column] {
        let len = Self::hot_len(self.layout);
        &self.hot[block * len..][..len]
    }

    /// The place of a channel, if it is stored.
    fn place(&mut self, block: usize, channel: usize) -> Option<&mut Column> {
        let hot_len = Self::hot_len(self.layout);
        if channel < hot_len {
            return Some(&mut self.hot[block * hot_len + channel]);
        }
        self.cold.get_mut(block * (self.layout.count - hot_len) + channel - hot_len)
    }

    /// Any channel of a block; those that no step reads are stored only if faults were asked for.
    pub fn column(&self, block: usize, channel: usize) -> &Column {
        let hot_len = Self::hot_len(self.layout);
        if channel < hot_len {
            &self.hot[block * hot_len + channel]
        } else {
            &self.cold[block * (self.layout.count - hot_len) + channel - hot_len]
        }
    }

    /// Sets a channel for some lanes.
    pub fn fill(&mut self, channel: usize, lanes: Range<usize>, value: f64) {
        let value = self.stored(channel, value);
        let mut lane = lanes.start;
        while lane < lanes.end {
            let block = lane / LANES;
            let end = lanes.end.min((block + 1) * LANES);
            if let Some(column) = self.place(block, channel) {
                column[lane - block * LANES..end - block * LANES].fill(value);
            }
            lane = end;
        }
    }

    /// Gives the lanes from `lane` to the end of its block the values of `lane`: ordinary numbers
    /// that are as fast to compute with.
    pub fn extend_from(&mut self, lane: usize) {
        for channel in 0..self.layout.count {
            if let Some(column) = self.place(lane / LANES, channel) {
                let value = column[lane % LANES];
                column[lane % LANES..].fill(value);
            }
        }
    }

    /// The number a value is stored as. A lane must not notice that another lane of its batch has
    /// a fault, so what stands for no fault changes nothing to the bit.
    fn stored(&self, channel: usize, value: f64) -> f32 {
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
        self.hot.words(visit);
        self.cold.words(visit);
    }
}
