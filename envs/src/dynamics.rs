//! Environments without their types: for code that does not depend on their physics, and for those of other crates.

use std::{fmt::Debug, marker::PhantomData};

use metadrift_random::Stream;

use crate::{
    engine::vec_env::{Autoreset, StepError, StepView, VecEnv, WrongState},
    physics::{
        env::{Array, Env},
        spec::{ActionSpace, EnvSpec},
    },
    replay::{Initial, Trajectory, replay_flat},
    tasks::{clock::Clocks, distribution::TaskDistribution, error::TaskError, task::Task},
};

/// An environment without its type; [`dynamics`] makes one from any [`Env`].
pub trait Dynamics: Sync {
    /// The description.
    fn spec(&self) -> &'static EnvSpec;

    /// Dimension of the physical state.
    fn state_dim(&self) -> usize;

    /// The batch of [`VecEnv::new`].
    fn batch(&self, tasks: &[(&Task, usize)], horizon: u32, stream: Stream, start: Clocks) -> Box<dyn Lanes>;

    /// The batch of [`VecEnv::renewable`].
    fn renewable(&self, tasks: &[Task], all: &TaskDistribution, horizon: u32, stream: Stream) -> Box<dyn Lanes>;

    /// The trajectory of [`crate::replay_kind`] with the values of all channels, `[channels]`.
    ///
    /// # Errors
    /// Those of [`crate::replay_kind`].
    fn replay(&self, values: &[f64], initial: Initial<'_>, actions: &[f64]) -> Result<Trajectory, TaskError>;

    /// Takes `state` `[state_dim]` one step on, with the values of all channels `[channels]`. `actuator` turns each
    /// command of `action` `[act_dim]`, and the size of a full command, into what is applied; without an action the
    /// commands are zero.
    fn foresee(&self, values: &[f64], state: &mut [f64], action: Option<&[f64]>, actuator: &dyn Fn(f64, f64) -> f64);

    /// The readings of healthy sensors in `state`, `[observations]`.
    fn readings(&self, values: &[f64], state: &[f64]) -> Vec<f64>;

    /// The largest magnitudes of the readings of healthy sensors, `[observations]`: see [`Env::reach`].
    fn reach(&self, values: &[f64]) -> Vec<f64>;

    /// The largest magnitudes of commands, `[act_dim]`.
    fn largest_command(&self, values: &[f64]) -> Vec<f64>;

    /// The initial state for four uniform numbers in [0, 1), `[state_dim]`.
    fn initial(&self, values: &[f64], uniform: [f64; 4]) -> Vec<f64>;
}

/// A [`VecEnv`] of some environment; every method is the one of the same name.
#[allow(missing_docs)]
pub trait Batch: Send {
    fn obs_dim(&self) -> usize;
    fn obs(&self) -> &[f32];
    fn episode_step(&self) -> &[u32];
    fn clocks(&self, lane: usize) -> Clocks;
    fn delivered(&self, actions: &[f32]) -> Vec<f32>;
    fn step(&mut self, actions: &[f32], out: StepView<'_>);
    fn renew(&mut self, lane: usize, task: &Task);
    fn save(&mut self) -> Vec<u32>;
    fn restore(&mut self, saved: &[u32]) -> Result<(), WrongState>;

    /// Copies the physical state of a lane to `out`, `[state_dim]`.
    fn copy_state(&self, lane: usize, out: &mut Vec<f32>);
}

/// A [`VecEnv`] of some environment as programs in other languages use it; every method is the one of the same name.
#[allow(missing_docs)]
pub trait Lanes: Batch + Sync {
    fn try_step(&mut self, actions: &[f32], out: StepView<'_>) -> Result<(), StepError>;
    fn reset_lanes(&mut self, mask: &[bool]);
    fn set_autoreset(&mut self, autoreset: Autoreset);
}

struct Of<E>(PhantomData<fn() -> E>);

/// The environment `E` without its type.
pub fn dynamics<E: Env>() -> &'static dyn Dynamics {
    const { &Of::<E>(PhantomData) }
}

impl Debug for dyn Dynamics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.spec().name)
    }
}

