//! The guard against collapse: training that has lost for good what it had learned goes on from its best state with
//! smaller steps, and ends rather than hand over a broken policy. It watches returns alone, so it serves every learner.

use std::{collections::VecDeque, fmt};

use metadrift_agents::state::{Misfit, State};

use crate::stats::{mean, variance};

/// Number of iterations in the means by which a run is judged, under way and at its end: a return that is low all that time
/// has fallen for good.
pub const WINDOW: usize = 10;
/// Standard deviations of an iteration's return by which a fall is no noise.
const CLEAR: f64 = 4.0;
/// Share of the progress since the first window whose loss is a collapse.
const SHARE: f64 = 0.5;
/// Factor of the steps after a collapse, a power of two so that its products are exact.
const SMALLER: f64 = 0.5;
/// Prefix of the best state's tensors in a checkpoint.
const BEST: &str = "best.";

/// The best window of returns, and the learner's state at its end.
struct Best {
    mean: f64,
    spread: f64,
    /// Iterations done.
    iteration: u64,
    state: State,
}

/// The course of a run's returns, and the state to return to.
pub struct Guard {
    /// Number of times that training may go back.
    tries: u64,
    /// Number of times that it went back.
    used: u64,
    /// Mean of the first window.
    first: Option<f64>,
    last: VecDeque<f64>,
    best: Option<Best>,
}

/// A loss for good of most of what was learned, and the state that training went back to.
#[derive(Clone, Debug, PartialEq)]
pub struct Fall {
    /// Mean return over the last [`WINDOW`] iterations.
    pub last: f64,
    /// Mean return over the best window.
    pub best: f64,
    /// Iteration at the end of the best window.
    pub iteration: u64,
    /// Number of falls so far; the last of `tries` + 1 ends the run.
    pub falls: u64,
    /// Number of times that training may go on.
    pub tries: u64,
}

impl Fall {
    /// True if training is to end.
    pub fn is_last(&self) -> bool {
        self.falls > self.tries
    }
}

impl fmt::Display for Fall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fall { last, best, iteration, .. } = self;
        write!(
            f,
            "the return fell for good, from {best:.1} to {last:.1} (means of {WINDOW} iterations); back to the policy of \
             iteration {iteration}"
        )
    }
}

impl Guard {
    /// A guard at the beginning of a run, which lets training go back `tries` times; with 0 it does not watch.
    pub fn new(tries: u64) -> Guard {
        Guard { tries, used: 0, first: None, last: VecDeque::new(), best: None }
    }

    /// Factor of the learner's steps.
    pub fn pace(&self) -> f64 {
        SMALLER.powi(self.used.min(self.tries) as i32)
    }

    /// Takes notice of the return of iteration `iteration`, counted from 1; `save` gives the learner's state after it. If
    /// the run has collapsed, gives the state to go back to.
    pub fn watch(&mut self, iteration: u64, value: f64, save: impl FnOnce() -> State) -> Option<(Fall, State)> {
        if self.tries == 0 || !value.is_finite() {
            return None; // not finite: for example the mean return before the first episode has ended
        }
        if self.last.len() == WINDOW {
            self.last.pop_front();
        }
        self.last.push_back(value);
        if self.last.len() < WINDOW {
            return None;
        }
        let window: Vec<f64> = self.last.iter().copied().collect();
        let (here, spread) = (mean(&window), variance(&window).sqrt());
        let first = *self.first.get_or_insert(here);
        let Some(best) = self.best.as_ref().filter(|best| best.mean >= here) else {
            self.best = Some(Best { mean: here, spread, iteration, state: save() });
            return None;
        };
        let lost = best.mean - here;
        if lost <= (CLEAR * spread.max(best.spread)).max(SHARE * (best.mean - first)) {
            return None;
        }
        self.used += 1;
        self.last.clear();
        let fall = Fall { last: here, best: best.mean, iteration: best.iteration, falls: self.used, tries: self.tries };
        Some((fall, best.state.clone()))
    }

    /// Saves the guard beside the learner; a guard that does not watch saves nothing.
    pub fn save(&self, state: &mut State) {
        if self.tries == 0 {
            return;
        }
        state.set("collapse", (self.used, self.first, &self.last));
        if let Some(best) = &self.best {
            state.set("collapse_best", (best.mean, best.spread, best.iteration, &best.state.values));
            best.state.tensors.iter().for_each(|(name, values)| state.put(&format!("{BEST}{name}"), values));
        }
    }

