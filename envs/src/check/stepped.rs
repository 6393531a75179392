//! Batches that are stepped with random actions, and their outputs.

use crate::{ActionSpace, Clocks, Env, Purpose, StepError, StepView, Stream, Task, VecEnv, unit_f32};

/// Seed of initial states and actions where any will do.
pub(super) const SEED: u64 = 5;

/// A random action of the space, a function of `seed`, `lane` and `tick`.
pub(super) fn action(space: ActionSpace, seed: u64, lane: u32, tick: u32) -> Vec<f32> {
    let words = |k: usize| Stream::new(seed, Purpose::Action).env(lane).phase(k as u8).block(tick)[0];
    match space {
        ActionSpace::Discrete(count) => vec![(words(0) % count as u32) as f32],
        ActionSpace::Box { dim, bound } => {
            (0..dim).map(|k| (2.0 * unit_f32(words(k)) - 1.0) * 1.2 * bound as f32).collect()
        }
    }
}

/// Outputs of a step.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outputs {
    pub(super) next_obs: Vec<f32>,
    pub(super) reward: Vec<f32>,
    pub(super) terminated: Vec<bool>,
    pub(super) truncated: Vec<bool>,
}

/// A batch with the lanes of some tasks, and the outputs of its last step.
#[derive(Clone)]
pub(super) struct Stepped<E: Env> {
    pub(super) env: VecEnv<E>,
    pub(super) out: Outputs,
    seed: u64,
    /// Lanes of each task.
    lanes: usize,
}

impl<E: Env> Stepped<E> {
    pub(super) fn new(tasks: &[&Task], lanes: usize, horizon: u32, seed: u64) -> Stepped<E> {
        let pairs: Vec<(&Task, usize)> = tasks.iter().map(|task| (*task, lanes)).collect();
        let env = VecEnv::<E>::new(&pairs, horizon, Stream::new(seed, Purpose::Reset), Clocks::default());
        Stepped::of(env, seed, lanes)
    }

    pub(super) fn of(env: VecEnv<E>, seed: u64, lanes: usize) -> Stepped<E> {
        let numbers = |count| vec![f32::NAN; count];
        let flags = vec![false; env.num_envs()];
        let out = Outputs {
            next_obs: numbers(env.obs().len()),
            reward: numbers(env.num_envs()),
            terminated: flags.clone(),
            truncated: flags,
        };
        Stepped { env, out, seed, lanes }
    }

    /// `lanes` lanes of one task, with the episodes of the environment.
    pub(super) fn plain(task: &Task, lanes: usize) -> Stepped<E> {
        Stepped::new(&[task], lanes, E::SPEC.horizon, SEED)
    }

    /// The random actions of `tick`; the lanes of every task get the same ones.
    pub(super) fn actions(&self, tick: u32) -> Vec<f32> {
        let lanes = (0..self.env.num_envs()).map(|at| (at % self.lanes) as u32);
        lanes.flat_map(|lane| action(E::SPEC.action, self.seed, lane, tick)).collect()
    }

    pub(super) fn step_with(&mut self, actions: &[f32]) -> Result<&Outputs, StepError> {
        let Outputs { next_obs, reward, terminated, truncated } = &mut self.out;
        self.env.try_step(actions, StepView { next_obs, reward, terminated, truncated })?;
        Ok(&self.out)
    }

    /// A step with the random actions of `tick`.
    pub(super) fn step(&mut self, tick: u32) -> &Outputs {
        let actions = self.actions(tick);
        self.step_with(&actions).expect("random actions are legal, and no lane has finished")
    }

    /// Everything a caller can see, as bits.
    pub(super) fn bits(&self) -> Vec<u32> {
        let Outputs { next_obs, reward, terminated, truncated } = &self.out;
        let numbers = next_obs.iter().chain(reward).chain(self.env.obs()).map(|x| x.to_bits());
        numbers.chain(terminated.iter().chain(truncated).map(|flag| u32::from(*flag))).collect()
    }
}
