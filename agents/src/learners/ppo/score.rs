//! The mean return of the latest episodes.

use std::collections::VecDeque;

use crate::{
    rollout::Rollout,
    state::{Misfit, State},
};

/// Number of episodes in the mean return.
const RECENT: usize = 100;

/// Returns of training episodes.
#[derive(Clone, Debug)]
pub(super) struct Score {
    /// Sums of rewards of the episodes under way, `[lanes]`.
    earned: Vec<f64>,
    /// Returns of the latest finished episodes, at most [`RECENT`].
    recent: VecDeque<f64>,
}

impl Score {
    /// The score of `lanes` lanes at the beginning of their first episodes.
    pub(super) fn new(lanes: usize) -> Self {
        Score { earned: vec![0.0; lanes], recent: VecDeque::new() }
    }

    /// Adds a rollout, step by step.
    pub(super) fn add(&mut self, rollout: &Rollout) {
        for t in 0..rollout.shape().steps {
            let lanes = rollout.tasks().flat_map(|data| (0..data.envs).map(move |env| (data, data.row(t, env))));
            for (earned, (data, row)) in self.earned.iter_mut().zip(lanes) {
                *earned += f64::from(data.reward[row]);
                if data.terminated[row] || data.truncated[row] {
                    self.recent.push_back(std::mem::take(earned));
                }
            }
        }
        self.recent.drain(..self.recent.len().saturating_sub(RECENT));
    }

    /// The mean return; NaN before the first episode has ended.
    pub(super) fn mean(&self) -> f64 {
        self.recent.iter().sum::<f64>() / self.recent.len() as f64
    }

    /// True if the mean return of the last [`RECENT`] episodes has reached `goal`.
    pub(super) fn reaches(&self, goal: f64) -> bool {
        self.recent.len() == RECENT && self.mean() >= goal
    }

    /// Puts both lists into `state`.
    pub(super) fn save(&self, state: &mut State) {
        state.set("earned", &self.earned);
        state.set("recent", &self.recent);
    }

    /// The same lanes' score as [`Score::save`] stored it.
    pub(super) fn loaded(&self, state: &State) -> Result<Self, Misfit> {
        let score = Score { earned: state.value("earned")?, recent: state.value("recent")? };
        if score.earned.len() != self.earned.len() || score.recent.len() > RECENT {
            return Err(Misfit("`earned` or `recent` has another length".into()));
        }
        Ok(score)
    }
}
