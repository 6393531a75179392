//! Channels that drift, evaluated some ticks ahead: all values of a stretch of ticks at once.
//!
//! A drift is a pure function of its clock, so the values kept here are a cache and no state: they are computed anew
//! whenever the clock leaves the stretch.

use std::ops::Range;

use crate::{
    engine::{
        columns::Channels,
        lanes::{Column, LANES},
        simd::{Kernel, Proof, Simd},
    },
    tasks::{
        clock::Clocks,
        drift::{AHEAD, Drift},
    },
};

/// A channel of some lanes that follows a schedule.
#[derive(Clone, Debug)]
pub(crate) struct Drifting {
    pub lanes: Range<usize>,
    pub drift: Drift,
    /// Undrifted value.
    pub base: f64,
}

/// The first tick of the stretch that holds `tick`.
fn stretch(tick: u64) -> u64 {
    tick - tick % AHEAD as u64
}

/// Drifts on a clock that all lanes share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Together {
    drifts: Vec<Drifting>,
    /// First tick of the values.
    first: Option<u64>,
    /// Channels that move.
    channels: Vec<usize>,
    /// Values of the stretch, `[channels, blocks, AHEAD]`; lanes that do not move keep the value they had.
    values: Vec<Column>,
    /// Number of lanes that met their bounds, by tick.
    corrected: [u64; AHEAD],
}

impl Together {
    /// Adds a drift.
    pub fn push(&mut self, drifting: Drifting) {
        if !self.channels.contains(&drifting.drift.channel) {
            self.channels.push(drifting.drift.channel);
        }
        self.drifts.push(drifting);
    }

    /// Returns true if nothing moves.
    pub fn is_empty(&self) -> bool {
        self.drifts.is_empty()
    }

    /// Removes and returns all drifts.
    pub fn take(&mut self) -> Vec<Drifting> {
        std::mem::take(self).drifts
    }

    /// Sets the channels to their values at `tick`; returns the number of lanes that met their bounds.
    pub fn apply(&mut self, simd: Simd, channels: &mut Channels, tick: u64) -> u64 {
        let blocks = channels.blocks();
        if self.first != Some(stretch(tick)) {
            if self.values.is_empty() {
                let columns = self.channels.iter().flat_map(|channel| channels.of(*channel).iter().copied());
                self.values = columns.flat_map(|column| [column; AHEAD]).collect();
            }
            self.first = Some(stretch(tick));
            simd.run(Refresh { together: self, channels, first: stretch(tick) });
        }
        let now = (tick % AHEAD as u64) as usize;
        for (of_channel, channel) in self.values.chunks_exact(blocks * AHEAD).zip(&self.channels) {
            for (column, ahead) in channels.of_mut(*channel).iter_mut().zip(of_channel.as_chunks::<AHEAD>().0) {
                *column = ahead[now];
            }
        }
        self.corrected[now]
    }
}

/// The evaluation of all drifts from tick `first` on.
struct Refresh<'a> {
    together: &'a mut Together,
    channels: &'a Channels,
    first: u64,
}

impl Kernel for Refresh<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const AVX512: bool>(self, _: Proof<AVX512>) {
        let Together { drifts, channels, values, corrected, .. } = self.together;
        let blocks = self.channels.blocks();
        *corrected = [0; AHEAD];
        let mut to_come = [0.0; AHEAD];
        for Drifting { lanes, drift, base } in drifts {
            let bounded = drift.fill(*base, self.first, &mut to_come);
            let of_channel = channels.iter().position(|channel| *channel == drift.channel).expect("it moves");
            for lane in lanes.clone() {
                let place = (of_channel * blocks + lane / LANES) * AHEAD;
                let ahead = &mut values[place..place + AHEAD];
                for (column, value) in ahead.iter_mut().zip(&to_come) {
                    column[lane % LANES] = self.channels.stored(drift.channel, *value);
                }
            }
            for (i, count) in corrected.iter_mut().enumerate() {
                *count += u64::from(bounded >> i & 1) * lanes.len() as u64;
            }
        }
    }
}

/// Drifts on the lanes' own clocks, `[lanes]`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Apart(Vec<Vec<Alone>>);

/// A channel of one lane.
#[derive(Clone, Debug)]
struct Alone {
    drift: Drift,
    base: f64,
    /// First tick of the values.
    first: Option<u64>,
    values: [f64; AHEAD],
    /// A mask: bit i is set if value i met its bounds.
    corrected: u32,
}

impl Apart {
    /// Adds a drift.
    pub fn push(&mut self, Drifting { lanes, drift, base }: Drifting) {
        if self.0.len() < lanes.end {
            self.0.resize_with(lanes.end, Vec::new);
        }
        for of_lane in &mut self.0[lanes] {
            of_lane.push(Alone { drift: drift.clone(), base, first: None, values: [0.0; AHEAD], corrected: 0 });
        }
    }

    /// Returns true if nothing has ever moved.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes all drifts of a lane.
    pub fn clear(&mut self, lane: usize) {
        if let Some(of_lane) = self.0.get_mut(lane) {
            of_lane.clear();
        }
    }

    /// Sets the channels of some lanes to their values at the clocks of each; returns the number
    /// that met their bounds.
    #[inline]
    pub fn apply(
        &mut self,
        simd: Simd,
        channels: &mut Channels,
        lanes: Range<usize>,
        clocks: impl Fn(usize) -> Clocks,
    ) -> u64 {
        let mut corrected = 0;
        for lane in lanes.start..lanes.end.min(self.0.len()) {
            for alone in &mut self.0[lane] {
                let tick = alone.drift.timing.clock.read(&clocks(lane));
                if alone.first != Some(stretch(tick)) {
                    alone.first = Some(stretch(tick));
                    simd.run(Refill { alone, first: stretch(tick) });
                }
                let now = (tick % AHEAD as u64) as usize;
                channels.set(alone.drift.channel, lane, alone.values[now]);
                corrected += u64::from(alone.corrected >> now & 1);
            }
        }
        corrected
    }
}

/// The evaluation of a drift from tick `first` on.
struct Refill<'a> {
    alone: &'a mut Alone,
    first: u64,
}

impl Kernel for Refill<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const AVX512: bool>(self, _: Proof<AVX512>) {
        let Alone { drift, base, values, corrected, .. } = self.alone;
        *corrected = drift.fill(*base, self.first, values);
    }
}
