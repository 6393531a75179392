//! The step of the meta-policy: Adam on PPO's loss or along the policy gradient, or a trust region.

use super::{Maml, report::mean};
use crate::{
    agent::adapting,
    backend::Problem,
    batch::MetaBatch,
    layout::CONTEXT,
    objective::{ClippedLoss, InnerLoss, Objective, ObjectiveStats, OuterLoss, clip_norm},
    params::{POLICY, Params, RATES},
    report::{Diverged, Metrics},
    settings::Outer,
    stop, trust_region,
};

impl Maml {
    /// Takes the outer step on `data`, as `maml.outer` has it, and gives its metrics.
    ///
    /// If every advantage of the query data is 0 and there is neither an entropy bonus nor a sampling term, there is
    /// nothing to learn: the gradient is 0 but for rounding, and neither parameters nor optimiser move, not even by
    /// momentum.
    ///
    /// # Errors
    /// [`Diverged`] on a loss, gradient or parameter that is not finite; the learner is then as it was before the
    /// epoch that failed.
    pub fn update(&mut self, data: &MetaBatch) -> Result<Metrics, Diverged> {
        let backend = self.backend.clone();
        let mut problem = backend.problem(self.params.part(POLICY), data);
        let informed = data.tells() || self.ppo.ent_coef != 0.0;
        let mut metrics = match self.maml.outer {
            Outer::Ppo | Outer::PolicyGradient => self.epochs(&mut *problem, informed)?,
            Outer::Trpo => self.trust_region(&mut *problem, informed)?,
        };
        if self.maml.learns_rates() {
            let rates: Vec<f64> = self.params.part(RATES).iter().map(|rate| f64::from(*rate)).collect();
            metrics.push(("inner_rate/mean", mean(&rates)));
        }
        Ok(metrics)
    }

    /// Descends PPO's loss:
    ///
    /// ```text
    /// for each outer epoch
    ///     phi      <- theta adapted anew on the support data, through the graph
    ///     gradient <- d/d theta of the clipped loss of phi on the query data
    ///     theta    <- Adam step along the gradient, its norm clipped
    /// ```
    fn epochs(&mut self, problem: &mut dyn Problem, informed: bool) -> Result<Metrics, Diverged> {
        let clip_eps = if self.maml.outer == Outer::Ppo { self.ppo.clip_eps } else { f64::INFINITY };
        let clipped = OuterLoss::Clipped(ClippedLoss { clip_eps, ent_coef: self.ppo.ent_coef });
        let objective = match self.labelled {
            true => self.objective(OuterLoss::Likelihood),
            false => Objective { kl_coef: self.ppo.kl_coef, ..self.objective(clipped) },
        };
        let mut first = None;
        let mut last = ObjectiveStats::default();
        let mut norms = 0.0;
        for epoch in 0..self.ppo.outer_epochs {
            let place = || format!("outer epoch {epoch}");
            let (mut gradient, stats) = self.gradient(problem, &self.params, &objective, place)?;
            let norm = clip_norm(&mut gradient, self.ppo.max_grad_norm);
            if informed {
                self.descend(&gradient, place)?;
            }
            norms += norm;
            first.get_or_insert(stats);
            last = stats;
        }
        let epochs = self.ppo.outer_epochs.max(1) as f64;
        // statistics of the last epoch: in the first one every ratio is 1 and the normalised advantages sum to zero
        let mut metrics = vec![("loss/meta", last.loss), ("loss/inner", last.inner_loss)];
        if !self.labelled {
            metrics.extend([
                ("kl/meta", last.kl),
                ("kl/query", last.approx_kl),
                ("entropy", first.unwrap_or_default().entropy),
                ("clip_fraction", last.clip_fraction),
            ]);
        }
        metrics.push(("grad_norm", norms / epochs));
        Ok(metrics)
    }

    /// Takes one natural step, which it halves until the loss is smaller and the adapted policies are near:
    ///
    /// ```text
    /// F(v)  <- change of the gradient of the adapted policies' divergence along v: Fisher's information times v
    /// theta <- theta + step in the direction of -F^-1 gradient, of divergence max_kl
    /// ```
    fn trust_region(&mut self, problem: &mut dyn Problem, informed: bool) -> Result<Metrics, Diverged> {
        let free = OuterLoss::Clipped(ClippedLoss { clip_eps: f64::INFINITY, ent_coef: self.ppo.ent_coef });
        let objective = self.objective(free);
        let place = || "the trust region".to_owned();
        let (gradient, before) = self.gradient(problem, &self.params, &objective, place)?;
        let step = if informed { self.natural_step(problem, &gradient)? } else { None };
        let (mut taken, mut stats) = (0.0, before);
        for halvings in 0..step.as_ref().map_or(0, |_| trust_region::HALVINGS) {
            stop::check();
            let share = 0.5f64.powi(halvings as i32);
            let moved = shifted(&self.params, step.as_deref().unwrap_or_default(), share);
            let (_, there) = problem.gradient(&moved, &objective);
            if there.loss < before.loss && there.approx_kl <= self.maml.max_kl {
                Diverged::check(moved.values(), "a meta-parameter", place)?;
                (self.params, stats, taken) = (moved, there, share);
                break;
            }
        }
        let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        Ok(vec![
            ("loss/meta", stats.loss),
            ("loss/inner", stats.inner_loss),
            ("kl/meta", stats.kl),
            ("kl/query", stats.approx_kl),
            ("entropy", before.entropy),
            ("trust_region/step", taken),
            ("grad_norm", norm),
        ])
    }

