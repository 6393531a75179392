//! Random walk and Ornstein-Uhlenbeck process at any tick, exactly.
//!
//! Both are Gaussian Markov processes, so they can be drawn coarse to fine: first the values at
//! 1, 2, 4, 8, ..., each given the one before; then midpoints of the interval that holds the
//! tick, each given its two ends (Brownian bridge). Every value belongs to a fixed place and is
//! drawn from the noise of that place: the whole path is determined, and a tick costs two draws
//! for each doubling of time.

use serde::{Deserialize, Serialize};

use super::path::{self, Process};
use crate::tasks::noise::{Noise, Normals};

/// A random walk: `start` plus the sum of one normal number a tick, variance `sigma^2 t` at tick `t`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomWalk<N = f64> {
    /// Value at tick 0.
    #[serde(default)]
    pub start: N,
    /// Standard deviation of the change in a tick, not negative.
    pub sigma: N,
}

/// An Ornstein-Uhlenbeck process: normal with `mean` and `stationary_std` at every tick, correlation
/// `exp(-lag / relax_time)` between two ticks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ou<N = f64> {
    /// Centre.
    pub mean: N,
    /// Ticks after which a departure has shrunk to 1/e, positive.
    pub relax_time: N,
    /// Standard deviation at every tick, the first too; not negative.
    pub stationary_std: N,
}

impl RandomWalk {
    #[inline(always)]
    pub(super) fn fill(&self, first: u64, noise: Noise, values: &mut [f64]) {
        let mut walk = Bridges {
            normals: Normals::new(noise, first, values.len()),
            forward: |lag: f64| (1.0, lag.sqrt()),
            bridge: |half: f64| (1.0, (0.5 * half).sqrt()),
            known: [None; LEVELS],
        };
        let count = values.len();
        path::walk(&mut walk, 0.0, (first, count), &mut |i, x| values[i] = self.start + self.sigma * x);
    }

    pub(super) fn range(&self) -> (f64, f64) {
        if self.sigma == 0.0 { (self.start, self.start) } else { (f64::NEG_INFINITY, f64::INFINITY) }
    }

    pub(super) fn defect(&self) -> Option<String> {
        (self.sigma < 0.0).then(|| format!("`sigma` = {} must not be negative", self.sigma))
    }
}

impl<N> RandomWalk<N> {
    pub(super) fn try_map<M, E>(
        &self,
        f: &mut dyn FnMut(&'static str, &N) -> Result<M, E>,
    ) -> Result<RandomWalk<M>, E> {
        Ok(RandomWalk { start: f("start", &self.start)?, sigma: f("sigma", &self.sigma)? })
    }
}

impl Ou {
    #[inline(always)]
    pub(super) fn fill(&self, first: u64, noise: Noise, values: &mut [f64]) {
        let rate = 1.0 / self.relax_time;
        let mut process = Bridges {
            normals: Normals::new(noise, first, values.len()),
            forward: |lag: f64| ((-lag * rate).exp(), (-(-2.0 * lag * rate).exp_m1()).sqrt()),
            // given the ends of an interval of length 2h: mean (a + b) / (2 cosh), variance tanh of h / relax_time
            bridge: |half: f64| ((half * rate).cosh(), (half * rate).tanh().sqrt()),
            known: [None; LEVELS],
        };
        let origin = noise.normal(0);
        let count = values.len();
        let mut take = |i: usize, x: f64| values[i] = self.mean + self.stationary_std * x;
        path::walk(&mut process, origin, (first, count), &mut take);
    }

    pub(super) fn range(&self) -> (f64, f64) {
        if self.stationary_std == 0.0 { (self.mean, self.mean) } else { (f64::NEG_INFINITY, f64::INFINITY) }
    }

    pub(super) fn defect(&self) -> Option<String> {
        if let Some(problem) = super::shape::duration("relax_time", self.relax_time) {
            return Some(problem);
        }
        (self.stationary_std < 0.0).then(|| format!("`stationary_std` = {} must not be negative", self.stationary_std))
    }
}

impl<N> Ou<N> {
    pub(super) fn try_map<M, E>(&self, f: &mut dyn FnMut(&'static str, &N) -> Result<M, E>) -> Result<Ou<M>, E> {
        Ok(Ou {
            mean: f("mean", &self.mean)?,
            relax_time: f("relax_time", &self.relax_time)?,
            stationary_std: f("stationary_std", &self.stationary_std)?,
        })
    }
}

/// Number of interval lengths, which are powers of two.
const LEVELS: usize = 64;

/// A Gaussian process with variance 1 in the long run, or one a tick.
struct Bridges<F, B> {
    normals: Normals,
    /// Factor of the value before and standard deviation of the innovation, by the lag.
    forward: F,
    /// Divisor of the mean of an interval's ends and standard deviation of the innovation, by half its length.
    bridge: B,
    /// Results of `bridge` for 2^k.
    known: [Option<(f64, f64)>; LEVELS],
}

impl<F: Fn(f64) -> (f64, f64), B: Fn(f64) -> (f64, f64)> Process for Bridges<F, B> {
    type Value = f64;

    fn forward(&mut self, before: f64, lag: u64, place: u64) -> f64 {
        let (factor, deviation) = (self.forward)(lag as f64);
        factor * before + deviation * self.normals.at(place)
    }

    fn bridge(&mut self, left: f64, right: f64, half: u64, place: u64) -> f64 {
        let known = &mut self.known[half.ilog2() as usize];
        let (divisor, deviation) = *known.get_or_insert_with(|| (self.bridge)(half as f64));
        0.5 * (left + right) / divisor + deviation * self.normals.at(place)
    }
}
