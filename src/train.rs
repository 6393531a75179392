//! The training loops: the meta-learner's is here, plain PPO's is [`PpoTrainer`]'s.

use std::time::Instant;

use metadrift_agents::device::Device;
use metadrift_agents::{
    adam::Adam,
    advantage::Estimate,
    backend::{self, BackendChoice, NoBackend},
    batch::{Batch, MetaBatch},
    maml::{Diverged, Maml, Metrics},
};
use metadrift_envs::{EnvKind, Purpose, Split, Stream, Task, TaskDistribution};
use rand_distr::{Distribution, StandardNormal};

use crate::{
    checkpoint::Checkpoint,
    config::{Config, ConfigError},
    life::Life,
    registry,
    rollout::{Collection, Phase, Rollout, Shape, collect_all},
    stats::mean,
};

mod ppo;
mod saved;
mod trainer;

pub use ppo::PpoTrainer;
pub use trainer::Trainer;

/// Everything a meta-training run is made of; between iterations its state is what a [`Checkpoint`] holds.
pub struct MetaTrainer {
    config: Config,
    env: EnvKind,
    life: Life,
    tasks: TaskDistribution,
    learner: Maml,
    rollout: Rollout,
    num_actors: usize,
    /// Meta-iterations done.
    iteration: u64,
    /// Environment steps taken by all of them.
    env_steps: u64,
}

/// What one iteration did.
#[derive(Clone, Debug)]
pub struct Report {
    /// The same for every run of this configuration and seed.
    pub metrics: Metrics,
    /// Seconds and rates, different every time.
    pub timing: Metrics,
    /// Mean return per episode over the tasks after adaptation; where nothing adapts, of the last episodes.
    pub return_post: f64,
    /// The same of the unadapted policy on the same ticks, from the same initial states; absent where nothing adapts.
    pub return_unadapted: Option<f64>,
    /// Whether an action made a difference on any task; else advantages are 0, and rewards teach nothing.
    pub informative: bool,
}

/// One phase's data as the learner wants them.
struct Experience {
    batches: Vec<Batch>,
    summary: Summary,
}

/// What is told of a phase; means over tasks.
#[derive(Clone, Copy)]
struct Summary {
    mean_return: f64,
    worst_return: f64,
    estimate: Estimate,
    steps: u64,
}

impl Experience {
    fn of(rollout: &Rollout, horizon: u32, config: &Config, threads: usize) -> Self {
        let returns = rollout.returns(horizon);
        let (batches, estimate) = rollout.batches(config.ppo.gamma, config.ppo.gae_lambda, threads);
        let summary = Summary {
            mean_return: mean(&returns),
            worst_return: returns.iter().copied().fold(f64::INFINITY, f64::min),
            estimate,
            steps: rollout.num_valid(),
        };
        Experience { batches, summary }
    }
}

impl MetaTrainer {
    /// A run at its beginning: fresh parameters from the seed.
    ///
    /// # Errors
    /// If the configuration does not hold together, or the backend cannot be had.
    pub fn new(
        config: Config,
        device: Device,
        backend: BackendChoice,
        num_actors: usize,
    ) -> Result<Self, TrainerError> {
        let env = config.env()?;
        let layout = registry::layout(env.spec(), &config.task.settings(), &config.policy.hidden);
        let obs_dim = layout.obs_dim();
        let mut rng = Stream::new(config.seed, Purpose::Init).rng();
        let theta = layout.init(config.policy.init_log_std, || StandardNormal.sample(&mut rng));
        let backend = backend::open(backend, layout, device, config.maml.tasks_per_chunk, num_actors)?;
        let shape = Shape {
            tasks: config.rollout.num_tasks,
            steps: config.num_steps()?,
            envs: config.rollout.num_envs,
            obs_dim,
            act_dim: env.spec().act_dim(),
        };
        Ok(MetaTrainer {
            env,
            life: Life::training(&config)?,
            tasks: config.tasks(Split::Train)?,
            learner: Maml::new(config.maml.clone(), config.ppo.clone(), backend, theta),
            rollout: Rollout::new(shape).with_own_obs(env.spec().obs_dim()),
            num_actors,
            iteration: 0,
            env_steps: 0,
            config,
        })
    }

