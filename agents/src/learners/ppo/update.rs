//! Gradient steps on shuffled minibatches.

use super::{
    Pace, Ppo,
    experience::{Experience, minibatch, minibatch_obs, normalise},
};
use crate::{
    batch::Batch,
    network::Network,
    objective::{ClippedLoss, ObjectiveStats, clip_norm},
    report::{Diverged, Metrics},
    settings::PpoConfig,
    stop,
    threads::run_jobs,
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
        let mut of_policy = Ok(Tally::default());
        let mut of_value = Ok(Tally::default());
        let jobs: Vec<(Part, &mut Network, &mut Result<Tally, Diverged>)> =
            vec![(Part::Policy, &mut policy, &mut of_policy), (Part::Value, &mut value, &mut of_value)];
        run_jobs(jobs, threads, |(part, network, result)| {
            *result = self.descend(part, network, experience, orders, pace);
        });
        let of_policy = of_policy?;
        let of_value = of_value?;
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
            ("explained_variance", experience.fit.explained_variance()),
            ("value_mean", experience.value_mean),
        ])
    }

    /// Runs all epochs of one network.
    fn descend(
        &self,
        part: Part,
        network: &mut Network,
        experience: &Experience,
        orders: &[Vec<u32>],
        pace: Pace,
    ) -> Result<Tally, Diverged> {
        let Network { params, optimizer, backend } = network;
        let mut gradients = backend.minibatches();
        let loss = self.loss();
        let mut tally = Tally::default();
        let mut batch = Batch::default();
        let mut target = Vec::new();
        for (epoch, order) in orders.iter().enumerate() {
            for rows in order.chunks(self.config.minibatch) {
                stop::check();
                let (mut gradient, stats, lr) = match part {
                    Part::Policy => {
                        minibatch(experience, rows, &mut batch);
                        normalise(&mut batch.advantage, experience.noise);
                        let (gradient, stats) = gradients.clipped(params, &batch, &loss);
                        (gradient, stats, self.informed(&batch).then_some(self.ppo.outer_lr))
                    }
                    Part::Value => {
                        minibatch_obs(experience, rows, &mut batch.obs);
                        target.clear();
                        target.extend(rows.iter().map(|row| experience.target[*row as usize]));
                        let (gradient, loss) = gradients.squared(params, &batch.obs, &target);
                        (gradient, ObjectiveStats { loss, ..Default::default() }, Some(self.config.value_lr))
                    }
                };
                if matches!(part, Part::Policy) {
                    // products are for adaptation alone
                    self.policy.layout().factors().for_each(|block| gradient[block.range.clone()].fill(0.0));
                }
                let norm = clip_norm(&mut gradient, self.ppo.max_grad_norm);
                let place = || format!("the {part} in epoch {epoch}");
                Diverged::check(&[stats.loss as f32, norm as f32], "a loss or its gradient", place)
                    .map_err(|diverged| diverged.advising(part.rate()))?;
                if let Some(lr) = lr {
                    optimizer.step(params, &gradient, lr * pace.rate, pace.done);
                }
                tally.add(stats, norm);
            }
            Diverged::check(params, "a parameter", || format!("the {part} after epoch {epoch}"))
                .map_err(|diverged| diverged.advising(part.rate()))?;
        }
        Ok(tally)
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

/// One of the two networks.
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
