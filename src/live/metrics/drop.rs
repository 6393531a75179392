//! Losses around a sudden change, against full knowledge and less the loss in the episode before: the jump loss (that of the
//! episode with the change), the depth of the drop (the largest) and its area (the sum of those above 0), up to recovery or the next change.
//! The area is the loss that the change costs in all, as in the robustness evaluations of Real-World RL (Dulac-Arnold et al.
//! 2021).

use serde::Serialize;

use super::{Figure, Lived, recovery_episodes::TOLERANCE, regrets, span, stretches};

/// Means over changes that had an episode before.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Drops {
    /// Loss in the episode with the change.
    pub jump: Figure,
    /// Largest loss.
    pub depth: Figure,
    /// Sum of the losses.
    pub area: Figure,
}

/// The losses in `lives`.
pub fn drops(lives: &[Lived], seed: u64) -> Option<Drops> {
    let allowed = TOLERANCE * span(lives)?;
    let mut sums: [Vec<(f64, f64)>; 3] = Default::default();
    for life in lives {
        let regrets = regrets(life);
        let mut of_life = [(0.0, 0.0); 3];
        for (at, length) in stretches(life).into_iter().filter(|(at, _)| *at > 0) {
            let losses: Vec<f64> = regrets[at..at + length].iter().map(|regret| regret - regrets[at - 1]).collect();
            let end = regrets[at..at + length].iter().position(|regret| *regret <= allowed).unwrap_or(length).max(1);
            let seen = &losses[..end];
            let figures =
                [losses[0], seen.iter().copied().fold(f64::MIN, f64::max), seen.iter().map(|loss| loss.max(0.0)).sum()];
            of_life
                .iter_mut()
                .zip(figures)
                .for_each(|((sum, count), figure)| (*sum, *count) = (*sum + figure, *count + 1.0));
        }
        sums.iter_mut().zip(of_life).for_each(|(all, life)| all.push(life));
    }
    let [jump, depth, area] = sums.map(|pairs| Figure::ratio(&pairs, seed));
    Some(Drops { jump: jump?, depth: depth?, area: area? })
}
