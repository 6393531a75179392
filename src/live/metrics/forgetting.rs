//! Forgetting: the mean regret in the visits of a regime after the first, less that in its first visit. A regime is a set of
//! values of the drifting channels, a visit an unbroken row of whole episodes in it. Positive says that an old world is met
//! worse than when it was new (in the sense of Continual World, arXiv 2105.10919, for returns against full knowledge).

use super::{Figure, Lived, regrets};

/// The forgetting in `lives`; `None` if no regime comes back.
pub fn forgetting(lives: &[Lived], seed: u64) -> Option<Figure> {
    let pairs: Vec<(f64, f64)> = lives.iter().map(of_life).collect();
    Figure::ratio(&pairs, seed)
}

/// Sum over later visits of their regret less that of the first, and the number of these visits.
fn of_life(life: &Lived) -> (f64, f64) {
    let regrets = regrets(life);
    // visits as (regime, sum of regrets, episodes)
    let mut visits: Vec<(&[f64], f64, f64)> = Vec::new();
    let mut open = false;
    for (slot, regret) in life.slots.iter().zip(&regrets) {
        if slot.regime.is_empty() || !slot.switches.is_empty() {
            open = false;
            continue;
        }
        match visits.last_mut().filter(|visit| open && visit.0 == slot.regime) {
            Some(visit) => (visit.1, visit.2) = (visit.1 + regret, visit.2 + 1.0),
            None => visits.push((&slot.regime, *regret, 1.0)),
        }
        open = true;
    }
    let (mut sum, mut count) = (0.0, 0.0);
    for (k, later) in visits.iter().enumerate() {
        if let Some(first) = visits[..k].iter().find(|visit| visit.0 == later.0) {
            (sum, count) = (sum + later.1 / later.2 - first.1 / first.2, count + 1.0);
        }
    }
    (sum, count)
}