    /// One meta-iteration:
    ///
    /// ```text
    /// draw tasks; phi_i <- theta for each task i
    /// for each inner step k
    ///     collect support data D_k,i with phi_i
    ///     phi_i <- phi_i - inner_lr * gradient of the inner loss on D_k,i
    /// collect query data D'_i with phi_i and, to tell what adaptation gains, the returns of theta on the same ticks
    /// theta <- outer_epochs PPO steps on the loss of phi_i on D'_i,
    ///          phi_i adapted anew from theta in each of them, through the graph
    /// ```
    ///
    /// # Errors
    /// If a loss, gradient or parameter is not finite; no parameter has then taken that value.
    pub fn iterate(&mut self) -> Result<Report, Diverged> {
        let (mut watch, steps_before) = (Stopwatch::start(), self.env_steps);
        let tasks: Vec<Task> = (0..self.config.rollout.num_tasks)
            .map(|i| self.tasks.sample(self.config.seed, self.index(), i as u32))
            .collect();
        let mut params = vec![self.learner.meta_params.clone(); tasks.len()];
        let mut supports = Vec::new();
        for k in 0..self.config.maml.inner_steps {
            let support = self.collect(k, &tasks, &params, &mut watch)?;
            params = self.learner.adapt(&params, &support.batches)?;
            watch.lap("time/adapt_s");
            supports.push(support);
        }
        let query = self.collect(self.config.maml.inner_steps, &tasks, &params, &mut watch)?;
        let unadapted = self.unadapted(&tasks, &mut watch)?;

        let before = supports.first().unwrap_or(&query).summary;
        let data = MetaBatch { supports: supports.into_iter().map(|s| s.batches).collect(), query: query.batches };
        let learned = self.learner.update(&data)?;
        watch.lap("time/update_s");
        self.iteration += 1;
        Ok(self.report(before, query.summary, unadapted, learned, self.env_steps - steps_before, watch))
    }

    /// Phase `k` of the iteration: every task with its parameters, `[tasks][num_params]`.
    fn collect(
        &mut self,
        k: usize,
        tasks: &[Task],
        params: &[Vec<f32>],
        watch: &mut Stopwatch,
    ) -> Result<Experience, Diverged> {
        self.live(k, tasks, params)?;
        watch.lap("time/rollout_s");
        let experience = Experience::of(&self.rollout, self.life.horizon, &self.config, self.num_actors);
        self.env_steps += experience.summary.steps;
        watch.lap("time/advantage_s");
        Ok(experience)
    }

    /// Mean return of the meta-policy on the ticks and initial states of the query phase. Its steps are not learned
    /// from and not counted.
    fn unadapted(&mut self, tasks: &[Task], watch: &mut Stopwatch) -> Result<Option<f64>, Diverged> {
        let last = self.life.phases - 1;
        if last == 0 {
            return Ok(None);
        }
        let params = vec![self.learner.meta_params.clone(); tasks.len()];
        self.live(last, tasks, &params)?;
        watch.lap("time/control_s");
        Ok(Some(mean(&self.rollout.returns(self.life.horizon))))
    }

    /// Fills the rollout with phase `k`.
    fn live(&mut self, k: usize, tasks: &[Task], params: &[Vec<f32>]) -> Result<(), Diverged> {
        let Life { horizon, episodes, .. } = self.life;
        let collection =
            Collection { env: self.env, horizon, layout: self.learner.layout(), num_actors: self.num_actors };
        let first_task = u64::from(self.index()) * tasks.len() as u64;
        let phase = Phase::training(self.config.seed, self.index(), self.life.start(first_task, k), episodes);
        collect_all(&collection, tasks, params, &phase, &mut self.rollout)
    }

    /// The iteration under way, as random streams count it.
    fn index(&self) -> u32 {
        u32::try_from(self.iteration).expect("the configuration limits the iterations")
    }

