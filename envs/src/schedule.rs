//! Schedules: how a drifting quantity depends on the clock of its task.

use std::convert::Infallible;
use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

/// A law of motion over the clock (ticks of a task's life, which run on across episodes).
///
/// The value is a pure function of the clock, so any moment can be asked for at any time and
/// plot, oracle and engine agree. `N` is `f64`, or what stands for a number in a configuration.
///
/// To add a schedule, add a variant here and an arm to each function below; nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule<N = f64> {
    /// The same value for ever.
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
    /// A ramp; with `returns` it goes back to `from` over the same time.
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
        /// Whether a second ramp leads back.
        #[serde(default)]
        returns: bool,
    },
    /// `mean + amplitude * sin(2 pi (clock / period + phase))`.
    Sinusoid {
        /// Centre.
        mean: N,
        /// Largest departure from it.
        amplitude: N,
        /// Length of a cycle (ticks), positive.
        period: N,
        /// Where in the cycle tick 0 lies, as a fraction of a cycle.
        #[serde(default)]
        phase: N,
    },
}

impl Schedule {
    /// The value at `clock` (ticks).
    pub fn at(&self, clock: u64) -> f64 {
        let tick = clock as f64;
        match *self {
            Schedule::Constant { value } => value,
            Schedule::Step { at, from, to } => {
                if tick < at {
                    from
                } else {
                    to
                }
            }
            Schedule::Linear { from, to, start, over, returns } => {
                let rise = (tick - start) / over;
                let progress = if returns && rise > 1.0 { 2.0 - rise } else { rise };
                between(from, to, progress.clamp(0.0, 1.0))
            }
            Schedule::Sinusoid { mean, amplitude, period, phase } => {
                // whole cycles are dropped first, so precision does not fade with the clock
                let cycles = (tick % period) / period + phase;
                mean + amplitude * (TAU * cycles).sin()
            }
        }
    }

    /// Smallest and largest value over all time.
    ///
    /// The smallest is concave and the largest convex in each number, so over a box of numbers
    /// both are attained at its corners; the validation of task files relies on this.
    pub fn range(&self) -> (f64, f64) {
        match *self {
            Schedule::Constant { value } => (value, value),
            Schedule::Step { from, to, .. } | Schedule::Linear { from, to, .. } => (from.min(to), from.max(to)),
            Schedule::Sinusoid { mean, amplitude, .. } => (mean - amplitude.abs(), mean + amplitude.abs()),
        }
    }

    /// What is wrong with the numbers themselves, if anything.
    pub fn defect(&self) -> Option<&'static str> {
        match *self {
            Schedule::Linear { over, .. } if over <= 0.0 => Some("`over` must be positive"),
            Schedule::Sinusoid { period, .. } if period <= 0.0 => Some("`period` must be positive"),
            _ => None,
        }
    }
}

impl Schedule {
    /// Everything that makes it up, as bits: two schedules with different bits differ.
    pub(crate) fn bits(&self) -> Vec<u64> {
        let mut bits = vec![match self {
            Schedule::Constant { .. } => 0,
            Schedule::Step { .. } => 1,
            Schedule::Linear { returns: false, .. } => 2,
            Schedule::Linear { returns: true, .. } => 3,
            Schedule::Sinusoid { .. } => 4,
        }];
        let Ok(_) = self.try_map(|_, number| {
            bits.push(number.to_bits());
            Ok::<_, Infallible>(())
        });
        bits
    }
}

impl<N> Schedule<N> {
    /// The schedule with every number replaced by `f(its field, it)`; stops at the first error.
    pub fn try_map<M, E>(&self, mut f: impl FnMut(&'static str, &N) -> Result<M, E>) -> Result<Schedule<M>, E> {
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
        })
    }
}

/// `from` at 0, `to` at 1, exactly, and never outside the two.
fn between(from: f64, to: f64, progress: f64) -> f64 {
    (from * (1.0 - progress) + to * progress).clamp(from.min(to), from.max(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_match_those_worked_out_by_hand() {
        let step = Schedule::Step { at: 100.0, from: 1.0, to: -1.0 };
        assert_eq!([0, 99, 100, 101].map(|t| step.at(t)), [1.0, 1.0, -1.0, -1.0]);

        let ramp = |returns| Schedule::Linear { from: 1.0, to: 3.0, start: 10.0, over: 4.0, returns };
        let ticks = [0, 10, 11, 12, 14, 15, 17, 18, 1000];
        assert_eq!(ticks.map(|t| ramp(false).at(t)), [1.0, 1.0, 1.5, 2.0, 3.0, 3.0, 3.0, 3.0, 3.0]);
        assert_eq!(ticks.map(|t| ramp(true).at(t)), [1.0, 1.0, 1.5, 2.0, 3.0, 2.5, 1.5, 1.0, 1.0]);

        let wave = Schedule::Sinusoid { mean: 2.0, amplitude: 0.5, period: 12.0, phase: 0.0 };
        for (tick, value) in [(0, 2.0), (1, 2.25), (3, 2.5), (5, 2.25), (6, 2.0), (9, 1.5)] {
            assert!((wave.at(tick) - value).abs() < 1e-15, "{tick}");
            let cycles = 1_000_000_000_000;
            assert_eq!(wave.at(tick + 12 * cycles), wave.at(tick));
        }
        let quarter = Schedule::Sinusoid { mean: 2.0, amplitude: 0.5, period: 12.0, phase: 0.25 };
        assert_eq!(quarter.at(0), 2.5);
        assert_eq!(Schedule::Constant { value: 0.3 }.at(u64::MAX), 0.3);
    }

    #[test]
    fn every_value_lies_in_the_range_and_the_range_is_attained() {
        let schedules = [
            (Schedule::Constant { value: 2.0 }, (2.0, 2.0)),
            (Schedule::Step { at: 7.0, from: 1.0, to: -1.0 }, (-1.0, 1.0)),
            (Schedule::Linear { from: 0.1, to: 0.7, start: 3.0, over: 10.0, returns: true }, (0.1, 0.7)),
            (Schedule::Sinusoid { mean: 1.0, amplitude: -0.25, period: 8.0, phase: 0.0 }, (0.75, 1.25)),
        ];
        for (schedule, expected) in schedules {
            assert_eq!(schedule.range(), expected);
            let values: Vec<f64> = (0..100).map(|t| schedule.at(t)).collect();
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert_eq!((low, high), expected);
        }
    }

    #[test]
    fn a_stretch_without_length_is_a_defect() {
        let wave = |period| Schedule::Sinusoid { mean: 0.0, amplitude: 1.0, period, phase: 0.0 };
        assert_eq!(wave(0.0).defect(), Some("`period` must be positive"));
        assert_eq!(wave(1.0).defect(), None);
    }
}
