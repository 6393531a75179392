//! Detection: an alarm at a tick notices the last sudden change before it that no alarm has noticed yet; an alarm without such
//! a change is false. The delay of a change that the next one, or the end, overtakes is censored.

use serde::Serialize;

use super::{Figure, Lived};
use crate::stats::Censored;

/// Changes that a detector noticed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Detections {
    /// Ticks from a change to its alarm, by the estimator of Kaplan and Meier (1958); null if nothing changes suddenly.
    pub delay_ticks: Option<Censored>,
    /// Share of the changes that were noticed before the next.
    pub noticed: Option<Figure>,
    /// False alarms in 1,000 ticks.
    pub false_alarms: Figure,
}

/// The alarms of `lives` against their changes.
pub fn detections(lives: &[Lived], seed: u64) -> Detections {
    let (mut delays, mut noticed, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
    for life in lives {
        let ticks = life.horizon as u64 * life.slots.len() as u64;
        let switches: Vec<u64> = life.slots.iter().flat_map(|slot| slot.switches.clone()).collect();
        let alarms: Vec<u64> = life.slots.iter().flat_map(|slot| slot.alarms.clone()).collect();
        let end = |k: usize| switches.get(k + 1).copied().unwrap_or(ticks);
        let found = |(k, at): (usize, &u64)| {
            let alarm = alarms.iter().find(|alarm| (*at..end(k)).contains(alarm));
            ((alarm.copied().unwrap_or(end(k)) - at) as usize, alarm.is_some())
        };
        let of_life: Vec<(usize, bool)> = switches.iter().enumerate().map(found).collect();
        let right = of_life.iter().filter(|(_, noticed)| *noticed).count();
        noticed.push((right as f64, of_life.len() as f64));
        wrong.push(((alarms.len() - right) as f64, ticks as f64 / 1_000.0));
        delays.extend(of_life);
    }
    Detections {
        delay_ticks: (!delays.is_empty()).then(|| Censored::of(&delays)),
        noticed: Figure::ratio(&noticed, seed),
        false_alarms: Figure::ratio(&wrong, seed).expect("a life has ticks"),
    }
}
