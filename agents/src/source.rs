//! The source of a learner's experience: tasks, and the lanes that live on them.

use crate::{
    layout::Layout,
    report::Diverged,
    rollout::Rollout,
    settings::{Episodes, Shots},
    state::{Misfit, State},
};

/// The experience that a learner asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// New tasks in every iteration, each lived through in phases by lanes and a policy of its own.
    Tasks {
        /// Number of tasks per iteration.
        tasks: usize,
        /// Number of lanes per task.
        lanes: usize,
        /// Number of steps of a lane in one phase.
        steps: usize,
        /// Episodes after which a lane rests until the next phase.
        episodes: Episodes,
        /// Number of phases of a life; the policy may adapt between any two.
        phases: usize,
        /// True if the learner looks at the steps of every task. If not, it asks a rollout only for what
        /// [`Rollout::per_task`], [`Rollout::returns`] and [`Rollout::batches`] give, and of several ranks each holds the
        /// steps of its own tasks alone.
        whole: bool,
    },
    /// New tasks in every iteration, each of labelled examples.
    Examples {
        /// Number of tasks per iteration.
        tasks: usize,
        /// Examples of a task.
        shots: Shots,
        /// Number of phases; in the last one there are the query examples, in all others the same support examples.
        phases: usize,
    },
    /// New lives in every iteration, each lane on a task of its own, all under one policy.
    Lives {
        /// All lanes.
        lanes: usize,
        /// Steps of a life.
        steps: usize,
        /// Number of first iterations in which a controller that knows the state and the task shows its actions in the
        /// same states.
        taught: u64,
    },
    /// Lanes that live on from iteration to iteration under one policy, each with a task of its own.
    Lanes {
        /// Number of lanes.
        lanes: usize,
        /// Number of steps of a lane in one iteration.
        steps: usize,
        /// Episodes after which a lane draws a new task.
        episodes: Episodes,
    },
}

impl Demand {
    /// Number of steps of a lane in one phase.
    pub fn steps(&self) -> usize {
        match *self {
            Demand::Tasks { steps, .. } | Demand::Lives { steps, .. } | Demand::Lanes { steps, .. } => steps,
            Demand::Examples { .. } => 1,
        }
    }
}

/// The policies that act, as many as [`Source::begin`] returned.
#[derive(Clone, Copy, Debug)]
pub struct Policies<'a> {
    /// Shape of each policy.
    pub layout: &'a Layout,
    /// Parameters of each policy, `[policies, num_params]`.
    pub params: &'a [Vec<f32>],
}

/// A source of tasks and data.
pub trait Source: Send {
    /// Moves on to the tasks of `iteration`; returns the number of policies that [`Source::collect`] then takes. Called
    /// once before the phases of an iteration.
    fn begin(&mut self, iteration: u32) -> usize;

    /// Collects phase `phase` of the tasks' lives with sampled actions. Lanes that live on have one phase only.
    ///
    /// # Errors
    /// If an output of a policy is not finite.
    fn collect(&mut self, phase: usize, policies: Policies<'_>) -> Result<&Rollout, Diverged>;

    /// Repeats the same ticks from the same initial states, for comparison; these steps are not counted. Returns `None`
    /// if ticks cannot be repeated.
    ///
    /// # Errors
    /// If an output of a policy is not finite.
    fn compare(&mut self, phase: usize, policies: Policies<'_>) -> Result<Option<&Rollout>, Diverged>;

    /// Number of collected environment steps.
    fn env_steps(&self) -> u64;

    /// Saves everything into `state` that it needs to resume exactly; changes nothing.
    fn save(&mut self, state: &mut State);

    /// Resumes from a state of a source with the same settings.
    ///
    /// # Errors
    /// If the state belongs to other settings; the error names the part that does not fit. The source is then
    /// unchanged.
    fn load(&mut self, state: &State) -> Result<(), Misfit>;
}
