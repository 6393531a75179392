//! The level of returns.

use serde::Serialize;

use super::{Figure, Lived};
use crate::stats;

/// Returns of the policy and of the others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Level {
    /// Sum of all rewards by all ticks: a lane that waits after the early end of an episode earns nothing. So no episode
    /// weighs more than the time that it was given.
    pub return_per_tick: Figure,
    /// Mean return of an episode, J.
    pub mean_return: Figure,
    /// Interquartile mean over lives of their mean returns.
    pub iqm: f64,
    /// Mean over the worst tenth of the lives of their mean returns.
    pub worst_decile: f64,
    /// Mean return with full knowledge, J*; null if no such controller is known.
    pub oracle: Option<f64>,
    /// Mean return of the unadapted policy, U.
    pub unadapted: f64,
    /// Mean of J - U, by life.
    pub gain: Figure,
    /// Mean return of the policy that this one is compared with.
    pub reference: Option<f64>,
    /// Mean return of random actions, R.
    pub random: f64,
}

/// The level of `lives`.
pub fn level(lives: &[Lived], seed: u64) -> Level {
    let slots = || lives.iter().flat_map(|life| &life.slots);
    let all = |values: Vec<f64>| (!values.is_empty()).then(|| stats::mean(&values));
    let by_life = |of: fn(&super::super::Slot) -> f64| {
        lives.iter().map(|life| stats::mean(&life.slots.iter().map(of).collect::<Vec<_>>())).collect::<Vec<f64>>()
    };
    let means = by_life(|slot| slot.returned);
    let summary = stats::Summary::of(&means, seed);
    let horizon = f64::from(lives[0].horizon);
    Level {
        return_per_tick: Figure::mean(&means.iter().map(|mean| mean / horizon).collect::<Vec<_>>(), seed),
        mean_return: Figure::mean(&means, seed),
        iqm: summary.iqm,
        worst_decile: summary.worst_decile,
        oracle: all(slots().filter_map(|slot| slot.oracle).collect()),
        unadapted: stats::mean(&by_life(|slot| slot.unadapted)),
        gain: Figure::mean(&by_life(|slot| slot.returned - slot.unadapted), seed),
        reference: all(slots().filter_map(|slot| slot.reference).collect()),
        random: stats::mean(&by_life(|slot| slot.random)),
    }
}
