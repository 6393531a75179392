//! Resilience with adaptation switched off: the level of the unadapted policy in the same slots, (U - R) / (J* - R) as a ratio
//! of sums (the frozen policy of the NS-Gym competition's resilience track).

use super::{Figure, Lived};

/// The resilience in `lives`; `None` without a controller with full knowledge.
pub fn resilience(lives: &[Lived], seed: u64) -> Option<Figure> {
    let pair = |life: &Lived| {
        let known =
            life.slots.iter().filter_map(|slot| Some((slot.unadapted - slot.random, slot.oracle? - slot.random)));
        known.fold((0.0, 0.0), |(a, b), (c, d)| (a + c, b + d))
    };
    Figure::ratio(&lives.iter().map(pair).collect::<Vec<_>>(), seed)
}
