//! Dynamic regret: the loss against the best policy for the world as it is at each time, not against the best fixed one
//! (Cheung, Simchi-Levi and Zhu 2020, arXiv 2006.14389). The comparator here is the controller with full knowledge of the
//! present, in the same slots.

use serde::Serialize;

use super::{Figure, Lived};

/// Regrets against full knowledge.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Regret {
    /// Mean of J* - J over episodes.
    pub per_episode: Figure,
    /// Sum of J* - J by all ticks.
    pub per_tick: Figure,
    /// Sum of J* - J by the sum of J* - R: 0 for full knowledge, 1 for random actions.
    pub to_random: Option<Figure>,
    /// Sum of J* - J by that of the unadapted policy, J* - U.
    pub to_unadapted: Option<Figure>,
    /// Sum of J* - J by that of the policy that this one is compared with, the usual relative regret if it is trained by
    /// domain randomisation.
    pub to_reference: Option<Figure>,
}

/// The regrets of `lives`; `None` without a controller with full knowledge.
pub fn regret(lives: &[Lived], seed: u64) -> Option<Regret> {
    let against = |other: fn(&super::super::Slot) -> Option<f64>| {
        let pair = |life: &Lived| {
            let losses =
                life.slots.iter().filter_map(|slot| Some((slot.oracle? - slot.returned, slot.oracle? - other(slot)?)));
            losses.fold((0.0, 0.0), |(a, b), (c, d)| (a + c, b + d))
        };
        Figure::ratio(&lives.iter().map(pair).collect::<Vec<_>>(), seed)
    };
    // against a policy that loses 1 in each slot, the ratio is the mean
    let per_episode = against(|slot| slot.oracle.map(|oracle| oracle - 1.0))?;
    let horizon = f64::from(lives[0].horizon);
    Some(Regret {
        per_episode,
        per_tick: Figure { value: per_episode.value / horizon, ci95: per_episode.ci95.map(|end| end / horizon) },
        to_random: against(|slot| Some(slot.random)),
        to_unadapted: against(|slot| Some(slot.unadapted)),
        to_reference: against(|slot| slot.reference),
    })
}
