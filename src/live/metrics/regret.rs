//! Dynamic regret: the loss against the best policy for the world as it is at each time, not against the best fixed one
//! (Cheung, Simchi-Levi and Zhu 2020, arXiv 2006.14389). The comparator here is the controller with full knowledge of the
//! present, in the same slots.

use serde::Serialize;

use super::{Figure, Lived, regrets};

/// Regrets against full knowledge.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Regret {
    /// Mean of J* - J over episodes.
    pub per_episode: Figure,
    /// Sum of J* - J by all ticks.
    pub per_tick: Figure,
    /// Sum of J* - J by the sum of J* - R: 0 for full knowledge, 1 for random actions.
    pub to_random: Option<Figure>,
    /// Sum of J* - J by that of the unadapted policy, J* - U; like the next one, null where that is below 1 % of J* - R.
    pub to_unadapted: Option<Figure>,
    /// Sum of J* - J by that of the policy that this one is compared with, the usual relative regret if it is trained by
    /// domain randomisation.
    pub to_reference: Option<Figure>,
}

/// Least loss of a comparator, as a share of J* - R, that is a unit.
const LEAST: f64 = 0.01;

/// The regrets of `lives`; `None` without a controller with full knowledge.
pub fn regret(lives: &[Lived], seed: u64) -> Option<Regret> {
    let slots = lives.iter().flat_map(|life| &life.slots);
    let distance: f64 = slots.filter_map(|slot| Some(slot.oracle? - slot.random)).sum();
    let against = |other: fn(&super::super::Slot) -> Option<f64>| {
        let pair = |life: &Lived| {
            let losses =
                life.slots.iter().filter_map(|slot| Some((slot.oracle? - slot.returned, slot.oracle? - other(slot)?)));
            losses.fold((0.0, 0.0), |(a, b), (c, d)| (a + c, b + d))
        };
        let pairs: Vec<(f64, f64)> = lives.iter().map(pair).collect();
        let enough = pairs.iter().map(|(_, loss)| loss).sum::<f64>() > LEAST * distance;
        Figure::ratio(&pairs, seed).filter(|_| enough)
    };
    let losses: Vec<Vec<f64>> = lives.iter().map(regrets).collect();
    let pairs: Vec<(f64, f64)> = losses.iter().map(|losses| (losses.iter().sum(), losses.len() as f64)).collect();
    let per_episode = Figure::ratio(&pairs, seed)?;
    let horizon = f64::from(lives[0].horizon);
    Some(Regret {
        per_episode,
        per_tick: Figure { value: per_episode.value / horizon, ci95: per_episode.ci95.map(|end| end / horizon) },
        to_random: against(|slot| Some(slot.random)),
        to_unadapted: against(|slot| Some(slot.unadapted)),
        to_reference: against(|slot| slot.reference),
    })
}
