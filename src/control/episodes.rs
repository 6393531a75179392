//! Running controllers on tasks, through the engine that learners train in.

use metadrift_envs::{Clocks, Env, EnvKind, Purpose, StepView, Stream, Task, VecEnv, with_env};

use super::{Controller, Seen};
use crate::{
    config::{Config, ConfigError},
    rollout::Episodes,
};

/// How long a lane runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// Time limit (steps per episode).
    pub horizon: u32,
    /// Ticks after which a lane stops.
    pub ticks: usize,
    /// Episodes after which it stops earlier.
    pub episodes: Episodes,
    /// Tick of the task's life at which it begins.
    pub start: u64,
}

impl Life {
    /// What training sees of a task: its episodes from the first tick on or, where lanes run on, all phases.
    ///
    /// # Errors
    /// If the environment does not exist.
    pub fn of(config: &Config) -> Result<Life, ConfigError> {
        let phases = match config.episodes() {
            Episodes::Endless => config.maml.inner_steps + 1,
            Episodes::Count(_) => 1,
        };
        Ok(Life {
            horizon: config.horizon()?,
            ticks: config.num_steps()? * phases,
            episodes: config.episodes(),
            start: 0,
        })
    }

    fn is_over(&self, finished: u64) -> bool {
        matches!(self.episodes, Episodes::Count(count) if finished >= u64::from(count))
    }
}

/// One tick of one lane: everything that a trace or a picture shows of it.
#[derive(Debug)]
pub struct Tick<'a> {
    /// Index of the task and of the lane within it.
    pub place: (usize, usize),
    /// Where the lane stands in time.
    pub clocks: Clocks,
    /// Before the step, `[state_dim]`.
    pub state: &'a [f32],
    /// Before the step, `[obs_dim]`.
    pub obs: &'a [f32],
    /// With which the step is made, `[channels]`.
    pub values: &'a [f64],
    /// What the controller decided, `[act_dim]`.
    pub action: &'a [f32],
    /// What the step earned.
    pub reward: f32,
    /// Whether the physics ended the episode.
    pub terminated: bool,
    /// Whether the time limit did.
    pub truncated: bool,
}

/// Runs `lanes` lanes on each task, each with the controller that `make(task, lane)` gives it, and shows every tick.
/// `seed` names the initial states: they do not depend on the controllers.
pub fn run<C: Controller>(
    env: EnvKind,
    tasks: &[Task],
    lanes: usize,
    life: Life,
    seed: u64,
    make: impl FnMut(usize, usize) -> C,
    show: impl FnMut(&Tick<'_>),
) {
    with_env!(env, E => run_env::<E, C>(tasks, lanes, life, seed, make, show));
}

fn run_env<E: Env, C: Controller>(
    tasks: &[Task],
    lanes: usize,
    life: Life,
    seed: u64,
    mut make: impl FnMut(usize, usize) -> C,
    mut show: impl FnMut(&Tick<'_>),
) {
    let pairs: Vec<(&Task, usize)> = tasks.iter().map(|task| (task, lanes)).collect();
    let mut env = VecEnv::<E>::new(&pairs, life.horizon, Stream::new(seed, Purpose::EvaluationReset), life.start);
    let count = env.num_envs();
    let (obs_dim, act_dim) = (env.obs().len() / count, E::SPEC.act_dim());
    let mut controllers: Vec<C> = (0..count).map(|at| make(at / lanes, at % lanes)).collect();
    let mut values: Vec<Vec<f64>> = tasks.iter().map(|task| task.values_at(life.start)).collect();
    let mut finished = vec![0_u64; count];
    let mut actions = vec![0.0; count * act_dim];
    let (mut next_obs, mut reward) = (vec![0.0; count * obs_dim], vec![0.0; count]);
    let (mut terminated, mut truncated) = (vec![false; count], vec![false; count]);
    let mut before: Vec<(Vec<f32>, Vec<f32>, Vec<f64>, Clocks)> = vec![Default::default(); count];
    for tick in 0..life.ticks {
        if finished.iter().all(|done| life.is_over(*done)) {
            break;
        }
        for at in (0..count).filter(|at| !life.is_over(finished[*at])) {
            let task = &tasks[at / lanes];
            let episode_step = env.episode_step()[at];
            let clocks = Clocks {
                episode_step: u64::from(episode_step),
                lifetime_step: life.start + tick as u64,
                episode: finished[at],
                ..Clocks::default()
            };
            if !task.drifts.is_empty() {
                values[at / lanes] = task.values_on(&clocks);
            }
            let state = env.state(at);
            let obs = &env.obs()[at * obs_dim..][..obs_dim];
            let place = ((at % lanes) as u32, tick as u32);
            let seen = Seen { obs, state: state.as_ref(), values: &values[at / lanes], episode_step, place };
            controllers[at].act(&seen, &mut actions[at * act_dim..][..act_dim]);
            let (state_was, obs_was, values_were, clocks_were) = &mut before[at];
            replace(state_was, state.as_ref());
            replace(obs_was, obs);
            replace(values_were, &values[at / lanes]);
            *clocks_were = clocks;
        }
        let out = StepView {
            next_obs: &mut next_obs,
            reward: &mut reward,
            terminated: &mut terminated,
            truncated: &mut truncated,
        };
        env.step(&actions, out);
        for at in (0..count).filter(|at| !life.is_over(finished[*at])).collect::<Vec<_>>() {
            let (state, obs, values, clocks) = &before[at];
            let action = &actions[at * act_dim..][..act_dim];
            let (place, clocks) = ((at / lanes, at % lanes), *clocks);
            let (terminated, truncated) = (terminated[at], truncated[at]);
            show(&Tick { place, clocks, state, obs, values, action, reward: reward[at], terminated, truncated });
            finished[at] += u64::from(terminated || truncated);
        }
    }
}

fn replace<T: Copy>(to: &mut Vec<T>, from: &[T]) {
    to.clear();
    to.extend_from_slice(from);
}

/// Mean return per episode of each task, `[tasks]`; an episode that the end of the life cut off counts with what it
/// had earned.
pub fn returns<C: Controller>(
    env: EnvKind,
    tasks: &[Task],
    lanes: usize,
    life: Life,
    seed: u64,
    make: impl FnMut(usize, usize) -> C,
) -> Vec<f64> {
    let mut sums = vec![(0.0, 0_u32); tasks.len()];
    run(env, tasks, lanes, life, seed, make, |tick| {
        let (sum, episodes) = &mut sums[tick.place.0];
        *sum += f64::from(tick.reward);
        *episodes += u32::from(tick.clocks.episode_step == 0);
    });
    sums.into_iter().map(|(sum, episodes)| sum / f64::from(episodes.max(1))).collect()
}

/// Length of the observations of `task`.
pub fn obs_dim(env: EnvKind, task: &Task) -> usize {
    with_env!(env, E => VecEnv::<E>::new(&[(task, 1)], 1, Stream::new(0, Purpose::EvaluationReset), 0).obs().len())
}
