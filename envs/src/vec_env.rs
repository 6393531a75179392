//! Many lanes of one environment at once: autoreset, time limits, drift, faulty actuator and
//! sensors.

use std::marker::PhantomData;
use std::ops::Range;

use crate::clock::Clocks;
use crate::drift::Drift;
use crate::env::{ActionSpace, Array, Env};
use crate::kernel::{Batch, Column, LANES, Outputs, Simd, advance};
use crate::rng::{Purpose, Stream};
use crate::task::{ChannelLayout, Task};

/// Where one step writes; all slices are the caller's.
#[derive(Debug)]
pub struct StepView<'a> {
    /// Observations after the step and before any reset, `[envs, obs_dim]`.
    pub next_obs: &'a mut [f32],
    /// Rewards, `[envs]`.
    pub reward: &'a mut [f32],
    /// Whether the physics ended the episode, `[envs]`.
    pub terminated: &'a mut [bool],
    /// Whether the time limit ended it, `[envs]`; both may be true.
    pub truncated: &'a mut [bool],
}

/// The lanes that work on one task.
#[derive(Clone, Debug)]
struct TaskLanes {
    lanes: Range<usize>,
    /// Each with the undrifted value of its channel.
    drifts: Vec<(Drift, f64)>,
}

/// Lanes of environment `E`, each with its own task parameters, stepped together in `f32`.
///
/// A lane whose episode ends starts the next one within the same step, in the same task. The
/// clock of the tasks' life runs on across episodes: the tick at clock `c` steps and senses with
/// the channel values at `c` (an initial observation, with those at its creation).
///
/// Results depend on a lane's task and on its index within the task, not on which other lanes
/// share the batch.
#[derive(Clone, Debug)]
pub struct VecEnv<E: Env> {
    num_envs: usize,
    horizon: u32,
    clock: u64,
    /// Ticks since construction: names the block of random numbers of a reset.
    ticks: u32,
    tasks: Vec<TaskLanes>,
    /// Random streams of the resets, `[envs]`.
    streams: Vec<Stream>,
    /// `[blocks, state_dim, LANES]`.
    state: Vec<Column>,
    /// `[blocks, channels, LANES]`.
    channels: Vec<Column>,
    sensor_offsets: bool,
    /// `[blocks, LANES]`.
    episode_step: Vec<[u32; LANES]>,
    /// `[blocks * LANES, obs_dim]`.
    obs: Vec<f32>,
    /// 1 where the last step ended an episode, `[blocks, LANES]`.
    ended: Vec<[u8; LANES]>,
    tail: Tail,
    pub(crate) simd: Simd,
    env: PhantomData<E>,
}

/// A block for the lanes that do not fill one: actions are copied in, results out.
#[derive(Clone, Debug, Default)]
struct Tail {
    actions: Vec<f32>,
    next_obs: Vec<f32>,
    reward: [Column; 1],
    terminated: [[bool; LANES]; 1],
    truncated: [[bool; LANES]; 1],
}

impl<E: Env> VecEnv<E> {
    const LAYOUT: ChannelLayout = ChannelLayout::new(&E::SPEC);
    const STATE_DIM: usize = E::State::<f32>::LEN;
    const OBS_DIM: usize = E::Obs::<f32>::LEN;
    const ACT_DIM: usize = E::Action::<f32>::LEN;

    /// Lanes at the start of their first episodes: for each task, so many consecutive lanes.
    ///
    /// `horizon` is the time limit (steps per episode). `stream` names the random numbers of the
    /// initial states of the first lane of the first task; later tasks and later lanes of a task
    /// count on from its `task` and `env`, so a batch can be split at any lane. `clock` is the
    /// tick of the tasks' life at which the lanes start.
    ///
    /// # Panics
    /// If there are no lanes, the horizon is 0, the stream is for neither
    /// [`Purpose::Reset`] nor [`Purpose::EvaluationReset`], or a task is of another environment.
    pub fn new(tasks: &[(&Task, usize)], horizon: u32, stream: Stream, clock: u64) -> Self {
        let num_envs: usize = tasks.iter().map(|(_, lanes)| lanes).sum();
        assert!(num_envs > 0, "VecEnv of no lanes");
        assert!(horizon > 0, "an episode has at least one step");
        assert!(
            matches!(stream.purpose, Purpose::Reset | Purpose::EvaluationReset),
            "initial states drawn from a stream for {:?}",
            stream.purpose
        );
        let blocks = num_envs.div_ceil(LANES);
        let mut env = VecEnv {
            num_envs,
            horizon,
            clock,
            ticks: 0,
            tasks: Vec::with_capacity(tasks.len()),
            streams: Vec::with_capacity(num_envs),
            state: vec![[0.0; LANES]; blocks * Self::STATE_DIM],
            channels: vec![[0.0; LANES]; blocks * Self::LAYOUT.count],
            sensor_offsets: false,
            episode_step: vec![[0; LANES]; blocks],
            obs: vec![0.0; blocks * LANES * Self::OBS_DIM],
            ended: vec![[0; LANES]; blocks],
            tail: Tail {
                actions: vec![0.0; LANES * Self::ACT_DIM],
                next_obs: vec![0.0; LANES * Self::OBS_DIM],
                reward: [[0.0; LANES]],
                terminated: [[false; LANES]],
                truncated: [[false; LANES]],
            },
            simd: *Simd::available().last().expect("never empty"),
            env: PhantomData,
        };
        for (position, (task, lanes)) in tasks.iter().enumerate() {
            env.add_task(task, *lanes, stream.task(stream.task + position as u32));
        }
        env.fill_last_block();
        (0..num_envs).for_each(|lane| env.reset_lane(lane));
        env
    }

