//! Drift: a channel that follows a schedule on one of the clocks.

use serde::{Deserialize, Serialize};

use crate::{
    physics::spec::Bounds,
    tasks::{
        channel::{Channel, check_value},
        clock::{Clock, Clocks},
        error::{TaskError, check_finite},
        noise::Noise,
        schedule::{Schedule, product},
    },
};

/// The rule that combines the schedule's value and the undrifted value into the channel's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Apply {
    /// The schedule's value replaces the undrifted one.
    #[default]
    Abs,
    /// The channel has their sum.
    Add,
    /// The channel has their product.
    Scale,
}

/// Number of ticks that are evaluated ahead, at once.
pub(crate) const AHEAD: usize = 32;

/// The treatment of a value that leaves its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBound {
    /// A configuration that could lead to such a value is refused.
    Error,
    /// The value becomes the nearest bound.
    Clamp,
    /// The value is reflected at the bounds, as often as it takes.
    Reflect,
    /// The value is drawn anew: the first of 16 independent draws of the process at this tick that lies inside, else
    /// the nearest bound.
    Resample,
}

impl OnBound {
    /// Returns true if a value beyond a bound can come to lie away from it.
    fn moves(self) -> bool {
        matches!(self, OnBound::Reflect | OnBound::Resample)
    }
}

/// The fields that all schedules have in common, beside those of their kind.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timing {
    /// Clock that the schedule follows.
    #[serde(skip_serializing_if = "is_default")]
    pub clock: Clock,
    /// Combination with the undrifted value.
    #[serde(skip_serializing_if = "is_default")]
    pub apply: Apply,
    /// Ticks of the clock between two updates, at least 1.
    pub hold: u64,
    /// First tick of the drift and first after it; the channel has its undrifted value outside.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "crate::tasks::number::two")]
    pub window: Option<[u64; 2]>,
    /// Treatment of values outside the bounds. If it is absent, a schedule whose values are known ahead must stay
    /// inside (`error`), and a random one without limits is clamped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_bound: Option<OnBound>,
    /// Smallest and largest value of the channel, within its legal range.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "crate::tasks::number::two")]
    pub bounds: Option<[f64; 2]>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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
    /// Noise of a random schedule.
    pub noise: Noise,
    /// Bounds, if the values can leave them.
    limits: Option<[f64; 2]>,
}

impl Drift {
    /// The drift of `channel`, number `index`, whose undrifted value is `base`.
    ///
    /// # Errors
    /// On a schedule that is ill-formed, or leaves its bounds where that is an error; `path` is their key path.
    pub fn new(
        path: &str,
        (index, channel): (usize, &Channel),
        base: f64,
        schedule: Schedule,
        timing: Timing,
        noise: Noise,
    ) -> Result<Drift, TaskError> {
        schedule.try_map(|field, number| check_finite(&format!("{path}.{field}"), *number))?;
        if let Some(problem) = schedule.defect() {
            return Err(TaskError::Invalid { path: path.to_string(), problem });
        }
        timing.check(path, channel, schedule.is_random())?;
        let drift = Drift::known_good(path, (index, channel), base, schedule, timing, noise)?;
        for (low, high) in drift.reach(base) {
            check_value(path, channel, low)?;
            check_value(path, channel, high)?;
        }
        Ok(drift)
    }

    /// The drift of [`Drift::new`], if only the range of its values remains to be checked.
    pub(crate) fn known_good(
        path: &str,
        (index, channel): (usize, &Channel),
        base: f64,
        schedule: Schedule,
        timing: Timing,
        noise: Noise,
    ) -> Result<Drift, TaskError> {
        let legal = timing.legal(channel);
        let (low, high) = timing.range(schedule.range(), base);
        let inside = legal.contains(low) && legal.contains(high);
        let finite = low.is_finite() && high.is_finite();
        if !finite && !schedule.is_random() {
            let problem = "the values of the schedule are beyond the largest number".into();
            return Err(TaskError::Invalid { path: path.to_string(), problem });
        }
        let tolerated = timing.on_bound.map_or(!finite, |mode| mode != OnBound::Error);
        if !finite && !tolerated {
            let problem = "the schedule has no limits, so sooner or later it leaves any bounds: choose on_bound = \"clamp\", \
                           \"reflect\" or \"resample\"";
            return Err(TaskError::Invalid { path: path.to_string(), problem: problem.into() });
        }
        if !inside && !tolerated {
            let narrowed = Channel { bounds: legal, ..channel.clone() };
            check_value(path, &narrowed, low)?;
            check_value(path, &narrowed, high)?;
        }
        let limits = (!inside).then(|| [smallest(legal), legal.max]);
        Ok(Drift { channel: index, schedule, timing, noise, limits })
    }

