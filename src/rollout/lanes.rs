//! Lanes that live on from one rollout to the next, each with tasks of its own.

use metadrift_agents::{
    report::Diverged,
    rollout::{Rollout, Row, Shape, Slab},
    settings::Episodes,
    source::{Demand, Policies, Source},
    state::{Misfit, State},
    team,
    threads::run_jobs,
};
use metadrift_envs::{Batch, EnvKind, Purpose, Split, Stream, Task, TaskDistribution, rng::MAX_INDEX};

use super::{
    network::{Actions, Network},
    steps::{self, Keeper},
    window::looking_back,
};
use crate::{config::Experiment, life, registry};

/// Largest number of lanes that one actor steps together; it does not depend on the number of actors.
pub const GROUP: usize = 32;

/// The life of every lane.
struct Life {
    env: EnvKind,
    /// Time limit of an episode (steps).
    horizon: u32,
    tasks: TaskDistribution,
    /// The only task of all lanes, if they do not draw theirs.
    only: Option<Task>,
    /// Number of episodes for which a lane keeps a task before it draws the next one; without a limit, it is the first
    /// episode to end when the life of an evaluation would be over.
    episodes: Episodes,
    /// Ticks of the life of an evaluation.
    ticks: u64,
    seed: u64,
    /// Number of transitions that the policy sees.
    window: usize,
}

impl Life {
    /// The task of `lane` after `done` episodes, or lives if episodes have no limit: a pure function, so tasks need not be
    /// stored.
    fn task(&self, lane: usize, done: u32) -> Task {
        if let Some(only) = &self.only {
            return only.clone();
        }
        let rounds = if let Episodes::Count(n) = self.episodes { done / n } else { done };
        // streams end after 2^24 rounds: the tasks then repeat from the first one
        self.tasks.sample(self.seed, rounds % MAX_INDEX, lane as u32)
    }

    /// Counts an episode that has ended in a lane that is `age` ticks old; returns true if the lane draws a new task.
    fn renews(&self, done: &mut u32, age: u64) -> bool {
        let over = age >= self.ticks;
        match self.episodes {
            Episodes::Count(n) => {
                *done += 1;
                done.is_multiple_of(n)
            }
            Episodes::Endless => {
                *done += u32::from(over);
                over
            }
        }
    }

    /// Name in a checkpoint of what a lane counts.
    fn counted(&self) -> &'static str {
        if self.episodes == Episodes::Endless { "lives" } else { "episodes" }
    }

    fn groups(&self, done: &[u32]) -> Vec<Group> {
        done.chunks(GROUP).enumerate().map(|(index, done)| Group::new(self, index, done)).collect()
    }
}

/// All lanes of a run, in groups. Of several ranks, each steps those of its block, and fetches the others.
pub struct Lanes {
    life: Life,
    groups: Vec<Group>,
    num_actors: usize,
    iteration: u32,
    /// The data of the latest iteration, `[groups, steps, lanes of a group]`.
    rollout: Rollout,
    env_steps: u64,
}

impl Lanes {
    /// The lanes that the learner of `config` asks for (at most [`GROUP`], or a multiple of it), at the beginning of
    /// their first episodes, stepped by `num_actors` threads.
    ///
    /// # Panics
    /// If the learner asks for tasks instead.
    pub fn new(config: &Experiment, num_actors: usize) -> Self {
        Self::with_tasks(config, num_actors, (Split::Train, None), config.seed)
    }

    /// The same for a run with seed `seed` whose lanes all live on `task`, which is of split `split`.
    ///
    /// # Panics
    /// As [`Lanes::new`].
    pub fn on_task(config: &Experiment, num_actors: usize, (split, task): (Split, Task), seed: u64) -> Self {
        Self::with_tasks(config, num_actors, (split, Some(task)), seed)
    }

    fn with_tasks(config: &Experiment, num_actors: usize, (split, only): (Split, Option<Task>), seed: u64) -> Self {
        let Demand::Lanes { lanes, steps, episodes } = config.demand() else { panic!("the learner asks for tasks") };
        let env = config.env();
        let horizon = config.horizon();
        let shape = Shape {
            tasks: lanes.div_ceil(GROUP),
            steps,
            envs: lanes.min(GROUP),
            obs_dim: registry::policy(config).obs_dim(),
            act_dim: env.spec().act_dim(),
        };
        let window = config.policy.window;
        let tasks = config.tasks(split).clone();
        let ticks = life::Life::evaluation(config).ticks();
        let life = Life { env, horizon, tasks, only, episodes, ticks, seed, window };
        let groups = life.groups(&vec![0; lanes]);
        Lanes { life, groups, num_actors, iteration: 0, rollout: Rollout::new(shape, horizon), env_steps: 0 }
    }
}

impl Lanes {
    /// Takes over the state of the groups that other ranks have stepped on, so that any rank could save it.
    fn fetch_groups(&mut self) {
        if team::size() == 1 {
            return;
        }
        let mine = team::block(self.groups.len());
        let mut states = vec![(Vec::new(), Vec::new()); self.groups.len()];
        for (group, state) in self.groups[mine.clone()].iter_mut().zip(&mut states[mine.clone()]) {
            *state = (group.done.clone(), group.env.save());
        }
        team::share(&mut states);
        for (index, (done, words)) in states.iter().enumerate().filter(|(index, _)| !mine.contains(index)) {
            self.groups[index] = Group::new(&self.life, index, done);
            self.groups[index].env.restore(words).expect("the state of an equal group");
        }
    }
}

