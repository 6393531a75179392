//! Tasks that two splits share.

use std::{convert::Infallible, fmt};

use crate::{
    physics::spec::EnvSpec,
    tasks::{
        channel::Entry,
        config::{DriftConfig, TaskConfig},
        distribution::TaskDistribution,
        error::TaskError,
        law::Law,
        plan::Plan,
        task::Split,
    },
};

/// Splits that can draw the same task.
#[derive(Clone, Debug, PartialEq)]
pub struct Overlap {
    /// The splits, two or three.
    pub splits: Vec<Split>,
    /// Channels whose values are drawn; empty if there is only one task.
    pub channels: Vec<SharedChannel>,
}

/// A drawn channel that can have the same value in two splits.
#[derive(Clone, Debug, PartialEq)]
pub struct SharedChannel {
    /// Name of the channel.
    pub name: String,
    /// Values that both splits can draw; for a drift, those of its first drawn number.
    pub values: Vec<f64>,
}

/// Largest number of values in a message.
const NAMED: usize = 6;

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (last, first) = self.splits.split_last().ok_or(fmt::Error)?;
        let first: Vec<String> = first.iter().map(Split::to_string).collect();
        write!(f, "splits {} and {last} ", first.join(", "))?;
        if self.channels.is_empty() {
            return write!(f, "hold one and the same task: nothing is drawn");
        }
        write!(f, "can draw the same tasks, so an evaluation may see tasks of the training:")?;
        for (i, SharedChannel { name, values }) in self.channels.iter().enumerate() {
            let named: Vec<String> = values.iter().take(NAMED).map(f64::to_string).collect();
            let more = if values.len() > NAMED { ", ..." } else { "" };
            write!(f, "{} {name} can be {}{more} in each", if i == 0 { "" } else { "," }, named.join(" or "))?;
        }
        write!(f, "; a continuous law (uniform, normal, ...) in any channel keeps them apart")
    }
}

impl TaskConfig {
    /// The splits that can draw the same tasks; none if nothing is drawn and nothing drifts, for then the task is the
    /// environment itself.
    ///
    /// # Errors
    /// Those of [`TaskDistribution::new`].
    pub fn overlaps(&self, spec: &'static EnvSpec) -> Result<Vec<Overlap>, TaskError> {
        if self.vary.is_empty() && self.drift.is_empty() && self.list.is_empty() && self.split == Default::default() {
            return Ok(Vec::new());
        }
        let of = |split| TaskDistribution::new(spec, self, split);
        let [train, in_dist, ood] = [of(Split::Train)?, of(Split::InDist)?, of(Split::Ood)?];
        let mut found: Vec<Overlap> = Vec::new();
        for (a, b) in [(&train, &in_dist), (&train, &ood), (&in_dist, &ood)] {
            let Some(overlap) = a.overlap(b) else { continue };
            match found.iter_mut().find(|other| other.channels == overlap.channels) {
                Some(other) => other
                    .splits
                    .extend(overlap.splits.into_iter().filter(|s| !other.splits.contains(s)).collect::<Vec<_>>()),
                None => found.push(overlap),
            }
        }
        Ok(found)
    }
}

impl TaskDistribution {
    /// The overlap of `self` with `other`: in every channel, and in every number of every drift, both can draw the same
    /// value. Draws from continuous laws carry their split, and so does the noise of random schedules.
    pub fn overlap(&self, other: &TaskDistribution) -> Option<Overlap> {
        let pairs = self.plans.iter().flat_map(|a| other.plans.iter().map(move |b| (a, b)));
        let channels = pairs.into_iter().find_map(|(a, b)| self.shared(a, other, b))?;
        Some(Overlap { splits: vec![self.split, other.split], channels })
    }

    /// The channels that two plans draw, if all of them can have equal values.
    fn shared(&self, plan: &Plan, other: &TaskDistribution, of_other: &Plan) -> Option<Vec<SharedChannel>> {
        let codes = [self.split.code(), other.split.code()].map(i32::from);
        let mut found = Vec::new();
        for (index, channel) in self.channels.iter().enumerate() {
            let fixed = Law::Fixed { value: channel.default };
            let [a, b] = [plan, of_other].map(|plan| entry(&plan.vary, index).unwrap_or(&fixed));
            let mut drawn = vec![(a.clone(), b.clone())];
            match [plan, of_other].map(|plan| entry(&plan.drift, index)) {
                [None, None] => {}
                [Some(a), Some(b)] => drawn.extend(numbers(a, b)?),
                _ => return None,
            }
            for (a, b) in drawn {
                let values = common(&a, &b, codes);
                if values.is_empty() {
                    return None;
                }
                let one = |law: &Law| law.atoms().is_some_and(|atoms| atoms.iter().all(|x| *x == values[0]));
                if !(one(&a) && one(&b)) {
                    found.push(SharedChannel { name: channel.name.clone(), values });
                }
            }
        }
        found.dedup_by(|a, b| a.name == b.name);
        Some(found)
    }
}

fn entry<T>(entries: &[Entry<T>], channel: usize) -> Option<&T> {
    entries.iter().find(|entry| entry.channel == channel).map(|entry| &entry.what)
}

/// The laws of the numbers of two drifts, in pairs, if the drifts are equal except for them.
fn numbers(a: &DriftConfig, b: &DriftConfig) -> Option<Vec<(Law, Law)>> {
    let parts = |drift: &DriftConfig| {
        let mut laws = Vec::new();
        let Ok(largest) = drift.schedule.try_map(|_, number| Ok::<f64, Infallible>(number.law().support().1));
        let Ok(shape) = drift.schedule.try_map(|_, number| {
            laws.push(number.law());
            Ok::<f64, Infallible>(0.0)
        });
        (shape, laws, largest.noise_matters())
    };
    let ((shape, laws, random), (other_shape, other_laws, _)) = (parts(a), parts(b));
    let alike = a.timing == b.timing && shape == other_shape && !random;
    alike.then(|| laws.into_iter().zip(other_laws).collect())
}

/// The values that two laws can both draw for splits of these codes.
fn common(a: &Law, b: &Law, [code_a, code_b]: [i32; 2]) -> Vec<f64> {
    let of = |law: &Law, other: &Law, code: i32| -> Vec<f64> {
        law.atoms().into_iter().flatten().filter(|value| other.can_draw(*value, code)).collect()
    };
    let mut values = of(a, b, code_b);
    values.extend(of(b, a, code_a));
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}
