//! Defects in the numbers of a law.

use super::Law;

/// The narrowest continuous law that is accepted, relative to its values and absolutely: in a narrower one, no `f32`
/// could carry the stamp of the split.
const NARROWEST: (f64, f64) = (1.0 / 65536.0, 1e-30);

pub(super) fn interval(low_name: &str, low: f64, high_name: &str, high: f64) -> Option<String> {
    let width = high - low;
    if width < 0.0 {
        return Some(format!("{low_name} = {low} lies above {high_name} = {high}"));
    }
    let narrowest = (NARROWEST.0 * low.abs().max(high.abs())).max(NARROWEST.1);
    if width > 0.0 && width < narrowest {
        return Some(format!("[{low}, {high}] is too narrow to draw distinct values from; use a fixed value"));
    }
    None
}

pub(super) fn normal(mean: f64, std: f64, low: Option<f64>, high: Option<f64>) -> Option<String> {
    if std <= 0.0 {
        return Some(format!("std = {std}, but a normal law needs std > 0"));
    }
    let a = low.unwrap_or(f64::NEG_INFINITY);
    let b = high.unwrap_or(f64::INFINITY);
    if a > b {
        return Some(format!("low = {a} is above high = {b}"));
    }
    if a.max(mean - 8.0 * std) > b.min(mean + 8.0 * std) {
        return Some(format!("[{a}, {b}] lies beyond eight standard deviations from mean = {mean}"));
    }
    if let Some((low, high)) = low.zip(high)
        && low < high
        && high - low < 1e-6 * std
    {
        return Some(format!("[{low}, {high}] is narrower than a millionth of std = {std}; use a uniform law"));
    }
    let narrow = low.zip(high).filter(|(low, high)| low == high).map(|(low, _)| format!("low = high = {low}"));
    narrow.or_else(|| low.zip(high).and_then(|(low, high)| interval("low", low, "high", high)))
}

pub(super) fn shell(outer: [f64; 2], inner: [f64; 2]) -> Option<String> {
    if inner[0] > inner[1] || inner[0] < outer[0] || inner[1] > outer[1] {
        return Some(format!("inner = {inner:?} must be an interval inside outer = {outer:?}"));
    }
    let below = interval("outer", outer[0], "inner", inner[0]);
    let above = interval("inner", inner[1], "outer", outer[1]);
    let nothing = (outer == inner).then(|| format!("outer = inner = {outer:?} leaves nothing"));
    nothing.or(below).or(above)
}

pub(super) fn mixture(of: &[Law], weights: Option<&[f64]>) -> Option<String> {
    if of.is_empty() {
        return Some("a mixture of no laws".into());
    }
    if let Some(weights) = weights {
        if weights.len() != of.len() {
            return Some(format!("{} weights for {} laws", weights.len(), of.len()));
        }
        let legal = weights.iter().all(|w| *w == 0.0 || (1e-30..=1e30).contains(w));
        if !legal || weights.iter().sum::<f64>() <= 0.0 {
            let problem = "must be 0 or 1e-30 to 1e30, and not all 0";
            return Some(format!("weights = {weights:?} {problem}"));
        }
    }
    of.iter().find_map(Law::defect)
}
