//! The training loop of plain PPO.

use std::collections::VecDeque;

use metadrift_agents::device::Device;
use metadrift_agents::{
    adam::Adam,
    backend::{self, BackendChoice},
    layout::Layout,
    maml::{Diverged, Maml, Metrics},
    ppo::{Lesson, Network, Ppo},
};
use metadrift_envs::{Purpose, Split, Stream};
use rand_distr::{Distribution, StandardNormal};
use serde_json::json;

use super::{Misfit, Report, Stopwatch, TrainerError, saved};
use crate::{
    checkpoint::Checkpoint,
    config::Config,
    registry,
    rollout::{GROUP, Lanes, Life, Rollout, Shape},
};

/// Episodes that the mean return is over.
const RECENT: usize = 100;

/// Everything a run of plain PPO is made of; between iterations its state is what a [`Checkpoint`] holds.
pub struct PpoTrainer {
    config: Config,
    learner: Ppo,
    lanes: Lanes,
    rollout: Rollout,
    score: Score,
    num_actors: usize,
    /// Updates done.
    iteration: u64,
    /// Environment steps taken.
    env_steps: u64,
}

impl PpoTrainer {
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
        let policy = registry::layout(env.spec(), &config.task.settings(), &config.policy.hidden);
        let value = Layout::value(policy.obs_dim(), &config.ppo_learner.value_hidden);
        let mut rng = Stream::new(config.seed, Purpose::Init).rng();
        let mut network = |layout: Layout| {
            let params = layout.init(config.policy.init_log_std, || StandardNormal.sample(&mut rng));
            Ok::<_, TrainerError>(Network::new(backend::open(backend, layout, device, 0, 1)?, params))
        };
        let num_envs = config.rollout.num_envs;
        let shape = Shape {
            tasks: num_envs.div_ceil(GROUP),
            steps: config.num_steps()?,
            envs: num_envs.min(GROUP),
            obs_dim: policy.obs_dim(),
            act_dim: env.spec().act_dim(),
        };
        let learner = Ppo::new(config.ppo.clone(), config.ppo_learner.clone(), network(policy)?, network(value)?);
        let (horizon, tasks) = (config.horizon()?, config.tasks(Split::Train)?);
        let life = Life { env, horizon, tasks, episodes: config.episodes(), seed: config.seed };
        Ok(PpoTrainer {
            learner,
            lanes: Lanes::new(life, num_envs),
            rollout: Rollout::new(shape),
            score: Score { earned: vec![0.0; num_envs], recent: VecDeque::new() },
            num_actors,
            iteration: 0,
            env_steps: 0,
            config,
        })
    }

    /// One iteration:
    ///
    /// ```text
    /// step all lanes on from where they stand, with actions drawn from the policy
    /// estimate advantages: a death is worth nothing afterwards, a time limit what the value network says
    /// policy, value <- some epochs of gradient steps on shuffled minibatches
    /// ```
    ///
    /// # Errors
    /// If a loss, gradient or parameter is not finite; no parameter has then taken that value.
    pub fn iterate(&mut self) -> Result<Report, Diverged> {
        let mut watch = Stopwatch::start();
        let Network { params, .. } = &self.learner.policy;
        let index = u32::try_from(self.iteration).expect("the configuration limits the iterations");
        self.lanes.collect(self.learner.policy.layout(), params, index, self.num_actors, &mut self.rollout)?;
        watch.lap("time/rollout_s");
        self.score.add(&self.rollout);

        let mut lesson = Lesson::default();
        self.rollout.tasks().for_each(|data| self.learner.prepare(&data, &mut lesson));
        watch.lap("time/advantage_s");
        let shuffle = Stream::new(self.config.seed, Purpose::Shuffle).iteration(index);
        let samples = lesson.batch.len() as u32;
        let orders: Vec<_> =
            (0..self.config.ppo.outer_epochs).map(|epoch| shuffle.task(epoch as u32).permutation(samples)).collect();
        let learned = self.learner.update(&lesson, &orders, self.rate(), self.num_actors)?;
        watch.lap("time/update_s");
        self.iteration += 1;
        self.env_steps += self.rollout.num_valid();
        Ok(self.report(learned, lesson.batch.tells(), watch))
    }

    /// The share of the learning rates that is left.
    fn rate(&self) -> f64 {
        let done = self.iteration as f64 / self.config.iterations as f64;
        if self.config.ppo_learner.anneal { 1.0 - done } else { 1.0 }
    }

    fn report(&self, learned: Metrics, informative: bool, watch: Stopwatch) -> Report {
        let score = self.score.mean();
        let mut metrics = vec![("return", score), ("env_steps", self.env_steps as f64)];
        metrics.extend(learned);
        let timing = watch.timing(self.rollout.num_valid());
        Report { metrics, timing, return_post: score, return_unadapted: None, informative }
    }

    /// Whether the mean return of the last 100 episodes has reached `ppo_learner.stop_at_return`.
    pub fn solved(&self) -> bool {
        let enough = self.score.recent.len() == RECENT;
        enough && self.config.ppo_learner.stop_at_return.is_some_and(|goal| self.score.mean() >= goal)
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The policy as one that can adapt: by plain gradient steps of `maml.inner_lr`.
    pub fn learner(&self) -> Maml {
        let Network { params, .. } = &self.learner.policy;
        let backend = self.learner.policy.backend().clone();
        Maml::new(self.config.maml.clone(), self.config.ppo.clone(), backend, params.clone())
    }

    /// Updates done.
    pub fn iteration(&self) -> u64 {
        self.iteration
    }

    /// Environment steps taken.
    pub fn env_steps(&self) -> u64 {
        self.env_steps
    }

    /// All that is needed to go on from here to the byte.
    pub fn checkpoint(&mut self) -> Checkpoint {
        let (done, lanes) = self.lanes.save();
        let Ppo { policy, value, .. } = &self.learner;
        let lanes = saved::words_as_numbers(&lanes);
        let tensors = [
            ("meta_params", &policy.params),
            ("adam_m", &policy.adam.m),
            ("adam_v", &policy.adam.v),
            ("value_params", &value.params),
            ("value_adam_m", &value.adam.m),
            ("value_adam_v", &value.adam.v),
            ("lanes", &lanes),
        ];
        Checkpoint {
            step: self.iteration,
            tensors: tensors.map(|(name, values)| (name.to_owned(), values.clone())).into(),
            state: json!({
                "adam_step": policy.adam.step,
                "value_adam_step": value.adam.step,
                "env_steps": self.env_steps,
                "episodes": done,
                "earned": self.score.earned,
                "recent": self.score.recent,
            }),
        }
    }

    /// Goes back, or forward, to a checkpoint of a run with the same configuration.
    ///
    /// # Errors
    /// If it is of another policy or learner: says which part does not fit.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), Misfit> {
        let network = |network: &Network, [params, m, v, step]: [&str; 4]| {
            let n = network.params.len();
            let adam = Adam {
                m: saved::tensor(checkpoint, m, n)?,
                v: saved::tensor(checkpoint, v, n)?,
                step: saved::value(checkpoint, step)?,
            };
            let mut network = network.clone();
            (network.params, network.adam) = (saved::tensor(checkpoint, params, n)?, adam);
            Ok(network)
        };
        let policy = network(&self.learner.policy, ["meta_params", "adam_m", "adam_v", "adam_step"])?;
        let value = network(&self.learner.value, ["value_params", "value_adam_m", "value_adam_v", "value_adam_step"])?;
        let score = Score { earned: saved::value(checkpoint, "earned")?, recent: saved::value(checkpoint, "recent")? };
        if score.earned.len() != self.score.earned.len() || score.recent.len() > RECENT {
            return Err(Misfit("`earned` or `recent` has another length".into()));
        }
        let env_steps = saved::value(checkpoint, "env_steps")?;
        let done: Vec<u32> = saved::value(checkpoint, "episodes")?;
        let lanes = saved::numbers_as_words(checkpoint, "lanes", self.rollout.shape().tasks)?;
        self.lanes.restore(&done, &lanes).map_err(|what| Misfit(format!("`lanes` has {what}")))?;
        (self.learner.policy, self.learner.value, self.score) = (policy, value, score);
        (self.iteration, self.env_steps) = (checkpoint.step, env_steps);
        Ok(())
    }
}

/// Returns of training episodes.
struct Score {
    /// Of the episodes under way, `[lanes]`.
    earned: Vec<f64>,
    /// Of the last ones that ended, at most [`RECENT`].
    recent: VecDeque<f64>,
}

impl Score {
    /// Takes a rollout in, step by step.
    fn add(&mut self, rollout: &Rollout) {
        for t in 0..rollout.shape().steps {
            let lanes = rollout.tasks().flat_map(|data| (0..data.envs).map(move |env| (data, data.row(t, env))));
            for (earned, (data, row)) in self.earned.iter_mut().zip(lanes) {
                *earned += f64::from(data.reward[row]);
                if data.terminated[row] || data.truncated[row] {
                    self.recent.push_back(std::mem::take(earned));
                }
            }
        }
        self.recent.drain(..self.recent.len().saturating_sub(RECENT));
    }

    /// Not a number before the first episode has ended.
    fn mean(&self) -> f64 {
        self.recent.iter().sum::<f64>() / self.recent.len() as f64
    }
}
