//! Plain PPO (Schulman et al. 2017, arXiv 1707.06347): one policy for all tasks, and a network that estimates state
//! values. It does not adapt: it is the reference for a meta-learner.
//!
//! It differs from Stable-Baselines3 and CleanRL in two ways. First, policy and value network each have their own
//! optimiser and gradient norm to clip, so that neither crowds the other out and no weight between their losses needs
//! tuning. Second, the value network answers in units of 1 / (1 - gamma), so that its answers are as large as a reward
//! for every gamma. With `ppo_learner.normalize_reward` the unit is instead the running standard deviation of the
//! discounted return, as if rewards were divided by it.

use std::sync::Arc;

use metadrift_random::{Purpose, Stream};

use crate::{
    advantage::Estimator,
    agent::{Adaptive, Agent, even_rates},
    backend::{self, NoBackend},
    descent::orders,
    inputs::{Moments, Normalizer},
    keys::{Section, own},
    layout::Layout,
    learner::{Entry, Ground, Learner, Learns, any, feedforward},
    memory::{Sizes, Taken},
    network::Network,
    objective::InnerLoss,
    optimizer::{Learned, Optimizer},
    report::{Diverged, Report, Stopwatch},
    rollout::Rollout,
    settings::{MamlConfig, Plan, PpoConfig, Settings},
    source::{Demand, Policies, Source},
    state::{Misfit, State},
    update_rule::MEMORY,
};

mod config;
mod experience;
mod scale;
mod score;
mod update;

pub use config::{OptimizerChoice, PpoLearnerConfig};
pub use experience::Experience;
use scale::ReturnScale;
use score::Score;

/// The entry of `learner = "ppo"`.
pub const ENTRY: Entry = Entry {
    name: "ppo",
    about: "Plain PPO: one policy for all tasks; each lane draws a new task from time to time",
    details: "Schulman et al. 2017, arXiv 1707.06347. It does not adapt; an evaluation fine-tunes it by gradient steps of \
              maml.inner_lr.",
    ignores: &[
        "rollout.num_tasks",
        "maml.*",
        "!maml.inner_lr",
        "!maml.adapts",
        "!maml.adapts_size",
        "!maml.adapt_log_std",
        "ppo.kl_coef",
    ],
    own: Some(Section::of::<PpoLearnerConfig>()),
    settings: Some("iterations = 300\n[rollout]\nnum_envs = 64\nnum_steps = 128\n"),
    learns: Learns::Episodes,
    check: any,
    layout: feedforward,
    demand,
    size,
    memory,
    build,
};

/// The learner: policy, value network and settings.
#[derive(Clone, Debug)]
pub struct Ppo {
    /// The policy.
    pub policy: Network,
    /// The value network, with one output; see [`Layout::plain`].
    pub value: Network,
    ppo: PpoConfig,
    config: PpoLearnerConfig,
    /// The inner loop, by which the policy adapts in evaluations.
    maml: MamlConfig,
    score: Score,
    /// Statistics of the returns, if rewards are divided by their spread.
    scale: Option<ReturnScale>,
    /// Statistics of the observations, if the networks normalise them.
    moments: Option<Moments>,
    run: Run,
}

/// The run that the learner is part of.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Seed of every random number of the run.
    pub seed: u64,
    /// Its planned length.
    pub plan: Plan,
    /// Number of lanes.
    pub lanes: usize,
    /// Number of threads for gradients and estimates.
    pub threads: usize,
}

/// The place of an iteration in the run.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The share of the run that is done.
    pub done: f64,
    /// The share of the learning rates that remains.
    pub rate: f64,
}

impl Ppo {
    /// A learner at the start of a run.
    pub fn new(
        (ppo, config, maml): (PpoConfig, PpoLearnerConfig, MamlConfig),
        policy: Network,
        value: Network,
        run: Run,
    ) -> Self {
        let scale = config.normalize_reward.then(|| ReturnScale::new(run.lanes));
        Ppo { policy, value, ppo, config, maml, score: Score::new(run.lanes), scale, moments: None, run }
    }

