//! MAML-PPO: a meta-policy that adapts to a task in a few gradient steps (Finn et al. 2017, arXiv 1703.03400), with an
//! unclipped surrogate inside and PPO's clipped one outside (ProMP, Rothfuss et al. 2019, arXiv 1810.06784).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    adam::Adam,
    backend::Backend,
    batch::{Batch, MetaBatch},
    layout::Layout,
    objective::{Objective, ObjectiveStats},
};

/// The inner loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MamlConfig {
    /// Step size of the adaptation; the starting point if it is learned.
    pub inner_lr: f64,
    /// Gradient steps of the adaptation, each on fresh data; 0 is plain PPO over all tasks.
    pub inner_steps: usize,
    /// Leave the second derivatives out (FOMAML): cheaper and biased.
    pub first_order: bool,
    /// Learn one inner rate per parameter along with the policy (Meta-SGD, Li et al. 2017, arXiv 1707.09835).
    pub learn_inner_lr: bool,
    /// Whether adaptation may change the exploration noise of a Gaussian policy.
    pub adapt_log_std: bool,
    /// Tasks that share one graph; 0 chooses (one on a CPU, all on a GPU). More than one needs the tch backend.
    pub tasks_per_chunk: usize,
}

impl MamlConfig {
    fn learns_rates(&self) -> bool {
        self.learn_inner_lr && self.inner_steps > 0
    }
}

impl Default for MamlConfig {
    fn default() -> Self {
        MamlConfig {
            inner_lr: 0.1,
            inner_steps: 1,
            first_order: false,
            learn_inner_lr: false,
            adapt_log_std: true,
            tasks_per_chunk: 0,
        }
    }
}

/// The outer loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PpoConfig {
    /// Adam's learning rate.
    pub outer_lr: f64,
    /// Meta-gradient steps per iteration, each of which redoes the adaptation.
    pub outer_epochs: usize,
    /// The ratio of the adapted policy to the collecting one counts up to 1 ± this.
    pub clip_eps: f64,
    /// Weight of KL(old meta-policy || meta-policy) on the states visited before adaptation.
    pub kl_coef: f64,
    /// Weight of the adapted policy's entropy.
    pub ent_coef: f64,
    /// The meta-gradient is scaled down to this Euclidean norm.
    pub max_grad_norm: f64,
    /// Discount factor.
    pub gamma: f64,
    /// Trace decay of the advantage estimate.
    pub gae_lambda: f64,
}

impl Default for PpoConfig {
    fn default() -> Self {
        PpoConfig {
            outer_lr: 1e-3,
            outer_epochs: 5,
            clip_eps: 0.2,
            kl_coef: 5e-4,
            ent_coef: 0.0,
            max_grad_norm: 0.5,
            gamma: 0.99,
            gae_lambda: 0.97,
        }
    }
}

/// The policy network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// Widths of the hidden tanh layers.
    pub hidden: Vec<usize>,
    /// Initial log standard deviation of a Gaussian policy, in units of the action bound.
    pub init_log_std: f32,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        PolicyConfig { hidden: vec![64, 64], init_log_std: 0.0 }
    }
}

