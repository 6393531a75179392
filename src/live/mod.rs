//! A life in a world that moves: one lane that runs on while its world drifts, and a policy that learns from what it does.
//!
//! `plant` has the world of a life, [`course`] the way it moves, `dweller` who lives it, `learner` a policy that learns on it,
//! with its [`detector`] of changes and the runtime's guard;
//! [`metrics`] says how a set of lives went, and [`log`] keeps the adaptations.

use metadrift_agents::{agent::Agent, report::Diverged, runtime::guard::Opinion, stop, threads::run_jobs};
use metadrift_envs::{Split, Task};
use serde::Serialize;

use crate::{config::Experiment, evaluate::REPORTED};

pub mod course;
pub mod detector;
mod dweller;
pub mod event;
mod learner;
pub mod log;
pub mod metrics;
mod plant;

use course::{Course, Moves};
use detector::Detection;
use dweller::{Alone, Dweller};
pub use learner::log_probs;
use plant::{Plant, Played};

/// The lives that are lived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Protocol {
    /// The split of their tasks.
    pub split: Split,
    /// Number of lives, each on a task of its own.
    pub lives: usize,
    /// Number of episodes of a life.
    pub episodes: u32,
    /// Seed of tasks, initial states and actions.
    pub seed: u64,
}

/// The way in which a policy learns from its life.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Learning {
    /// Ticks after which the policy adapts within an episode; 0 if it adapts only after each.
    pub every: u32,
    /// Gradient steps of an adaptation.
    pub steps: usize,
    /// Way back to the unadapted policy before an adaptation, as a share: 1 begins anew, 0 goes on from the last.
    pub anchor: f32,
    /// Number of the last episodes that an adaptation learns from.
    pub window: u32,
    /// Episodes in which the weight of data halves; 0 if it does not.
    pub half_life: f64,
    /// True if steps count by their probability under the policy that adapts, against that under the one that took them.
    pub importance: bool,
    /// Detector of changes, after which everything learned is forgotten.
    pub detector: Option<Detection>,
    /// Level of the guard: the probability that it rolls back a policy that is never worse.
    pub guard: Option<f64>,
}

impl Default for Learning {
    fn default() -> Self {
        Learning {
            every: 0,
            steps: 1,
            anchor: 0.0,
            window: 1,
            half_life: 0.0,
            importance: true,
            detector: None,
            guard: Some(0.05),
        }
    }
}

/// One slot of a life: an episode, and what others would have had in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// Return of the policy.
    pub returned: f64,
    /// Return of the controller with full knowledge, if there is one for the environment.
    pub oracle: Option<f64>,
    /// Return of the policy before any adaptation, or without memory of the episodes before.
    pub unadapted: f64,
    /// Return of the policy that this one is compared with, if there is one.
    pub reference: Option<f64>,
    /// Return of random actions.
    pub random: f64,
    /// Ticks of the life at which the world changed suddenly.
    pub switches: Vec<u64>,
    /// Ticks at which the detector gave an alarm.
    pub alarms: Vec<u64>,
    /// Ticks before which the policy adapted.
    pub adaptations: Vec<u64>,
    /// Values of the drifting channels at the beginning.
    pub regime: Vec<f64>,
    /// The guard's opinion at the beginning.
    pub guard: Option<Opinion>,
    /// True if an adapted policy acted.
    pub adapted: bool,
}

/// A life that was lived.
#[derive(Clone, Debug)]
pub struct Lived {
    /// Number of the life.
    pub life: u32,
    /// Ticks of a slot.
    pub horizon: u32,
    /// The slots, `[episodes]`.
    pub slots: Vec<Slot>,
    /// Ticks from each sudden change until rewards were as before, or, where the flag is false, to the next change or the end.
    pub recoveries: Vec<(usize, bool)>,
    /// The parameters of its world.
    pub courses: Vec<Course>,
    /// Adaptations that were given up, since parameters were not finite.
    pub diverged: usize,
    /// The adaptations, if they are logged.
    pub log: Vec<log::Entry>,
}

