//! What a learner is to the program: an algorithm that asks for experience, learns from it, and hands over a policy.
//!
//! A learner is one file in [`crate::learners`], with its [`Entry`], and one line in the list there.

use std::time::Instant;

use crate::{
    agent::Agent,
    backend::{BackendChoice, NoBackend},
    device::Device,
    keys::Section,
    layout::Layout,
    memory::{Sizes, Taken},
    settings::Settings,
    source::{Demand, Source},
    state::{Misfit, State},
};

/// A learning algorithm under way.
pub trait Learner: Send {
    /// One iteration of the algorithm; `iteration` counts from 0 and names its random numbers.
    ///
    /// # Errors
    /// If a loss, gradient or parameter is not finite; no parameter has then taken that value.
    fn iterate(&mut self, source: &mut dyn Source, iteration: u32) -> Result<Report, Diverged>;

    /// The policy as it is deployed, with everything learned so far.
    fn agent(&self) -> Box<dyn Agent>;

    /// The mean return at which the run is to stop, if there is one.
    fn goal(&self) -> Option<f64>;

    /// Whether it has reached that return.
    fn solved(&self) -> bool;

    /// Puts everything it needs to go on to the byte into `state`.
    fn save(&self, state: &mut State);

    /// Goes on from a state of a learner with the same settings.
    ///
    /// # Errors
    /// If it is of another one: says which part does not fit. The learner is then as it was.
    fn load(&mut self, state: &State) -> Result<(), Misfit>;
}

/// A kind of learner, as the program knows it.
#[derive(Debug)]
pub struct Entry {
    /// `learner = "NAME"`
    pub name: &'static str,
    /// One line on what it learns.
    pub about: &'static str,
    /// Keys of the common sections that it does not read: they must keep their defaults.
    pub ignores: &'static [&'static str],
    /// The section of its own, if it has one.
    pub own: Option<Section>,
    /// The experience it asks for.
    pub demand: fn(&Settings) -> Demand,
    /// Its size in a few words, for the first line of a run.
    pub size: fn(&Settings) -> String,
    /// Memory that it takes beside the source's.
    pub memory: fn(&Settings, &Sizes) -> Taken,
    /// A learner at its beginning.
    pub build: fn(&Settings, Ground) -> Result<Box<dyn Learner>, NoBackend>,
}

/// The place where a learner is built.
#[derive(Clone, Debug)]
pub struct Ground {
    /// Shape of the policy.
    pub layout: Layout,
    /// Where gradients are computed.
    pub device: Device,
    /// Which arithmetic is asked for.
    pub backend: BackendChoice,
    /// Threads for gradients and estimates.
    pub threads: usize,
}

/// One iteration's result.
#[derive(Clone, Debug)]
pub struct Report {
    /// The same for every run of this configuration and seed.
    pub metrics: Metrics,
    /// Seconds and rates, different every time.
    pub timing: Metrics,
    /// Mean return per episode over the tasks after adaptation; where nothing adapts, of the last episodes.
    pub return_post: f64,
    /// The same of the unadapted policy on the same ticks, from the same initial states; absent where nothing adapts.
    pub return_unadapted: Option<f64>,
    /// Whether an action made a difference on any task; else advantages are 0, and rewards teach nothing.
    pub informative: bool,
}

/// Names and values for the log.
pub type Metrics = Vec<(&'static str, f64)>;

/// A non-finite value, caught before it reached the parameters.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{what} is not finite ({place}): lower {keys}, or look at the rewards")]
pub struct Diverged {
    /// `the meta-loss`, `the meta-gradient`, …
    pub what: &'static str,
    /// Where it was found: outer epoch, task.
    pub place: String,
    /// Settings that bring such a value about.
    keys: &'static str,
}

impl Diverged {
    /// Nothing if every value is finite.
    ///
    /// # Errors
    /// With `what` and `place` if one is not.
    pub fn check(values: &[f32], what: &'static str, place: impl FnOnce() -> String) -> Result<(), Diverged> {
        // all of them, whatever the first ones are: then the loop goes by vectors
        let finite = values.iter().fold(true, |finite, v| finite & v.is_finite());
        if finite { Ok(()) } else { Err(Diverged { what, place: place(), keys: "ppo.outer_lr or maml.inner_lr" }) }
    }

    /// The same with other settings to lower.
    pub fn advising(self, keys: &'static str) -> Self {
        Diverged { keys, ..self }
    }
}

/// Seconds per kind of work, summed over the phases of an iteration.
#[derive(Debug)]
pub struct Stopwatch {
    began: Instant,
    last: Instant,
    laps: Metrics,
}

impl Stopwatch {
    /// A watch that runs.
    pub fn start() -> Self {
        Stopwatch { began: Instant::now(), last: Instant::now(), laps: Vec::new() }
    }

    /// The laps, the whole and the rate of `steps`.
    pub fn timing(mut self, steps: u64) -> Metrics {
        let seconds = self.began.elapsed().as_secs_f64();
        self.laps.push(("time/iteration_s", seconds));
        self.laps.push(("steps_per_second", steps as f64 / seconds));
        self.laps
    }

    /// Books the time since the last lap on `name`.
    pub fn lap(&mut self, name: &'static str) {
        let now = Instant::now();
        let seconds = (now - std::mem::replace(&mut self.last, now)).as_secs_f64();
        match self.laps.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += seconds,
            None => self.laps.push((name, seconds)),
        }
    }
}
