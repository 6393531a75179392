//! Harm: a life is harmed if it went worse than the unadapted policy would have in the same slots, beyond the noise of its own
//! episodes: with d(e) = J(e) - U(e) over the E episodes after the first, before which nothing is adapted, mean d + t s / sqrt(E)
//! < 0, where s is the standard deviation of d and t the 99.5 % quantile of Student's law with E - 1 degrees of freedom. If
//! adaptation had no effect but normal noise, one life in 200 would count. Lives of fewer than six episodes are too short to tell.

use serde::Serialize;

use super::{Figure, Lived};
use crate::stats::{mean, variance};

/// Least number of episodes after the first.
const LEAST: usize = 5;

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
    let later = gain.get(1..).unwrap_or_default();
    later.len() >= LEAST
        && mean(later) + quantile(later.len() - 1) * (variance(later) / later.len() as f64).sqrt() < 0.0
}

/// The 99.5 % quantile of Student's law, by the expansion of Fisher and Cornish (Abramowitz and Stegun 26.7.5), here exact to
/// 2 % from 4 degrees of freedom on.
fn quantile(degrees: usize) -> f64 {
    let (z, n) = (2.575_829_3_f64, degrees as f64);
    let odd = |coefficients: [f64; 4]| {
        coefficients.iter().enumerate().map(|(k, c)| c * z.powi(2 * k as i32 + 1)).sum::<f64>()
    };
    z + odd([1.0, 1.0, 0.0, 0.0]) / (4.0 * n)
        + odd([3.0, 16.0, 5.0, 0.0]) / (96.0 * n * n)
        + odd([-15.0, 17.0, 19.0, 3.0]) / (384.0 * n.powi(3))
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (degrees, t) in [(4, 4.604), (5, 4.032), (10, 3.169), (30, 2.750), (120, 2.617)] {
            assert!((quantile(degrees) / t - 1.0).abs() < 0.02, "{degrees}: {}", quantile(degrees));
        }
    }
}
