//! Construction of a batch.

use std::marker::PhantomData;

use metadrift_random::{Purpose, Stream};

use super::{Autoreset, Tail, VecEnv};
use crate::{
    engine::{
        actuator::Actuators,
        announce::Announcer,
        appendix::{Appendix, obs_dim},
        columns::Channels,
        lanes::{Column, LANES, Lanes},
        moving::{Apart, Drifting, Together},
        sensor::Sensors,
        simd::Simd,
        streams::Streams,
        used::Used,
    },
    physics::{
        env::Env,
        version::{IntegratorKind, Level, RewardKind, Version},
    },
    tasks::{
        channel::channels,
        clock::{Clock, Clocks},
        settings::TaskSettings,
        task::Task,
    },
};

impl<E: Env> VecEnv<E> {
    /// A batch at the start of its first episodes: for each task, that many consecutive lanes.
    ///
    /// `horizon` is the time limit (steps per episode). `stream` names the random numbers of the
    /// initial states of the first lane of the first task; later tasks and later lanes of a task
    /// count on from its `task` and `env`, so a batch can be split at any lane. `start` gives the
    /// clocks of the lanes; its `task` is that of the first task, later ones count on from it, and
    /// its `episode_step` is not read: episodes start at their beginning.
    ///
    /// # Panics
    /// If there are no lanes, the horizon is 0, the stream is for neither
    /// [`Purpose::Reset`] nor [`Purpose::EvaluationReset`], a task is of another environment, or
    /// the tasks' settings differ or choose a variant that the environment does not have.
    pub fn new(tasks: &[(&Task, usize)], horizon: u32, stream: Stream, start: Clocks) -> Self {
        Self::build(tasks, &[], horizon, stream, start)
    }

    /// The batch of [`VecEnv::new`], for tasks that may also come to use the channels `more`.
    pub(super) fn build(tasks: &[(&Task, usize)], more: &[usize], horizon: u32, stream: Stream, start: Clocks) -> Self {
        let num_envs: usize = tasks.iter().map(|(_, lanes)| lanes).sum();
        let settings = check::<E>(tasks, num_envs, horizon, stream);
        let blocks = num_envs.div_ceil(LANES);
        let used = Used::new(&E::SPEC, tasks).and(more);
        let layout = Self::LAYOUT;
        let obs_len = E::SPEC.obs_dim();
        let actuators = Actuators::new(layout, Self::ACT_DIM, blocks, &used);
        let sensors = Sensors::new(layout, obs_len, blocks, settings.sensor_fill, &used);
        let width = obs_dim(&E::SPEC, settings);
        let mut env = VecEnv {
            num_envs,
            horizon,
            version: version::<E>(settings, &used),
            autoreset: Autoreset::SameStep,
            start,
            ticks: 0,
            task: Vec::with_capacity(num_envs),
            born: vec![0; num_envs],
            episodes: vec![0; num_envs],
            moving: Together::default(),
            moving_by_lane: Apart::default(),
            corrections: 0,
            streams: Streams::new(stream),
            channels: Channels::new(layout, blocks, &used),
            used,
            state: vec![Column::all(0.0); blocks * Self::STATE_DIM],
            episode_step: vec![Lanes::all(0); blocks],
            width,
            obs: vec![Column::all(0.0); blocks * width],
            ended: vec![[0; LANES]; blocks],
            actuators,
            sensors,
            appendix: None,
            tail: Tail::new(Self::ACT_DIM, width),
            simd: *Simd::available().last().expect("never empty"),
            env: PhantomData,
        };
        for (position, (task, lanes)) in tasks.iter().enumerate() {
            env.add_task(task, *lanes, stream.task(stream.task + position as u32), position as u32);
        }
        env.channels.extend_from(num_envs - 1);
        let announcer = Announcer::new(&E::SPEC, tasks, settings.notify, &env.scene());
        env.appendix = Appendix::new(&E::SPEC, settings, blocks, announcer);
        (0..num_envs).for_each(|lane| env.begin_episode(lane, env.uniforms(lane)));
        env
    }

    /// The batch with another [`Autoreset`].
    pub fn with_autoreset(self, autoreset: Autoreset) -> Self {
        VecEnv { autoreset, ..self }
    }

    /// Chooses another [`Autoreset`].
    pub fn set_autoreset(&mut self, autoreset: Autoreset) {
        self.autoreset = autoreset;
    }

    /// Sets up the next `lanes` lanes.
    fn add_task(&mut self, task: &Task, lanes: usize, stream: Stream, position: u32) {
        let first = self.streams.len();
        let range = first..first + lanes;
        (0..lanes).for_each(|env| self.streams.push(stream.task, stream.env + env as u32));
        self.task.extend((0..lanes).map(|_| position));
        let clocks = Clocks { episode_step: 0, task: self.start.task + u64::from(position), ..self.start };
        for (channel, value) in task.values_on(&clocks).into_iter().enumerate() {
            self.channels.fill(channel, range.clone(), value);
        }
        for drift in &task.drifts {
            let drifting = Drifting { lanes: range.clone(), drift: drift.clone(), base: task.values[drift.channel] };
            match drift.timing.clock {
                Clock::LifetimeStep => self.moving.push(drifting),
                Clock::EpisodeStep | Clock::Episode => self.moving_by_lane.push(drifting),
                // they stand still as long as the batch lives
                Clock::Task | Clock::AdaptRound => {}
            }
        }
    }
}

/// Refuses arguments that no batch can have; returns the settings that all tasks have in common.
fn check<'a, E: Env>(tasks: &[(&'a Task, usize)], lanes: usize, horizon: u32, stream: Stream) -> &'a TaskSettings {
    assert!(lanes > 0, "VecEnv of no lanes");
    assert!(horizon > 0, "an episode has at least one step");
    assert!(
        matches!(stream.purpose, Purpose::Reset | Purpose::EvaluationReset),
        "initial states drawn from a stream for {:?}",
        stream.purpose
    );
    let count = channels(&E::SPEC).len();
    let settings = &tasks[0].0.settings;
    for (task, _) in tasks {
        let found = task.values.len();
        assert_eq!(found, count, "a task with {found} channels where {} has {count}", E::SPEC.name);
        assert_eq!(&task.settings, settings, "tasks of one batch have the same settings");
    }
    if let Err(problem) = settings.check(&E::SPEC) {
        panic!("settings that {} does not have: {problem}", E::SPEC.name);
    }
    settings
}

/// The cheapest version of the physics that is exact for all tasks.
fn version<E: Env>(settings: &TaskSettings, used: &Used) -> Version {
    let needed = E::SPEC.params.iter().enumerate().filter(|(channel, _)| used.is(*channel)).map(|(_, p)| p.level);
    let (integrator, reward) = settings.variant(&E::SPEC);
    let standard = integrator == IntegratorKind::Euler && reward == RewardKind::Gym;
    let variant = if standard { Level::Base } else { Level::Full };
    Version { level: needed.fold(variant, Level::max), integrator, reward }
}
