//! Schedules in closed form: periodic shapes, approaches, switches, recordings.

use serde::{Deserialize, Serialize};

use super::{
    dwell::optional,
    turn::{each_cycle, fraction},
};
use crate::tasks::error::LARGEST;

/// A step function: `values[0]` before tick `at[0]`, `values[1]` from it on, ...
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Steps<N = f64> {
    /// Ticks of the switches, increasing.
    pub at: Vec<N>,
    /// Values between the switches, one more than there are switches.
    pub values: Vec<N>,
}

/// A periodic shape between `mean - amplitude` and `mean + amplitude`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wave<N = f64> {
    /// Centre.
    pub mean: N,
    /// Largest departure from it.
    pub amplitude: N,
    /// Length of a cycle (ticks), positive.
    pub period: N,
    /// Place of tick 0 in the cycle, as a fraction of a cycle, or `"random"`.
    #[serde(default)]
    pub phase: N,
}

/// A square wave: `mean + amplitude` for the first `duty` of every cycle, `mean - amplitude` for the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Square<N = f64> {
    /// Centre.
    pub mean: N,
    /// Departure from it.
    pub amplitude: N,
    /// Length of a cycle (ticks), positive.
    pub period: N,
    /// Place of tick 0 in the cycle, as a fraction of a cycle, or `"random"`.
    #[serde(default)]
    pub phase: N,
    /// Share of the cycle that is high, 0 to 1; one half if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duty: Option<N>,
}

/// An exponential approach: `to + (from - to) exp(-rate (tick - start))` from `start` on, `from` before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exponential<N = f64> {
    /// Value until `start`.
    pub from: N,
    /// Limit of the value.
    pub to: N,
    /// Decay rate of the remaining distance (per tick), positive.
    pub rate: N,
    /// First tick of the approach.
    #[serde(default)]
    pub start: N,
}

/// A logistic curve: `from + (to - from) / (1 + exp(-(tick - midpoint) / width))`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sigmoid<N = f64> {
    /// Value long before.
    pub from: N,
    /// Value long after.
    pub to: N,
    /// Tick at which half of the way is done.
    pub midpoint: N,
    /// Ticks from there to 73 % of the way, positive.
    pub width: N,
}

/// A recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// The recorded values, in order.
    #[serde(default)]
    pub values: Vec<f64>,
    /// Name of a text file of numbers, in place of `values`; the reader of the configuration loads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Ticks between two values, at least 1.
    #[serde(default = "one")]
    pub every: u64,
    /// Interpolation between two values.
    #[serde(default)]
    pub interpolation: Interpolation,
    /// True if the recording repeats; else the last value stays.
    #[serde(default)]
    pub repeat: bool,
}

fn one() -> u64 {
    1
}

/// The value between two recorded ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interpolation {
    /// The first of the two.
    #[default]
    Hold,
    /// A straight line.
    Linear,
}

impl Steps {
    pub(super) fn at(&self, tick: f64) -> f64 {
        self.values[self.at.partition_point(|at| *at <= tick)]
    }

    pub(super) fn range(&self) -> (f64, f64) {
        hull(&self.values)
    }

    pub(super) fn defect(&self) -> Option<String> {
        if self.values.len() != self.at.len() + 1 {
            let values = self.values.len();
            let at = self.at.len();
            return Some(format!("{values} `values` for {at} switches in `at`; there must be one more"));
        }
        (!self.at.is_sorted()).then(|| "`at` must be increasing".into())
    }
}

impl Wave {
    /// Fills in a triangle wave: from `mean` up to the top at a quarter, down to the bottom at three quarters.
    #[inline(always)]
    pub(super) fn triangle(&self, first: u64, values: &mut [f64]) {
        each_cycle(first, values, self.period, self.phase + 0.25, |cycle| {
            self.mean + self.amplitude * (1.0 - 2.0 * (2.0 * fraction(cycle) - 1.0).abs())
        });
    }

    /// Fills in a sawtooth wave: from the bottom to the top over each cycle, then at once to the bottom.
    #[inline(always)]
    pub(super) fn saw(&self, first: u64, values: &mut [f64]) {
        each_cycle(first, values, self.period, self.phase, |cycle| {
            self.mean + self.amplitude * (2.0 * fraction(cycle) - 1.0)
        });
    }

    pub(super) fn range(&self) -> (f64, f64) {
        around(self.mean, self.amplitude)
    }

    pub(super) fn defect(&self) -> Option<String> {
        duration("period", self.period)
    }
}

impl Square {
    /// The values in the first and in the second part of a cycle.
    pub(super) fn levels(&self) -> [f64; 2] {
        [self.mean + self.amplitude, self.mean - self.amplitude]
    }

    #[inline(always)]
    pub(super) fn fill(&self, first: u64, values: &mut [f64]) {
        let [high, low] = self.levels();
        let duty = self.duty.unwrap_or(0.5);
        each_cycle(first, values, self.period, self.phase, |cycle| if fraction(cycle) < duty { high } else { low });
    }

    pub(super) fn range(&self) -> (f64, f64) {
        around(self.mean, self.amplitude)
    }

    pub(super) fn defect(&self) -> Option<String> {
        let duty = self.duty.filter(|duty| !(0.0..=1.0).contains(duty));
        duty.map(|duty| format!("`duty` = {duty} must be 0 to 1")).or(duration("period", self.period))
    }
}

