//! Controllers that are not learned: the reference scores of a preset's tasks.
//!
//! [`feedback`] holds fixed policies, which see the same as a learner; [`privileged`] holds controllers that know the
//! state and the current parameters; [`search`] finds the best fixed policy; [`observer`] estimates state and parameters,
//! and [`adaptive`] controls by its estimates; [`episodes`] runs any of them on tasks.

pub mod adaptive;
mod controlled;
pub mod episodes;
pub mod feedback;
pub mod identified;
pub mod lqr;
pub mod observer;
pub mod privileged;
pub mod search;
pub mod windowed;

pub use controlled::Controlled;

use metadrift_envs::{ActionSpace, Purpose, Stream, unit_f32};

/// The view of a lane before a step. A fixed policy looks at the observation only.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The readings of the sensors, `[obs_dim]`.
    pub obs: &'a [f32],
    /// The physical state, `[state_dim]`.
    pub state: &'a [f32],
    /// The current values of all channels, `[channels]`; they may be outdated if the controller does not look at them.
    pub values: &'a [f64],
    /// Number of steps done in the episode.
    pub episode_step: u32,
    /// The lane within its task, and the tick of its life: they name random numbers.
    pub place: (u32, u32),
}

/// A controller of one lane.
pub trait Controller {
    /// Writes the action for the coming step, `[act_dim]`.
    fn act(&mut self, seen: &Seen<'_>, action: &mut [f32]);

    /// True if it looks at [`Seen::values`]: drifting ones take time to compute.
    fn looks_at_values(&self) -> bool {
        true
    }
}

impl<C: Controller + ?Sized> Controller for Box<C> {
    fn looks_at_values(&self) -> bool {
        (**self).looks_at_values()
    }

    fn act(&mut self, seen: &Seen<'_>, action: &mut [f32]) {
        (**self).act(seen, action);
    }
}

/// The random policy: every action is equally likely.
#[derive(Clone, Debug)]
pub struct Random {
    space: ActionSpace,
    stream: Stream,
}

impl Random {
    /// The random policy on task `task` of those drawn with `seed`.
    pub fn new(space: ActionSpace, seed: u64, task: u32) -> Self {
        Random::of(space, Stream::new(seed, Purpose::EvaluationAction).task(task))
    }

    /// The random policy by the numbers of `stream`.
    pub fn of(space: ActionSpace, stream: Stream) -> Self {
        Random { space, stream }
    }
}

impl Controller for Random {
    fn looks_at_values(&self) -> bool {
        false
    }

    fn act(&mut self, seen: &Seen<'_>, action: &mut [f32]) {
        let (lane, tick) = seen.place;
        let mut rng = self.stream.env(lane).iteration(tick).rng();
        let mut uniform = || unit_f32(rand::Rng::next_u32(&mut rng));
        match self.space {
            ActionSpace::Discrete(count) => action[0] = (uniform() * count as f32).floor().min((count - 1) as f32),
            ActionSpace::Box { bound, .. } => {
                action.iter_mut().for_each(|part| *part = (2.0 * uniform() - 1.0) * bound as f32);
            }
        }
    }
}
