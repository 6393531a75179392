//! The interface between a learner and the program: an algorithm that asks for experience, learns from it, and hands
//! over a policy.
//!
//! A learner is a module in [`crate::learners`], with its [`Entry`], and one line in the list there.

use crate::{
    agent::Agent,
    backend::{BackendChoice, NoBackend},
    device::Device,
    keys::Section,
    layout::{Head, Layout},
    memory::{Sizes, Taken},
    ranges::{OutOfRange, check},
    report::{Diverged, Report},
    settings::{Settings, Subset},
    source::{Demand, Source},
    state::{Misfit, State},
};

/// A learning algorithm under way.
pub trait Learner: Send {
    /// Runs one iteration of the algorithm; `iteration` counts from 0 and names its random numbers. Calls
    /// [`Source::begin`] once, then [`Source::collect`] for the phases that it demanded, in order. The result is the same
    /// for any number of threads. Long work calls [`crate::stop::check`] now and then, so that a signal takes effect.
    ///
    /// # Errors
    /// If a loss, gradient or parameter is not finite; no parameter has then taken that value.
    fn iterate(&mut self, source: &mut dyn Source, iteration: u32) -> Result<Report, Diverged>;

    /// The policy as it is deployed, with everything learned so far. It cannot fail: backends are opened in
    /// [`Entry::build`].
    fn agent(&self) -> Box<dyn Agent>;

    /// The mean return at which the run stops, if there is one.
    fn goal(&self) -> Option<f64> {
        None
    }

    /// True if the mean return has reached that goal.
    fn solved(&self) -> bool {
        false
    }

    /// Multiplies the size of its steps by `factor`, a power of two, from now on. It is asked for after a collapse; its
    /// saved state does not have it.
    fn scale_steps(&mut self, factor: f64);

    /// Saves everything into `state` that it needs to resume exactly. The source saves into the same state: the names
    /// `env_steps`, `episodes` and `lanes` are its own. So do the run's guard, with names that begin with `collapse`, and
    /// names of tensors with `best.` before them.
    fn save(&self, state: &mut State);

    /// Resumes from a state of a learner with the same settings.
    ///
    /// # Errors
    /// If the state belongs to other settings; the error names the part that does not fit. The learner is then
    /// unchanged.
    fn load(&mut self, state: &State) -> Result<(), Misfit>;
}

/// A kind of learner, as the program lists it.
#[derive(Debug)]
pub struct Entry {
    /// Name of the learner, as in `learner = "NAME"`.
    pub name: &'static str,
    /// One line on its result.
    pub about: &'static str,
    /// Its source, and a few sentences on how it works, for `learners show`.
    pub details: &'static str,
    /// Keys of `[rollout]`, `[policy]`, `[maml]` and `[ppo]` that it does not read; they must keep their defaults. `maml.*`
    /// stands for all keys of `[maml]`, and `!maml.inner_lr` behind it takes this one out again.
    pub ignores: &'static [&'static str],
    /// The section of its own, if it has one.
    pub own: Option<Section>,
    /// Settings as TOML that take the place of a preset's when `--set learner=NAME` chooses this learner for it; without
    /// any, the preset's stay.
    pub settings: Option<&'static str>,
    /// The tasks that it can learn.
    pub learns: Learns,
    /// Refuses settings of the common sections that it reads but cannot use: [`any`] takes all, [`looks_back`] needs a window.
    pub check: Check,
    /// Shape of its policy for observations of that many numbers.
    pub layout: fn(&Settings, usize, Head) -> Layout,
    /// The experience it asks for.
    pub demand: fn(&Settings) -> Demand,
    /// Its size in a few words, for the first line of a run's output.
    pub size: fn(&Settings) -> String,
    /// Memory that it takes in addition to the source's.
    pub memory: fn(&Settings, &Sizes) -> Taken,
    /// Builds the learner at the start of a run.
    pub build: Build,
}

impl Entry {
    /// True if the learner does not read the common key `key`.
    pub fn ignores(&self, key: &str) -> bool {
        let names = |pattern: &str| match pattern.strip_suffix('*') {
            Some(section) => key.starts_with(section),
            None => pattern == key,
        };
        let last = self.ignores.iter().rev().find(|entry| names(entry.trim_start_matches('!')));
        last.is_some_and(|entry| !entry.starts_with('!'))
    }
}

/// The kinds of tasks that a learner can learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learns {
    /// Tasks of episodes.
    Episodes,
    /// Tasks of episodes, and tasks of labelled examples.
    Both,
    /// Tasks of labelled examples whose labels are classes.
    Classes,
}

impl Learns {
    /// True if it learns from labelled examples.
    pub fn examples(self) -> bool {
        self != Learns::Episodes
    }
}

/// A check of settings.
///
/// # Errors
/// The first setting that the learner cannot use, and the reason.
pub type Check = fn(&Settings) -> Result<(), OutOfRange>;

/// The check of a learner that can use all settings it reads.
///
/// # Errors
/// None.
pub fn any(_: &Settings) -> Result<(), OutOfRange> {
    Ok(())
}

/// The check of a learner that looks at the last transitions.
///
/// # Errors
/// If the policy has no window.
pub fn looks_back(settings: &Settings) -> Result<(), OutOfRange> {
    let window = settings.policy.window;
    check("policy.window", window, window > 0, "at least 1 with this learner, which looks at the last transitions")
}

/// A function that builds a learner.
///
/// # Errors
/// If the backend is not available.
pub type Build = fn(&Settings, Ground) -> Result<Box<dyn Learner>, NoBackend>;

/// Everything beyond its settings that a learner is built on.
#[derive(Clone, Debug)]
pub struct Ground {
    /// Shape of the policy.
    pub layout: Layout,
    /// Device on which gradients are computed.
    pub device: Device,
    /// The backend that is asked for.
    pub backend: BackendChoice,
    /// Threads for gradients and estimates.
    pub threads: usize,
    /// Mean, standard deviation, smallest and largest value of each channel over the tasks of training, `[channels]`; empty
    /// unless the policy is a model.
    pub channels: Vec<[f32; 4]>,
}

/// The policy of `[policy]`: an MLP, with the further parameters that `maml.adapts` names.
pub fn feedforward(settings: &Settings, obs_dim: usize, head: Head) -> Layout {
    let head = settings.policy.head(head);
    let layout = Layout::new(obs_dim, &settings.policy.hidden, head).with_activation(settings.policy.activation);
    match settings.maml.adapts {
        Subset::Context => layout.with_context(settings.maml.adapts_size),
        Subset::LowRank => layout.with_low_rank(settings.maml.adapts_size),
        Subset::All | Subset::Head | Subset::Biases => layout,
    }
}
