//! Dwells: the times between the switches of a piecewise constant value.

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::tasks::{
    law::Law,
    noise::{Noise, open_unit},
};

/// A new draw of `law` at every switch; between two, the value holds. One of `dwell`,
/// `mean_dwell` and `dwell_range` gives the time between switches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Piecewise<N = f64> {
    /// Law of the values.
    pub law: Law,
    /// Length of every dwell (ticks).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dwell: Option<N>,
    /// Mean of geometric dwells (ticks): a switch is equally likely at every tick.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_dwell: Option<N>,
    /// Shortest and longest of uniform dwells (whole ticks).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dwell_range: Option<[N; 2]>,
}

impl Piecewise {
    pub(super) fn fill(&self, first: u64, noise: Noise, values: &mut [f64]) {
        let mut dwelling = Dwelling::new(self.dwells().unwrap_or(Dwells::Fixed(u64::MAX)), noise.part(0));
        let mut last = None;
        super::each_tick_mut(first, values, |tick| {
            let start = dwelling.last_switch(tick);
            let kept = last.filter(|(of, _)| *of == start);
            let (_, value) = *last.insert(kept.unwrap_or_else(|| (start, self.drawn(noise, start))));
            value
        });
    }

    /// The value of the dwell that begins at `start`.
    fn drawn(&self, noise: Noise, start: u64) -> f64 {
        let mut words = noise.part(1).words(start);
        self.law.draw(&mut || words.next_u32()).value
    }

    fn dwells(&self) -> Result<Dwells, String> {
        Dwells::new(self.dwell, self.mean_dwell, self.dwell_range)
    }

    pub(super) fn range(&self) -> (f64, f64) {
        self.law.support()
    }

    pub(super) fn defect(&self) -> Option<String> {
        self.dwells().err().or_else(|| self.law.complaint().map(|problem| format!("law: {problem}")))
    }
}

