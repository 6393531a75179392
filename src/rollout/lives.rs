//! Lives that begin anew in every iteration, each lane on a task of its own, all under one policy.

use metadrift_agents::{
    report::Diverged,
    rollout::{Rollout, Row, Shape, Slab},
    source::{Demand, Policies, Source},
    state::{Misfit, State},
    threads::run_jobs,
};
use metadrift_envs::{Batch, EnvKind, LaneStreams, Purpose, Split, Stream, Task, TaskDistribution};

use super::{
    actors::actor,
    lanes::GROUP,
    network::{Actions, scale},
    steps::{self, Actor, Keeper, Memories},
    window::looking_back,
};
use crate::{
    config::Experiment,
    control::{
        Controlled,
        privileged::{self, Privileged},
    },
    life::Life,
    registry,
};

/// All lives of an iteration, in groups. Of several ranks, each lives those of its block, and fetches the others.
pub struct Lives {
    world: World,
    num_actors: usize,
    /// The last iteration, `[groups, steps, lanes of a group]`.
    rollout: Rollout,
    env_steps: u64,
}

/// The world that the lives are lived in.
struct World {
    env: EnvKind,
    life: Life,
    distribution: TaskDistribution,
    seed: u64,
    iteration: u32,
    /// Lives of an iteration.
    lanes: usize,
    /// Number of iterations with a teacher.
    taught: u64,
    /// The controller that shows its actions, if the learner asks for one.
    teacher: Option<Privileged>,
}

impl Lives {
    /// The lives that the learner of `config` asks for (a multiple of [`GROUP`], or at most that), stepped by `num_actors`
    /// threads.
    ///
    /// # Panics
    /// If it asks for something else.
    pub fn new(config: &Experiment, num_actors: usize) -> Self {
        let Demand::Lives { lanes, steps, taught } = config.demand() else { panic!("the learner asks for no lives") };
        let env = config.env();
        let shape = Shape {
            tasks: lanes.div_ceil(GROUP),
            steps,
            envs: lanes.min(GROUP),
            obs_dim: registry::policy(config).obs_dim(),
            act_dim: env.spec().act_dim(),
        };
        let world = World {
            env,
            life: Life::training(config),
            distribution: config.tasks(Split::Train).clone(),
            seed: config.seed,
            iteration: 0,
            lanes,
            taught,
            teacher: if taught > 0 { privileged::controller(env) } else { None },
        };
        let rollout = Rollout::new(shape, config.horizon()).with_own_obs(env.spec().obs_dim());
        let rollout = if taught > 0 { rollout.with_lessons() } else { rollout };
        Lives { world, num_actors, rollout, env_steps: 0 }
    }
}

impl World {
    /// One group, from the beginning of its lives.
    fn live(&self, group: usize, policies: Policies<'_>, mut slab: Slab<'_>) -> Result<(), Diverged> {
        crate::fault::trip("actor");
        let lanes = slab.envs;
        let first = (group * lanes) as u32;
        let task = |lane: u32| self.distribution.sample(self.seed, self.iteration, first + lane);
        let tasks: Vec<Task> = (0..lanes as u32).map(task).collect();
        let pairs: Vec<(&Task, usize)> = tasks.iter().map(|task| (task, 1)).collect();
        let index = u8::try_from(group).expect("there are at most 256 groups");
        let stream = |purpose| Stream::new(self.seed, purpose).iteration(self.iteration).phase(index);
        let born = u64::from(self.iteration) * self.lanes as u64 + u64::from(first);
        let start = self.life.start(born, 0);
        let env = self.env.dynamics().batch(&pairs, self.life.horizon, stream(Purpose::Reset), start);
        let mut env = looking_back(env, self.env.spec(), policies.layout.window(), &[]);
        let place = || format!("lives from {first}");
        let policy = (policies.layout, &policies.params[0][..]);
        let mut policy = actor(
            policy,
            (self.env.spec(), lanes),
            Actions::Sampled,
            stream(Purpose::Action),
            &place,
            &Memories::new(),
        );
        let steps = slab.steps();
        slab.valid_steps.fill(steps as u32);
        let Some(teacher) = self.teacher.as_ref().filter(|_| u64::from(self.iteration) < self.taught) else {
            return steps::run(&mut *env, &mut *policy, &mut Onward, &mut slab, steps);
        };
        let teacher = Controlled::new(self.env, (&tasks, 1), |_, _| teacher.clone());
        let leads = 0.5 * (1.0 - self.iteration as f32 / self.taught as f32);
        let mut taught = Taught {
            student: policy,
            led: (0..lanes).map(|lane| (lane as f32 + 0.5) < leads * lanes as f32).collect(),
            commands: vec![0.0; teacher.commands().len()],
            teacher,
            scale: scale(self.env.spec()),
            streams: LaneStreams::new(stream(Purpose::Lesson), lanes),
        };
        steps::run(&mut *env, &mut taught, &mut Onward, &mut slab, steps)
    }
}

