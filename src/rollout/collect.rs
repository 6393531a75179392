//! Collection of one phase of several tasks: a job per task on a queue.

use metadrift_agents::{
    layout::Layout,
    report::Diverged,
    rollout::{Rollout, Row, Slab},
    settings::Episodes,
    source::Policies,
    threads::run_jobs,
};
use metadrift_envs::{Batch, Clocks, EnvKind, Purpose, Stream, Task};

use super::{
    actors::actor,
    network::Actions,
    steps::{self, Keeper, Memories, Rest},
    window::{self, looking_back},
};

/// The settings of a collection that stay the same in every phase.
#[derive(Clone, Copy, Debug)]
pub struct Collection {
    /// The environment.
    pub env: EnvKind,
    /// Time limit of an episode (steps).
    pub horizon: u32,
    /// Number of threads that step.
    pub num_actors: usize,
}

/// The collected part of the tasks' lives: it names the random streams and sets the clock.
#[derive(Clone, Copy, Debug)]
pub struct Phase {
    /// Seed of the run, or of the evaluation.
    pub seed: u64,
    /// Iteration of the meta-loop.
    pub iteration: u32,
    /// Number of earlier adaptation steps.
    pub index: u8,
    /// Clocks of the first task's lanes at the start; tasks count on from there.
    pub start: Clocks,
    /// Purpose of the random stream of the initial states.
    pub resets: Purpose,
    /// Purpose of the random stream of the actions.
    pub draws: Purpose,
    /// The choice between sampled and deterministic actions.
    pub actions: Actions,
    /// Length of each lane's run.
    pub episodes: Episodes,
}

impl Phase {
    /// A phase of training: sampled actions. `start.adapt_round` is its number within the iteration.
    pub fn training(seed: u64, iteration: u32, start: Clocks, episodes: Episodes) -> Self {
        Phase {
            seed,
            iteration,
            index: u8::try_from(start.adapt_round).expect("the configuration limits the inner steps"),
            start,
            resets: Purpose::Reset,
            draws: Purpose::Action,
            actions: Actions::Sampled,
            episodes,
        }
    }

    /// The stream of task `task` for `purpose`.
    pub fn stream(&self, purpose: Purpose, task: u32) -> Stream {
        Stream::new(self.seed, purpose).iteration(self.iteration).phase(self.index).task(task)
    }
}

/// Fills `rollout`, task i with policy i, which remembers nothing from before.
///
/// # Errors
/// As [`continue_all`].
///
/// # Panics
/// As [`continue_all`].
pub fn collect_all(
    collection: &Collection,
    tasks: &[Task],
    policies: Policies<'_>,
    phase: &Phase,
    rollout: &mut Rollout,
) -> Result<(), Diverged> {
    continue_all(collection, tasks, policies, phase, &mut vec![Memories::new(); tasks.len()], rollout)
}

/// Fills `rollout`, task i with policy i, whose memories in `memories` `[tasks]` are those between the phase before and
/// this one, and then those after it. A memory is the policy's own, followed by its window.
///
/// # Errors
/// If a policy's output is not finite; the rollout is then unusable.
///
/// # Panics
/// With the message of the first actor that panicked, after the others have finished.
pub fn continue_all(
    collection: &Collection,
    tasks: &[Task],
    policies: Policies<'_>,
    phase: &Phase,
    memories: &mut [Memories],
    rollout: &mut Rollout,
) -> Result<(), Diverged> {
    let numbers: Vec<u32> = (0..tasks.len() as u32).collect();
    assert_eq!(rollout.shape().tasks, tasks.len());
    continue_numbered(collection, (tasks, &numbers), policies, phase, memories, rollout.slabs())
}

/// [`collect_all`] for tasks of a longer list: each has the random streams of its place there, `task.id.index`.
///
/// # Errors
/// As [`continue_all`].
pub fn collect_listed(
    collection: &Collection,
    tasks: &[Task],
    policies: Policies<'_>,
    phase: &Phase,
    rollout: &mut Rollout,
) -> Result<(), Diverged> {
    let numbers: Vec<u32> = tasks.iter().map(|task| task.id.index).collect();
    let mut memories = vec![Memories::new(); tasks.len()];
    assert_eq!(rollout.shape().tasks, tasks.len());
    continue_numbered(collection, (tasks, &numbers), policies, phase, &mut memories, rollout.slabs())
}

