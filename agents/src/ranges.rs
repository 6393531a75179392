//! The legal ranges of numbers in a configuration.
//!
//! Numbers for computations in `f32` must be positive and finite there, too: one that rounds to 0 or to infinity is
//! refused.

use std::{borrow::Cow, fmt::Display};

/// A number outside its legal range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("config: {key} = {value}: must be {legal}")]
pub struct OutOfRange {
    /// Key path.
    pub key: &'static str,
    /// The value as given.
    pub value: String,
    /// The legal values in words.
    pub legal: Cow<'static, str>,
}

/// A set of legal numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    /// Whole numbers from the first to the second.
    Whole(u64, u64),
    /// 0, or a positive number that `f32` holds.
    NotNegative,
    /// A positive number that `f32` holds.
    Positive,
    /// A number above 0 and below 1, in `f32` too.
    Share,
    /// A number above 0 and below 1.
    Discount,
    /// A number from the first to the second.
    Between(f64, f64),
}

impl Range {
    /// True if `value` is in the set.
    pub fn has(&self, value: f64) -> bool {
        let held = |x: f64| (x as f32).is_normal() && x > 0.0;
        match *self {
            Range::Whole(low, high) => (low as f64..=high as f64).contains(&value),
            Range::NotNegative => value == 0.0 || held(value),
            Range::Positive => held(value),
            Range::Share => held(value) && (value as f32) < 1.0,
            Range::Discount => value > 0.0 && value < 1.0,
            Range::Between(low, high) => (low..=high).contains(&value),
        }
    }

    /// The set in words.
    pub fn legal(&self) -> String {
        match self {
            Range::Whole(low, u64::MAX) => format!("{low} or more"),
            Range::Whole(low, high) => format!("{low} to {high}"),
            Range::NotNegative => "0, or from 1.2e-38 to 3.4e38".to_owned(),
            Range::Positive => "from 1.2e-38 to 3.4e38".to_owned(),
            Range::Share | Range::Discount => "above 0 and below 1".to_owned(),
            Range::Between(low, high) => format!("{low} to {high}"),
        }
    }
}

/// Refuses a value unless it is legal.
///
/// # Errors
/// The key, the value and the legal values in words.
pub fn check(key: &'static str, value: impl Display, ok: bool, legal: &'static str) -> Result<(), OutOfRange> {
    if ok { Ok(()) } else { Err(OutOfRange { key, value: value.to_string(), legal: legal.into() }) }
}

/// The numbers of lanes that [`check_lanes`] accepts, in words.
pub const LANES: &str = "1 to 32, or a multiple of 32 up to 8192";

/// Refuses a number of lanes of which some would fill no group of 32.
///
/// # Errors
/// The key, the value and the legal values in words.
pub fn check_lanes(key: &'static str, lanes: usize) -> Result<(), OutOfRange> {
    check(key, lanes, (1..=32).contains(&lanes) || ((1..=8192).contains(&lanes) && lanes.is_multiple_of(32)), LANES)
}

/// Refuses a number outside `range`; `shown` is the value as given.
///
/// # Errors
/// The key, the value and the legal values in words.
pub fn check_in(key: &'static str, shown: impl Display, value: f64, range: Range) -> Result<(), OutOfRange> {
    if range.has(value) {
        return Ok(());
    }
    Err(OutOfRange { key, value: shown.to_string(), legal: range.legal().into() })
}

/// Refuses illegal widths of hidden layers.
///
/// # Errors
/// The key, the widths and the legal widths in words.
pub fn check_widths(key: &'static str, hidden: &[usize]) -> Result<(), OutOfRange> {
    let legal = hidden.len() <= 8 && hidden.iter().all(|width| (1..=4096).contains(width));
    check(key, format!("{hidden:?}"), legal, "at most 8 widths of 1 to 4096")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_f32_does_not_hold_is_refused() {
        // the smallest and the largest normal number of IEEE 754 single precision
        let (smallest, largest) = (1.175_494_350_822_287_5e-38, 3.402_823_466_385_288_6e38);
        for (range, zero) in [(Range::NotNegative, true), (Range::Positive, false)] {
            assert_eq!(range.has(0.0), zero);
            assert!(range.has(smallest) && range.has(largest) && range.has(0.3));
            for wrong in [smallest / 4.0, 1e-300, 1e39, 1e300, -0.3, -1e-300, f64::NAN, f64::INFINITY] {
                assert!(!range.has(wrong), "{wrong}");
            }
        }
        assert!(!Range::Share.has(1.0 - 1e-9) && !Range::Share.has(1e-50) && Range::Share.has(0.2));
        assert!(Range::Discount.has(1.0 - 1e-9) && !Range::Discount.has(1.0));
    }
}
