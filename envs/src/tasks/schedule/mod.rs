//! Schedules: the motion of a drifting quantity over a clock.
//!
//! Every schedule is a function of a tick and, if it is random, of its noise: any moment can be evaluated at any time,
//! without those before, and plot, oracle and engine agree.

use serde::{Deserialize, Serialize};

use crate::tasks::noise::Noise;

mod compose;
mod dwell;
mod gaussian;
mod jumps;
mod markov;
mod path;
mod shape;
mod turn;

#[cfg(test)]
mod tests;

pub(crate) use compose::product;
pub use compose::{Compose, Op};
pub use dwell::Piecewise;
pub use gaussian::{Ou, RandomWalk};
pub use jumps::Jumps;
pub use markov::Markov;
pub use shape::{Exponential, Interpolation, Sigmoid, Square, Steps, Trace, Wave};

/// A law of motion over a clock (ticks). `N` is `f64`, or the type of a number in a configuration.
///
/// To add a schedule: a type with `at`, `range`, `defect` and `try_map` in a file of its own, a
/// variant here and its line in the functions below; nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "snake_case",
    deny_unknown_fields,
    bound(deserialize = "N: Deserialize<'de> + Default")
)]
pub enum Schedule<N = f64> {
    /// A constant value.
    Constant {
        /// The value.
        value: N,
    },
    /// An abrupt switch.
    Step {
        /// First tick of the new value.
        at: N,
        /// Value before.
        from: N,
        /// Value from then on.
        to: N,
    },
    /// Several abrupt switches.
    Steps(Steps<N>),
    /// A ramp; with `returns` it goes back to `from` over the same time.
    #[serde(alias = "ramp_hold")]
    Linear {
        /// Value until `start`.
        from: N,
        /// Value reached after `over`.
        to: N,
        /// Tick at which the ramp begins.
        #[serde(default)]
        start: N,
        /// Length of the ramp (ticks), positive.
        over: N,
        /// True if a second ramp leads back.
        #[serde(default)]
        returns: bool,
    },
    /// The sinusoid `mean + amplitude * sin(2 pi (tick / period + phase))`.
    Sinusoid {
        /// Centre.
        mean: N,
        /// Largest departure from it.
        amplitude: N,
        /// Length of a cycle (ticks), positive.
        period: N,
        /// Place of tick 0 in the cycle, as a fraction of a cycle, or `"random"`.
        #[serde(default)]
        phase: N,
    },
    /// A triangle wave, in phase with the sinusoid.
    Triangle(Wave<N>),
    /// A sawtooth wave: straight up over the cycle, then at once down.
    Saw(Wave<N>),
    /// A square wave: high, then low.
    Square(Square<N>),
    /// An approach that slows down.
    Exponential(Exponential<N>),
    /// A smooth change from one value to another.
    Sigmoid(Sigmoid<N>),
    /// A random walk of independent normal changes.
    RandomWalk(RandomWalk<N>),
    /// An Ornstein-Uhlenbeck process: a random walk that is drawn back to its mean.
    Ou(Ou<N>),
    /// Draws that hold for a while.
    Piecewise(Piecewise<N>),
    /// Hidden switching between states.
    Markov(Markov<N>),
    /// Sudden shifts that stay.
    Jumps(Jumps<N>),
    /// A recording.
    Trace(Trace),
    /// A composition of several schedules.
    Compose(Compose<N>),
}

/// The last tick, which stands for all later ones: some random schedules look twice as far ahead.
const LAST: u64 = 1 << 62;

impl Schedule {
    /// The value at `tick` of its clock; `noise` matters only to a random schedule.
    pub fn at(&self, tick: u64, noise: Noise) -> f64 {
        let mut value = [0.0];
        self.fill(tick, noise, &mut value);
        value[0]
    }

    /// Sets the values at the ticks from `first` on, with the bits of [`Schedule::at`].
    #[inline(always)]
    pub(crate) fn fill(&self, first: u64, noise: Noise, values: &mut [f64]) {
        match self {
            Schedule::Constant { value } => values.fill(*value),
            Schedule::Step { at, from, to } => each_time(first, values, |time| if time < *at { *from } else { *to }),
            Schedule::Linear { from, to, start, over, returns } => each_time(first, values, |time| {
                let rise = (time - start) / over;
                let progress = if *returns & (rise > 1.0) { 2.0 - rise } else { rise };
                between(*from, *to, within(progress, 0.0, 1.0))
            }),
            Schedule::Sinusoid { mean, amplitude, period, phase } => {
                let wave = |cycle: f64| mean + amplitude * turn::sin(cycle);
                turn::each_cycle(first, values, *period, *phase, wave);
            }
            Schedule::Triangle(wave) => wave.triangle(first, values),
            Schedule::Saw(wave) => wave.saw(first, values),
            Schedule::Square(square) => square.fill(first, values),
            Schedule::RandomWalk(walk) => walk.fill(first.min(LAST), noise, values),
            Schedule::Ou(ou) => ou.fill(first.min(LAST), noise, values),
            Schedule::Piecewise(pieces) => pieces.fill(first, noise, values),
            Schedule::Markov(chain) => chain.fill(first.min(LAST), noise, values),
            other => each_tick(first, values, |tick| other.one(tick, noise)),
        }
    }

