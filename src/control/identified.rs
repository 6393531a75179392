//! The time that an observer takes to find out how commands act.

use std::{cell::Cell, sync::Arc};

use metadrift_envs::Task;
use serde::{Deserialize, Serialize};

use super::{
    Controller, Random, Seen,
    episodes::returns,
    observer::{Model, Observer, Tuning},
};
use crate::life::Life;

/// Ticks from the beginning of a life until an observer is 95 % sure of the commands' delay and of how commands act,
/// while actions are random. An absent number is larger than the first phase of a life.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdentificationTicks {
    /// Median over all lanes.
    pub median: Option<u32>,
    /// 90 % of the lanes take at most long.
    pub p90: Option<u32>,
}

/// The time that an observer with `model` takes on `tasks`, with `lanes` lanes each, in the first phase of `life`.
pub fn identification_ticks(
    model: &Model,
    (tasks, lanes): (&[Task], usize),
    life: Life,
    seed: u64,
) -> IdentificationTicks {
    let env = model.env;
    let model = Arc::new(model.clone());
    let found = vec![Cell::new(None); tasks.len() * lanes];
    returns(env, tasks, lanes, (life, 0), seed, |task, lane| Watched {
        observer: Observer::new(model.clone(), Tuning::default()),
        random: Random::new(env.spec().action, seed, task as u32),
        found: &found[task * lanes + lane],
    });
    let mut ticks: Vec<Option<u32>> = found.into_iter().map(Cell::into_inner).collect();
    ticks.sort_by_key(|tick| tick.unwrap_or(u32::MAX));
    let rank = |share: f64| ticks[(share * ticks.len() as f64).ceil() as usize - 1];
    IdentificationTicks { median: rank(0.5), p90: rank(0.9) }
}

/// Random actions, and an observer that looks on until it is sure.
struct Watched<'a> {
    observer: Observer,
    random: Random,
    found: &'a Cell<Option<u32>>,
}

impl Controller for Watched<'_> {
    fn looks_at_values(&self) -> bool {
        false
    }

    fn act(&mut self, seen: &Seen<'_>, action: &mut [f32]) {
        self.random.act(seen, action);
        if self.found.get().is_some() {
            return;
        }
        self.observer.see(seen.obs, seen.episode_step == 0);
        let (_, age) = seen.place;
        if self.observer.is_sure() {
            self.found.set(Some(age));
        }
        self.observer.act(action);
    }
}