    /// Sets up the next `lanes` lanes.
    fn add_task(&mut self, task: &Task, lanes: usize, stream: Stream) {
        let layout = Self::LAYOUT;
        assert_eq!(
            task.values.len(),
            layout.count,
            "a task with {} channels where {} has {}",
            task.values.len(),
            E::SPEC.name,
            layout.count
        );
        let first = self.streams.len();
        let range = first..first + lanes;
        self.streams.extend((0..lanes).map(|env| stream.env(stream.env + env as u32)));
        for (channel, value) in task.values_at(self.clock).into_iter().enumerate() {
            self.fill_channel(channel, range.clone(), value);
        }
        let sensors = layout.first_sensor_offset..layout.count;
        self.sensor_offsets |= task.values[sensors.clone()].iter().any(|offset| *offset != 0.0)
            || (task.drifts.iter()).any(|drift| sensors.contains(&drift.channel));
        let drifts = task.drifts.iter().map(|drift| (drift.clone(), task.values[drift.channel])).collect();
        self.tasks.push(TaskLanes { lanes: range, drifts });
    }

    /// Gives the idle lanes of the last block the parameters of the last lane: ordinary numbers
    /// that are as fast to compute with.
    fn fill_last_block(&mut self) {
        let last = (self.num_envs - 1) % LANES;
        let start = self.channels.len() - Self::LAYOUT.count;
        for column in &mut self.channels[start..] {
            let value = column[last];
            column[last..].fill(value);
        }
    }

    /// Sets a channel for some lanes.
    fn fill_channel(&mut self, channel: usize, lanes: Range<usize>, value: f64) {
        let mut value = value as f32;
        if channel >= Self::LAYOUT.first_sensor_offset && value == 0.0 {
            // the zero that changes nothing it is added to, not even the sign of a zero: a lane
            // must not notice that another lane of the batch has an offset
            value = -0.0;
        }
        let mut lane = lanes.start;
        while lane < lanes.end {
            let block = lane / LANES;
            let end = lanes.end.min((block + 1) * LANES);
            let column = &mut self.channels[block * Self::LAYOUT.count + channel];
            column[lane - block * LANES..end - block * LANES].fill(value);
            lane = end;
        }
    }

    /// Number of lanes.
    pub fn num_envs(&self) -> usize {
        self.num_envs
    }