    /// Value at `clocks` of the channel whose undrifted value is `base`: a pure function, so any moment can be
    /// evaluated at any time.
    #[inline]
    pub fn value(&self, base: f64, clocks: &Clocks) -> f64 {
        self.evaluate(base, clocks).0
    }

    /// The [`Drift::value`], and true if a bound had to be enforced.
    #[inline]
    pub fn evaluate(&self, base: f64, clocks: &Clocks) -> (f64, bool) {
        self.at(base, self.timing.clock.read(clocks))
    }

    /// The result of [`Drift::evaluate`] at a tick of its clock.
    fn at(&self, base: f64, tick: u64) -> (f64, bool) {
        if let Some([start, end]) = self.timing.window
            && !(start..end).contains(&tick)
        {
            return (base, false);
        }
        let tick = if self.timing.hold > 1 { tick - tick % self.timing.hold } else { tick };
        let value = self.applied(base, tick, self.noise);
        match self.limits {
            Some([low, high]) if !(low..=high).contains(&value) => (self.bounded(base, tick, value, [low, high]), true),
            _ => (value, false),
        }
    }

    /// Evaluates the ticks from `first` on, with the bits of [`Drift::evaluate`]: sets the values, and returns a mask
    /// whose bit i is set if a bound had to be enforced for value i.
    #[inline(always)]
    pub(crate) fn fill(&self, base: f64, first: u64, values: &mut [f64; AHEAD]) -> u32 {
        if self.timing.window.is_some() || self.timing.hold > 1 {
            return self.fill_one_by_one(base, first, values);
        }
        self.schedule.fill(first, self.noise, values);
        match self.timing.apply {
            Apply::Abs => {}
            Apply::Add => values.iter_mut().for_each(|value| *value += base),
            Apply::Scale => values.iter_mut().for_each(|value| *value *= base),
        }
        match self.limits {
            Some([low, high]) if !values.iter().fold(true, |all, value| all & (low <= *value) & (*value <= high)) => {
                self.fill_bounded(base, first, values, [low, high])
            }
            _ => 0,
        }
    }

    #[inline(never)]
    fn fill_one_by_one(&self, base: f64, first: u64, values: &mut [f64; AHEAD]) -> u32 {
        let mut corrected = 0;
        let mut last = None;
        for (i, value) in values.iter_mut().enumerate() {
            let tick = first.saturating_add(i as u64);
            let inside = self.timing.window.is_none_or(|[start, end]| (start..end).contains(&tick));
            // while it is held, it need not be evaluated anew
            let place = (inside, tick / self.timing.hold);
            let (at, (found, bounded)) =
                last.filter(|(at, _)| *at == place).unwrap_or_else(|| (place, self.at(base, tick)));
            last = Some((at, (found, bounded)));
            *value = found;
            corrected |= u32::from(bounded) << i;
        }
        corrected
    }

    #[inline(never)]
    fn fill_bounded(&self, base: f64, first: u64, values: &mut [f64; AHEAD], [low, high]: [f64; 2]) -> u32 {
        let mut corrected = 0;
        for (i, value) in values.iter_mut().enumerate().filter(|(_, value)| !(low..=high).contains(*value)) {
            *value = self.bounded(base, first.saturating_add(i as u64), *value, [low, high]);
            corrected |= 1 << i;
        }
        corrected
    }

    #[inline]
    fn applied(&self, base: f64, tick: u64, noise: Noise) -> f64 {
        let value = self.schedule.at(tick, noise);
        match self.timing.apply {
            Apply::Abs => value,
            Apply::Add => base + value,
            Apply::Scale => base * value,
        }
    }

