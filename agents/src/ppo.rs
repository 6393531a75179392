//! Plain PPO (Schulman et al. 2017, arXiv 1707.06347): one policy for all it meets, and a network that tells the value
//! of states. No adaptation: what a meta-learner is measured by.
//!
//! Two things differ from Stable-Baselines3 and CleanRL. Policy and value network have an optimiser each and are clipped
//! each by its own gradient norm, so that neither crowds the other out and there is no weight between their losses to
//! tune. And the value network answers in units of 1 / (1 - gamma), which makes its answers as large as a reward,
//! whatever gamma is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    adam::Adam,
    advantage::{gae, informative, rounding},
    backend::Backend,
    batch::{Batch, Trajectories},
    host_policy::HostPolicy,
    layout::Layout,
    maml::{Diverged, Metrics, PpoConfig, clip_norm},
    objective::{Objective, ObjectiveStats},
    stop,
    threads::run_jobs,
};

mod lesson;

pub use lesson::Lesson;
use lesson::{deal, deal_obs, normalise};

/// What plain PPO has besides [`PpoConfig`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PpoLearnerConfig {
    /// Samples per gradient step; every epoch deals all samples of an iteration out anew.
    pub minibatch: usize,
    /// Widths of the value network's hidden tanh layers.
    pub value_hidden: Vec<usize>,
    /// Adam's learning rate for the value network; the policy's is `ppo.outer_lr`.
    pub value_lr: f64,
    /// Both learning rates fall linearly to 0 over the iterations.
    pub anneal: bool,
    /// Training ends once the mean return of the last 100 episodes reaches this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_at_return: Option<f64>,
}

impl Default for PpoLearnerConfig {
    fn default() -> Self {
        PpoLearnerConfig {
            minibatch: 256,
            value_hidden: vec![64, 64],
            value_lr: 1e-3,
            anneal: false,
            stop_at_return: None,
        }
    }
}

/// As in Stable-Baselines3 and CleanRL, larger than the paper's 1e-8: gradients of minibatches are noise at the end.
const ADAM_EPSILON: f32 = 1e-5;

/// A network that learns.
#[derive(Clone, Debug)]
pub struct Network {
    /// `[num_params]`
    pub params: Vec<f32>,
    /// `[num_params]`
    pub adam: Adam,
    backend: Arc<dyn Backend>,
}

impl Network {
    /// A network at `params`.
    pub fn new(backend: Arc<dyn Backend>, params: Vec<f32>) -> Self {
        assert_eq!(params.len(), backend.layout().num_params(), "parameter vector and layout differ");
        Network { adam: Adam::new(params.len()), params, backend }
    }

    /// Its shape.
    pub fn layout(&self) -> &Layout {
        self.backend.layout()
    }

    /// Which arithmetic it learns by.
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }
}

/// The learner.
#[derive(Clone, Debug)]
pub struct Ppo {
    /// What acts.
    pub policy: Network,
    /// What tells values, one output; see [`Layout::value`].
    pub value: Network,
    ppo: PpoConfig,
    config: PpoLearnerConfig,
}

impl Ppo {
    /// A learner at the beginning.
    pub fn new(ppo: PpoConfig, config: PpoLearnerConfig, policy: Network, value: Network) -> Self {
        Ppo { policy, value, ppo, config }
    }

    /// Adds advantages and targets of `data`, all of whose steps must be valid, to `lesson`. Where every action earned
    /// the same, advantages are 0: what the value network errs by is none.
    pub fn prepare(&self, data: &Trajectories<'_>, lesson: &mut Lesson) {
        let unit = 1.0 - self.ppo.gamma;
        let answers = self.values(data.obs);
        let value: Vec<f64> = answers.iter().map(|v| f64::from(*v) / unit).collect();
        let next_value = self.next_values(data, &value);
        let PpoConfig { gamma, gae_lambda, .. } = self.ppo;
        let advantage = gae(data, &value, &next_value, gamma, gae_lambda);
        let told = if informative(data) { 1.0 } else { 0.0 };
        let before = lesson.batch.len() as f64;
        let sum = lesson.value_mean * before + value.iter().sum::<f64>();
        lesson.value_mean = sum / (before + value.len() as f64);
        lesson.fit.add(data, &value, gamma);
        lesson.noise = lesson.noise.max(rounding(data, gamma, gae_lambda));
        lesson.batch.obs.extend_from_slice(data.obs);
        lesson.batch.action.extend_from_slice(data.action);
        lesson.batch.log_prob.extend_from_slice(data.log_prob);
        lesson.batch.advantage.extend(advantage.iter().map(|a| (*a * told) as f32));
        lesson.target.extend(advantage.iter().zip(&value).map(|(a, v)| ((a + v) * unit) as f32));
    }

    /// Values after each step: of the next one's state and, where the episode was cut by a time limit or the data end, of
    /// the true next observation. Not read after a terminal step.
    fn next_values(&self, data: &Trajectories<'_>, value: &[f64]) -> Vec<f64> {
        let (mut next, mut cut, mut obs) = (vec![0.0; value.len()], Vec::new(), Vec::new());
        for (env, start, end) in data.episodes() {
            (start..end - 1).for_each(|t| next[data.row(t, env)] = value[data.row(t + 1, env)]);
            let last = data.row(end - 1, env);
            if !data.terminated[last] {
                cut.push(last);
                obs.extend_from_slice(data.obs_at(data.next_obs, last));
            }
        }
        let unit = 1.0 - self.ppo.gamma;
        cut.into_iter().zip(self.values(&obs)).for_each(|(row, v)| next[row] = f64::from(v) / unit);
        next
    }

