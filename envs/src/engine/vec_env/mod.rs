//! Many lanes of one environment at once: autoreset, time limits, drift, faulty actuator and sensors.
//!
//! A tick has five stages:
//!
//! 1. Channels that drift take their values of the tick.
//! 2. The actuator transforms the command: delay; loss (`drop_prob`) or replacement by the last one that passed
//!    (`stick_prob`), either for `hold_steps`; times `gain`, plus `bias`, plus noise; nothing below `dead_zone`; at
//!    most `saturation`.
//! 3. The physics makes one step.
//! 4. Each sensor transforms its reading: times `scale`, plus `bias`, plus noise; rounding to the nearest multiple of
//!    `quantum`; loss (`drop_prob`: zero, or the last reading) or repetition (`stuck_prob`: the last reading); delay;
//!    masking (`mask`).
//! 5. The last commands and notifications are appended to the observation: see [`crate::obs_dim`].
//!
//! Delays are rounded to whole steps and grow by at most one a step. At the start of an episode
//! delay lines are full of the initial reading, or of no command.

mod renew;
mod save;
mod setup;
mod step;

pub use save::WrongState;

use std::marker::PhantomData;

use crate::{
    engine::{
        actuator::Actuators,
        appendix::Appendix,
        columns::Channels,
        drive::deliver,
        faults::Scene,
        lanes::{Column, LANES, Lanes},
        moving::{Apart, Together},
        sensor::Sensors,
        simd::Simd,
        streams::Streams,
        used::Used,
    },
    physics::{
        env::{Array, Env},
        spec::ActionSpace,
        version::Version,
    },
    tasks::{channel::ChannelLayout, clock::Clocks},
};

/// Output buffers of one step; all slices are the caller's.
#[derive(Debug)]
pub struct StepView<'a> {
    /// Observations after the step and before any reset, `[envs, obs_dim]`.
    pub next_obs: &'a mut [f32],
    /// Rewards, `[envs]`.
    pub reward: &'a mut [f32],
    /// True if the physics ended the episode, `[envs]`.
    pub terminated: &'a mut [bool],
    /// True if the time limit ended it, `[envs]`; both may be true.
    pub truncated: &'a mut [bool],
}

/// The time at which a lane whose episode has ended starts the next one, as in Gymnasium 1.4.0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Autoreset {
    /// The step that ends the episode also starts the next one.
    #[default]
    SameStep,
    /// The step after it starts the next one: it ignores the lane's action, pays 0 and shows the initial observation.
    NextStep,
    /// Only [`VecEnv::reset_lanes`] starts episodes.
    Disabled,
}

/// A reason why a batch cannot be stepped; it is left as it was.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StepError {
    /// An action outside the action space: NaN, an infinite number, an index that is not whole or out of range.
    #[error("lane {lane}: action {action} is not in {space:?}")]
    Action {
        /// The first lane with such an action.
        lane: usize,
        /// The action.
        action: f32,
        /// The action space.
        space: ActionSpace,
    },
    /// The episode has ended and autoreset is off.
    #[error("lane {lane}: its episode has ended, and autoreset is off; reset it before the next step")]
    Finished {
        /// The first lane without an episode.
        lane: usize,
    },
}

/// Lanes of environment `E`, each with its own task parameters, stepped together in `f32`.
///
/// A lane whose episode ends starts the next one within the same step (but see [`Autoreset`]), in
/// the same task. The clock of the tasks' life runs on across episodes: the tick at clock `c` steps
/// and senses with the channel values at `c`. An initial observation is made with the values of the
/// tick before it, except that channels on the lane's own clocks (step in episode, episode) have
/// their values at the start of the new episode.
///
/// Results depend on a lane's task and on its index within the task, not on which other lanes
/// share the batch.
///
/// A clone is a fork at the current state, clock and phase of every drift, with the same random numbers to come.
#[derive(Clone, Debug)]
pub struct VecEnv<E: Env> {
    num_envs: usize,
    horizon: u32,
    version: Version,
    autoreset: Autoreset,
    /// Clocks of the lanes at the start.
    start: Clocks,
    /// Ticks since construction: names the block of random numbers of a reset.
    ticks: u32,
    /// Number of the task of each lane, `[envs]`.
    task: Vec<u32>,
    /// Tick at which the life of the lane's task began, `[envs]`.
    born: Vec<u32>,
    /// Episodes done in that life, `[envs]`.
    episodes: Vec<u32>,
    /// Channels that the tasks may change.
    used: Used,
    /// Drifts on the clock of the tasks' life.
    moving: Together,
    /// Drifts on the clocks of each lane.
    moving_by_lane: Apart,
    /// Number of times that a drift met its bounds, summed over lanes.
    corrections: u64,
    /// Random streams of the resets, `[envs]`.
    streams: Streams,
    channels: Channels,
    /// Physical states, `[blocks, state_dim, LANES]`.
    state: Vec<Column>,
    /// Steps done in the episodes, `[blocks, LANES]`.
    episode_step: Vec<Lanes<u32>>,
    /// Length of an observation.
    width: usize,
    /// Observations, `[blocks * LANES, width]`, in columns only for their alignment.
    obs: Vec<Column>,
    /// 1 where the last step ended an episode, `[blocks, LANES]`.
    ended: Vec<[u8; LANES]>,
    actuators: Option<Actuators>,
    sensors: Option<Sensors>,
    appendix: Option<Appendix>,
    tail: Tail,
    pub(crate) simd: Simd,
    env: PhantomData<fn() -> E>,
}