impl<E: Env> Dynamics for Of<E> {
    fn spec(&self) -> &'static EnvSpec {
        const { &E::SPEC }
    }

    fn state_dim(&self) -> usize {
        E::State::<f32>::LEN
    }

    fn batch(&self, tasks: &[(&Task, usize)], horizon: u32, stream: Stream, start: Clocks) -> Box<dyn Lanes> {
        Box::new(VecEnv::<E>::new(tasks, horizon, stream, start))
    }

    fn renewable(&self, tasks: &[Task], all: &TaskDistribution, horizon: u32, stream: Stream) -> Box<dyn Lanes> {
        Box::new(VecEnv::<E>::renewable(tasks, all, horizon, stream))
    }

    fn replay(&self, values: &[f64], initial: Initial<'_>, actions: &[f64]) -> Result<Trajectory, TaskError> {
        replay_flat::<E>(&E::params(|index| values[index]), initial, actions)
    }

    fn foresee(&self, values: &[f64], state: &mut [f64], action: Option<&[f64]>, actuator: &dyn Fn(f64, f64) -> f64) {
        let params = E::params(|index| values[index]);
        let full = E::full_scale(&params);
        let zero = E::Action::from_fn(|_| 0.0);
        let command = action.map_or(zero, |action| E::command(&params, E::Action::from_fn(|k| action[k])));
        let applied = E::Action::from_fn(|k| actuator(command.as_ref()[k], full));
        let next = E::step(&params, E::State::from_fn(|k| state[k]), command, applied).state;
        state.copy_from_slice(next.as_ref());
    }

    fn readings(&self, values: &[f64], state: &[f64]) -> Vec<f64> {
        E::observe(&E::params(|index| values[index]), E::State::from_fn(|k| state[k])).as_ref().to_vec()
    }

    fn reach(&self, values: &[f64]) -> Vec<f64> {
        E::reach(&E::params(|index| values[index])).as_ref().to_vec()
    }

    fn largest_command(&self, values: &[f64]) -> Vec<f64> {
        let params = E::params(|index| values[index]);
        let actions: Vec<f64> = match E::SPEC.action {
            ActionSpace::Discrete(count) => (0..count).map(|action| action as f64).collect(),
            ActionSpace::Box { .. } => vec![f64::MIN, f64::MAX],
        };
        let commands = actions.into_iter().map(|action| E::command(&params, E::Action::from_fn(|_| action)));
        commands.fold(vec![0.0; E::SPEC.act_dim()], |largest, command| {
            largest.iter().zip(command.as_ref()).map(|(most, part)| most.max(part.abs())).collect()
        })
    }

    fn initial(&self, values: &[f64], uniform: [f64; 4]) -> Vec<f64> {
        E::reset(&E::params(|index| values[index]), uniform).as_ref().to_vec()
    }
}

impl<E: Env> Batch for VecEnv<E> {
    fn obs_dim(&self) -> usize {
        self.obs_dim()
    }

    fn obs(&self) -> &[f32] {
        self.obs()
    }

    fn episode_step(&self) -> &[u32] {
        self.episode_step()
    }

    fn clocks(&self, lane: usize) -> Clocks {
        self.clocks(lane)
    }

    fn delivered(&self, actions: &[f32]) -> Vec<f32> {
        self.delivered(actions)
    }

    fn step(&mut self, actions: &[f32], out: StepView<'_>) {
        self.step(actions, out);
    }

    fn renew(&mut self, lane: usize, task: &Task) {
        self.renew(lane, task);
    }

    fn save(&mut self) -> Vec<u32> {
        self.save()
    }

    fn restore(&mut self, saved: &[u32]) -> Result<(), WrongState> {
        self.restore(saved)
    }

    fn copy_state(&self, lane: usize, out: &mut Vec<f32>) {
        out.clear();
        out.extend_from_slice(self.state(lane).as_ref());
    }
}

impl<E: Env> Lanes for VecEnv<E> {
    fn try_step(&mut self, actions: &[f32], out: StepView<'_>) -> Result<(), StepError> {
        self.try_step(actions, out)
    }

    fn reset_lanes(&mut self, mask: &[bool]) {
        self.reset_lanes(mask);
    }

    fn set_autoreset(&mut self, autoreset: Autoreset) {
        self.set_autoreset(autoreset);
    }
}
