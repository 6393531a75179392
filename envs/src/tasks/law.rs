//! Laws: the probability distributions of the numbers of a task.

use serde::{Deserialize, Serialize};

use crate::tasks::{
    error::{LARGEST, too_large},
    normal,
};

mod defects;

/// A probability law for one number, written `{ law = "uniform", low = 0.7, high = 1.3 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "law", rename_all = "snake_case", deny_unknown_fields)]
pub enum Law {
    /// A constant.
    Fixed {
        /// The value.
        value: f64,
    },
    /// The uniform law on [low, high].
    Uniform {
        /// Smallest value.
        low: f64,
        /// Largest value.
        high: f64,
    },
    /// The law whose logarithm is uniform; for quantities that vary by factors.
    LogUniform {
        /// Smallest value, positive.
        low: f64,
        /// Largest value.
        high: f64,
    },
    /// The normal law, truncated to [low, high] if these are given.
    Normal {
        /// Mean before truncation.
        mean: f64,
        /// Standard deviation before truncation, positive.
        std: f64,
        /// Smallest value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        low: Option<f64>,
        /// Largest value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        high: Option<f64>,
    },
    /// The values of a list, equally likely.
    Choice {
        /// The list.
        values: Vec<f64>,
    },
    /// The `count` equally spaced numbers from `low` to `high`, equally likely.
    Grid {
        /// The first.
        low: f64,
        /// The last.
        high: f64,
        /// Number of points, 2 to 10000.
        count: u32,
    },
    /// The uniform law on `outer` without `inner`.
    Shell {
        /// Interval [low, high] of the whole.
        outer: [f64; 2],
        /// Interval [low, high] of the hole.
        inner: [f64; 2],
    },
    /// A mixture of laws, equally likely unless weighted.
    Mixture {
        /// The laws.
        of: Vec<Law>,
        /// Weights of the laws, which need not sum to one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        weights: Option<Vec<f64>>,
    },
}

/// A drawn number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Draw {
    pub value: f64,
    /// Interval of the law, if it is continuous.
    pub within: Option<(f64, f64)>,
}

impl Draw {
    fn discrete(value: f64) -> Draw {
        Draw { value, within: None }
    }

    /// A draw from an interval, clamped to it against rounding.
    fn continuous(value: f64, low: f64, high: f64) -> Draw {
        Draw { value: value.clamp(low, high), within: Some((low, high)) }
    }

    /// The value that stands for this draw in the split numbered `code` (below 4).
    ///
    /// A continuous draw is moved to one of the nearest `f32` numbers: one whose rank among all
    /// `f32` leaves the remainder `code` when divided by 4. So continuous draws of two splits
    /// differ whatever their laws, also in the `f32` that the engine computes with.
    pub fn stamped(self, code: i32) -> f64 {
        let Some((low, high)) = self.within else {
            return self.value;
        };
        let rank = rank(self.value as f32);
        let rank = rank - rank.rem_euclid(4) + code;
        let value = f64::from(ranked(rank));
        if value < low {
            f64::from(ranked(rank + 4))
        } else if value > high {
            f64::from(ranked(rank - 4))
        } else {
            value
        }
    }
}

/// The rank of a number among all `f32` in increasing order; zero has rank 0.
pub(crate) fn rank(value: f32) -> i32 {
    let magnitude = (value.to_bits() & 0x7fff_ffff) as i32;
    if value.is_sign_negative() { -magnitude } else { magnitude }
}

/// The number with this rank.
fn ranked(rank: i32) -> f32 {
    let magnitude = f32::from_bits(rank.unsigned_abs());
    if rank < 0 { -magnitude } else { magnitude }
}