    /// Current observations, after any reset, `[envs, obs_dim]`.
    pub fn obs(&self) -> &[f32] {
        &self.obs[..self.num_envs * Self::OBS_DIM]
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

    /// Steps done in the current episodes, `[envs]`.
    pub fn episode_step(&self) -> &[u32] {
        &self.episode_step.as_flattened()[..self.num_envs]
    }

    /// The tick of the tasks' life that the next step will be.
    pub fn clock(&self) -> u64 {
        self.clock
    }

    /// Steps every lane once; `actions` is `[envs, act_dim]`. Lanes whose episode ends are reset:
    /// afterwards [`VecEnv::obs`] shows their new initial observation, and `out.next_obs` the
    /// true last one.
    ///
    /// # Panics
    /// On a slice of the wrong length, and on an action that is not a number of the action space
    /// (NaN, infinite, an index out of range).
    pub fn step(&mut self, actions: &[f32], out: StepView<'_>) {
        self.check_lengths(actions, &out);
        check_actions(E::SPEC.action, actions);
        self.apply_drifts();

        let lanes = self.num_envs / LANES * LANES;
        let (actions, tail_actions) = actions.split_at(lanes * Self::ACT_DIM);
        let (next_obs, tail_obs) = out.next_obs.split_at_mut(lanes * Self::OBS_DIM);
        let (reward, tail_reward) = out.reward.as_chunks_mut();
        let (terminated, tail_terminated) = out.terminated.as_chunks_mut();
        let (truncated, tail_truncated) = out.truncated.as_chunks_mut();
        self.advance(0, actions, Outputs { next_obs, reward, terminated, truncated });
        if lanes < self.num_envs {
            let mut tail = std::mem::take(&mut self.tail);
            tail.actions[..tail_actions.len()].copy_from_slice(tail_actions);
            let outputs = Outputs {
                next_obs: &mut tail.next_obs,
                reward: &mut tail.reward,
                terminated: &mut tail.terminated,
                truncated: &mut tail.truncated,
            };
            self.advance(lanes / LANES, &tail.actions, outputs);
            let rest = self.num_envs - lanes;
            tail_obs.copy_from_slice(&tail.next_obs[..tail_obs.len()]);
            tail_reward.copy_from_slice(&tail.reward[0][..rest]);
            tail_terminated.copy_from_slice(&tail.terminated[0][..rest]);
            tail_truncated.copy_from_slice(&tail.truncated[0][..rest]);
            self.tail = tail;
        }
        self.clock += 1;
        self.ticks = self.ticks.checked_add(1).expect("2^32 ticks");
        self.reset_ended();
    }

    /// Starts new episodes in the lanes whose episodes have ended.
    fn reset_ended(&mut self) {
        for chunk in 0..self.ended.len() * LANES / 16 {
            // a byte a lane, the first lane lowest
            let mut ended = u128::from_le_bytes(self.ended.as_flattened().as_chunks().0[chunk]);
            while ended != 0 {
                let lane = chunk * 16 + ended.trailing_zeros() as usize / 8;
                ended &= ended - 1;
                if lane < self.num_envs {
                    self.reset_lane(lane);
                }
            }
        }
    }

    /// Sets the channels that drift to their values at the current clock.
    fn apply_drifts(&mut self) {
        let tasks = std::mem::take(&mut self.tasks);
        for task in &tasks {
            for (drift, base) in &task.drifts {
                let clocks = Clocks { lifetime_step: self.clock, ..Clocks::default() };
                self.fill_channel(drift.channel, task.lanes.clone(), drift.value(*base, &clocks));
            }
        }
        self.tasks = tasks;
    }

    /// Steps the blocks from `first` on, as many as there are outputs for.
    fn advance(&mut self, first: usize, actions: &[f32], outputs: Outputs<'_>) {
        let batch = Batch {
            channels: &self.channels[first * Self::LAYOUT.count..],
            sensor_offsets: self.sensor_offsets,
            horizon: self.horizon,
            state: &mut self.state[first * Self::STATE_DIM..],
            episode_step: &mut self.episode_step[first..],
            obs: &mut self.obs[first * LANES * Self::OBS_DIM..],
            ended: &mut self.ended[first..],
        };
        advance::<E>(self.simd, batch, actions, outputs);
    }

    /// Starts a new episode in `lane`.
    fn reset_lane(&mut self, lane: usize) {
        let (block, within) = (lane / LANES, lane % LANES);
        let layout = Self::LAYOUT;
        let channels = &self.channels[block * layout.count..][..layout.count];
        let params = E::params(|channel| channels[channel][within]);
        let state = E::reset(&params, self.streams[lane].uniforms(self.ticks));
        let obs = E::observe(&params, state);
        let columns = &mut self.state[block * Self::STATE_DIM..][..Self::STATE_DIM];
        for (column, value) in columns.iter_mut().zip(state.as_ref()) {
            column[within] = *value;
        }
        let shown = &mut self.obs[lane * Self::OBS_DIM..][..Self::OBS_DIM];
        for (k, (shown, value)) in shown.iter_mut().zip(obs.as_ref()).enumerate() {
            *shown = value + channels[layout.first_sensor_offset + k][within];
        }
        self.episode_step[block][within] = 0;
    }

    fn check_lengths(&self, actions: &[f32], out: &StepView<'_>) {
        let lengths = [
            ("actions", actions.len(), Self::ACT_DIM),
            ("next_obs", out.next_obs.len(), Self::OBS_DIM),
            ("reward", out.reward.len(), 1),
            ("terminated", out.terminated.len(), 1),
            ("truncated", out.truncated.len(), 1),
        ];
        for (name, length, width) in lengths {
            let expected = self.num_envs * width;
            assert_eq!(length, expected, "{name} of {} lanes", self.num_envs);
        }
    }
}

/// Refuses what is not an action, NaN above all: it would spread silently.
fn check_actions(space: ActionSpace, actions: &[f32]) {
    let (low, high) = match space {
        ActionSpace::Discrete(count) => (0.0, (count - 1) as f32),
        ActionSpace::Box { .. } => (f32::MIN, f32::MAX),
    };
    let legal = |action: &f32| (low <= *action) & (*action <= high);
    if !actions.iter().fold(true, |all, action| all & legal(action)) {
        let first = actions.iter().position(|action| !legal(action));
        let index = first.expect("one of them is not legal");
        let lane = index / space.act_dim();
        panic!("lane {lane}: action {} is not in {space:?}", actions[index]);
    }
}