impl Source for Lives {
    fn begin(&mut self, iteration: u32) -> usize {
        self.world.iteration = iteration;
        1
    }

    fn collect(&mut self, _phase: usize, policies: Policies<'_>) -> Result<&Rollout, Diverged> {
        self.compare(0, policies)?;
        self.env_steps += self.rollout.num_valid();
        Ok(&self.rollout)
    }

    fn compare(&mut self, _phase: usize, policies: Policies<'_>) -> Result<Option<&Rollout>, Diverged> {
        let world = &self.world;
        let (mine, slabs) = self.rollout.share_of_rank();
        let mut outcomes = vec![Ok(()); mine.len()];
        let jobs = mine.zip(slabs.into_iter().zip(&mut outcomes)).collect();
        run_jobs(jobs, self.num_actors, |(group, (slab, outcome)): Job<'_>| {
            *outcome = world.live(group, policies, slab);
        });
        outcomes.into_iter().collect::<Result<(), Diverged>>()?;
        self.rollout.fetch();
        Ok(Some(&self.rollout))
    }

    fn env_steps(&self) -> u64 {
        self.env_steps
    }

    fn save(&mut self, state: &mut State) {
        state.set("env_steps", self.env_steps);
    }

    fn load(&mut self, state: &State) -> Result<(), Misfit> {
        self.env_steps = state.value("env_steps")?;
        Ok(())
    }
}

type Job<'a> = (usize, (Slab<'a>, &'a mut Result<(), Diverged>));

/// A policy that acts, and a teacher that shows its actions in the same states. In lanes that are led, the teacher acts in
/// four steps of five, so that the student also sees what it cannot reach yet.
struct Taught<'a> {
    student: Box<dyn Actor + 'a>,
    teacher: Controlled<'a, Privileged>,
    /// Factor from the policy's unit actions to the environment's.
    scale: f32,
    /// `[lanes]`
    led: Vec<bool>,
    /// The steps of the teacher.
    streams: LaneStreams,
    /// `[lanes, act_dim]`
    commands: Vec<f32>,
}

impl Actor for Taught<'_> {
    fn act(&mut self, t: usize, env: &dyn Batch, live: &[usize], row: &mut Row<'_>) -> Result<(), Diverged> {
        self.student.act(t, env, live, row)?;
        self.teacher.act(t, env, live, row)?;
        let shown = row.lesson.iter_mut().zip(self.teacher.commands());
        shown.for_each(|(lesson, command)| *lesson = command / self.scale);
        self.commands.copy_from_slice(self.student.commands());
        self.streams.draw(t as u32);
        let dim = self.commands.len() / self.led.len();
        for lane in (0..self.led.len()).filter(|lane| self.led[*lane]) {
            if self.streams.uniforms(lane)[0] < 0.8 {
                let of_lane = lane * dim..(lane + 1) * dim;
                row.action[of_lane.clone()].copy_from_slice(&row.lesson[of_lane.clone()]);
                self.commands[of_lane.clone()].copy_from_slice(&self.teacher.commands()[of_lane]);
            }
        }
        Ok(())
    }

    fn commands(&self) -> &[f32] {
        &self.commands
    }

    fn outcome(&mut self, row: &Row<'_>) {
        self.student.outcome(row);
    }
}

/// Lanes that go on from episode to episode.
struct Onward;

impl Keeper for Onward {
    fn before(&mut self, _: &dyn Batch, _: &[f32], _: &[usize]) {}

    fn after(&mut self, _: usize, _: &mut dyn Batch, _: &Row<'_>, _: &mut Vec<usize>) {}
}