impl Exponential {
    pub(super) fn at(&self, tick: f64) -> f64 {
        let left = (-self.rate * (tick - self.start).max(0.0)).exp();
        super::between(self.to, self.from, left)
    }

    pub(super) fn range(&self) -> (f64, f64) {
        hull(&[self.from, self.to])
    }

    pub(super) fn defect(&self) -> Option<String> {
        rate_defect(self.rate)
    }
}

impl Sigmoid {
    pub(super) fn at(&self, tick: f64) -> f64 {
        let done = 1.0 / (1.0 + (-(tick - self.midpoint) / self.width).exp());
        super::between(self.from, self.to, done)
    }

    pub(super) fn range(&self) -> (f64, f64) {
        hull(&[self.from, self.to])
    }

    pub(super) fn defect(&self) -> Option<String> {
        duration("width", self.width)
    }
}

impl Trace {
    pub(super) fn at(&self, tick: u64) -> f64 {
        let count = self.values.len() as u64;
        let index = tick / self.every;
        let value = |index: u64| {
            let index = if self.repeat { index % count } else { index.min(count - 1) };
            self.values[index as usize]
        };
        match self.interpolation {
            Interpolation::Hold => value(index),
            Interpolation::Linear => {
                super::between(value(index), value(index + 1), (tick % self.every) as f64 / self.every as f64)
            }
        }
    }

    pub(super) fn range(&self) -> (f64, f64) {
        hull(&self.values)
    }

    pub(super) fn defect(&self) -> Option<String> {
        if let Some(file) = &self.file {
            return Some(format!("the values of `file` = {file:?} have not been loaded; give them as `values`"));
        }
        if let Some(value) = self.values.iter().find(|value| !value.is_finite()) {
            return Some(format!("`values` has {value}, which is not a finite number"));
        }
        if let Some(value) = self.values.iter().find(|value| value.abs() > LARGEST) {
            return Some(format!("`values` has {value:e}, which is beyond {LARGEST:e}"));
        }
        let empty = self.values.is_empty().then(|| "`values` is empty".into());
        empty.or((self.every == 0).then(|| "`every` = 0 must be at least 1 tick".into()))
    }
}

/// The function that maps every number of a schedule.
type Map<'a, N, M, E> = &'a mut dyn FnMut(&'static str, &N) -> Result<M, E>;

impl<N> Steps<N> {
    pub(super) fn try_map<M, E>(&self, f: Map<N, M, E>) -> Result<Steps<M>, E> {
        let at = self.at.iter().map(|at| f("at", at)).collect::<Result<_, E>>()?;
        let values = self.values.iter().map(|value| f("values", value)).collect::<Result<_, E>>()?;
        Ok(Steps { at, values })
    }
}

impl<N> Wave<N> {
    pub(super) fn try_map<M, E>(&self, f: Map<N, M, E>) -> Result<Wave<M>, E> {
        Ok(Wave {
            mean: f("mean", &self.mean)?,
            amplitude: f("amplitude", &self.amplitude)?,
            period: f("period", &self.period)?,
            phase: f("phase", &self.phase)?,
        })
    }
}

impl<N> Square<N> {
    pub(super) fn try_map<M, E>(&self, f: Map<N, M, E>) -> Result<Square<M>, E> {
        Ok(Square {
            mean: f("mean", &self.mean)?,
            amplitude: f("amplitude", &self.amplitude)?,
            period: f("period", &self.period)?,
            phase: f("phase", &self.phase)?,
            duty: optional(&self.duty, "duty", f)?,
        })
    }
}

impl<N> Exponential<N> {
    pub(super) fn try_map<M, E>(&self, f: Map<N, M, E>) -> Result<Exponential<M>, E> {
        Ok(Exponential {
            from: f("from", &self.from)?,
            to: f("to", &self.to)?,
            rate: f("rate", &self.rate)?,
            start: f("start", &self.start)?,
        })
    }
}

impl<N> Sigmoid<N> {
    pub(super) fn try_map<M, E>(&self, f: Map<N, M, E>) -> Result<Sigmoid<M>, E> {
        Ok(Sigmoid {
            from: f("from", &self.from)?,
            to: f("to", &self.to)?,
            midpoint: f("midpoint", &self.midpoint)?,
            width: f("width", &self.width)?,
        })
    }
}

/// The error message for a number of ticks that is not positive, or so short or so long that a clock divided by it has
/// lost all digits.
pub(super) fn duration(name: &str, value: f64) -> Option<String> {
    if value <= 0.0 {
        return Some(format!("`{name}` must be positive"));
    }
    let legal = (1e-6..=1e15).contains(&value);
    (!legal).then(|| format!("`{name}` = {value:?} must be 1e-6 to 1e15 ticks"))
}

fn rate_defect(rate: f64) -> Option<String> {
    if rate <= 0.0 {
        return Some("`rate` must be positive".into());
    }
    (!(1e-15..=1e6).contains(&rate)).then(|| format!("`rate` = {rate:?} must be 1e-15 to 1e6 a tick"))
}

fn around(mean: f64, amplitude: f64) -> (f64, f64) {
    (mean - amplitude.abs(), mean + amplitude.abs())
}

fn hull(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(*x), high.max(*x)))
}
