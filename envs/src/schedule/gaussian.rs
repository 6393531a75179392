//! Random walk and Ornstein-Uhlenbeck process at any tick, exactly.
//!
//! Both are Gaussian Markov processes, so they can be drawn coarse to fine: first the values at
//! 1, 2, 4, 8, ..., each given the one before; then midpoints of the interval that holds the
//! tick, each given its two ends (Brownian bridge). Every value belongs to a fixed place and is
//! drawn from the noise of that place: the whole path is determined, and a tick costs two draws
//! for each doubling of time.

use serde::{Deserialize, Serialize};

use crate::noise::Noise;

/// `start` plus the sum of one normal number a tick: variance `sigma^2 t` at tick `t`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomWalk<N = f64> {
    /// Value at tick 0.
    #[serde(default)]
    pub start: N,
    /// Standard deviation of the change in a tick, not negative.
    pub sigma: N,
}

/// Ornstein-Uhlenbeck: normal with `mean` and `stationary_std` at every tick, correlation
/// `exp(-lag / relax_time)` between two.
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
    pub(super) fn at(&self, tick: u64, noise: Noise) -> f64 {
        let forward = |x: f64, lag: f64, z: f64| x + lag.sqrt() * z;
        let bridge = |a: f64, b: f64, half: f64, z: f64| 0.5 * (a + b) + (0.5 * half).sqrt() * z;
        self.start + self.sigma * path(tick, 0.0, noise, forward, bridge)
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
    pub(super) fn at(&self, tick: u64, noise: Noise) -> f64 {
        let rate = 1.0 / self.relax_time;
        let forward = |x: f64, lag: f64, z: f64| (-lag * rate).exp() * x + (-(-2.0 * lag * rate).exp_m1()).sqrt() * z;
        // given the ends of an interval of length 2h: mean (a + b) / (2 cosh), variance tanh of h / relax_time
        let bridge =
            |a: f64, b: f64, half: f64, z: f64| 0.5 * (a + b) / (half * rate).cosh() + (half * rate).tanh().sqrt() * z;
        self.mean + self.stationary_std * path(tick, noise.normal(0), noise, forward, bridge)
    }

    pub(super) fn range(&self) -> (f64, f64) {
        if self.stationary_std == 0.0 { (self.mean, self.mean) } else { (f64::NEG_INFINITY, f64::INFINITY) }
    }

    pub(super) fn defect(&self) -> Option<String> {
        if self.relax_time <= 0.0 {
            return Some(format!("`relax_time` = {} must be positive", self.relax_time));
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

/// The value at `tick` of the process that is `origin` at 0. `forward(x, lag, z)` is the value
/// `lag` ticks after `x`; `bridge(a, b, half, z)` the one halfway between `a` and `b`, each
/// `half` ticks away; `z` is standard normal.
fn path(
    tick: u64,
    origin: f64,
    noise: Noise,
    forward: impl Fn(f64, f64, f64) -> f64,
    bridge: impl Fn(f64, f64, f64, f64) -> f64,
) -> f64 {
    if tick == 0 {
        return origin;
    }
    let (mut left, mut at_left) = (0, origin);
    let (mut right, mut at_right) = (1, forward(origin, 1.0, noise.normal(1)));
    while right < tick {
        (left, at_left) = (right, at_right);
        right = 2 * left;
        at_right = forward(at_left, left as f64, noise.normal(right));
    }
    while tick < right {
        let half = (right - left) / 2;
        let middle = left + half;
        let at_middle = bridge(at_left, at_right, half as f64, noise.normal(middle));
        if tick < middle {
            (right, at_right) = (middle, at_middle);
        } else if tick > middle {
            (left, at_left) = (middle, at_middle);
        } else {
            return at_middle;
        }
    }
    at_right
}