    /// The same guard as [`save`](Self::save) stored it; a new one if it stored none.
    ///
    /// # Errors
    /// If the state holds a guard of another form.
    pub fn loaded(&self, state: &State) -> Result<Guard, Misfit> {
        if self.tries == 0 || !state.values.contains_key("collapse") {
            return Ok(Guard::new(self.tries));
        }
        let (used, first, last) = state.value("collapse")?;
        let mut best = None;
        if state.values.contains_key("collapse_best") {
            let (mean, spread, iteration, values) = state.value("collapse_best")?;
            let of_best =
                |(name, values): &(String, Vec<f32>)| Some((name.strip_prefix(BEST)?.to_owned(), values.clone()));
            let tensors = state.tensors.iter().filter_map(of_best).collect();
            best = Some(Best { mean, spread, iteration, state: State { tensors, values } });
        }
        Ok(Guard { tries: self.tries, used, first, last, best })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A state that names its iteration.
    fn at(iteration: u64) -> State {
        let mut state = State::default();
        state.put("params", &[iteration as f32]);
        state.set("count", iteration);
        state
    }

    /// Shows `value` and `value + 2` by turns, `times` times in all, and gives the first fall.
    fn show(guard: &mut Guard, iteration: &mut u64, times: usize, value: f64) -> Option<(Fall, State)> {
        (0..times).find_map(|k| {
            *iteration += 1;
            guard.watch(*iteration, value + 2.0 * (k % 2) as f64, || at(*iteration))
        })
    }

    #[test]
    fn goes_back_when_half_of_the_progress_is_lost_for_good() {
        let (mut guard, mut done) = (Guard::new(1), 0);
        assert!(show(&mut guard, &mut done, 10, 0.0).is_none());
        assert!(show(&mut guard, &mut done, 20, 100.0).is_none());
        assert!(show(&mut guard, &mut done, 9, 10.0).is_none(), "nine low returns are no window");
        // progress 100 of which 50 may be lost; a window's spread sqrt(10/9) is no obstacle
        let (fall, state) = show(&mut guard, &mut done, 1, 10.0).unwrap(); // five of 10, four of 12, and 10
        let found = (fall.best, fall.iteration, fall.falls, fall.is_last());
        // the first window of 100 and 102 by turns ends with iteration 20
        assert_eq!((found, &state), ((101.0, 20, 1, false), &at(20)));
        assert_eq!(guard.pace(), 0.5);
        assert!(fall.to_string().contains("from 101.0 to 10.8"), "{fall}");
        let (fall, state) = show(&mut guard, &mut done, 10, 10.0).unwrap();
        assert!(fall.is_last() && state == at(20));
        assert_eq!(guard.pace(), 0.5, "the run ends: there is no smaller step");
    }

    #[test]
    fn tolerates_noise_and_slow_learning() {
        let (mut guard, mut done) = (Guard::new(3), 0);
        assert!(show(&mut guard, &mut done, 30, 0.0).is_none());
        // the best window has mean 1 and standard deviation sqrt(10/9): four of them are 4.2
        assert!(show(&mut guard, &mut done, 40, -4.0).is_none());
        assert!(show(&mut guard, &mut done, 40, -4.5).is_some());
        let mut never = Guard::new(0);
        assert!(show(&mut never, &mut done, 30, 100.0).is_none() && show(&mut never, &mut done, 30, -1e9).is_none());
    }

    #[test]
    fn comes_back_from_a_checkpoint() {
        let (mut guard, mut done) = (Guard::new(2), 0);
        show(&mut guard, &mut done, 10, 0.0);
        show(&mut guard, &mut done, 14, 100.0);
        show(&mut guard, &mut done, 5, 0.0);
        let mut state = at(done);
        guard.save(&mut state);
        let mut again = Guard::new(2).loaded(&state).unwrap();
        let mut there = done;
        let found = (show(&mut guard, &mut done, 9, 0.0), show(&mut again, &mut there, 9, 0.0));
        assert!(found.0.is_some() && found.0 == found.1);
        assert_eq!(again.pace(), guard.pace());
        assert!(Guard::new(2).loaded(&at(3)).unwrap().best.is_none(), "a run of an earlier version");
    }
}
