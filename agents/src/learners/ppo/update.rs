//! Gradient steps on shuffled minibatches.

use super::{
    Pace, Ppo,
    experience::{Experience, minibatch, minibatch_obs, normalise},
};
use crate::{
    batch::Batch,
    descent::{Descent, Means, Slope},
    network::Network,
    objective::ClippedLoss,
    report::{Diverged, Metrics},
    settings::PpoConfig,
    threads::run_jobs,
    value::fit,
};

impl Ppo {
    /// Runs one update of the two networks, side by side on up to `threads` threads:
    ///
    /// ```text
    /// for each epoch
    ///     shuffle the samples
    ///     for each minibatch
    ///         normalise its advantages
    ///         policy <- step along the gradient of the clipped loss, its norm clipped; none without advantages
    ///         value  <- step along the gradient of half the squared error, its norm clipped
    /// ```
    ///
    /// `orders` `[epochs, samples]` are permutations; the learning rates and the optimisers depend on `pace`.
    ///
    /// # Errors
    /// [`Diverged`] on a loss, gradient or parameter that is not finite; the learner is then as it was.
    pub fn update(
        &mut self,
        experience: &Experience,
        orders: &[Vec<u32>],
        pace: Pace,
        threads: usize,
    ) -> Result<Metrics, Diverged> {
        let mut policy = self.policy.clone();
        let mut value = self.value.clone();
        let mut of_policy = Ok(Means::default());
        let mut of_value = Ok(Means::default());
        let jobs: Vec<Box<dyn FnOnce() + Send + '_>> = vec![
            Box::new(|| of_policy = self.descend(&mut policy, experience, orders, pace)),
            Box::new(|| of_value = self.fit(&mut value, experience, orders, pace)),
        ];
        run_jobs(jobs, threads, |job| job());
        let ([loss, entropy, approx_kl, clip_fraction], norm) = of_policy?;
        let ([value_loss], value_norm) = of_value?;
        (self.policy, self.value) = (policy, value);
        Ok(vec![
            ("loss/policy", loss),
            ("loss/value", value_loss),
            ("entropy", entropy),
            ("approx_kl", approx_kl),
            ("clip_fraction", clip_fraction),
            ("grad_norm", norm),
            ("grad_norm/value", value_norm),
            ("explained_variance", experience.fit.explained_variance()),
            ("value_mean", experience.value_mean),
        ])
    }

    /// Runs all epochs of the policy.
    fn descend(
        &self,
        policy: &mut Network,
        experience: &Experience,
        orders: &[Vec<u32>],
        pace: Pace,
    ) -> Result<Means<4>, Diverged> {
        let Network { params, optimizer, backend } = policy;
        let layout = backend.layout();
        let mut gradients = backend.minibatches();
        let loss = self.loss();
        let mut batch = Batch::default();
        let descent = self.descent("policy", (self.ppo.outer_lr, "ppo.outer_lr"), pace);
        descent.run((params, optimizer), orders, |params, rows| {
            minibatch(experience, rows, &mut batch);
            normalise(&mut batch.advantage, experience.noise);
            let (mut gradient, stats) = gradients.clipped(params, &batch, &loss);
            // products are for adaptation alone
            layout.factors().for_each(|block| gradient[block.range.clone()].fill(0.0));
            let figures = [stats.loss, stats.entropy, stats.approx_kl, stats.clip_fraction];
            Slope { gradient, figures, moves: self.informed(&batch) }
        })
    }

    /// Runs all epochs of the value network.
    fn fit(
        &self,
        value: &mut Network,
        experience: &Experience,
        orders: &[Vec<u32>],
        pace: Pace,
    ) -> Result<Means<1>, Diverged> {
        let descent = self.descent("value network", (self.config.value_lr, "ppo_learner.value_lr"), pace);
        fit(value, &descent, orders, |rows, obs, target| {
            minibatch_obs(experience, rows, obs);
            target.extend(rows.iter().map(|row| experience.target[*row as usize]));
        })
    }

    fn descent(&self, network: &'static str, (rate, key): (f64, &'static str), pace: Pace) -> Descent {
        Descent {
            minibatch: self.config.minibatch,
            rate: rate * pace.rate,
            key,
            done: pace.done,
            max_grad_norm: self.ppo.max_grad_norm,
            network,
        }
    }

    /// True if the policy moves; if not, its momentum does not move it either.
    fn informed(&self, batch: &Batch) -> bool {
        self.ppo.ent_coef != 0.0 || batch.tells()
    }

    fn loss(&self) -> ClippedLoss {
        let PpoConfig { clip_eps, ent_coef, .. } = self.ppo;
        ClippedLoss { clip_eps, ent_coef }
    }
}
