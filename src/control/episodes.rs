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
    /// Where the lanes of the first task begin; tasks count on from there.
    pub start: Clocks,
}

impl Life {
    /// What an evaluation sees of a task: its episodes from the first tick on or, where lanes run on, all phases.
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
            ticks: config.phase_steps()? * phases,
            episodes: config.episodes(),
            start: Clocks::default(),
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
    with_env!(env, E => run_env::<E, C>(tasks, lanes, life, seed, true, make, show));
}

fn run_env<E: Env, C: Controller>(
    tasks: &[Task],
    lanes: usize,
    life: Life,
    seed: u64,
    shows_values: bool,
    mut make: impl FnMut(usize, usize) -> C,
    mut show: impl FnMut(&Tick<'_>),
) {
    let pairs: Vec<(&Task, usize)> = tasks.iter().map(|task| (task, lanes)).collect();
    let mut env = VecEnv::<E>::new(&pairs, life.horizon, Stream::new(seed, Purpose::EvaluationReset), life.start);
    let count = env.num_envs();
    let (obs_dim, act_dim) = (env.obs().len() / count, E::SPEC.act_dim());
    let mut all: Vec<Lane<C>> = (0..count).map(|at| Lane::new(make(at / lanes, at % lanes))).collect();
    let mut actions = vec![0.0; count * act_dim];
    let (mut next_obs, mut reward) = (vec![0.0; count * obs_dim], vec![0.0; count]);
    let (mut terminated, mut truncated) = (vec![false; count], vec![false; count]);
    for tick in 0..life.ticks {
        let live: Vec<usize> = (0..count).filter(|at| !life.is_over(all[*at].finished)).collect();
        if live.is_empty() {
            break;
        }
        for &at in &live {
            let state = env.state(at);
            let seen = (state.as_ref(), &env.obs()[at * obs_dim..][..obs_dim]);
            let action = &mut actions[at * act_dim..][..act_dim];
            let drifting = shows_values || all[at].controller.looks_at_values();
            let values = (&tasks[at / lanes], drifting);
            all[at].act(values, seen, ((at % lanes) as u32, tick as u32), env.clocks(at), action);
        }
        let out = StepView {
            next_obs: &mut next_obs,
            reward: &mut reward,
            terminated: &mut terminated,
            truncated: &mut truncated,
        };
        env.step(&actions, out);
        for &at in &live {
            let lane = &mut all[at];
            let action = &actions[at * act_dim..][..act_dim];
            let (terminated, truncated) = (terminated[at], truncated[at]);
            show(&Tick {
                place: (at / lanes, at % lanes),
                clocks: lane.clocks,
                state: &lane.state,
                obs: &lane.obs,
                values: &lane.values,
                action,
                reward: reward[at],
                terminated,
                truncated,
            });
            lane.finished += u64::from(terminated || truncated);
        }
    }
}

/// A lane's controller, and what it saw last.
struct Lane<C> {
    controller: C,
    /// Episodes done.
    finished: u64,
    clocks: Clocks,
    state: Vec<f32>,
    obs: Vec<f32>,
    values: Vec<f64>,
}

impl<C: Controller> Lane<C> {
    fn new(controller: C) -> Self {
        let (state, obs, values) = (Vec::new(), Vec::new(), Vec::new());
        Lane { controller, finished: 0, clocks: Clocks::default(), state, obs, values }
    }

    /// Lets the controller decide; `seen` is state and observation. Values that drift are kept up if `drifting`.
    fn act(
        &mut self,
        (task, drifting): (&Task, bool),
        (state, obs): (&[f32], &[f32]),
        place: (u32, u32),
        clocks: Clocks,
        action: &mut [f32],
    ) {
        self.clocks = clocks;
        let episode_step = u32::try_from(clocks.episode_step).expect("a horizon is a u32");
        if self.values.is_empty() || (drifting && !task.drifts.is_empty()) {
            self.values = task.values_on(&self.clocks);
        }
        replace(&mut self.state, state);
        replace(&mut self.obs, obs);
        self.controller.act(&Seen { obs, state, values: &self.values, episode_step, place }, action);
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
    let count = |tick: &Tick<'_>| {
        let (sum, episodes) = &mut sums[tick.place.0];
        *sum += f64::from(tick.reward);
        *episodes += u32::from(tick.clocks.episode_step == 0);
    };
    with_env!(env, E => run_env::<E, C>(tasks, lanes, life, seed, false, make, count));
    sums.into_iter().map(|(sum, episodes)| sum / f64::from(episodes.max(1))).collect()
}

/// Length of the observations of `task`.
pub fn obs_dim(env: EnvKind, task: &Task) -> usize {
    with_env!(env, E => VecEnv::<E>::new(&[(task, 1)], 1, Stream::new(0, Purpose::EvaluationReset), Clocks::default()).obs().len())
}