impl Law {
    /// Smallest and largest value of the support.
    pub fn support(&self) -> (f64, f64) {
        match self {
            Law::Fixed { value } => (*value, *value),
            Law::Uniform { low, high } | Law::LogUniform { low, high } => (*low, *high),
            Law::Grid { low, high, .. } => (*low, *high),
            Law::Normal { low, high, .. } => (low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY)),
            Law::Shell { outer, .. } => (outer[0], outer[1]),
            Law::Choice { values } => hull(values.iter().map(|v| (*v, *v))),
            Law::Mixture { of, .. } => hull(of.iter().map(Law::support)),
        }
    }

    /// The atoms: values that are drawn with a probability above 0; `None` if there are none.
    pub(crate) fn atoms(&self) -> Option<Vec<f64>> {
        match self {
            Law::Fixed { value } => Some(vec![*value]),
            Law::Choice { values } => Some(values.clone()),
            Law::Grid { low, high, count } => Some((0..*count).map(|i| grid_point(*low, *high, *count, i)).collect()),
            Law::Uniform { low, high } | Law::LogUniform { low, high } => (low == high).then(|| vec![*low]),
            Law::Shell { .. } | Law::Normal { .. } => None,
            Law::Mixture { of, weights } => {
                let counts = |i: &usize| weights.as_ref().is_none_or(|weights| weights[*i] > 0.0);
                let atoms: Vec<f64> = (0..of.len()).filter(counts).filter_map(|i| of[i].atoms()).flatten().collect();
                (!atoms.is_empty()).then_some(atoms)
            }
        }
    }

    /// Returns true if a draw for the split numbered `code` can have the value.
    pub(crate) fn can_draw(&self, value: f64, code: i32) -> bool {
        let stamped = f64::from(value as f32) == value && rank(value as f32).rem_euclid(4) == code;
        match self {
            Law::Mixture { of, weights } => of
                .iter()
                .enumerate()
                .any(|(i, law)| weights.as_ref().is_none_or(|weights| weights[i] > 0.0) && law.can_draw(value, code)),
            Law::Shell { outer, inner } => {
                let inside = |[low, high]: [f64; 2]| low <= value && value <= high;
                stamped && (inside([outer[0], inner[0]]) || inside([inner[1], outer[1]]))
            }
            Law::Choice { values } => values.contains(&value),
            Law::Grid { low, high, count } => {
                let nearest = ((value - low) / (high - low) * f64::from(count - 1)).round() as u32;
                nearest < *count && grid_point(*low, *high, *count, nearest) == value
            }
            _ => {
                let (low, high) = self.support();
                low <= value && value <= high && (stamped || low == high)
            }
        }
    }

    /// The numbers of the law that have the unit of the value, for the check against legal ranges.
    pub(crate) fn values(&self) -> Vec<f64> {
        match self {
            Law::Fixed { value } => vec![*value],
            Law::Uniform { low, high } | Law::LogUniform { low, high } => vec![*low, *high],
            Law::Grid { low, high, .. } => vec![*low, *high],
            Law::Normal { mean, std, low, high } => [*mean, *std].into_iter().chain(*low).chain(*high).collect(),
            Law::Shell { outer, inner } => [*outer, *inner].concat(),
            Law::Choice { values } => values.clone(),
            Law::Mixture { of, .. } => of.iter().flat_map(Law::values).collect(),
        }
    }

    /// The defect of the law itself, if any; its values are known to be finite.
    pub(crate) fn defect(&self) -> Option<String> {
        match self {
            Law::Fixed { .. } => None,
            Law::Uniform { low, high } => defects::interval("low", *low, "high", *high),
            Law::LogUniform { low, .. } if *low <= 0.0 => {
                Some(format!("low = {low}, but a log-uniform law needs low > 0"))
            }
            // a smaller number loses digits as an f32; with this one, `high / low` stays finite
            Law::LogUniform { low, .. } if *low < f64::from(f32::MIN_POSITIVE) => {
                Some(format!("low = {low:e}, but a log-uniform law needs low >= {:e}", f32::MIN_POSITIVE))
            }
            Law::LogUniform { low, high } => defects::interval("low", *low, "high", *high),
            Law::Normal { mean, std, low, high } => defects::normal(*mean, *std, *low, *high),
            Law::Grid { count, .. } if !(2..=10_000).contains(count) => {
                Some(format!("count = {count}, but a grid has 2 to 10000 points"))
            }
            Law::Grid { low, high, .. } => defects::interval("low", *low, "high", *high),
            Law::Choice { values } => values.is_empty().then(|| "no values to choose from".into()),
            Law::Shell { outer, inner } => defects::shell(*outer, *inner),
            Law::Mixture { of, weights } => defects::mixture(of, weights.as_deref()),
        }
    }

    /// The defect of the law, its values included.
    pub(crate) fn complaint(&self) -> Option<String> {
        let infinite = self.values().into_iter().find(|value| !value.is_finite());
        let infinite = infinite.map(|value| format!("{value} is not a finite number"));
        let beyond = || self.values().into_iter().find(|value| value.abs() > LARGEST);
        infinite.or_else(|| beyond().map(too_large)).or_else(|| self.defect())
    }

    /// The draw for uniform words: `words()` is called once, and once more for each mixture.
    pub(crate) fn draw(&self, words: &mut impl FnMut() -> u32) -> Draw {
        let uniform = |word: u32| (f64::from(word) + 0.5) / 4_294_967_296.0;
        match self {
            Law::Fixed { value } => Draw::discrete(*value),
            Law::Uniform { low, high } | Law::LogUniform { low, high } if low == high => Draw::discrete(*low),
            Law::Uniform { low, high } => Draw::continuous(low + (high - low) * uniform(words()), *low, *high),
            Law::LogUniform { low, high } => {
                let log = low.ln() + (high / low).ln() * uniform(words());
                Draw::continuous(log.exp(), *low, *high)
            }
            Law::Normal { mean, std, low, high } => {
                let low = low.unwrap_or(f64::NEG_INFINITY);
                let high = high.unwrap_or(f64::INFINITY);
                let value = mean + std * truncated((low - mean) / std, (high - mean) / std, uniform(words()));
                Draw::continuous(value, low, high)
            }
            Law::Grid { low, high, count } => {
                let index = (uniform(words()) * f64::from(*count)).floor();
                Draw::discrete(grid_point(*low, *high, *count, index as u32))
            }
            Law::Choice { values } => {
                let index = (uniform(words()) * values.len() as f64) as usize;
                Draw::discrete(values[index])
            }
            Law::Shell { outer, inner } => {
                let below = inner[0] - outer[0];
                let above = outer[1] - inner[1];
                let distance = (below + above) * uniform(words());
                if distance < below {
                    Draw::continuous(outer[0] + distance, outer[0], inner[0])
                } else {
                    Draw::continuous(inner[1] + (distance - below), inner[1], outer[1])
                }
            }
            Law::Mixture { of, weights } => {
                let equal = vec![1.0; of.len()];
                let weights = weights.as_ref().unwrap_or(&equal);
                of[pick(uniform(words()), weights)].draw(words)
            }
        }
    }
}