    fn report(
        &self,
        before: Summary,
        after: Summary,
        unadapted: Option<f64>,
        learned: Metrics,
        steps: u64,
        watch: Stopwatch,
    ) -> Report {
        let control = unadapted.unwrap_or(after.mean_return);
        let mut metrics = vec![
            ("return/pre", before.mean_return),
            ("return/unadapted", control),
            ("return/post", after.mean_return),
            ("return/gain", after.mean_return - control),
            ("return/post_worst_task", after.worst_return),
            ("explained_variance/pre", before.estimate.explained_variance),
            ("explained_variance/post", after.estimate.explained_variance),
            ("value_mean/pre", before.estimate.value_mean),
            ("value_mean/post", after.estimate.value_mean),
            ("uninformative_tasks", after.estimate.uninformative as f64),
            ("env_steps", self.env_steps as f64),
        ];
        metrics.extend(learned);
        let timing = watch.timing(steps);
        let informative = after.estimate.uninformative < self.config.rollout.num_tasks;
        Report { metrics, timing, return_post: after.mean_return, return_unadapted: unadapted, informative }
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The learner, for evaluation.
    pub fn learner(&self) -> &Maml {
        &self.learner
    }

    /// Meta-iterations done.
    pub fn iteration(&self) -> u64 {
        self.iteration
    }

    /// Environment steps taken.
    pub fn env_steps(&self) -> u64 {
        self.env_steps
    }

    /// All that is needed to go on from here to the byte.
    pub fn checkpoint(&self) -> Checkpoint {
        let Maml { meta_params, inner_rates, adam, .. } = &self.learner;
        let tensors =
            [("meta_params", meta_params), ("inner_rates", inner_rates), ("adam_m", &adam.m), ("adam_v", &adam.v)];
        Checkpoint {
            step: self.iteration,
            tensors: tensors.map(|(name, values)| (name.to_owned(), values.clone())).into(),
            state: serde_json::json!({ "adam_step": adam.step, "env_steps": self.env_steps }),
        }
    }

    /// Goes back, or forward, to a checkpoint of a run with the same configuration.
    ///
    /// # Errors
    /// If it is of another policy or learner: says which part does not fit.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), Misfit> {
        let tensor = |name: &str, length: usize| saved::tensor(checkpoint, name, length);
        let counter = |name: &str| saved::value::<u64>(checkpoint, name);
        let (n, m) = (self.learner.meta_params.len(), self.learner.adam.m.len());
        let (theta, rates) = (tensor("meta_params", n)?, tensor("inner_rates", n)?);
        let adam = Adam { m: tensor("adam_m", m)?, v: tensor("adam_v", m)?, step: counter("adam_step")? };
        self.env_steps = counter("env_steps")?;
        self.iteration = checkpoint.step;
        (self.learner.meta_params, self.learner.inner_rates, self.learner.adam) = (theta, rates, adam);
        Ok(())
    }
}

/// Why there is no trainer.
#[derive(Debug, thiserror::Error)]
pub enum TrainerError {
    /// The configuration does not hold together.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The backend cannot be had.
    #[error(transparent)]
    Backend(#[from] NoBackend),
}

/// A checkpoint of something else.
#[derive(Debug, thiserror::Error)]
#[error("the checkpoint does not belong to this configuration: {0}. Was config.toml changed after the run began?")]
pub struct Misfit(String);

/// Seconds per kind of work, summed over the phases of an iteration.
struct Stopwatch {
    began: Instant,
    last: Instant,
    laps: Metrics,
}

impl Stopwatch {
    fn start() -> Self {
        Stopwatch { began: Instant::now(), last: Instant::now(), laps: Vec::new() }
    }

    /// The laps, the whole and the rate of `steps`.
    fn timing(mut self, steps: u64) -> Metrics {
        let seconds = self.began.elapsed().as_secs_f64();
        self.laps.push(("time/iteration_s", seconds));
        self.laps.push(("steps_per_second", steps as f64 / seconds));
        self.laps
    }

    /// Books the time since the last lap on `name`.
    fn lap(&mut self, name: &'static str) {
        let now = Instant::now();
        let seconds = (now - std::mem::replace(&mut self.last, now)).as_secs_f64();
        match self.laps.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += seconds,
            None => self.laps.push((name, seconds)),
        }
    }
}