/// A block for the lanes that do not fill one: actions are copied in, results out.
#[derive(Clone, Debug, Default)]
struct Tail {
    actions: Vec<f32>,
    next_obs: Vec<f32>,
    reward: [[f32; LANES]; 1],
    terminated: [[bool; LANES]; 1],
    truncated: [[bool; LANES]; 1],
}

impl Tail {
    fn new(act_dim: usize, width: usize) -> Tail {
        Tail { actions: vec![0.0; LANES * act_dim], next_obs: vec![0.0; LANES * width], ..Tail::default() }
    }
}

impl<E: Env> VecEnv<E> {
    const LAYOUT: ChannelLayout = ChannelLayout::new(&E::SPEC);
    const STATE_DIM: usize = E::State::<f32>::LEN;
    const ACT_DIM: usize = E::Action::<f32>::LEN;

    /// Number of lanes.
    pub fn num_envs(&self) -> usize {
        self.num_envs
    }

    /// Length of an observation: [`crate::obs_dim`] of the tasks' settings.
    pub fn obs_dim(&self) -> usize {
        self.width
    }

    /// Current observations, after any reset, `[envs, obs_dim]`.
    pub fn obs(&self) -> &[f32] {
        &Lanes::flat(&self.obs)[..self.num_envs * self.width]
    }

    /// The physical state of a lane, which no sensor falsifies: for privileged controllers, traces and pictures.
    ///
    /// # Panics
    /// If there is no such lane.
    pub fn state(&self, lane: usize) -> E::State<f32> {
        assert!(lane < self.num_envs, "lane {lane} of {}", self.num_envs);
        let columns = &self.state[lane / LANES * Self::STATE_DIM..][..Self::STATE_DIM];
        E::State::from_fn(|k| columns[k][lane % LANES])
    }

    /// The output of the actuators in a step with these `actions`, `[envs, act_dim]` both, in the unit
    /// of the command: after delay, losses, gain, bias, noise, dead zone and saturation at the clocks of that step.
    ///
    /// The call changes nothing, but copies all drifts: it is for pictures and traces.
    ///
    /// # Panics
    /// On actions of the wrong number.
    pub fn delivered(&self, actions: &[f32]) -> Vec<f32> {
        assert_eq!(actions.len(), self.num_envs * Self::ACT_DIM, "actions of {} lanes", self.num_envs);
        let mut channels = self.channels.clone();
        self.moving.clone().apply(self.simd, &mut channels, self.clock());
        self.moving_by_lane.clone().apply(self.simd, &mut channels, 0..self.num_envs, |lane| self.clocks(lane));
        let mut actuators = self.actuators.clone();
        let scene = Scene { channels: &channels, streams: &self.streams, tick: self.ticks };
        let mut delivered = Vec::with_capacity(actions.len());
        for (block, of_block) in actions.chunks(LANES * Self::ACT_DIM).enumerate() {
            let mut full = vec![0.0; LANES * Self::ACT_DIM];
            full[..of_block.len()].copy_from_slice(of_block);
            let applied = deliver::<E>(self.simd, &scene, block, &full, actuators.as_mut());
            let lanes = 0..of_block.len() / Self::ACT_DIM;
            delivered.extend(lanes.flat_map(|lane| applied.as_ref().iter().map(move |column| column[lane])));
        }
        delivered
    }

    /// Steps done in the current episodes, `[envs]`.
    pub fn episode_step(&self) -> &[u32] {
        &Lanes::flat(&self.episode_step)[..self.num_envs]
    }

    /// The tick of the tasks' life that the next step will be, unless lanes were [renewed](VecEnv::renew).
    pub fn clock(&self) -> u64 {
        self.start.lifetime_step + u64::from(self.ticks)
    }

    /// The clocks of a lane's next step. The values of its channels at that step are [`crate::Task::values_on`] of
    /// these.
    pub fn clocks(&self, lane: usize) -> Clocks {
        Clocks {
            episode_step: u64::from(self.episode_step()[lane]),
            lifetime_step: self.clock() - u64::from(self.born[lane]),
            episode: self.start.episode + u64::from(self.episodes[lane]),
            task: self.start.task + u64::from(self.task[lane]),
            adapt_round: self.start.adapt_round,
        }
    }

    /// Number of times since construction that the value of a drifting channel left its bounds and followed its
    /// `on_bound` instead, counted once for each lane and evaluation.
    pub fn corrections(&self) -> u64 {
        self.corrections
    }

    fn scene(&self) -> Scene<'_> {
        Scene { channels: &self.channels, streams: &self.streams, tick: self.ticks }
    }
}