impl<N> Piecewise<N> {
    pub(super) fn try_map<M, E>(&self, f: &mut dyn FnMut(&'static str, &N) -> Result<M, E>) -> Result<Piecewise<M>, E> {
        Ok(Piecewise {
            law: self.law.clone(),
            dwell: optional(&self.dwell, "dwell", f)?,
            mean_dwell: optional(&self.mean_dwell, "mean_dwell", f)?,
            dwell_range: pair(&self.dwell_range, "dwell_range", f)?,
        })
    }
}

/// Maps a number that may be absent.
pub(super) fn optional<N, M, E>(
    number: &Option<N>,
    field: &'static str,
    f: &mut dyn FnMut(&'static str, &N) -> Result<M, E>,
) -> Result<Option<M>, E> {
    number.as_ref().map(|number| f(field, number)).transpose()
}

/// Maps a pair that may be absent.
pub(super) fn pair<N, M, E>(
    pair: &Option<[N; 2]>,
    field: &'static str,
    f: &mut dyn FnMut(&'static str, &N) -> Result<M, E>,
) -> Result<Option<[M; 2]>, E> {
    pair.as_ref().map(|[low, high]| Ok([f(field, low)?, f(field, high)?])).transpose()
}

/// Dwells in a block of [`Dwells::Uniform`], an even number.
const DWELLS_IN_BLOCK: usize = 256;

/// The law of the ticks between two switches; the first dwell begins at tick 0.
///
/// Fixed and geometric dwells are exact. Uniform dwells are no memoryless process: to reach any
/// tick without those before, they come in blocks of 256 that all last equally long. Half of a
/// block is drawn, the other half is its mirror image (`low + high` minus the length), and all are
/// shuffled: every dwell has its law, none is cut short, and two of a block have correlation -1/255.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Dwells {
    Fixed(u64),
    Geometric(f64),
    Uniform(u64, u64),
}

impl Dwells {
    /// The law that the given one of the three fields describes.
    pub(super) fn new(dwell: Option<f64>, mean: Option<f64>, range: Option<[f64; 2]>) -> Result<Dwells, String> {
        let legal = 1.0..=1e12;
        let ticks = |name: &str, value: f64| {
            if legal.contains(&value) { Ok(()) } else { Err(format!("`{name}` = {value} must be 1 to 1e12 ticks")) }
        };
        match (dwell, mean, range) {
            (Some(dwell), None, None) => ticks("dwell", dwell).map(|()| Dwells::Fixed(dwell.round() as u64)),
            (None, Some(mean), None) => ticks("mean_dwell", mean).map(|()| Dwells::Geometric(mean)),
            (None, None, Some([low, high])) => {
                ticks("dwell_range", low)?;
                ticks("dwell_range", high)?;
                if low > high {
                    return Err(format!("`dwell_range` = [{low}, {high}] ends before it begins"));
                }
                Ok(Dwells::Uniform(low.round() as u64, high.round() as u64))
            }
            _ => Err("one of `dwell`, `mean_dwell` and `dwell_range` says how long a value holds".into()),
        }
    }
}

/// The dwells of one process.
pub(super) struct Dwelling {
    dwells: Dwells,
    noise: Noise,
    /// Number and switches of the last block of uniform dwells that was computed.
    block: Option<(u64, [u64; DWELLS_IN_BLOCK])>,
}

impl Dwelling {
    pub(super) fn new(dwells: Dwells, noise: Noise) -> Dwelling {
        Dwelling { dwells, noise, block: None }
    }

    /// The last switch at or before `tick`.
    fn last_switch(&mut self, tick: u64) -> u64 {
        match self.dwells {
            Dwells::Fixed(dwell) => tick - tick % dwell,
            Dwells::Geometric(mean) => last_geometric(tick, mean, self.noise),
            Dwells::Uniform(low, high) => {
                let (_, switches) = self.block_of(tick, low, high);
                switches[index_in(switches, tick)]
            }
        }
    }

    /// Number of dwells that have ended by `tick`, for dwells that are not geometric.
    pub(super) fn number(&mut self, tick: u64) -> u64 {
        match self.dwells {
            Dwells::Fixed(dwell) => tick / dwell,
            Dwells::Geometric(mean) => tick / mean as u64,
            Dwells::Uniform(low, high) => {
                let (block, switches) = self.block_of(tick, low, high);
                block * DWELLS_IN_BLOCK as u64 + index_in(switches, tick) as u64
            }
        }
    }

    /// Number and switches of the block of `tick`.
    fn block_of(&mut self, tick: u64, low: u64, high: u64) -> (u64, &[u64; DWELLS_IN_BLOCK]) {
        let length = DWELLS_IN_BLOCK as u64 / 2 * (low + high);
        let number = tick / length;
        let kept = self.block.take().filter(|(kept, _)| *kept == number);
        let noise = self.noise;
        let block = kept.unwrap_or_else(|| (number, switches(number * length, low, high, noise)));
        let (_, switches) = self.block.insert(block);
        (number, switches)
    }
}

/// The place in a block of the last switch at or before `tick`.
fn index_in(switches: &[u64; DWELLS_IN_BLOCK], tick: u64) -> usize {
    switches.partition_point(|switch| *switch <= tick) - 1
}

/// The switches of the block of uniform dwells that begins at `start`.
fn switches(start: u64, low: u64, high: u64, noise: Noise) -> [u64; DWELLS_IN_BLOCK] {
    let mut words = noise.words(start);
    let mut lengths = [0; DWELLS_IN_BLOCK];
    for pair in lengths.as_chunks_mut::<2>().0 {
        let above = (open_unit(words.next_u64()) * (high - low + 1) as f64) as u64;
        let length = low + above.min(high - low);
        *pair = [length, low + high - length];
    }
    for last in (1..DWELLS_IN_BLOCK).rev() {
        lengths.swap(last, ((u64::from(words.next_u32()) * (last as u64 + 1)) >> 32) as usize);
    }
    let mut switch = start;
    lengths.map(|length| {
        let begins = switch;
        switch += length;
        begins
    })
}

/// Ticks until the next switch, at least 1.
fn geometric(mean: f64, word: u64) -> u64 {
    if mean <= 1.0 {
        return 1;
    }
    1 + (open_unit(word).ln() / (-1.0 / mean).ln_1p()) as u64
}

/// The last switch of geometric dwells at or before `tick`. They have no memory, so switches can be drawn anew from any
/// tick: blocks of one mean dwell, each with its own noise, are searched backwards until one holds a switch.
fn last_geometric(tick: u64, mean: f64, noise: Noise) -> u64 {
    let length = mean.ceil() as u64;
    for block in (0..=tick / length).rev() {
        let start = block * length;
        let end = (tick + 1).min(start + length);
        let mut words = noise.words(block);
        let mut last = None;
        // one before the block, so that its first tick can switch too
        let mut switch = geometric(mean, words.next_u64()) - 1 + start;
        while switch < end {
            last = Some(switch);
            switch += geometric(mean, words.next_u64());
        }
        if let Some(last) = last {
            return last;
        }
    }
    0
}
