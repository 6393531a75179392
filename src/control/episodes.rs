//! Lives of tasks under any actor, shown tick by tick or summed up, by the step loop of training.

use std::ops::Range;

use metadrift_agents::{
    report::Diverged,
    rollout::{Rollout, Row, Shape, counts},
    settings::Episodes,
};
use metadrift_envs::{Batch, Clocks, EnvKind, Purpose, Stream, Task};

use super::{Controlled, Controller};
use crate::{
    life::Life,
    rollout::{
        steps::{self, Actor, Keeper, Memories, Rest},
        window::{self, looking_back},
    },
};

/// Part of the lives of some tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The whole life.
    pub life: Life,
    /// The phases that are run; each begins with new initial states.
    pub phases: Range<usize>,
    /// Episodes after which a lane rests until the next phase.
    pub episodes: Episodes,
    /// Number of the first task; the others follow it.
    pub first_task: u64,
    /// Largest number of ticks, after which everything stops.
    pub limit: u64,
    /// Number of transitions that the actor sees beside the observation.
    pub window: usize,
}

impl Stretch {
    /// The stretch of `phases` of `life`, with tasks numbered from 0.
    pub fn new(life: Life, phases: Range<usize>) -> Self {
        Stretch { life, phases, episodes: life.episodes, first_task: 0, limit: u64::MAX, window: 0 }
    }
}

/// One tick of one lane, with everything that a trace or a picture shows.
#[derive(Debug)]
pub struct Tick<'a> {
    /// Index of the task and of the lane within it.
    pub place: (usize, usize),
    /// Clocks of the lane.
    pub clocks: Clocks,
    /// State before the step, `[state_dim]`.
    pub state: &'a [f32],
    /// Observation before the step, `[obs_dim]`.
    pub obs: &'a [f32],
    /// Channel values during the step, `[channels]`.
    pub values: &'a [f64],
    /// The actor's command, `[act_dim]`.
    pub action: &'a [f32],
    /// The actuator's output for it, in the unit of a command, `[act_dim]`.
    pub applied: &'a [f32],
    /// Reward of the step.
    pub reward: f32,
    /// True if the physics ended the episode.
    pub terminated: bool,
    /// True if the time limit ended the episode.
    pub truncated: bool,
}

/// Runs `lanes` lanes on each task under `actor` and shows every tick. `seed` names the initial states, which do not
/// depend on the actor.
///
/// # Errors
/// If an action is not finite.
pub fn run(
    env: EnvKind,
    (tasks, lanes): (&[Task], usize),
    stretch: &Stretch,
    seed: u64,
    actor: &mut dyn Actor,
    show: impl FnMut(&Tick<'_>),
) -> Result<(), Diverged> {
    let count = tasks.len() * lanes;
    let mut shown = Shown {
        tasks,
        lanes,
        act_dim: env.spec().act_dim(),
        rest: Rest::new(count, stretch.episodes),
        moments: vec![Moment::default(); count],
        commands: Vec::new(),
        applied: Vec::new(),
        show,
    };
    let mut left = stretch.limit;
    let mut windows = Memories::new();
    for phase in stretch.phases.clone() {
        let ticks = left.min(stretch.life.phase_steps as u64);
        left -= ticks;
        shown.rest = Rest::new(count, stretch.episodes);
        run_phase(env, (tasks, lanes), (stretch, phase), seed, (ticks as usize, &mut windows), actor, &mut shown)?;
    }
    Ok(())
}

/// Runs one phase of all lanes, at most `ticks` long; `windows` `[lanes]` are those of the phase before, and then of this
/// one.
fn run_phase(
    kind: EnvKind,
    (tasks, lanes): (&[Task], usize),
    (stretch, phase): (&Stretch, usize),
    seed: u64,
    (ticks, windows): (usize, &mut Memories),
    actor: &mut dyn Actor,
    keeper: &mut dyn Keeper,
) -> Result<(), Diverged> {
    let pairs: Vec<(&Task, usize)> = tasks.iter().map(|task| (task, lanes)).collect();
    let index = u8::try_from(phase).expect("a life has at most 101 phases");
    let resets = Stream::new(seed, Purpose::EvaluationReset).phase(index);
    let start = stretch.life.start(stretch.first_task, phase);
    let env = kind.dynamics().batch(&pairs, stretch.life.horizon, resets, start);
    let mut env = looking_back(env, kind.spec(), stretch.window, windows);
    // one row, overwritten in every step
    let act_dim = kind.spec().act_dim();
    let shape = Shape { tasks: 1, steps: 1, envs: tasks.len() * lanes, obs_dim: env.obs_dim(), act_dim };
    let mut step = Rollout::new(shape, stretch.life.horizon);
    let slab = step.slabs().pop();
    steps::run(&mut *env, actor, keeper, &mut slab.expect("there is one task"), ticks)?;
    let width = window::width(kind.spec(), stretch.window);
    *windows = (0..tasks.len() * lanes).map(|lane| window::of_lane(&*env, lane, width)).collect();
    Ok(())
}

/// A keeper that shows every tick.
struct Shown<'a, S> {
    tasks: &'a [Task],
    lanes: usize,
    act_dim: usize,
    rest: Rest,
    /// Each lane before the step, `[tasks * lanes]`.
    moments: Vec<Moment>,
    commands: Vec<f32>,
    applied: Vec<f32>,
    show: S,
}

