//! Lanes that are given one task after another.

use metadrift_random::Stream;

use super::VecEnv;
use crate::{
    engine::{faults::Scene, moving::Drifting},
    physics::env::Env,
    tasks::{
        channel::{channels, default_value},
        clock::{Clock, Clocks},
        distribution::TaskDistribution,
        task::Task,
    },
};

impl<E: Env> VecEnv<E> {
    /// A batch with one lane for each of `tasks`, ready for any other task of `distribution` ([`VecEnv::renew`]).
    /// `horizon` and `stream` are those of [`VecEnv::new`]; the tasks' lives begin at 0.
    ///
    /// # Panics
    /// As [`VecEnv::new`].
    pub fn renewable(tasks: &[Task], distribution: &TaskDistribution, horizon: u32, stream: Stream) -> Self {
        Self::changeable(tasks, &distribution.touched(), horizon, stream)
    }

    /// The batch of [`VecEnv::renewable`], ready for tasks that also use the `channels` of these numbers.
    ///
    /// # Panics
    /// As [`VecEnv::new`], or if there is no such channel.
    pub fn changeable(tasks: &[Task], channels: &[usize], horizon: u32, stream: Stream) -> Self {
        let each: Vec<(&Task, usize)> = tasks.iter().map(|task| (task, 1)).collect();
        let mut env = Self::build(&each, channels, horizon, stream, Clocks::default());
        // each lane has a life of its own: nothing follows a clock that lanes share
        env.moving.take().into_iter().for_each(|drifting| env.moving_by_lane.push(drifting));
        env
    }

    /// Gives `lane` another task, whose life begins now with a new episode.
    ///
    /// # Panics
    /// If the batch was not made by [`VecEnv::renewable`], or the task is none of its distribution.
    pub fn renew(&mut self, lane: usize, task: &Task) {
        self.born[lane] = self.ticks;
        self.episodes[lane] = 0;
        self.alter_at(lane, task, Clocks { episode_step: 0, ..self.clocks(lane) });
        self.start_episode(lane, self.uniforms(lane));
    }

    /// Gives `lane` another task in the middle of its episode: the world changes, and life and state go on. Announcements
    /// begin anew.
    ///
    /// # Panics
    /// As [`VecEnv::renew`].
    pub fn alter(&mut self, lane: usize, task: &Task) {
        self.alter_at(lane, task, self.clocks(lane));
    }

    /// Sets the channels of `lane` to those of `task` at `clocks`.
    fn alter_at(&mut self, lane: usize, task: &Task, clocks: Clocks) {
        assert!(self.moving.is_empty() && self.task[lane] as usize == lane, "lanes that share a task or its clock");
        for channel in 0..Self::LAYOUT.count {
            let plain = task.values[channel] == default_value(&E::SPEC, channel);
            let plain = plain && task.drifts.iter().all(|drift| drift.channel != channel);
            let name = || channels(&E::SPEC).swap_remove(channel).name;
            assert!(plain || self.used.is(channel), "{} is not among what this batch may vary", name());
        }
        self.moving_by_lane.clear(lane);
        for (channel, value) in task.values_on(&clocks).into_iter().enumerate() {
            self.channels.fill(channel, lane..lane + 1, value);
        }
        for drift in &task.drifts {
            if !matches!(drift.timing.clock, Clock::Task | Clock::AdaptRound) {
                let base = task.values[drift.channel];
                self.moving_by_lane.push(Drifting { lanes: lane..lane + 1, drift: drift.clone(), base });
            }
        }
        if let Some(appendix) = &mut self.appendix {
            let scene = Scene { channels: &self.channels, streams: &self.streams, tick: self.ticks };
            appendix.renew(&scene, lane, task);
        }
    }
}
