//! Tasks of training, new in every iteration, each lived through in phases.

use metadrift_agents::{
    report::Diverged,
    rollout::{Rollout, Shape},
    source::{Demand, Policies, Source},
    state::{Misfit, State},
};
use metadrift_envs::{Split, Task, TaskDistribution};

use super::{
    collect::{Collection, Phase, continue_rank},
    steps::Memories,
};
use crate::{config::Experiment, life::Life, registry};

/// The tasks of an iteration, and the data of the latest phase. Of several ranks, each collects those of its block.
pub struct TaskLives {
    collection: Collection,
    distribution: TaskDistribution,
    seed: u64,
    life: Life,
    iteration: u32,
    tasks: Vec<Task>,
    /// Memories of the policies between two phases, `[tasks]`.
    memories: Vec<Memories>,
    rollout: Rollout,
    env_steps: u64,
}

impl TaskLives {
    /// The source of the tasks that the learner of `config` asks for, stepped by `num_actors` threads.
    ///
    /// # Panics
    /// If the learner asks for lanes instead.
    pub fn new(config: &Experiment, num_actors: usize) -> Self {
        let Demand::Tasks { tasks, lanes, steps, whole, .. } = config.demand() else {
            panic!("the learner asks for lanes")
        };
        let env = config.env();
        let shape = Shape {
            tasks,
            steps,
            envs: lanes,
            obs_dim: registry::policy(config).obs_dim(),
            act_dim: env.spec().act_dim(),
        };
        let rollout = Rollout::new(shape, config.horizon()).with_own_obs(env.spec().obs_dim());
        TaskLives {
            collection: Collection { env, horizon: config.horizon(), num_actors },
            distribution: config.tasks(Split::Train).clone(),
            seed: config.seed,
            life: Life::training(config),
            iteration: 0,
            tasks: Vec::new(),
            memories: Vec::new(),
            rollout: if whole { rollout } else { rollout.of_rank() },
            env_steps: 0,
        }
    }
}

impl TaskLives {
    fn phase(&self, phase: usize) -> Phase {
        let first_task = u64::from(self.iteration) * self.tasks.len() as u64;
        let start = self.life.start(first_task, phase);
        Phase::training(self.seed, self.iteration, start, self.life.episodes)
    }
}

impl Source for TaskLives {
    fn begin(&mut self, iteration: u32) -> usize {
        self.iteration = iteration;
        let count = self.rollout.shape().tasks;
        self.tasks = (0..count).map(|i| self.distribution.sample(self.seed, iteration, i as u32)).collect();
        self.memories = vec![Memories::new(); count];
        count
    }

    fn collect(&mut self, phase: usize, policies: Policies<'_>) -> Result<&Rollout, Diverged> {
        let phase = self.phase(phase);
        continue_rank(&self.collection, &self.tasks, policies, &phase, &mut self.memories, &mut self.rollout)?;
        self.env_steps += self.rollout.num_valid();
        Ok(&self.rollout)
    }

    fn compare(&mut self, phase: usize, policies: Policies<'_>) -> Result<Option<&Rollout>, Diverged> {
        let phase = self.phase(phase);
        let mut memories = vec![Memories::new(); self.tasks.len()];
        continue_rank(&self.collection, &self.tasks, policies, &phase, &mut memories, &mut self.rollout)?;
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