    /// The [`Schedule::at`] of kinds that gain nothing from the evaluation of several ticks at once.
    #[inline(never)]
    fn one(&self, tick: u64, noise: Noise) -> f64 {
        let time = tick as f64;
        match self {
            Schedule::Steps(steps) => steps.at(time),
            Schedule::Exponential(approach) => approach.at(time),
            Schedule::Sigmoid(sigmoid) => sigmoid.at(time),
            Schedule::Jumps(jumps) => jumps.at(tick, noise),
            Schedule::Trace(trace) => trace.at(tick),
            Schedule::Compose(compose) => compose.at(tick, noise),
            filled => filled.at(tick, noise),
        }
    }

    /// Smallest and largest value over all time; infinite where a random schedule has no limit.
    ///
    /// The smallest is concave and the largest convex in each number, so over a box of numbers
    /// both are attained at its corners; the validation of task files relies on this.
    pub fn range(&self) -> (f64, f64) {
        match self {
            Schedule::Constant { value } => (*value, *value),
            Schedule::Step { from, to, .. } | Schedule::Linear { from, to, .. } => (from.min(*to), from.max(*to)),
            Schedule::Sinusoid { mean, amplitude, .. } => (mean - amplitude.abs(), mean + amplitude.abs()),
            Schedule::Steps(steps) => steps.range(),
            Schedule::Triangle(wave) | Schedule::Saw(wave) => wave.range(),
            Schedule::Square(square) => square.range(),
            Schedule::Exponential(approach) => approach.range(),
            Schedule::Sigmoid(sigmoid) => sigmoid.range(),
            Schedule::RandomWalk(walk) => walk.range(),
            Schedule::Ou(ou) => ou.range(),
            Schedule::Piecewise(pieces) => pieces.range(),
            Schedule::Markov(chain) => chain.range(),
            Schedule::Jumps(jumps) => jumps.range(),
            Schedule::Trace(trace) => trace.range(),
            Schedule::Compose(compose) => compose.range(),
        }
    }

    /// The [`Schedule::range`] in pieces: each value alone, for a schedule that only switches between some.
    pub(crate) fn pieces(&self) -> Vec<(f64, f64)> {
        let values = match self {
            Schedule::Step { from, to, .. } => vec![*from, *to],
            Schedule::Steps(steps) => steps.values.clone(),
            Schedule::Square(square) => square.levels().to_vec(),
            Schedule::Markov(chain) => chain.states.clone(),
            Schedule::Trace(Trace { values, interpolation: Interpolation::Hold, .. }) => values.clone(),
            _ => return vec![self.range()],
        };
        values.into_iter().map(|value| (value, value)).collect()
    }

    /// Returns true if the noise changes any value: some random schedules have numbers that leave nothing to chance.
    pub(crate) fn noise_matters(&self) -> bool {
        match self {
            Schedule::RandomWalk(walk) => walk.sigma != 0.0,
            Schedule::Ou(ou) => ou.stationary_std != 0.0,
            Schedule::Piecewise(pieces) => pieces.law.support().0 < pieces.law.support().1,
            Schedule::Markov(chain) => !chain.is_certain(),
            Schedule::Jumps(jumps) => jumps.rate != 0.0,
            Schedule::Compose(compose) => compose.of.iter().chain(compose.by.as_deref()).any(Schedule::noise_matters),
            _ => false,
        }
    }

    /// The defect of the numbers themselves, if any; they are known to be finite.
    pub fn defect(&self) -> Option<String> {
        match self {
            Schedule::Constant { .. } | Schedule::Step { .. } => None,
            Schedule::Linear { over, .. } => shape::duration("over", *over),
            Schedule::Sinusoid { period, .. } => shape::duration("period", *period),
            Schedule::Steps(steps) => steps.defect(),
            Schedule::Triangle(wave) | Schedule::Saw(wave) => wave.defect(),
            Schedule::Square(square) => square.defect(),
            Schedule::Exponential(approach) => approach.defect(),
            Schedule::Sigmoid(sigmoid) => sigmoid.defect(),
            Schedule::RandomWalk(walk) => walk.defect(),
            Schedule::Ou(ou) => ou.defect(),
            Schedule::Piecewise(pieces) => pieces.defect(),
            Schedule::Markov(chain) => chain.defect(),
            Schedule::Jumps(jumps) => jumps.defect(),
            Schedule::Trace(trace) => trace.defect(),
            Schedule::Compose(compose) => compose.defect(),
        }
    }
}