/// Names and values for the log.
pub type Metrics = Vec<(&'static str, f64)>;

/// A non-finite value, caught before it reached the parameters.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{what} is not finite ({place}): lower {keys}, or look at the rewards")]
pub struct Diverged {
    /// `the meta-loss`, `the meta-gradient`, …
    pub what: &'static str,
    /// Where it was found: outer epoch, task.
    pub place: String,
    /// Settings that bring such a value about.
    keys: &'static str,
}

impl Diverged {
    /// Nothing if every value is finite.
    ///
    /// # Errors
    /// With `what` and `place` if one is not.
    pub fn check(values: &[f32], what: &'static str, place: impl FnOnce() -> String) -> Result<(), Diverged> {
        // all of them, whatever the first ones are: then the loop goes by vectors
        let finite = values.iter().fold(true, |finite, v| finite & v.is_finite());
        if finite { Ok(()) } else { Err(Diverged { what, place: place(), keys: "ppo.outer_lr or maml.inner_lr" }) }
    }

    /// The same with other settings to lower.
    pub(crate) fn advising(self, keys: &'static str) -> Self {
        Diverged { keys, ..self }
    }
}

/// The learner: meta-parameters, inner rates and optimiser.
#[derive(Clone, Debug)]
pub struct Maml {
    /// `[num_params]`
    pub meta_params: Vec<f32>,
    /// Inner step size of each parameter, `[num_params]`.
    pub inner_rates: Vec<f32>,
    /// Over `[meta_params, inner_rates]`, `[2 num_params]`; over the first half alone if the rates are fixed.
    pub adam: Adam,
    maml: MamlConfig,
    ppo: PpoConfig,
    backend: Arc<dyn Backend>,
}

impl Maml {
    /// A learner at `meta_params`, with every inner rate at `inner_lr`.
    pub fn new(maml: MamlConfig, ppo: PpoConfig, backend: Arc<dyn Backend>, meta_params: Vec<f32>) -> Self {
        let n = backend.layout().num_params();
        assert_eq!(meta_params.len(), n, "parameter vector and layout differ");
        let mut inner_rates = vec![maml.inner_lr as f32; n];
        if let (Some(log_std), false) = (backend.layout().log_std(), maml.adapt_log_std) {
            inner_rates[log_std].fill(0.0);
        }
        let adam = Adam::new(if maml.learns_rates() { 2 * n } else { n });
        Maml { meta_params, inner_rates, adam, maml, ppo, backend }
    }

    /// Which arithmetic it learns by.
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// The policy's shape.
    pub fn layout(&self) -> &Layout {
        self.backend.layout()
    }

    /// One inner step for every task: the same routine for training, evaluation and deployment.
    /// `params` and the result are `[tasks][num_params]`.
    ///
    /// # Errors
    /// [`Diverged`] if an adapted parameter is not finite.
    pub fn adapt(&self, params: &[Vec<f32>], support: &[Batch]) -> Result<Vec<Vec<f32>>, Diverged> {
        let adapted = self.backend.adapt(params, &self.inner_rates, support);
        for (task, params) in adapted.iter().enumerate() {
            Diverged::check(params, "an adapted parameter", || format!("task {task}"))?;
        }
        Ok(adapted)
    }

    /// One meta-update:
    ///
    /// ```text
    /// for each outer epoch
    ///     phi      <- theta adapted anew on the support data, through the graph
    ///     gradient <- d/d theta of the clipped loss of phi on the query data
    ///     theta    <- Adam step along the gradient, its norm clipped
    /// ```
    ///
    /// Where every advantage of the query data is 0 and no entropy is asked for, nothing is to be learned: the gradient is
    /// 0 but for rounding, and neither parameters nor optimiser move, by momentum either.
    ///
    /// # Errors
    /// [`Diverged`] on a loss, gradient or parameter that is not finite; the learner is then as it was before the
    /// epoch that failed.
    pub fn update(&mut self, data: &MetaBatch) -> Result<Metrics, Diverged> {
        let backend = self.backend.clone();
        let mut problem = backend.problem(&self.meta_params, data);
        let objective = self.objective();
        let informed = self.ppo.ent_coef != 0.0 || data.query.iter().any(Batch::tells);
        let (mut first, mut last, mut norms) = (None, ObjectiveStats::default(), 0.0);
        for epoch in 0..self.ppo.outer_epochs {
            let (mut gradient, mut rates_gradient, stats) =
                problem.meta_gradient(&self.meta_params, &self.inner_rates, &objective);
            if objective.learn_rates {
                if let (Some(log_std), false) = (self.layout().log_std(), self.maml.adapt_log_std) {
                    rates_gradient[log_std].fill(0.0);
                }
                gradient.extend(rates_gradient);
            }
            let norm = clip_norm(&mut gradient, self.ppo.max_grad_norm);
            let place = || format!("outer epoch {epoch}");
            Diverged::check(&[stats.loss as f32], "the meta-loss", place)?;
            Diverged::check(&[norm as f32], "the meta-gradient", place)?;
            if informed {
                self.descend(&gradient, place)?;
            }
            norms += norm;
            first.get_or_insert(stats);
            last = stats;
        }
        let epochs = self.ppo.outer_epochs.max(1) as f64;
        let first = first.unwrap_or_default();
        let mut metrics = vec![
            // of the last epoch: in the first one every ratio is 1 and the normalised advantages sum to zero
            ("loss/meta", last.loss),
            ("loss/inner", last.inner_loss),
            ("kl/meta", last.kl),
            ("kl/query", last.approx_kl),
            ("entropy", first.entropy),
            ("clip_fraction", last.clip_fraction),
            ("grad_norm", norms / epochs),
        ];
        if objective.learn_rates {
            metrics.push(("inner_rate/mean", mean(&self.inner_rates)));
        }
        Ok(metrics)
    }

    fn objective(&self) -> Objective {
        Objective {
            clip_eps: self.ppo.clip_eps,
            kl_coef: self.ppo.kl_coef,
            ent_coef: self.ppo.ent_coef,
            first_order: self.maml.first_order,
            learn_rates: self.maml.learns_rates(),
        }
    }

    /// Adam on the meta-parameters, and on the inner rates if they are learned.
    fn descend(&mut self, gradient: &[f32], place: impl FnOnce() -> String) -> Result<(), Diverged> {
        let n = self.meta_params.len();
        let mut all = self.meta_params.clone();
        all.extend_from_slice(&self.inner_rates[..self.adam.m.len() - n]);
        let mut adam = self.adam.clone();
        adam.step(&mut all, gradient, self.ppo.outer_lr);
        Diverged::check(&all, "a meta-parameter", place)?;
        self.meta_params.copy_from_slice(&all[..n]);
        self.inner_rates[..all.len() - n].copy_from_slice(&all[n..]);
        self.adam = adam;
        Ok(())
    }
}

/// Scales `gradient` down to `max_norm` and returns the norm it had.
pub(crate) fn clip_norm(gradient: &mut [f32], max_norm: f64) -> f64 {
    let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
    if norm > max_norm {
        let scale = (max_norm / norm) as f32;
        gradient.iter_mut().for_each(|g| *g *= scale);
    }
    norm
}

fn mean(values: &[f32]) -> f64 {
    values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len() as f64
}
