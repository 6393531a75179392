//! The source of a learner's experience: tasks, and the lanes that live on them.

use crate::{
    layout::Layout,
    report::Diverged,
    rollout::Rollout,
    settings::Episodes,
    state::{Misfit, State},
};

/// The experience that a learner asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// New tasks in every iteration, each lived through in phases by lanes and a policy of its own.
    Tasks {
        /// Tasks of an iteration.
        tasks: usize,
        /// Lanes of each task.
        lanes: usize,
        /// Steps of a lane in one phase.
        steps: usize,
        /// Episodes after which a lane rests until the next phase.
        episodes: Episodes,
        /// Phases of a life; the policy may adapt between any two.
        phases: usize,
    },
    /// Lanes that live on from iteration to iteration under one policy, each with a task of its own.
    Lanes {
        /// All lanes.
        lanes: usize,
        /// Steps of a lane in one iteration.
        steps: usize,
        /// Episodes after which a lane draws a new task.
        episodes: Episodes,
    },
}

impl Demand {
    /// Steps of a lane in one phase.
    pub fn steps(&self) -> usize {
        match *self {
            Demand::Tasks { steps, .. } | Demand::Lanes { steps, .. } => steps,
        }
    }
}

/// The policies that act, one for each task. Memory of what a lane has seen belongs to the lane, so the source keeps it.
#[derive(Clone, Copy, Debug)]
pub struct Policies<'a> {
    /// Shape of each.
    pub layout: &'a Layout,
    /// `[policies][num_params]`
    pub params: &'a [Vec<f32>],
}

/// A place where tasks and data come from.
pub trait Source: Send {
    /// Moves on to the tasks of `iteration`; returns how many policies [`Source::collect`] then takes.
    fn begin(&mut self, iteration: u32) -> usize;

    /// Collects phase `phase` of the tasks' lives with sampled actions.
    ///
    /// # Errors
    /// If an output of a policy is not finite.
    fn collect(&mut self, phase: usize, policies: Policies<'_>) -> Result<&Rollout, Diverged>;

    /// The same ticks from the same initial states once more, for comparison: these steps are not counted. `None` where
    /// ticks do not come again.
    ///
    /// # Errors
    /// If an output of a policy is not finite.
    fn compare(&mut self, phase: usize, policies: Policies<'_>) -> Result<Option<&Rollout>, Diverged>;

    /// Environment steps that were collected.
    fn env_steps(&self) -> u64;

    /// Puts everything it needs to go on to the byte into `state`; changes nothing.
    fn save(&mut self, state: &mut State);

    /// Goes on from a state of a source with the same settings.
    ///
    /// # Errors
    /// If it is of another one: says which part does not fit. The source is then as it was.
    fn load(&mut self, state: &State) -> Result<(), Misfit>;
}