impl<N> Schedule<N> {
    /// Calls `f` for every recording in it; stops at the first error.
    pub fn visit_traces<E>(&mut self, f: &mut dyn FnMut(&mut Trace) -> Result<(), E>) -> Result<(), E> {
        match self {
            Schedule::Trace(trace) => f(trace),
            Schedule::Compose(Compose { of, by, .. }) => {
                let by = by.as_deref_mut();
                of.iter_mut().chain(by).try_for_each(|part| part.visit_traces(f))
            }
            _ => Ok(()),
        }
    }

    /// Returns true if its values depend on its noise.
    pub fn is_random(&self) -> bool {
        match self {
            Schedule::RandomWalk(_)
            | Schedule::Ou(_)
            | Schedule::Piecewise(_)
            | Schedule::Markov(_)
            | Schedule::Jumps(_) => true,
            Schedule::Compose(compose) => compose.is_random(),
            _ => false,
        }
    }

    /// The schedule with every number replaced by `f(its field, it)`; stops at the first error.
    pub fn try_map<M, E>(&self, mut f: impl FnMut(&'static str, &N) -> Result<M, E>) -> Result<Schedule<M>, E> {
        self.map_with(&mut f)
    }

    fn map_with<M, E>(&self, f: &mut dyn FnMut(&'static str, &N) -> Result<M, E>) -> Result<Schedule<M>, E> {
        Ok(match self {
            Schedule::Constant { value } => Schedule::Constant { value: f("value", value)? },
            Schedule::Step { at, from, to } => {
                Schedule::Step { at: f("at", at)?, from: f("from", from)?, to: f("to", to)? }
            }
            Schedule::Linear { from, to, start, over, returns } => Schedule::Linear {
                from: f("from", from)?,
                to: f("to", to)?,
                start: f("start", start)?,
                over: f("over", over)?,
                returns: *returns,
            },
            Schedule::Sinusoid { mean, amplitude, period, phase } => Schedule::Sinusoid {
                mean: f("mean", mean)?,
                amplitude: f("amplitude", amplitude)?,
                period: f("period", period)?,
                phase: f("phase", phase)?,
            },
            Schedule::Steps(steps) => Schedule::Steps(steps.try_map(f)?),
            Schedule::Triangle(wave) => Schedule::Triangle(wave.try_map(f)?),
            Schedule::Saw(wave) => Schedule::Saw(wave.try_map(f)?),
            Schedule::Square(square) => Schedule::Square(square.try_map(f)?),
            Schedule::Exponential(approach) => Schedule::Exponential(approach.try_map(f)?),
            Schedule::Sigmoid(sigmoid) => Schedule::Sigmoid(sigmoid.try_map(f)?),
            Schedule::RandomWalk(walk) => Schedule::RandomWalk(walk.try_map(f)?),
            Schedule::Ou(ou) => Schedule::Ou(ou.try_map(f)?),
            Schedule::Piecewise(pieces) => Schedule::Piecewise(pieces.try_map(f)?),
            Schedule::Markov(chain) => Schedule::Markov(chain.try_map(f)?),
            Schedule::Jumps(jumps) => Schedule::Jumps(jumps.try_map(f)?),
            Schedule::Trace(trace) => Schedule::Trace(trace.clone()),
            Schedule::Compose(compose) => Schedule::Compose(compose.try_map(f)?),
        })
    }
}

/// Sets the values to those of `f` at the ticks from `first` on.
#[inline(always)]
fn each_tick(first: u64, values: &mut [f64], f: impl Fn(u64) -> f64) {
    each_tick_mut(first, values, f);
}

/// The loop of [`each_tick`] for a function with a memory.
#[inline(always)]
fn each_tick_mut(first: u64, values: &mut [f64], mut f: impl FnMut(u64) -> f64) {
    let first = first.min(LAST);
    for (i, value) in values.iter_mut().enumerate() {
        *value = f((first + i as u64).min(LAST));
    }
}

/// The loop of [`each_tick`] for a function of time.
#[inline(always)]
fn each_time(first: u64, values: &mut [f64], f: impl Fn(f64) -> f64) {
    each_tick(first, values, |tick| f(tick as f64));
}

/// Linear interpolation: `from` at 0, `to` at 1, exactly, and never outside the two.
#[inline(always)]
fn between(from: f64, to: f64, progress: f64) -> f64 {
    within(from * (1.0 - progress) + to * progress, from.min(to), from.max(to))
}

/// The nearest number in [low, high]: `clamp` without its check, which would be a branch in a loop.
#[inline(always)]
fn within(value: f64, low: f64, high: f64) -> f64 {
    let value = if value < low { low } else { value };
    if value > high { high } else { value }
}
