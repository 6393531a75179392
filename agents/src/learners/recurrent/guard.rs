//! A guard against collapse: PPO on whole lives sometimes unlearns within a few iterations all it has learned.

use super::experience::Returns;
use crate::{
    adam::Adam,
    state::{Misfit, State},
};

/// The best policy so far, to return to when much of what was learned is lost.
pub(super) struct Guard {
    /// Share of what was learned whose loss is a collapse; 1 tolerates everything.
    share: f64,
    /// Mean return of the first policy.
    first: Option<f64>,
    best: Option<Best>,
    /// Number of returns to the best policy.
    returns: u32,
    /// Share of the learning rate: each return halves it, and every iteration without one wins some of it back.
    rate: f64,
}

/// Factor by which the share of the learning rate grows again.
const GROWTH: f64 = 1.1;
/// Smallest share of the learning rate.
const SLOWEST: f64 = 1.0 / 16.0;
/// Standard errors by which a loss is no noise.
const CLEAR: f64 = 4.0;

struct Best {
    mean_return: f64,
    params: Vec<f32>,
    adam: Adam,
}

impl Guard {
    pub fn new(share: f64) -> Guard {
        Guard { share, first: None, best: None, returns: 0, rate: 1.0 }
    }

    /// Takes notice of the return of the first policy, before PPO takes over.
    pub fn begin(&mut self, mean_return: f64) {
        self.first.get_or_insert(mean_return);
    }

    /// Takes notice of the returns of a policy `params`. Returns the best policy so far, and its optimiser, if this one has
    /// lost more than the share of the progress since the first, and clearly so.
    pub fn watch(&mut self, returns: &Returns, params: &[f32], adam: &Adam) -> Option<(Vec<f32>, Adam)> {
        let Returns { mean: mean_return, error, .. } = *returns;
        let first = *self.first.get_or_insert(mean_return);
        match &mut self.best {
            Some(best) if best.params == params => best.mean_return = 0.5 * (best.mean_return + mean_return),
            Some(best) if best.mean_return >= mean_return => {
                let (loss, progress) = (best.mean_return - mean_return, best.mean_return - first);
                if self.share < 1.0 && loss > self.share * progress && loss > CLEAR * error {
                    let back = (best.params.clone(), best.adam.clone());
                    self.count(true);
                    return Some(back);
                }
            }
            best => *best = Some(Best { mean_return, params: params.to_vec(), adam: adam.clone() }),
        }
        self.count(false);
        None
    }

    fn count(&mut self, collapsed: bool) {
        self.returns += u32::from(collapsed);
        self.rate = if collapsed { (0.5 * self.rate).max(SLOWEST) } else { (GROWTH * self.rate).min(1.0) };
    }

    /// Number of returns to the best policy.
    pub fn returns(&self) -> u32 {
        self.returns
    }

    /// Share of the learning rate to learn with.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    pub fn save(&self, state: &mut State) {
        let best = self.best.as_ref();
        state.set("guard", (self.first, best.map(|best| best.mean_return), self.returns, self.rate));
        if let Some(best) = best {
            state.put("best_params", &best.params);
            best.adam.save(state, "best_adam");
        }
    }

    /// The same guard as [`save`](Self::save) stored it, of policies with `num_params` parameters.
    pub fn loaded(&self, state: &State, num_params: usize) -> Result<Guard, Misfit> {
        let (first, mean_return, returns, rate): (_, Option<f64>, _, _) = state.value("guard")?;
        let best = |mean_return| {
            let params = state.tensor("best_params", num_params)?;
            Ok(Best { mean_return, params, adam: Adam::load(state, "best_adam", num_params)? })
        };
        Ok(Guard { share: self.share, first, best: mean_return.map(best).transpose()?, returns, rate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_to_the_best_policy_when_half_of_the_progress_is_lost() {
        let mut guard = Guard::new(0.5);
        let adam = |step| Adam { step, ..Adam::new(1) };
        let of = |mean| Returns { mean, first: mean, last: mean, error: 2.0 };
        let mut watch = |mean, param, step| guard.watch(&of(mean), &[param], &adam(step));
        assert!(watch(-100.0, 1.0, 0).is_none());
        assert!(watch(-106.0, 2.0, 4).is_none(), "three standard errors are noise");
        assert!(watch(-20.0, 3.0, 8).is_none());
        assert!(watch(-60.0, 4.0, 12).is_none(), "half of the progress of 80 is left");
        assert_eq!(watch(-60.1, 5.0, 16), Some((vec![3.0], adam(8))));
        // the best policy turns out to be worth -30 on average
        assert!(watch(-40.0, 3.0, 8).is_none());
        assert!(watch(-64.0, 6.0, 20).is_none());
        let mut state = State::default();
        guard.save(&mut state);
        let mut again = Guard::new(0.5).loaded(&state, 1).unwrap();
        assert_eq!(again.returns(), 1);
        assert!((again.rate() - 0.5 * 1.1 * 1.1).abs() < 1e-12);
        assert_eq!(again.watch(&of(-90.0), &[7.0], &adam(24)), Some((vec![3.0], adam(8))));
        (0..10).for_each(|_| drop(again.watch(&of(-90.0), &[7.0], &adam(24))));
        assert_eq!((again.returns(), again.rate()), (12, SLOWEST));
        let mut never = Guard::new(1.0);
        never.watch(&of(10.0), &[1.0], &adam(0));
        assert!(never.watch(&of(-1e9), &[2.0], &adam(0)).is_none());
    }
}
