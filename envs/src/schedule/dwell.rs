//! Values that hold for a while and then switch: when the switches are.

use serde::{Deserialize, Serialize};

use crate::law::Law;
use crate::noise::{Noise, open_unit};
use rand::Rng;

/// A new draw of `law` at every switch; between two, the value holds. One of `dwell`,
/// `mean_dwell` and `dwell_range` says how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Piecewise<N = f64> {
    /// What the values are drawn from.
    pub law: Law,
    /// Every dwell lasts so many ticks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dwell: Option<N>,
    /// Dwells are geometric with this mean (ticks): a switch is as likely at every tick.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_dwell: Option<N>,
    /// Dwells are uniform on the whole numbers from the first to the second (ticks).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dwell_range: Option<[N; 2]>,
}

impl Piecewise {
    pub(super) fn at(&self, tick: u64, noise: Noise) -> f64 {
        let start = self.dwells().map_or(0, |dwells| dwells.last_switch(tick, noise.part(0)));
        let mut words = noise.part(1).words(start);
        self.law.draw(&mut || words.next_u32()).value
    }

    fn dwells(&self) -> Option<Dwells> {
        Dwells::new(self.dwell, self.mean_dwell, self.dwell_range).ok()
    }

    pub(super) fn range(&self) -> (f64, f64) {
        self.law.support()
    }

    pub(super) fn defect(&self) -> Option<String> {
        let dwells = Dwells::new(self.dwell, self.mean_dwell, self.dwell_range);
        dwells.err().or_else(|| self.law.complaint().map(|problem| format!("law: {problem}")))
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

/// Dwells in a block of [`Dwells::Uniform`].
const DWELLS_IN_BLOCK: u64 = 256;

/// The law of the ticks between two switches; the first dwell begins at tick 0.
///
/// Fixed and geometric dwells are exact. Uniform dwells are no memoryless process, so they are
/// drawn in blocks of 256 mean dwells, each of which begins with a switch: one dwell in 256 is
/// cut short by the end of its block, and any tick costs at most one block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Dwells {
    Fixed(u64),
    Geometric(f64),
    Uniform(u64, u64),
}

impl Dwells {
    /// By the one of the three that is given.
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

    /// The last switch at or before `tick`.
    pub(super) fn last_switch(self, tick: u64, noise: Noise) -> u64 {
        match self {
            Dwells::Fixed(dwell) => tick - tick % dwell,
            Dwells::Geometric(mean) => last_geometric(tick, mean, noise),
            Dwells::Uniform(..) => {
                let mut last = 0;
                self.switches_of_block(tick, noise, |switch| last = switch);
                last
            }
        }
    }

    /// The switches of the block of `tick` up to it, in order; the first is the block's start.
    pub(super) fn switches_of_block(self, tick: u64, noise: Noise, mut visit: impl FnMut(u64)) {
        let (low, high) = match self {
            Dwells::Fixed(dwell) => (dwell, dwell),
            Dwells::Uniform(low, high) => (low, high),
            Dwells::Geometric(mean) => (mean.round() as u64, mean.round() as u64),
        };
        let block = (DWELLS_IN_BLOCK * (low + high)).div_ceil(2);
        let mut switch = tick - tick % block;
        let mut words = noise.words(switch);
        while switch <= tick {
            visit(switch);
            switch += match self {
                Dwells::Geometric(mean) => geometric(mean, words.next_u64()),
                _ => low + (open_unit(words.next_u64()) * (high - low + 1) as f64) as u64,
            };
        }
    }
}

/// Ticks until the next switch, at least 1.
fn geometric(mean: f64, word: u64) -> u64 {
    if mean <= 1.0 {
        return 1;
    }
    1 + (open_unit(word).ln() / (-1.0 / mean).ln_1p()) as u64
}

/// Without memory, the switches can be drawn anew from any tick: blocks of one mean dwell, each
/// from its own noise, searched backwards until one holds a switch.
fn last_geometric(tick: u64, mean: f64, noise: Noise) -> u64 {
    let length = mean.ceil() as u64;
    for block in (0..=tick / length).rev() {
        let (start, end) = (block * length, (tick + 1).min((block + 1) * length));
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
