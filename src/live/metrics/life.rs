//! A life in a few figures, as a study keeps it.

use serde::{Deserialize, Serialize};

use super::{Lived, harm::is_harmed, regrets};
use crate::{live::Slot, stats::mean};

/// One life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Life {
    /// Mean return of an episode.
    pub mean_return: f64,
    /// That of the policy before any adaptation.
    pub unadapted: f64,
    /// Mean regret of an episode against full knowledge; absent if no such controller is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regret: Option<f64>,
    /// True if it went worse than the unadapted policy beyond its noise, as in [`Harm`](super::Harm).
    pub harmed: bool,
    /// Ticks to recover from each sudden change, or, where the flag is false, that were not enough.
    pub recoveries: Vec<(usize, bool)>,
}

impl Life {
    /// The figures of a life.
    pub fn of(life: &Lived) -> Life {
        let all = |of: fn(&Slot) -> f64| life.slots.iter().map(of).collect::<Vec<f64>>();
        let regrets = regrets(life);
        Life {
            mean_return: mean(&all(|slot| slot.returned)),
            unadapted: mean(&all(|slot| slot.unadapted)),
            regret: (!regrets.is_empty()).then(|| mean(&regrets)),
            harmed: is_harmed(&all(|slot| slot.returned - slot.unadapted)),
            recoveries: life.recoveries.clone(),
        }
    }
}
