//! What a learner is to the program: an algorithm that asks for experience, learns from it, and hands over a policy.
//!
//! A learner is one file in [`crate::learners`], with its [`Entry`], and one line in the list there.

use crate::{
    agent::Agent,
    backend::{BackendChoice, NoBackend},
    device::Device,
    keys::Section,
    layout::Layout,
    memory::{Sizes, Taken},
    report::{Diverged, Report},
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
    pub build: Build,
}

/// Builds a learner.
///
/// # Errors
/// If the backend cannot be had.
pub type Build = fn(&Settings, Ground) -> Result<Box<dyn Learner>, NoBackend>;

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