/// [`continue_all`] for the tasks of this rank alone; the others are fetched where the rollout holds them.
///
/// # Errors
/// As [`continue_all`].
///
/// # Panics
/// As [`continue_all`], and as [`Rollout::fetch`].
pub fn continue_rank(
    collection: &Collection,
    tasks: &[Task],
    policies: Policies<'_>,
    phase: &Phase,
    memories: &mut [Memories],
    rollout: &mut Rollout,
) -> Result<(), Diverged> {
    let (mine, slabs) = rollout.share_of_rank();
    let numbers: Vec<u32> = mine.clone().map(|number| number as u32).collect();
    let policies = Policies { params: &policies.params[mine.clone()], ..policies };
    let memories = &mut memories[mine.clone()];
    continue_numbered(collection, (&tasks[mine], &numbers), policies, phase, memories, slabs)?;
    rollout.fetch();
    Ok(())
}

/// [`continue_all`] into `slabs` `[tasks]`, with the numbers of the tasks in the names of random streams, `[tasks]`.
fn continue_numbered(
    collection: &Collection,
    (tasks, numbers): (&[Task], &[u32]),
    policies: Policies<'_>,
    phase: &Phase,
    memories: &mut [Memories],
    slabs: Vec<Slab<'_>>,
) -> Result<(), Diverged> {
    assert_eq!((tasks.len(), policies.params.len()), (slabs.len(), slabs.len()));
    let mut outcomes = vec![Ok(()); tasks.len()];
    let places = numbers.iter().zip(memories.iter_mut().zip(&mut outcomes));
    let jobs = tasks.iter().zip(policies.params).zip(slabs).zip(places).collect();
    run_jobs(jobs, collection.num_actors, |(((task, params), slab), (number, (memories, outcome))): Job<'_>| {
        *outcome = collect(collection, (*number, task), (policies.layout, params), phase, memories, slab);
    });
    outcomes.into_iter().collect()
}

type Job<'a> = (((&'a Task, &'a Vec<f32>), Slab<'a>), (&'a u32, (&'a mut Memories, &'a mut Result<(), Diverged>)));

/// Collects one task into `slab`. The policy acts for live lanes only, not for those that are done.
fn collect(
    collection: &Collection,
    (index, task): (u32, &Task),
    policy: (&Layout, &[f32]),
    phase: &Phase,
    memories: &mut Memories,
    mut slab: Slab<'_>,
) -> Result<(), Diverged> {
    crate::fault::trip("actor");
    let envs = slab.envs;
    let steps = slab.steps();
    let start = Clocks { task: phase.start.task + u64::from(task.id.index), ..phase.start };
    let resets = phase.stream(phase.resets, index);
    let env = collection.env.dynamics().batch(&[(task, envs)], collection.horizon, resets, start);
    let width = window::width(collection.env.spec(), policy.0.window());
    let (remembered, past): (Memories, Memories) = memories
        .iter()
        .map(|memory| memory.split_at(memory.len() - width))
        .map(|(a, b)| (a.to_vec(), b.to_vec()))
        .unzip();
    let mut env = looking_back(env, collection.env.spec(), policy.0.window(), &past);
    let draws = phase.stream(phase.draws, index);
    let place = || format!("task {index}, phase {}", phase.index);
    let mut policy = actor(policy, (collection.env.spec(), envs), phase.actions, draws, &place, &remembered);
    let rest = Rest::new(envs, phase.episodes);
    let mut valid = Valid { steps: vec![steps as u32; envs], rest, width, windows: vec![None; envs] };
    steps::run(&mut *env, &mut *policy, &mut valid, &mut slab, steps)?;
    *memories = policy.memories();
    if width > 0 {
        memories.resize(envs, Vec::new());
        for (lane, (memory, window)) in memories.iter_mut().zip(valid.windows).enumerate() {
            memory.extend(window.unwrap_or_else(|| window::of_lane(&*env, lane, width)));
        }
    }
    slab.valid_steps.copy_from_slice(&valid.steps);
    slab.clear_padding();
    Ok(())
}

/// The valid steps of each lane, and the windows of those that rest, as they were then.
struct Valid {
    steps: Vec<u32>,
    rest: Rest,
    /// Values of a window.
    width: usize,
    windows: Vec<Option<Vec<f32>>>,
}

impl Keeper for Valid {
    fn before(&mut self, _: &dyn Batch, _: &[f32], _: &[usize]) {}

    fn after(&mut self, t: usize, env: &mut dyn Batch, row: &Row<'_>, live: &mut Vec<usize>) {
        let Valid { steps, rest, width, windows } = self;
        rest.count(row, live, |lane| {
            steps[lane] = t as u32 + 1;
            windows[lane] = (*width > 0).then(|| window::of_lane(env, lane, *width));
        });
    }
}