impl Source for Lanes {
    fn begin(&mut self, iteration: u32) -> usize {
        self.iteration = iteration;
        1
    }

    fn collect(&mut self, _phase: usize, policies: Policies<'_>) -> Result<&Rollout, Diverged> {
        let life = &self.life;
        let iteration = self.iteration;
        let (mine, slabs) = self.rollout.share_of_rank();
        let mut outcomes = vec![Ok(()); mine.len()];
        let jobs = mine.clone().zip(self.groups[mine].iter_mut().zip(slabs).zip(&mut outcomes)).collect();
        run_jobs(jobs, self.num_actors, |(index, ((group, slab), outcome)): Job<'_>| {
            let draws = Stream::new(life.seed, Purpose::Action).iteration(iteration).task(index as u32);
            *outcome = group.collect(life, policies, draws, slab);
        });
        outcomes.into_iter().collect::<Result<(), Diverged>>()?;
        self.rollout.fetch();
        self.fetch_groups();
        self.env_steps += self.rollout.num_valid();
        Ok(&self.rollout)
    }

    fn compare(&mut self, _phase: usize, _policies: Policies<'_>) -> Result<Option<&Rollout>, Diverged> {
        Ok(None)
    }

    fn env_steps(&self) -> u64 {
        self.env_steps
    }

    fn save(&mut self, state: &mut State) {
        state.set("env_steps", self.env_steps);
        // the episodes, or lives, that each lane has ended, and the state of each group's environment
        state.set(self.life.counted(), self.groups.iter().flat_map(|group| group.done.clone()).collect::<Vec<u32>>());
        let words: Vec<Vec<u32>> = self.groups.iter_mut().map(|group| group.env.save()).collect();
        state.put_words("lanes", &words);
    }

    fn load(&mut self, state: &State) -> Result<(), Misfit> {
        let env_steps = state.value("env_steps")?;
        let done: Vec<u32> = state.value(self.life.counted())?;
        let saved = state.words("lanes", self.groups.len())?;
        let lanes: usize = self.groups.iter().map(|group| group.done.len()).sum();
        if done.len() != lanes {
            let found = done.len();
            return Err(Misfit(format!("`lanes` has {found} lanes where the configuration asks for {lanes}")));
        }
        let mut groups = self.life.groups(&done);
        for (group, saved) in groups.iter_mut().zip(&saved) {
            group.env.restore(saved).map_err(|error| Misfit(format!("`lanes` has {error}")))?;
        }
        (self.groups, self.env_steps) = (groups, env_steps);
        Ok(())
    }
}

type Job<'a> = (usize, ((&'a mut Group, Slab<'a>), &'a mut Result<(), Diverged>));

/// Lanes that are stepped together.
struct Group {
    env: Box<dyn Batch>,
    /// Number of the group's first lane in the run.
    first: usize,
    /// Number of ended episodes, or of ended lives if episodes have no limit, `[lanes]`.
    done: Vec<u32>,
}

impl Group {
    /// The group with the tasks that its lanes have after `done` episodes.
    fn new(life: &Life, index: usize, done: &[u32]) -> Self {
        let first = index * GROUP;
        let tasks: Vec<Task> = done.iter().enumerate().map(|(i, done)| life.task(first + i, *done)).collect();
        let stream = Stream::new(life.seed, Purpose::Reset).task((index * GROUP) as u32);
        let env = life.env.dynamics().renewable(&tasks, &life.tasks, life.horizon, stream);
        let env = looking_back(env, life.env.spec(), life.window, &[]);
        Group { env, first, done: done.to_vec() }
    }

    /// Fills the slab, starting from the lanes' current states.
    fn collect(
        &mut self,
        life: &Life,
        policies: Policies<'_>,
        draws: Stream,
        mut slab: Slab<'_>,
    ) -> Result<(), Diverged> {
        crate::fault::trip("actor");
        let Group { env, first, done } = self;
        let place = || format!("lanes from {first}");
        let policy = (policies.layout, &policies.params[0][..]);
        let mut policy = Network::new(policy, (life.env.spec(), slab.envs), Actions::Sampled, draws, &place);
        let steps = slab.steps();
        slab.valid_steps.fill(steps as u32);
        steps::run(&mut **env, &mut policy, &mut Renewed { life, first: *first, done }, &mut slab, steps)
    }
}

/// A keeper that lets another episode follow each one, and renews tasks.
struct Renewed<'a> {
    life: &'a Life,
    first: usize,
    done: &'a mut Vec<u32>,
}

impl Keeper for Renewed<'_> {
    fn before(&mut self, _: &dyn Batch, _: &[f32], _: &[usize]) {}

    fn after(&mut self, _t: usize, env: &mut dyn Batch, row: &Row<'_>, live: &mut Vec<usize>) {
        for &lane in &*live {
            if row.terminated[lane] || row.truncated[lane] {
                let age = env.clocks(lane).lifetime_step;
                if self.life.renews(&mut self.done[lane], age) {
                    env.renew(lane, &self.life.task(self.first + lane, self.done[lane]));
                }
            }
        }
    }
}