    /// The value network's answers to `obs` `[samples, obs_dim]`, `[samples]`.
    fn values(&self, obs: &[f32]) -> Vec<f32> {
        let layout = self.value.layout();
        let network = HostPolicy::new(layout, &self.value.params);
        let mut values = vec![0.0; obs.len() / layout.obs_dim()];
        network.forward(obs, &mut values, &mut network.scratch());
        values
    }

    /// One update; the two networks side by side on up to `threads` threads:
    ///
    /// ```text
    /// for each epoch
    ///     deal the samples out in a new order
    ///     for each minibatch
    ///         normalise its advantages
    ///         policy <- Adam step along the gradient of the clipped loss, its norm clipped; none without advantages
    ///         value  <- Adam step along the gradient of half the squared error, its norm clipped
    /// ```
    ///
    /// `orders` `[epochs][samples]` are permutations; `rate` is the share of the learning rates that is left.
    ///
    /// # Errors
    /// [`Diverged`] on a loss, gradient or parameter that is not finite; the learner is then as it was.
    pub fn update(
        &mut self,
        lesson: &Lesson,
        orders: &[Vec<u32>],
        rate: f64,
        threads: usize,
    ) -> Result<Metrics, Diverged> {
        let (mut policy, mut value) = (self.policy.clone(), self.value.clone());
        let (mut of_policy, mut of_value) = (Ok(Tally::default()), Ok(Tally::default()));
        let jobs: Vec<(Part, &mut Network, &mut Result<Tally, Diverged>)> =
            vec![(Part::Policy, &mut policy, &mut of_policy), (Part::Value, &mut value, &mut of_value)];
        run_jobs(jobs, threads, |(part, network, result)| {
            *result = self.descend(part, network, lesson, orders, rate);
        });
        let (of_policy, of_value) = (of_policy?, of_value?);
        (self.policy, self.value) = (policy, value);
        let steps = of_policy.steps.max(1) as f64;
        Ok(vec![
            ("loss/policy", of_policy.stats.loss / steps),
            ("loss/value", of_value.stats.loss / steps),
            ("entropy", of_policy.stats.entropy / steps),
            ("approx_kl", of_policy.stats.approx_kl / steps),
            ("clip_fraction", of_policy.stats.clip_fraction / steps),
            ("grad_norm", of_policy.norm / steps),
            ("grad_norm/value", of_value.norm / steps),
            ("explained_variance", lesson.fit.explained_variance()),
            ("value_mean", lesson.value_mean),
        ])
    }

    /// All epochs of one network.
    fn descend(
        &self,
        part: Part,
        network: &mut Network,
        lesson: &Lesson,
        orders: &[Vec<u32>],
        rate: f64,
    ) -> Result<Tally, Diverged> {
        let Network { params, adam, backend } = network;
        let mut gradients = backend.minibatches();
        let objective = self.objective();
        let (mut tally, mut batch, mut target) = (Tally::default(), Batch::default(), Vec::new());
        for (epoch, order) in orders.iter().enumerate() {
            for rows in order.chunks(self.config.minibatch) {
                stop::check();
                let (mut gradient, stats, lr) = match part {
                    Part::Policy => {
                        deal(lesson, rows, &mut batch);
                        normalise(&mut batch.advantage, lesson.noise);
                        let (gradient, stats) = gradients.clipped(params, &batch, &objective);
                        (gradient, stats, self.informed(&batch).then_some(self.ppo.outer_lr))
                    }
                    Part::Value => {
                        deal_obs(lesson, rows, &mut batch.obs);
                        target.clear();
                        target.extend(rows.iter().map(|row| lesson.target[*row as usize]));
                        let (gradient, loss) = gradients.squared(params, &batch.obs, &target);
                        (gradient, ObjectiveStats { loss, ..Default::default() }, Some(self.config.value_lr))
                    }
                };
                let norm = clip_norm(&mut gradient, self.ppo.max_grad_norm);
                let place = || format!("the {part} in epoch {epoch}");
                Diverged::check(&[stats.loss as f32, norm as f32], "a loss or its gradient", place)
                    .map_err(|diverged| diverged.advising(part.rate()))?;
                if let Some(lr) = lr {
                    adam.step_with(params, &gradient, lr * rate, ADAM_EPSILON);
                }
                tally.add(stats, norm);
            }
            Diverged::check(params, "a parameter", || format!("the {part} after epoch {epoch}"))
                .map_err(|diverged| diverged.advising(part.rate()))?;
        }
        Ok(tally)
    }

    /// Whether the policy is to move: if not, its momentum does not move it either.
    fn informed(&self, batch: &Batch) -> bool {
        self.ppo.ent_coef != 0.0 || batch.tells()
    }

    fn objective(&self) -> Objective {
        let PpoConfig { clip_eps, ent_coef, .. } = self.ppo;
        Objective { clip_eps, kl_coef: 0.0, ent_coef, first_order: true, learn_rates: false }
    }
}

/// Which of the two networks.
#[derive(Clone, Copy)]
enum Part {
    Policy,
    Value,
}

impl Part {
    /// The key of its learning rate.
    fn rate(self) -> &'static str {
        match self {
            Part::Policy => "ppo.outer_lr",
            Part::Value => "ppo_learner.value_lr",
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Part::Policy => "policy",
            Part::Value => "value network",
        })
    }
}

/// Sums over the gradient steps of an update.
#[derive(Default)]
struct Tally {
    steps: usize,
    stats: ObjectiveStats,
    norm: f64,
}

impl Tally {
    fn add(&mut self, stats: ObjectiveStats, norm: f64) {
        self.steps += 1;
        self.stats.loss += stats.loss;
        self.stats.entropy += stats.entropy;
        self.stats.approx_kl += stats.approx_kl;
        self.stats.clip_fraction += stats.clip_fraction;
        self.norm += norm;
    }
}
