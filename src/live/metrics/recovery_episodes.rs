//! Time of recovery in episodes: the number of episodes from that with a sudden change to the first one whose return is that
//! with full knowledge, up to a tenth of the mean distance between full knowledge and random actions: J >= J* - 0.1 (J* - R).
//! 0 says that the episode of the change itself went well. The next change, or the end of the life, censors it.

use super::{Lived, regrets, span, stretches};
use crate::stats::Censored;

/// The largest loss of a policy that has recovered, as a share of J* - R.
pub(super) const TOLERANCE: f64 = 0.1;

/// The recovery after all changes in `lives`.
pub fn recovery(lives: &[Lived]) -> Option<Censored> {
    let allowed = TOLERANCE * span(lives)?;
    let mut times = Vec::new();
    for life in lives {
        let regrets = regrets(life);
        for (at, length) in stretches(life) {
            let well = regrets[at..at + length].iter().position(|regret| *regret <= allowed);
            times.push((well.unwrap_or(length), well.is_some()));
        }
    }
    (!times.is_empty()).then(|| Censored::of(&times))
}