    /// The step to the edge of the trust region, `[learned]`, if one leads downhill.
    fn natural_step(&self, problem: &mut dyn Problem, gradient: &[f32]) -> Result<Option<Vec<f64>>, Diverged> {
        /// Length of the difference that stands for a derivative, relative to that of the parameters.
        const DIFFERENCE: f64 = 1e-3;
        let objective = self.objective(OuterLoss::Divergence);
        let place = || "Fisher's information".to_owned();
        let (here, _) = self.gradient(problem, &self.params, &objective, place)?;
        let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
        let length = norm(&mut self.params.values()[..gradient.len()].iter().map(|p| f64::from(*p)));
        let mut failed = None;
        let product = |along: &[f64]| {
            stop::check();
            let size = DIFFERENCE * length / norm(&mut along.iter().copied());
            match self.gradient(problem, &shifted(&self.params, along, size), &objective, place) {
                Ok((there, _)) => there.iter().zip(&here).map(|(a, b)| f64::from(a - b) / size).collect(),
                Err(diverged) => {
                    failed = Some(diverged);
                    vec![f64::NAN; along.len()]
                }
            }
        };
        let wide: Vec<f64> = gradient.iter().map(|g| f64::from(*g)).collect();
        let step = trust_region::step(&wide, self.maml.max_kl, product);
        failed.map_or(Ok(step), Err)
    }

    /// Gradient of `objective` at `at` by the learned parameters, and its statistics; all are finite.
    fn gradient(
        &self,
        problem: &mut dyn Problem,
        at: &Params,
        objective: &Objective,
        place: impl Fn() -> String,
    ) -> Result<(Vec<f32>, ObjectiveStats), Diverged> {
        let (mut gradient, stats) = problem.gradient(at, objective);
        self.hold_still(&mut gradient);
        Diverged::check(&[stats.loss as f32], "the meta-loss", &place)?;
        Diverged::check(&gradient, "the meta-gradient", &place)?;
        Ok((gradient, stats))
    }

    fn objective(&self, outer: OuterLoss) -> Objective {
        Objective {
            inner: self.inner_loss(),
            outer,
            kl_coef: 0.0,
            first_order: self.maml.first_order,
            learn_rates: self.maml.learns_rates(),
        }
    }

    /// The inner loss.
    pub(super) fn inner_loss(&self) -> InnerLoss {
        // the second derivative of a likelihood needs no estimator
        if self.labelled { InnerLoss::Score } else { self.maml.inner_loss() }
    }

    /// Zeroes the gradient by the rates of parameters that do not adapt, by the context, and by the unit of the error of
    /// labels.
    fn hold_still(&self, gradient: &mut [f32]) {
        if let (Some(log_std), true) = (self.backend.layout().log_std(), self.labelled) {
            gradient[log_std].fill(0.0);
        }
        let context = self.backend.layout().blocks().iter().find(|block| block.name == CONTEXT);
        if let Some(block) = context {
            gradient[block.range.clone()].fill(0.0); // 0 before adaptation; the bias beside it is learned
        }
        if self.maml.learns_rates() {
            let rates = &mut gradient[self.params.range(RATES)];
            let adapts = adapting(self.backend.layout(), &self.maml);
            rates.iter_mut().zip(adapts).filter(|(_, adapts)| !adapts).for_each(|(rate, _)| *rate = 0.0);
        }
    }

    /// Takes an Adam step on the learned parameters.
    fn descend(&mut self, gradient: &[f32], place: impl FnOnce() -> String) -> Result<(), Diverged> {
        let mut learned = self.params.values()[..gradient.len()].to_vec();
        let mut adam = self.adam.clone();
        adam.step(&mut learned, gradient, self.ppo.outer_lr);
        Diverged::check(&learned, "a meta-parameter", place)?;
        self.params.values_mut()[..learned.len()].copy_from_slice(&learned);
        self.adam = adam;
        Ok(())
    }
}

/// The parameters plus `size` times `step`, which is that of the first of them.
fn shifted(params: &Params, step: &[f64], size: f64) -> Params {
    let mut moved = params.clone();
    moved.values_mut().iter_mut().zip(step).for_each(|(p, step)| *p += (size * step) as f32);
    moved
}