    /// The replacement of a `value` outside the limits.
    fn bounded(&self, base: f64, tick: u64, value: f64, [low, high]: [f64; 2]) -> f64 {
        match self.timing.on_bound {
            Some(OnBound::Reflect) => {
                let width = high - low;
                let folded = (value - low).rem_euclid(2.0 * width);
                let distance = if folded > width { 2.0 * width - folded } else { folded };
                if distance.is_finite() { (low + distance).clamp(low, high) } else { value.clamp(low, high) }
            }
            Some(OnBound::Resample) => {
                let mut draws = (1..=16).map(|attempt| self.applied(base, tick, self.noise.part(u32::MAX - attempt)));
                draws.find(|draw| (low..=high).contains(draw)).unwrap_or(value.clamp(low, high))
            }
            Some(OnBound::Clamp | OnBound::Error) | None => value.clamp(low, high),
        }
    }

    /// The intervals that hold every value of the channel whose undrifted value is `base`, at any time and
    /// by any clock; for switches, one for each value.
    pub(crate) fn reach(&self, base: f64) -> Vec<(f64, f64)> {
        let bounded = |(low, high): (f64, f64)| match self.limits {
            // folded or drawn anew, a value may come to lie anywhere
            Some([least, most]) if (low < least || high > most) && self.timing.on_bound.is_some_and(OnBound::moves) => {
                (least, most)
            }
            Some([least, most]) => (low.clamp(least, most), high.clamp(least, most)),
            None => (low, high),
        };
        let pieces = self.schedule.pieces().into_iter().map(|piece| bounded(self.timing.range(piece, base)));
        // outside its window the channel has its undrifted value
        pieces.chain(self.timing.window.map(|_| (base, base))).collect()
    }

    /// Returns true if lanes of one task can differ.
    pub fn per_lane(&self) -> bool {
        self.timing.clock.per_lane()
    }

    /// The definition of the drift as bits: two drifts with different bits differ.
    pub(crate) fn bits(&self) -> Vec<u64> {
        // the debug form names every field and gives every number its shortest exact digits
        let text = format!("{:?} {:?}", self.schedule, self.timing);
        let mut bits = vec![self.channel as u64];
        bits.extend(text.as_bytes().chunks(8).map(|bytes| {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            u64::from_le_bytes(word)
        }));
        bits.extend(self.schedule.is_random().then(|| self.noise.bits()));
        bits
    }
}

impl Timing {
    /// Refuses fields that are not legal for the channel.
    pub(crate) fn check(&self, path: &str, channel: &Channel, random: bool) -> Result<(), TaskError> {
        let invalid = |problem: String| Err(TaskError::Invalid { path: path.to_string(), problem });
        if self.hold == 0 {
            return invalid("`hold` = 0 must be at least 1 tick".into());
        }
        if let Some([start, end]) = self.window
            && start >= end
        {
            return invalid(format!("`window` = [{start}, {end}] ends before it begins"));
        }
        if let Some([low, high]) = self.bounds {
            check_value(&format!("{path}.bounds"), channel, low)?;
            check_value(&format!("{path}.bounds"), channel, high)?;
            if low >= high {
                return invalid(format!("`bounds` = [{low}, {high}] hold no interval"));
            }
        }
        if self.on_bound == Some(OnBound::Resample) && !random {
            return invalid("`on_bound = \"resample\"` needs a random schedule; use clamp or reflect".into());
        }
        Ok(())
    }

    /// The legal values of the channel that lie in `bounds`.
    fn legal(&self, channel: &Channel) -> Bounds {
        self.bounds.map_or(channel.bounds, |[low, high]| Bounds::closed(low, high))
    }

    /// Range of the channel, from that of the schedule.
    fn range(&self, (low, high): (f64, f64), base: f64) -> (f64, f64) {
        match self.apply {
            Apply::Abs => (low, high),
            Apply::Add => (base + low, base + high),
            Apply::Scale => product((low, high), (base, base)),
        }
    }
}

/// The smallest value that is enforced: the bound or, if that is not legal, a millionth of the range above it.
fn smallest(bounds: Bounds) -> f64 {
    if bounds.above_min { bounds.min + 1e-6 * (bounds.max - bounds.min) } else { bounds.min }
}

#[cfg(test)]
mod tests;
