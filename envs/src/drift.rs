//! A channel that follows a schedule: which clock it reads, and how the schedule's value becomes
//! the channel's.

use serde::{Deserialize, Serialize};

use crate::clock::{Clock, Clocks};
use crate::schedule::Schedule;

/// How the value of a schedule and the undrifted value make the value of the channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Apply {
    /// The schedule's value takes the place of the undrifted one.
    #[default]
    Abs,
    /// Their sum.
    Add,
    /// Their product.
    Scale,
}

/// What happens to a value that leaves its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBound {
    /// A configuration that could come to it is refused.
    Error,
    /// The nearest bound.
    Clamp,
    /// It is folded back at the bound, as often as it takes.
    Reflect,
    /// The first of 16 independent draws of the process at this tick that lies inside, else the
    /// nearest bound.
    Resample,
}

/// What all schedules have in common: the fields beside those of their kind.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timing {
    /// The clock that is read.
    pub clock: Clock,
    /// How the value is applied.
    pub apply: Apply,
    /// Ticks of the clock between two updates, at least 1.
    pub hold: u64,
    /// First tick of the drift and first after it; the channel has its undrifted value outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<[u64; 2]>,
    /// What happens at the bounds. Where nothing is said, a schedule whose values are known
    /// ahead must stay inside (`error`), a random one without limits is clamped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_bound: Option<OnBound>,
    /// Smallest and largest value of the channel, within its legal range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounds: Option<[f64; 2]>,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing { clock: Clock::default(), apply: Apply::default(), hold: 1, window: None, on_bound: None, bounds: None }
    }
}

/// A channel whose value follows a schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// Index of the channel.
    pub channel: usize,
    /// The schedule over the ticks of its clock.
    pub schedule: Schedule,
    /// Clock, application and bounds.
    pub timing: Timing,
}

impl Drift {
    /// Value of the channel whose undrifted value is `base`, at `clocks`: pure, so any moment can
    /// be asked for at any time.
    #[inline]
    pub fn value(&self, base: f64, clocks: &Clocks) -> f64 {
        let tick = self.timing.clock.read(clocks);
        if let Some([start, end]) = self.timing.window
            && !(start..end).contains(&tick)
        {
            return base;
        }
        let tick = if self.timing.hold > 1 { tick - tick % self.timing.hold } else { tick };
        let value = self.schedule.at(tick);
        match self.timing.apply {
            Apply::Abs => value,
            Apply::Add => base + value,
            Apply::Scale => base * value,
        }
    }

    /// Whether lanes of one task can differ.
    pub fn per_lane(&self) -> bool {
        self.timing.clock.per_lane()
    }
}