/// A lane before a step.
#[derive(Clone, Debug, Default)]
struct Moment {
    clocks: Clocks,
    state: Vec<f32>,
    values: Vec<f64>,
}

impl<S: FnMut(&Tick<'_>)> Keeper for Shown<'_, S> {
    fn before(&mut self, env: &dyn Batch, commands: &[f32], live: &[usize]) {
        for &at in live {
            let moment = &mut self.moments[at];
            moment.clocks = env.clocks(at);
            moment.values = self.tasks[at / self.lanes].values_on(&moment.clocks);
            env.copy_state(at, &mut moment.state);
        }
        self.applied = env.delivered(commands);
        self.commands.clear();
        self.commands.extend_from_slice(commands);
    }

    fn after(&mut self, _t: usize, _env: &mut dyn Batch, row: &Row<'_>, live: &mut Vec<usize>) {
        let obs_dim = row.obs.len() / row.reward.len();
        for &at in &*live {
            let Moment { clocks, state, values } = &self.moments[at];
            let of_lane = at * self.act_dim..(at + 1) * self.act_dim;
            (self.show)(&Tick {
                place: (at / self.lanes, at % self.lanes),
                clocks: *clocks,
                state,
                obs: &row.obs[at * obs_dim..(at + 1) * obs_dim],
                values,
                action: &self.commands[of_lane.clone()],
                applied: &self.applied[of_lane],
                reward: row.reward[at],
                terminated: row.terminated[at],
                truncated: row.truncated[at],
            });
        }
        self.rest.count(row, live, |_| ());
    }
}

/// Mean return per episode of each task in phase `phase` of `life`, `[tasks]`, over the episodes that [`counts`]
/// selects, with the controller `make(task, lane)` for each lane.
pub fn returns<C: Controller>(
    env: EnvKind,
    tasks: &[Task],
    lanes: usize,
    (life, phase): (Life, usize),
    seed: u64,
    make: impl FnMut(usize, usize) -> C,
) -> Vec<f64> {
    let stretch = Stretch::new(life, phase..phase + 1);
    let mut actor = Controlled::new(env, (tasks, lanes), make);
    let rest = Rest::new(tasks.len() * lanes, stretch.episodes);
    let mut summed = Summed { lanes, life, rest, sums: vec![(0.0, 0); tasks.len()] };
    let ticks = (life.phase_steps, &mut Memories::new());
    let lived = run_phase(env, (tasks, lanes), (&stretch, phase), seed, ticks, &mut actor, &mut summed);
    lived.expect("controllers do not diverge");
    summed.sums.into_iter().map(|(sum, episodes)| sum / f64::from(episodes)).collect()
}

/// A keeper that sums the rewards of the episodes that count.
struct Summed {
    lanes: usize,
    life: Life,
    rest: Rest,
    /// Sum of rewards and number of episodes of each task, `[tasks]`.
    sums: Vec<(f64, u32)>,
}

impl Keeper for Summed {
    fn before(&mut self, _: &dyn Batch, _: &[f32], _: &[usize]) {}

    fn after(&mut self, t: usize, _env: &mut dyn Batch, row: &Row<'_>, live: &mut Vec<usize>) {
        for &at in &*live {
            let episode_step = row.episode_step[at] as usize;
            if counts(t - episode_step, self.life.horizon, self.life.phase_steps) {
                let (sum, episodes) = &mut self.sums[at / self.lanes];
                *sum += f64::from(row.reward[at]);
                *episodes += u32::from(episode_step == 0);
            }
        }
        self.rest.count(row, live, |_| ());
    }
}

/// Length of the observations of `task`.
pub fn obs_dim(env: EnvKind, task: &Task) -> usize {
    metadrift_envs::obs_dim(env.spec(), &task.settings)
}