/// The policy whose lives are lived.
#[derive(Clone, Copy)]
pub enum Policy<'a> {
    /// It learns from its life, by gradient steps or by its memory.
    Learning(&'a dyn Agent, Learning),
    /// It does not, and takes its most likely actions.
    Fixed(&'a dyn Agent),
    /// The controller with full knowledge.
    Controller,
    /// Random actions.
    Random,
}

/// Lives the lives of `protocol` with `policy`, by `actors` threads. `reference` is a policy that it is compared with,
/// which takes its most likely actions and does not adapt. `seen` is called with each life, in their order.
///
/// # Errors
/// If an output of a policy is not finite.
///
/// # Panics
/// If the environment has no controller with full knowledge, and its lives are asked for.
pub fn live(
    config: &Experiment,
    (policy, reference): (Policy<'_>, Option<&dyn Agent>),
    protocol: &Protocol,
    (actors, logs): (usize, bool),
    mut seen: impl FnMut(Lived),
) -> Result<(), Diverged> {
    let distribution = config.tasks(protocol.split);
    // a few lives for each thread at a time, so that agents do not pile up
    let group = 8 * actors;
    for first in (0..protocol.lives).step_by(group) {
        let numbers: Vec<u32> = (first..protocol.lives.min(first + group)).map(|life| life as u32).collect();
        let tasks: Vec<Task> = numbers.iter().map(|life| distribution.sample(protocol.seed, REPORTED, *life)).collect();
        let mut found: Vec<Option<Result<Lived, Diverged>>> = tasks.iter().map(|_| None).collect();
        let jobs = numbers.iter().zip(&tasks).zip(&mut found);
        let jobs = jobs.map(|((life, task), place)| {
            let plant = Plant { env: config.env(), task, life: *life, horizon: config.horizon(), seed: protocol.seed };
            (plant, Dweller::new(plant, policy, logs), reference.map(Alone::fixed), place)
        });
        run_jobs(jobs.collect(), actors, |(plant, dweller, reference, place): Job<'_>| {
            *place = Some(one(plant, dweller, reference, protocol.episodes));
        });
        for life in found.into_iter().flatten() {
            seen(life?);
        }
    }
    Ok(())
}

type Job<'a> = (Plant<'a>, Dweller<'a>, Option<Alone>, &'a mut Option<Result<Lived, Diverged>>);

/// One life.
fn one(
    plant: Plant<'_>,
    mut dweller: Dweller<'_>,
    mut reference: Option<Alone>,
    episodes: u32,
) -> Result<Lived, Diverged> {
    let Moves { switches, regimes, courses } = Moves::of(&plant, episodes);
    let mut slots = Vec::with_capacity(episodes as usize);
    let mut ticks = Vec::new();
    for episode in 0..episodes {
        stop::check();
        let lived = dweller.live(&plant, episode)?;
        let returned = lived.played.returned();
        waited(&lived.played, plant.horizon, &mut ticks);
        let range = u64::from(episode) * u64::from(plant.horizon)..u64::from(episode + 1) * u64::from(plant.horizon);
        slots.push(Slot {
            returned,
            oracle: dweller::oracle(&plant, episode).map(|played| played.returned()),
            unadapted: lived.unadapted,
            reference: reference.as_mut().map(|agent| agent.play(&plant, episode)).transpose()?.map(|p| p.returned()),
            random: dweller::random(&plant, episode).returned(),
            switches: switches.iter().copied().filter(|tick| range.contains(tick)).collect(),
            alarms: lived.alarms,
            adaptations: lived.adaptations,
            regime: regimes[episode as usize].clone(),
            guard: lived.guard,
            adapted: lived.adapted,
        });
    }
    let (diverged, log) = dweller.ends();
    Ok(Lived {
        life: plant.life,
        horizon: plant.horizon,
        slots,
        recoveries: metrics::recovery_ticks::times(&ticks, &switches),
        courses,
        diverged,
        log,
    })
}

/// Adds the ticks of a slot, as (reward, failed): a lane that has ended early earns nothing while it waits.
fn waited(played: &Played, horizon: u32, ticks: &mut Vec<(f64, bool)>) {
    ticks.extend(played.rewards.iter().map(|reward| (f64::from(*reward), false)));
    ticks.resize(ticks.len() + horizon as usize - played.rewards.len(), (0.0, true));
}
