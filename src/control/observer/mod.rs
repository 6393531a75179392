//! An observer of one lane: it knows the physics, and estimates state and unknown channels from what it sees.
//!
//! For every delay that commands may have, a [`Filter`] follows the lane; the likelihoods of the readings tell which is
//! right. It knows the channels' means and standard deviations over the tasks of training, and takes noise and losses for
//! normal noise. It looks at observations and actions, not at rewards.

mod filter;
mod model;

use std::sync::Arc;

use metadrift_envs::EnvKind;

pub use filter::{Filter, Tuning};
pub use model::{Model, Spread, spreads};

/// An observer of one lane.
#[derive(Clone, Debug)]
pub struct Observer {
    model: Arc<Model>,
    tuning: Tuning,
    filters: Vec<Filter>,
    /// The actions of the episode, oldest first.
    given: Vec<Vec<f64>>,
    /// True if it was sure, and nothing has surprised it since.
    sure: bool,
}

impl Observer {
    /// An observer that has seen nothing.
    pub fn new(model: Arc<Model>, tuning: Tuning) -> Observer {
        let filters = model.delays.iter().map(|delay| Filter::new(&model, *delay)).collect();
        Observer { model, tuning, filters, given: Vec::new(), sure: false }
    }

    /// The environment of the lane.
    pub fn env(&self) -> EnvKind {
        self.model.env
    }

    /// Takes in the observation before a step; `first` says that an episode begins with it.
    pub fn see(&mut self, observation: &[f32], first: bool) {
        let readings: Vec<f64> = observation[..self.model.errors.len()].iter().map(|x| f64::from(*x)).collect();
        if first {
            self.given.clear();
            self.filters.iter_mut().for_each(|filter| filter.start(&self.model, &readings));
            return;
        }
        let mut expected = false;
        for filter in &mut self.filters {
            // a command comes through after the delay; before the first one there is none
            let through = self.given.len().checked_sub(filter.delay + 1);
            let action = through.map(|at| &self.given[at][..]);
            expected |= filter.step(&self.model, &self.tuning, action, &readings);
        }
        self.sure &= expected;
        let most = self.filters.iter().map(|filter| filter.likelihood).fold(f64::NEG_INFINITY, f64::max);
        self.filters.iter_mut().for_each(|filter| filter.likelihood -= most);
    }

    /// Takes in the action that follows the observation.
    pub fn act(&mut self, action: &[f32]) {
        self.given.push(action.iter().map(|x| f64::from(*x)).collect());
    }

    /// The filter of the most likely delay.
    pub fn best(&self) -> &Filter {
        let all = self.filters.iter();
        all.max_by(|a, b| a.likelihood.total_cmp(&b.likelihood)).expect("there is a delay")
    }

    /// All channels as they are estimated, `[channels]`.
    pub fn values(&self) -> Vec<f64> {
        let best = self.best();
        self.model.values(best.estimates(&self.model), best.delay)
    }

    /// The state as it is estimated, `[state_dim]`.
    pub fn state(&self) -> &[f64] {
        self.best().state(&self.model)
    }

    /// Says whether the observer is 95 % sure of the delay, and of how commands act; it then stays sure until something
    /// surprises it.
    pub fn is_sure(&mut self) -> bool {
        self.sure = self.sure || self.finds_out();
        self.sure
    }

    fn finds_out(&self) -> bool {
        let best = self.best();
        let weights: f64 = self.filters.iter().map(|filter| (filter.likelihood - best.likelihood).exp()).sum();
        weights <= 1.0 / 0.95 && best.knows_effects(&self.model)
    }

    /// Everything it has learned of the lane, to be remembered between phases.
    pub fn memory(&self) -> Vec<f32> {
        self.filters.iter().flat_map(Filter::to_numbers).map(|number| number as f32).collect()
    }

    /// Takes up a memory.
    pub fn recall(&mut self, memory: &[f32]) {
        let mut numbers = memory.iter().map(|number| f64::from(*number));
        self.filters.iter_mut().for_each(|filter| filter.take(&mut numbers));
    }
}