    /// Learns from the experience of an iteration, whose observations are those that the networks see; `before` are the
    /// environment steps that were taken before it. The report lacks steps and timing.
    ///
    /// # Errors
    /// [`Diverged`] on a loss, gradient or parameter that is not finite; the learner is then as it was.
    pub(super) fn learn(
        &mut self,
        rollout: &Rollout,
        (iteration, before): (u32, u64),
        watch: &mut Stopwatch,
    ) -> Result<Report, Diverged> {
        let mut score = self.score.clone();
        score.add(rollout);
        let scale = self.scale.clone();
        if let Some(scale) = &mut self.scale {
            scale.add(rollout, self.ppo.gamma);
        }
        let mut experience = Experience::default();
        rollout.tasks().for_each(|data| self.prepare(&data, &mut experience));
        let normalizer = self.normalizer();
        normalizer.inspect(|normalizer| normalizer.apply(&mut experience.batch.obs));
        watch.lap("time/advantage_s");
        let shuffle = Stream::new(self.run.seed, Purpose::Shuffle).iteration(iteration);
        // both networks take the samples in the same order
        let orders: Vec<_> = orders(shuffle, self.ppo.outer_epochs, experience.batch.len()).collect();
        let learned = self.update(&experience, &orders, self.pace(iteration, before), self.run.threads);
        if learned.is_err() {
            self.scale = scale;
        }
        let learned = learned?;
        watch.lap("time/update_s");
        self.score = score;
        if let Some(moments) = &mut self.moments {
            moments.add(rollout);
        }
        let return_post = self.score.mean();
        let mut metrics = vec![("return", return_post)];
        metrics.extend(learned);
        let informative = experience.batch.tells();
        Ok(Report { metrics, timing: Vec::new(), return_post, return_unadapted: None, informative })
    }

    /// The normaliser of the observations of both networks.
    fn normalizer(&self) -> Option<Arc<Normalizer>> {
        self.moments.as_ref().and_then(Moments::normalizer)
    }

    fn pace(&self, iteration: u32, env_steps: u64) -> Pace {
        let done = self.run.plan.done(iteration, env_steps);
        Pace { done, rate: if self.config.anneal { 1.0 - done } else { 1.0 } }
    }
}

impl Learner for Ppo {
    /// Runs one iteration:
    ///
    /// ```text
    /// step all lanes on from their current states, with actions drawn from the policy
    /// estimate advantages: a termination is followed by nothing, a time limit by the value network's answer
    /// policy, value <- some epochs of gradient steps on shuffled minibatches
    /// ```
    fn iterate(&mut self, source: &mut dyn Source, iteration: u32) -> Result<Report, Diverged> {
        let mut watch = Stopwatch::start();
        let before = source.env_steps();
        source.begin(iteration);
        let params = std::slice::from_ref(&self.policy.params);
        let layout = self.policy.layout().clone().normalizing(self.normalizer());
        let policies = Policies { layout: &layout, params };
        let rollout = source.collect(0, policies).map_err(|diverged| diverged.advising("ppo.outer_lr"))?;
        watch.lap("time/rollout_s");
        let mut report = self.learn(rollout, (iteration, before), &mut watch)?;
        let steps = source.env_steps();
        report.metrics.insert(1, ("env_steps", steps as f64));
        Ok(Report { timing: watch.timing(steps - before), ..report })
    }

    /// The policy, which adapts by plain gradient steps of `maml.inner_lr`.
    fn agent(&self) -> Box<dyn Agent> {
        let backend = self.policy.backend().clone();
        let rates = even_rates(backend.layout(), &self.maml);
        let estimator = Estimator::new(&self.ppo, self.run.threads);
        let agent = Adaptive::new(backend, InnerLoss::LVC, estimator, self.policy.params.clone(), rates);
        Box::new(agent.normalizing(self.normalizer()))
    }

    fn goal(&self) -> Option<f64> {
        self.config.stop_at_return
    }

    fn solved(&self) -> bool {
        self.goal().is_some_and(|goal| self.score.reaches(goal))
    }

