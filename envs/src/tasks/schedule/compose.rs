//! Composition of several schedules into one.

use serde::{Deserialize, Serialize};

use super::Schedule;
use crate::tasks::noise::Noise;

/// The sum or the product of schedules, or one of them at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "N: Deserialize<'de> + Default"))]
pub struct Compose<N = f64> {
    /// Operation that combines the parts.
    pub op: Op,
    /// The parts, 1 to 16.
    pub of: Vec<Schedule<N>>,
    /// Index of the part for `select`: the value, rounded down and clamped to 0 .. n - 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Box<Schedule<N>>>,
}

/// The operation that combines schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// The sum.
    Sum,
    /// The product.
    Product,
    /// The part that `by` selects.
    Select,
}

impl Compose {
    pub(super) fn at(&self, tick: u64, noise: Noise) -> f64 {
        let part = |i: usize| self.of[i].at(tick, noise.part(i as u32));
        match (self.op, &self.by) {
            (Op::Sum, _) => (0..self.of.len()).map(part).fold(0.0, |sum, x| saturated(sum + x)),
            (Op::Product, _) => (0..self.of.len()).map(part).fold(1.0, |product, x| saturated(product * x)),
            (Op::Select, Some(by)) => {
                let index = by.at(tick, noise.part(self.of.len() as u32)).max(0.0) as usize;
                part(index.min(self.of.len() - 1))
            }
            (Op::Select, None) => part(0),
        }
    }

    pub(super) fn range(&self) -> (f64, f64) {
        let ranges = self.of.iter().map(Schedule::range);
        let folded = match self.op {
            Op::Sum => ranges.reduce(|a, b| (a.0 + b.0, a.1 + b.1)),
            Op::Product => ranges.reduce(product),
            Op::Select => ranges.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))),
        };
        folded.unwrap_or((0.0, 0.0))
    }

    pub(super) fn defect(&self) -> Option<String> {
        if !(1..=16).contains(&self.of.len()) {
            return Some(format!("`of` has {} schedules; it takes 1 to 16", self.of.len()));
        }
        match (self.op, &self.by) {
            (Op::Select, None) => return Some("`select` needs `by`, the schedule that selects".into()),
            (Op::Sum | Op::Product, Some(_)) => return Some("`by` is for `op = \"select\"`".into()),
            _ => {}
        }
        self.of.iter().chain(self.by.as_deref()).find_map(Schedule::defect)
    }
}

/// The nearest number that can still be multiplied by another such without overflow. Values known ahead never come near
/// it; random parts without limits could, and their bounds are far inside.
fn saturated(value: f64) -> f64 {
    value.clamp(-1e150, 1e150)
}

/// Range of the product of two numbers, from their ranges.
pub(crate) fn product(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    let corners = [a.0 * b.0, a.0 * b.1, a.1 * b.0, a.1 * b.1];
    if corners.iter().any(|corner| !corner.is_finite()) {
        return (f64::NEG_INFINITY, f64::INFINITY);
    }
    corners.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(*x), high.max(*x)))
}

impl<N> Compose<N> {
    pub(super) fn is_random(&self) -> bool {
        self.of.iter().chain(self.by.as_deref()).any(Schedule::is_random)
    }

    pub(super) fn try_map<M, E>(&self, f: &mut dyn FnMut(&'static str, &N) -> Result<M, E>) -> Result<Compose<M>, E> {
        let of = self.of.iter().map(|part| part.map_with(f)).collect::<Result<_, E>>()?;
        let by = self.by.as_ref().map(|by| by.map_with(f)).transpose()?.map(Box::new);
        Ok(Compose { op: self.op, of, by })
    }
}
