//! Lanes that live on from one rollout to the next, each with tasks of its own.

use metadrift_agents::{host_policy::HostPolicy, layout::Layout, maml::Diverged, stop, threads::run_jobs};
use metadrift_envs::{Batch, EnvKind, Purpose, StepView, Stream, Task, TaskDistribution, rng::MAX_INDEX};

use super::{
    buffer::{Rollout, Slab},
    collect::{Actions, Episodes, LivePolicy},
};

/// Lanes that one actor steps together, whatever the number of actors: at most this many.
pub const GROUP: usize = 32;

/// What the lanes do, the same for all.
#[derive(Clone, Debug)]
pub struct Life {
    /// Which environment.
    pub env: EnvKind,
    /// Time limit of an episode (steps).
    pub horizon: u32,
    /// What tasks are drawn from.
    pub tasks: TaskDistribution,
    /// How long a lane keeps a task before it draws the next one.
    pub episodes: Episodes,
    /// Seed of the run.
    pub seed: u64,
}

impl Life {
    /// The task of `lane` after it has ended `done` episodes: a pure function, so tasks need not be stored.
    fn task(&self, lane: usize, done: u32) -> Task {
        let round = match self.episodes {
            // beyond 2^24 rounds, where streams end, the tasks of the first ones come again
            Episodes::Count(n) => done / n % MAX_INDEX,
            Episodes::Endless => 0,
        };
        self.tasks.sample(self.seed, round, lane as u32)
    }

    /// Whether a lane draws a new task once it has ended `done` episodes.
    fn renews(&self, done: u32) -> bool {
        matches!(self.episodes, Episodes::Count(n) if done.is_multiple_of(n))
    }
}

/// All lanes of a run, in groups.
pub struct Lanes {
    life: Life,
    groups: Vec<Group>,
}

impl Lanes {
    /// `num_envs` lanes (at most [`GROUP`], or a multiple of it) at the beginning of their first episodes.
    pub fn new(life: Life, num_envs: usize) -> Self {
        let done = vec![0; num_envs];
        Lanes { groups: groups(&life, &done), life }
    }

    /// Fills `rollout`, `[groups, steps, lanes of a group]`, with what the policy `params` does from where the lanes
    /// stand. `iteration` names the random numbers of its actions.
    ///
    /// # Errors
    /// If an output of the policy is not finite.
    pub fn collect(
        &mut self,
        layout: &Layout,
        params: &[f32],
        iteration: u32,
        actors: usize,
        rollout: &mut Rollout,
    ) -> Result<(), Diverged> {
        let life = &self.life;
        let mut outcomes = vec![Ok(()); self.groups.len()];
        let jobs = self.groups.iter_mut().zip(rollout.slabs()).zip(&mut outcomes).enumerate().collect();
        run_jobs(jobs, actors, |(index, ((group, slab), outcome)): Job<'_>| {
            let draws = Stream::new(life.seed, Purpose::Action).iteration(iteration).task(index as u32);
            *outcome = group.collect(life, HostPolicy::new(layout, params), draws, slab);
        });
        outcomes.into_iter().collect()
    }

    /// Episodes that each lane has ended, `[lanes]`, and the state of each group's environment.
    pub fn save(&mut self) -> (Vec<u32>, Vec<Vec<u32>>) {
        let done = self.groups.iter().flat_map(|group| group.done.clone()).collect();
        (done, self.groups.iter_mut().map(|group| group.env.save()).collect())
    }

    /// Goes on from what [`Lanes::save`] gave; says what does not fit.
    ///
    /// # Errors
    /// If it is of other lanes.
    pub fn restore(&mut self, done: &[u32], saved: &[Vec<u32>]) -> Result<(), String> {
        let lanes: usize = self.groups.iter().map(|group| group.done.len()).sum();
        if (done.len(), saved.len()) != (lanes, self.groups.len()) {
            return Err(format!("{} lanes where the configuration asks for {lanes}", done.len()));
        }
        let mut restored = groups(&self.life, done);
        for (group, saved) in restored.iter_mut().zip(saved) {
            group.env.restore(saved).map_err(|error| error.to_string())?;
        }
        self.groups = restored;
        Ok(())
    }
}

type Job<'a> = (usize, ((&'a mut Group, Slab<'a>), &'a mut Result<(), Diverged>));

fn groups(life: &Life, done: &[u32]) -> Vec<Group> {
    done.chunks(GROUP).enumerate().map(|(index, done)| Group::new(life, index, done)).collect()
}

/// Lanes that are stepped together.
struct Group {
    env: Box<dyn Batch>,
    /// Number of the first lane in the run.
    first: usize,
    /// Episodes ended, `[lanes]`.
    done: Vec<u32>,
}

impl Group {
    /// Lanes with the tasks they have after so many episodes.
    fn new(life: &Life, index: usize, done: &[u32]) -> Self {
        let first = index * GROUP;
        let tasks: Vec<Task> = done.iter().enumerate().map(|(i, done)| life.task(first + i, *done)).collect();
        let stream = Stream::new(life.seed, Purpose::Reset).task((index * GROUP) as u32);
        let env = life.env.dynamics().renewable(&tasks, &life.tasks, life.horizon, stream);
        Group { env, first, done: done.to_vec() }
    }

    /// Fills the slab; an episode that ends is followed by another one, every so many in another task.
    fn collect(&mut self, life: &Life, policy: HostPolicy, draws: Stream, mut slab: Slab<'_>) -> Result<(), Diverged> {
        crate::fault::trip("actor");
        let (env, lanes) = (&mut self.env, slab.envs);
        let (steps, obs_dim) = (slab.reward.len() / lanes, env.obs_dim());
        let mut policy = LivePolicy::new(policy, draws, life.env.spec(), lanes);
        slab.valid_steps.fill(steps as u32);
        for t in 0..steps {
            stop::check();
            let rows = t * lanes..(t + 1) * lanes;
            let of_obs = rows.start * obs_dim..rows.end * obs_dim;
            slab.obs[of_obs.clone()].copy_from_slice(env.obs());
            slab.episode_step[rows.clone()].copy_from_slice(env.episode_step());
            policy.act(t as u32, Actions::Sampled, env.obs(), &mut slab, rows.start);
            policy.check(|| format!("lanes from {}", self.first))?;
            env.step(
                policy.commands(),
                StepView {
                    next_obs: &mut slab.next_obs[of_obs],
                    reward: &mut slab.reward[rows.clone()],
                    terminated: &mut slab.terminated[rows.clone()],
                    truncated: &mut slab.truncated[rows.clone()],
                },
            );
            for (lane, row) in rows.enumerate() {
                if slab.terminated[row] || slab.truncated[row] {
                    self.done[lane] += 1;
                    if life.renews(self.done[lane]) {
                        env.renew(lane, &life.task(self.first + lane, self.done[lane]));
                    }
                }
            }
        }
        Ok(())
    }
}
