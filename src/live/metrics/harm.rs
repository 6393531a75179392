//! Harm: a life is harmed if it went worse than the unadapted policy would have in the same slots, beyond the noise of its own
//! episodes: with d(e) = J(e) - U(e), mean d + t s / sqrt(E) < 0, where s is the standard deviation of d over the E episodes
//! and t = 2.58, the 99.5 % quantile of the normal law. If adaptation had no effect but noise, one life in 200 would count.

use serde::Serialize;

use super::{Figure, Lived};
use crate::stats::{mean, variance};

/// Quantile of the normal law, 0.995.
const QUANTILE: f64 = 2.576;

/// Lives that adaptation made worse.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Harm {
    /// Share of the lives.
    pub rate: Figure,
    /// Number of them.
    pub lives: usize,
    /// Mean loss of a harmed life, in return of an episode; null if there is none.
    pub loss: Option<f64>,
}

/// The harm in `lives`.
pub fn harm(lives: &[Lived], seed: u64) -> Harm {
    let gain = |life: &Lived| life.slots.iter().map(|slot| slot.returned - slot.unadapted).collect::<Vec<f64>>();
    let gains: Vec<Vec<f64>> = lives.iter().map(gain).collect();
    let harmed: Vec<bool> = gains.iter().map(|gain| is_harmed(gain)).collect();
    let losses: Vec<f64> =
        gains.iter().zip(&harmed).filter(|(_, harmed)| **harmed).map(|(gain, _)| -mean(gain)).collect();
    let rates: Vec<f64> = harmed.iter().map(|harmed| f64::from(u8::from(*harmed))).collect();
    Harm { rate: Figure::mean(&rates, seed), lives: losses.len(), loss: (!losses.is_empty()).then(|| mean(&losses)) }
}

/// True if the mean of `gain` is below 0 beyond its noise.
pub(super) fn is_harmed(gain: &[f64]) -> bool {
    mean(gain) + QUANTILE * (variance(gain) / gain.len() as f64).sqrt() < 0.0
}
