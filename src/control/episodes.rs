//! Running controllers on tasks, through the engine that learners train in.

use std::ops::Range;

use metadrift_agents::stop;
use metadrift_envs::{Batch, Clocks, EnvKind, Purpose, StepView, Stream, Task};

use super::{Controller, Seen};
use crate::{
    life::{Life, counts},
    rollout::Episodes,
};

/// Part of the lives of some tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The whole life.
    pub life: Life,
    /// The phases that are lived through; each begins with new initial states.
    pub phases: Range<usize>,
    /// Episodes after which a lane rests until the next phase.
    pub episodes: Episodes,
    /// Number of the first task; the others count on from there.
    pub first_task: u64,
    /// Ticks after which everything stops earlier.
    pub limit: u64,
}

impl Stretch {
    /// `phases` of `life`, tasks numbered from 0.
    pub fn new(life: Life, phases: Range<usize>) -> Self {
        Stretch { life, phases, episodes: life.episodes, first_task: 0, limit: u64::MAX }
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
    /// The actuator's output for it, in the unit of a command, `[act_dim]`.
    pub applied: &'a [f32],
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
    stretch: &Stretch,
    seed: u64,
    make: impl FnMut(usize, usize) -> C,
    show: impl FnMut(&Tick<'_>),
) {
    run_env(env, (tasks, lanes), stretch, seed, true, make, show);
}

fn run_env<C: Controller>(
    kind: EnvKind,
    (tasks, lanes): (&[Task], usize),
    stretch: &Stretch,
    seed: u64,
    shows_values: bool,
    mut make: impl FnMut(usize, usize) -> C,
    mut show: impl FnMut(&Tick<'_>),
) {
    let pairs: Vec<(&Task, usize)> = tasks.iter().map(|task| (task, lanes)).collect();
    let mut all: Vec<Lane<C>> = (0..tasks.len() * lanes).map(|at| Lane::new(make(at / lanes, at % lanes))).collect();
    let mut left = stretch.limit;
    for phase in stretch.phases.clone() {
        let index = u8::try_from(phase).expect("a life has at most 101 phases");
        let resets = Stream::new(seed, Purpose::EvaluationReset).phase(index);
        let start = stretch.life.start(stretch.first_task, phase);
        let env = kind.dynamics().batch(&pairs, stretch.life.horizon, resets, start);
        let ticks = left.min(stretch.life.phase_steps as u64);
        left -= ticks;
        let episodes = if let Episodes::Count(count) = stretch.episodes { count } else { u32::MAX };
        all.iter_mut().for_each(|lane| lane.episodes_left = episodes);
        let act_dim = kind.spec().act_dim();
        run_phase(env, act_dim, (tasks, lanes), ticks as usize, shows_values, &mut all, &mut show);
    }
}

/// One phase of all lanes.
fn run_phase<C: Controller>(
    mut env: Box<dyn Batch>,
    act_dim: usize,
    (tasks, lanes): (&[Task], usize),
    ticks: usize,
    shows_values: bool,
    all: &mut [Lane<C>],
    show: &mut impl FnMut(&Tick<'_>),
) {
    let count = all.len();
    let obs_dim = env.obs_dim();
    let mut state = Vec::new();
    let mut actions = vec![0.0; count * act_dim];
    let (mut next_obs, mut reward) = (vec![0.0; count * obs_dim], vec![0.0; count]);
    let (mut terminated, mut truncated) = (vec![false; count], vec![false; count]);
    for _ in 0..ticks {
        stop::check();
        let live: Vec<usize> = (0..count).filter(|at| all[*at].episodes_left > 0).collect();
        if live.is_empty() {
            break;
        }
        for &at in &live {
            env.copy_state(at, &mut state);
            let seen = (&state[..], &env.obs()[at * obs_dim..][..obs_dim]);
            let action = &mut actions[at * act_dim..][..act_dim];
            let drifting = shows_values || all[at].controller.looks_at_values();
            all[at].act((&tasks[at / lanes], drifting), seen, (at % lanes) as u32, env.clocks(at), action);
        }
        let applied = if shows_values { env.delivered(&actions) } else { Vec::new() };
        let out = StepView {
            next_obs: &mut next_obs,
            reward: &mut reward,
            terminated: &mut terminated,
            truncated: &mut truncated,
        };
        env.step(&actions, out);
        for &at in &live {
            let (lane, of_lane) = (&mut all[at], at * act_dim..(at + 1) * act_dim);
            let ended = (terminated[at], truncated[at]);
            let drive = (&actions[of_lane.clone()], applied.get(of_lane).unwrap_or_default());
            show(&lane.tick((at / lanes, at % lanes), drive, reward[at], ended));
            lane.episodes_left -= u32::from(ended.0 || ended.1);
        }
    }
}

/// A lane's controller, and what it saw last.
struct Lane<C> {
    controller: C,
    /// Until it rests, in this phase.
    episodes_left: u32,
    /// Ticks lived, over all phases.
    age: u32,
    clocks: Clocks,
    state: Vec<f32>,
    obs: Vec<f32>,
    values: Vec<f64>,
}

impl<C: Controller> Lane<C> {
    fn new(controller: C) -> Self {
        let (state, obs, values) = (Vec::new(), Vec::new(), Vec::new());
        Lane { controller, episodes_left: 0, age: 0, clocks: Clocks::default(), state, obs, values }
    }

    /// Lets the controller decide; `seen` is state and observation. Values that drift are kept up if `drifting`.
    fn act(
        &mut self,
        (task, drifting): (&Task, bool),
        (state, obs): (&[f32], &[f32]),
        lane: u32,
        clocks: Clocks,
        action: &mut [f32],
    ) {
        let place = (lane, self.age);
        (self.clocks, self.age) = (clocks, self.age + 1);
        let episode_step = u32::try_from(clocks.episode_step).expect("a horizon is a u32");
        if self.values.is_empty() || (drifting && !task.drifts.is_empty()) {
            self.values = task.values_on(&self.clocks);
        }
        replace(&mut self.state, state);
        replace(&mut self.obs, obs);
        self.controller.act(&Seen { obs, state, values: &self.values, episode_step, place }, action);
    }

    /// The tick it has just lived through: action and actuator's output, reward; `ended` is terminated and truncated.
    fn tick<'a>(
        &'a self,
        place: (usize, usize),
        (action, applied): (&'a [f32], &'a [f32]),
        reward: f32,
        (terminated, truncated): (bool, bool),
    ) -> Tick<'a> {
        let Lane { clocks, state, obs, values, .. } = self;
        Tick { place, clocks: *clocks, state, obs, values, action, applied, reward, terminated, truncated }
    }
}

fn replace<T: Copy>(to: &mut Vec<T>, from: &[T]) {
    to.clear();
    to.extend_from_slice(from);
}

/// Mean return per episode of each task in phase `phase` of `life`, `[tasks]`, over the episodes that [`counts`] says.
pub fn returns<C: Controller>(
    env: EnvKind,
    tasks: &[Task],
    lanes: usize,
    (life, phase): (Life, usize),
    seed: u64,
    make: impl FnMut(usize, usize) -> C,
) -> Vec<f64> {
    let stretch = Stretch::new(life, phase..phase + 1);
    let began = life.start(0, phase).lifetime_step;
    let mut sums = vec![(0.0, 0_u32); tasks.len()];
    let count = |tick: &Tick<'_>| {
        let (sum, episodes) = &mut sums[tick.place.0];
        let start = tick.clocks.lifetime_step - began - tick.clocks.episode_step;
        if counts(start as usize, life.horizon, life.phase_steps) {
            *sum += f64::from(tick.reward);
            *episodes += u32::from(tick.clocks.episode_step == 0);
        }
    };
    run_env(env, (tasks, lanes), &stretch, seed, false, make, count);
    sums.into_iter().map(|(sum, episodes)| sum / f64::from(episodes)).collect()
}

/// Length of the observations of `task`.
pub fn obs_dim(env: EnvKind, task: &Task) -> usize {
    metadrift_envs::obs_dim(env.spec(), &task.settings)
}