    fn scale_steps(&mut self, factor: f64) {
        self.ppo.outer_lr *= factor;
        self.config.value_lr *= factor;
    }

    fn save(&self, state: &mut State) {
        self.policy.save(state, "meta_params", "adam");
        self.value.save(state, "value_params", "value_adam");
        self.score.save(state);
        if let Some(scale) = &self.scale {
            state.set("return_scale", scale);
        }
        if let Some(moments) = &self.moments {
            moments.save(state);
        }
    }

    fn load(&mut self, state: &State) -> Result<(), Misfit> {
        let policy = self.policy.loaded(state, "meta_params", "adam")?;
        let value = self.value.loaded(state, "value_params", "value_adam")?;
        let stored = |scale: &ReturnScale| scale.loaded(state.value("return_scale")?);
        let scale = self.scale.as_ref().map(stored).transpose()?;
        let moments = self.moments.as_ref().map(|moments| moments.loaded(state)).transpose()?;
        self.score = self.score.loaded(state)?;
        (self.policy, self.value, self.scale, self.moments) = (policy, value, scale, moments);
        Ok(())
    }
}

fn build(settings: &Settings, ground: Ground) -> Result<Box<dyn Learner>, NoBackend> {
    let config: PpoLearnerConfig = own(&settings.own);
    let Ground { layout, device, backend, threads, .. } = ground;
    let value = Layout::plain(layout.obs_dim(), &config.value_hidden, 1).with_activation(layout.activation());
    let mut rng = Stream::new(settings.seed, Purpose::Init).rng();
    let mut network = |layout: Layout, values: bool| {
        let params = settings.policy.init.draw(&layout, settings.policy.init_log_std, &mut rng);
        let mut network = Network::new(backend::open(backend, layout.clone(), device, 0, 1)?, params);
        if let Some(rule) = &config.optimizer_weights {
            network.optimizer = Optimizer::Learned(Learned::new(Arc::new(rule.clone()), &layout, values));
        }
        Ok(network)
    };
    let moments = settings.policy.moments(&layout);
    let (policy, value) = (network(layout, false)?, network(value, true)?);
    let run = Run { seed: settings.seed, plan: settings.plan(), lanes: settings.rollout.num_envs, threads };
    let learner = Ppo::new((settings.ppo.clone(), config, settings.maml.clone()), policy, value, run);
    Ok(Box::new(Ppo { moments, ..learner }))
}

pub(super) fn demand(settings: &Settings) -> Demand {
    let asked = settings.rollout.num_steps;
    let steps = if asked == 0 { settings.horizon as usize } else { asked };
    Demand::Lanes { lanes: settings.rollout.num_envs, steps, episodes: settings.episodes() }
}

fn size(settings: &Settings) -> String {
    format!("plain PPO, {} lanes", settings.rollout.num_envs)
}

fn memory(settings: &Settings, sizes: &Sizes) -> Taken {
    let config: PpoLearnerConfig = own(&settings.own);
    let samples = settings.rollout.num_envs as u128 * demand(settings).steps() as u128;
    let value = Layout::plain(sizes.obs_dim, &config.value_hidden, 1);
    let widest = sizes.hidden.max(4 * config.value_hidden.iter().map(|width| *width as u128).sum::<u128>());
    let minibatch = samples.min(config.minibatch as u128) * (8 * widest + 2 * sizes.sample);
    // the data, and an order of the samples for every epoch
    let copies = samples * (2 * sizes.sample + 16 + 4 * settings.ppo.outer_epochs as u128);
    let values = 4 * value.num_params() as u128;
    let remembered = match config.optimizer {
        OptimizerChoice::Adam => 0,
        OptimizerChoice::Learned => MEMORY as u128 * (sizes.params + values),
    };
    Taken {
        data: copies + minibatch,
        networks: sizes.networks(sizes.params + values, 1) + remembered,
        keys: "rollout.num_envs, rollout.num_steps, ppo.outer_epochs, ppo_learner.minibatch or policy.hidden",
    }
}
