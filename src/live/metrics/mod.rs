//! Metrics of lives, one in each file with its formula and source.
//!
//! Notation: J(i, e) is the return of the policy in slot e of life i; J* that of the controller with full knowledge, U that
//! of the unadapted policy, R that of random actions, each at the same ticks from the same initial state. Intervals are 95 %
//! percentile bootstrap intervals that redraw whole lives.

use metadrift_agents::runtime::guard::Opinion;
use serde::Serialize;

use super::{Learning, Lived, Protocol};
use crate::stats::{
    Censored,
    bootstrap::{Resample, crossed},
};

mod detection;
mod drop;
mod forgetting;
mod harm;
mod level;
mod life;
mod recovery_episodes;
pub mod recovery_ticks;
mod regret;
mod resilience;

pub use detection::Detections;
pub use drop::Drops;
pub use harm::Harm;
pub use level::Level;
pub use life::Life;
pub use regret::Regret;

/// A figure over lives.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// The figure.
    pub value: f64,
    /// 95 % percentile bootstrap interval, redrawing whole lives.
    pub ci95: [f64; 2],
}

impl Figure {
    /// The sum of the first parts of `pairs`, one pair for each life, by the sum of the second ones; `None` if that is 0.
    pub fn ratio(pairs: &[(f64, f64)], seed: u64) -> Option<Figure> {
        let ratio = |(above, below): (f64, f64)| (below != 0.0).then(|| above / below);
        let sum = |(a, b): (f64, f64), (c, d): (f64, f64)| (a + c, b + d);
        let value = ratio(pairs.iter().copied().fold((0.0, 0.0), sum))?;
        let redrawn = |drawn: &Resample| {
            vec![ratio(drawn.tasks.iter().map(|life| pairs[*life]).fold((0.0, 0.0), sum)).unwrap_or(f64::NAN)]
        };
        Some(Figure { value, ci95: crossed(seed, (1, pairs.len()), redrawn)[0] })
    }

    /// The mean of `values`, one for each life.
    pub fn mean(values: &[f64], seed: u64) -> Figure {
        let pairs: Vec<(f64, f64)> = values.iter().map(|value| (*value, 1.0)).collect();
        Figure::ratio(&pairs, seed).expect("there are lives")
    }
}

/// The result of a set of lives.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Name of the configuration.
    pub preset: String,
    /// The learner's name.
    pub learner: String,
    /// The lives.
    #[serde(flatten)]
    pub protocol: Protocol,
    /// The way of learning; null for a policy that does not learn by gradient.
    pub learning: Option<Learning>,
    /// Returns.
    #[serde(flatten)]
    pub level: Level,
    /// Regrets against the controller with full knowledge; null if there is none.
    pub regret: Option<Regret>,
    /// Number of sudden changes.
    pub changes: usize,
    /// Time to recover from a change; null if nothing changes suddenly.
    pub recovery_ticks: Option<Censored>,
    /// Episodes to recover from a change.
    pub recovery_episodes: Option<Censored>,
    /// Losses around a change.
    pub drops: Option<Drops>,
    /// Loss when an old regime comes back; null if none does.
    pub forgetting: Option<Figure>,
    /// Level with adaptation switched off, between random actions (0) and full knowledge (1).
    pub resilience: Option<Figure>,
    /// Lives that adaptation made worse.
    pub harm: Harm,
    /// Number of lives in which the guard took the adapted policy back; null without a guard.
    pub taken_back: Option<usize>,
    /// Changes that the detector noticed; null without a detector.
    pub detection: Option<Detections>,
    /// Number of adaptations that were given up, since parameters were not finite.
    pub diverged: usize,
}

/// The name of a run's policy, and whether it learns by gradient.
pub struct Subject<'a> {
    /// Name of the configuration.
    pub preset: &'a str,
    /// The learner's name.
    pub learner: &'a str,
}

/// The metrics of `lives`.
///
/// # Panics
/// If there are none.
pub fn score(subject: &Subject<'_>, protocol: &Protocol, learning: Option<&Learning>, lives: &[Lived]) -> Summary {
    let seed = protocol.seed;
    let times: Vec<(usize, bool)> = lives.iter().flat_map(|life| life.recoveries.clone()).collect();
    Summary {
        preset: subject.preset.to_owned(),
        learner: subject.learner.to_owned(),
        protocol: *protocol,
        learning: learning.copied(),
        level: level::level(lives, seed),
        regret: regret::regret(lives, seed),
        changes: lives.iter().flat_map(|life| &life.slots).map(|slot| slot.switches.len()).sum(),
        recovery_ticks: (!times.is_empty()).then(|| Censored::of(&times)),
        recovery_episodes: recovery_episodes::recovery(lives),
        drops: drop::drops(lives, seed),
        forgetting: forgetting::forgetting(lives, seed),
        resilience: resilience::resilience(lives, seed),
        harm: harm::harm(lives, seed),
        taken_back: learning.and_then(|learning| learning.guard).map(|_| {
            let taken = |life: &&Lived| life.slots.iter().any(|slot| slot.guard == Some(Opinion::RolledBack));
            lives.iter().filter(taken).count()
        }),
        detection: learning.and_then(|learning| learning.detector).map(|_| detection::detections(lives, seed)),
        diverged: lives.iter().map(|life| life.diverged).sum(),
    }
}

/// Regret J* - J in each slot of a life; empty without a controller with full knowledge.
fn regrets(life: &Lived) -> Vec<f64> {
    life.slots.iter().filter_map(|slot| Some(slot.oracle? - slot.returned)).collect()
}

/// Mean distance between full knowledge and random actions, J* - R, over all slots of `lives`.
fn span(lives: &[Lived]) -> Option<f64> {
    let spans: Vec<f64> =
        lives.iter().flat_map(|life| &life.slots).filter_map(|slot| Some(slot.oracle? - slot.random)).collect();
    (!spans.is_empty()).then(|| crate::stats::mean(&spans))
}

/// The slots with a sudden change, and for each the number of slots until the next one, or the end.
fn stretches(life: &Lived) -> Vec<(usize, usize)> {
    let changed: Vec<usize> = (0..life.slots.len()).filter(|e| !life.slots[*e].switches.is_empty()).collect();
    let next = |k: usize| changed.get(k + 1).copied().unwrap_or(life.slots.len());
    changed.iter().enumerate().map(|(k, at)| (*at, next(k) - at)).collect()
}

#[cfg(test)]
mod tests;
