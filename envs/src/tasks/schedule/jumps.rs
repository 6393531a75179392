//! Sudden shifts that stay: a compound Poisson process.

use rand_distr::{Binomial, Distribution, Poisson};
use serde::{Deserialize, Serialize};

use crate::tasks::{error::LARGEST, law::Law, noise::Noise};

/// A compound Poisson process: `start` plus all jumps so far, `rate` a tick on average.
///
/// The sum of many sizes must be drawn at once to reach a tick without visiting the ones before,
/// so `size` is one of the laws whose sums have a closed form: fixed, choice, and normal without
/// limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jumps<N = f64> {
    /// Value at tick 0.
    #[serde(default)]
    pub start: N,
    /// Mean number of jumps in a tick, 0 to 1000.
    pub rate: N,
    /// Law of the sizes.
    pub size: Law,
}

/// Jumps of one kind: number and sum of those in an interval.
#[derive(Clone, Copy, Debug, Default)]
struct Total {
    count: u64,
    sum: f64,
}

impl Jumps {
    pub(super) fn at(&self, tick: u64, noise: Noise) -> f64 {
        // beyond, the number of jumps at the highest rate is no 64-bit number
        let tick = tick.min(1 << 52);
        let kinds = self.kinds().unwrap_or_default();
        let rate = self.rate / kinds.len() as f64;
        let sums = kinds.iter().enumerate().map(|(i, (mean, std))| {
            let kind = Kind { rate, mean: *mean, std: *std, noise: noise.part(i as u32) };
            let total = kind.total(tick);
            // the sum rounds differently by the way to its tick: without jumps it must not move
            if *std == 0.0 { total.count as f64 * mean } else { f64::from(total.sum.clamp(-LARGEST, LARGEST) as f32) }
        });
        self.start + sums.sum::<f64>()
    }

    /// Mean and standard deviation of the sizes, each kind equally likely.
    fn kinds(&self) -> Option<Vec<(f64, f64)>> {
        match &self.size {
            Law::Fixed { value } => Some(vec![(*value, 0.0)]),
            Law::Choice { values } => Some(values.iter().map(|value| (*value, 0.0)).collect()),
            Law::Normal { mean, std, low: None, high: None } => Some(vec![(*mean, *std)]),
            _ => None,
        }
    }

    pub(super) fn range(&self) -> (f64, f64) {
        let kinds = self.kinds().unwrap_or_default();
        let down = kinds.iter().any(|(mean, std)| *mean < 0.0 || *std > 0.0);
        let up = kinds.iter().any(|(mean, std)| *mean > 0.0 || *std > 0.0);
        let low = if down && self.rate > 0.0 { f64::NEG_INFINITY } else { self.start };
        let high = if up && self.rate > 0.0 { f64::INFINITY } else { self.start };
        (low, high)
    }

    pub(super) fn defect(&self) -> Option<String> {
        if !(0.0..=1000.0).contains(&self.rate) {
            return Some(format!("`rate` = {} must be 0 to 1000 jumps a tick", self.rate));
        }
        if self.kinds().is_none() {
            return Some("`size` must be a fixed, choice or normal law (without low and high)".into());
        }
        self.size.complaint().map(|problem| format!("size: {problem}"))
    }
}

impl<N> Jumps<N> {
    pub(super) fn try_map<M, E>(&self, f: &mut dyn FnMut(&'static str, &N) -> Result<M, E>) -> Result<Jumps<M>, E> {
        Ok(Jumps { start: f("start", &self.start)?, rate: f("rate", &self.rate)?, size: self.size.clone() })
    }
}

/// Jumps with normal sizes (of deviation 0: all alike).
struct Kind {
    rate: f64,
    mean: f64,
    std: f64,
    noise: Noise,
}

impl Kind {
    /// The total of the jumps in (0, tick], coarse to fine: the totals of (0, 1], (1, 2], (2, 4], (4, 8], ...,
    /// then of halves of the last given the whole.
    fn total(&self, tick: u64) -> Total {
        let mut before = Total::default();
        if tick == 0 {
            return before;
        }
        let mut left = 0;
        let mut right = 1;
        let mut within = self.fresh(1, 1);
        while right < tick {
            before = Total { count: before.count + within.count, sum: before.sum + within.sum };
            left = right;
            right = 2 * left;
            within = self.fresh(right, left);
        }
        while tick < right && within.count > 0 {
            let middle = left + (right - left) / 2;
            let first = self.first_half(middle, within);
            if tick < middle {
                right = middle;
                within = first;
            } else {
                before = Total { count: before.count + first.count, sum: before.sum + first.sum };
                within = Total { count: within.count - first.count, sum: within.sum - first.sum };
                left = middle;
                if tick == middle {
                    return before;
                }
            }
        }
        if tick < right {
            return before;
        }
        Total { count: before.count + within.count, sum: before.sum + within.sum }
    }

    /// The total of an interval of `length` ticks that ends at `place`.
    fn fresh(&self, place: u64, length: u64) -> Total {
        let expected = self.rate * length as f64;
        let count = Poisson::new(expected).map_or(0.0, |law| law.sample(&mut self.noise.words(place)));
        let sum = count * self.mean + count.sqrt() * self.std * self.noise.part(0).normal(place);
        Total { count: count as u64, sum }
    }

    /// The total of the first half of an interval with total `whole`: each jump lies in it with probability 1/2.
    fn first_half(&self, place: u64, whole: Total) -> Total {
        let count = Binomial::new(whole.count, 0.5).map_or(0, |law| law.sample(&mut self.noise.words(place)));
        let share = count as f64 / whole.count as f64;
        let spread = (count as f64 * (1.0 - share)).sqrt() * self.std;
        Total { count, sum: whole.sum * share + spread * self.noise.part(0).normal(place) }
    }
}