/// Point `index` of a grid.
fn grid_point(low: f64, high: f64, count: u32, index: u32) -> f64 {
    low + (high - low) * f64::from(index) / f64::from(count - 1)
}

/// The standard normal number between `low` and `high` below which the share `uniform` lies.
fn truncated(low: f64, high: f64, uniform: f64) -> f64 {
    if low > 0.0 {
        // in the upper tail distribution functions are near 1 and lose their digits
        return -truncated(-high, -low, 1.0 - uniform);
    }
    let below = normal::cdf(low);
    let above = normal::cdf(high);
    normal::quantile(below + (above - below) * uniform)
}

/// The index whose share of the weights holds the uniform number.
fn pick(uniform: f64, weights: &[f64]) -> usize {
    let target = uniform * weights.iter().sum::<f64>();
    let mut sum = 0.0;
    let reached = weights.iter().position(|weight| {
        sum += weight;
        target < sum
    });
    // rounding may leave the target at the very sum: then the last one with any weight
    reached.unwrap_or_else(|| weights.iter().rposition(|weight| *weight > 0.0).unwrap_or(0))
}

fn hull(intervals: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    intervals
        .fold((f64::INFINITY, f64::NEG_INFINITY), |hull, interval| (hull.0.min(interval.0), hull.1.max(interval.1)))
}

#[cfg(test)]
mod tests;
