//! One task's share of the meta-gradient, tile by tile.

mod across;
mod life;

use std::sync::Arc;

use super::{
    data::Samples,
    head::{Outputs, Slopes, Sums},
    isa::Isa,
    net::{Gradient, Net, State},
    pass::{Loss, Old, Pass},
    scalar::Scalar,
};
use crate::{
    layout::Layout,
    objective::{InnerLoss, Objective, OuterLoss},
    params::Point,
    team::portable::Flat,
};

/// Work space for computations on one network.
pub(super) struct Task<T> {
    pub pass: Pass<T>,
    /// States of the inner passes, which the Hessians reuse, `[inner_steps, tiles]`.
    kept: Vec<Vec<State<T>>>,
}

/// One task's data: support per inner step, query, and outputs of the old meta-policy on the states before adaptation.
#[derive(Debug)]
pub(super) struct TaskData<T> {
    pub supports: Vec<Samples<T>>,
    pub query: Samples<T>,
    /// Weight of the outer loss.
    pub weight: f64,
    /// Factor of the sampling term; 0 leaves it out.
    pub credit: f64,
    /// The meta-policy that collected the data, the reference of the KL penalty, `[num_params]`.
    pub collected: Arc<[T]>,
    /// Its outputs on the states before adaptation, computed when first needed.
    pub old: Option<Old<T>>,
}

impl<T: Scalar> TaskData<T> {
    /// The data before adaptation.
    fn states(&self) -> &Samples<T> {
        self.supports.first().unwrap_or(&self.query)
    }
}

/// Gradient by the meta-parameters, by the rates, by the weights of a learned rule, and the six sums of `ObjectiveStats`.
pub type TaskGradient<T> = ([Flat<T>; 3], [f64; 6]);

impl<T: Scalar> Task<T> {
    pub fn new(layout: &Layout, isa: Isa) -> Self {
        Task { pass: Pass::new(layout, isa), kept: Vec::new() }
    }

    pub fn isa(&self) -> Isa {
        self.pass.work.isa
    }

    /// The old meta-policy's distributions on the states before adaptation; `kept` are the states of the inner passes
    /// at `theta`.
    #[inline(always)]
    fn old(&mut self, theta: &[T], task: &TaskData<T>, kept: &[Vec<State<T>>]) -> Old<T> {
        let net = self.pass.net(&task.collected);
        let states = task.states();
        let out = match kept.first() {
            // in the first outer epoch, the first pass had this very policy
            Some(kept) if *theta == *task.collected => {
                kept.iter().take(states.tiles()).map(|state| state.out.clone()).collect()
            }
            _ => {
                let mut out = Vec::with_capacity(states.tiles());
                for tile in 0..states.tiles() {
                    self.pass.work.forward(&net, states.obs(tile), states.in_tile(tile), &mut self.pass.state);
                    out.push(self.pass.state.out.clone());
                }
                out
            }
        };
        Old { out, log_std: net.log_std }
    }

    /// Hessian of the inner loss at `params` times `direction`, minus `coef` times the gradient of KL(old || params) on
    /// the same states if `old` is given; and that KL. `kept` and `here` come from [`Pass::gradient`].
    #[inline(always)]
    fn hessian_vector(
        &mut self,
        inner: InnerLoss,
        (params, direction): (&[T], &[T]),
        data: &Samples<T>,
        (kept, here): (&[State<T>], &[T]),
        old: Option<(&Old<T>, T)>,
    ) -> (Vec<T>, f64) {
        let (net, along) = (self.pass.net(params), Net::change(&self.pass.layout, &self.pass.shape, params, direction));
        let across = self.across(inner, (&net, &along), data, kept);
        let mut gradient = Gradient::zero(&self.pass.shape, net.log_std.len());
        let mut sums = Sums::default();
        for (tile, state) in kept.iter().enumerate().take(data.tiles()) {
            let x = data.obs(tile);
            let n = data.in_tile(tile);
            let work = &mut self.pass.work;
            work.r_forward(&net, &along, x, n, state);
            let o = Outputs { out: &state.out, log_std: &net.log_std };
            let r = Outputs { out: &work.r_out, log_std: &along.log_std };
            let rd = Slopes { out: &mut work.rd_out, log_std: &mut gradient.log_std };
            self.pass.head.r_inner(inner, (o, r), (data, tile), across.get(tile), rd);
            if let Some((old, coef)) = old {
                let mut rd = Slopes { out: &mut work.rd_out, log_std: &mut gradient.log_std };
                self.pass.head.add_kl(-coef, old.of(tile), o, (data, tile), &mut rd, &mut sums);
            }
            work.r_backward(&net, &along, x, n, state, &mut gradient);
        }
        let mut product = gradient.flat(&self.pass.layout, &self.pass.shape);
        self.pass.layout.pull_change_back((params, direction), here, &mut product);
        (product, sums.kl)
    }

    /// Gradient of the outer loss at the adapted parameters `phi`, times the task's weight, its sums, and that loss.
    #[inline(always)]
    fn outer(&mut self, phi: &[T], task: &TaskData<T>, objective: &Objective) -> (Vec<T>, Sums, f64) {
        let (loss, weight) = match &objective.outer {
            OuterLoss::Clipped(loss) => (Loss::Clipped(loss), task.weight),
            OuterLoss::Likelihood => (Loss::Likelihood, task.weight),
            OuterLoss::Divergence => (Loss::Divergence, 1.0),
        };
        let (mut gradient, sums) = self.pass.gradient(phi, &task.query, &loss, None);
        if weight != 1.0 {
            gradient.iter_mut().for_each(|g| *g = *g * T::of(weight));
        }
        let value = match loss {
            Loss::Clipped(loss) => -sums.gain - loss.ent_coef * sums.entropy,
            Loss::Divergence => sums.moved,
            _ => -sums.gain,
        };
        (gradient, sums, weight * value)
    }

    /// Gradient of the task's meta-objective by policy, rates and rule:
    ///
    /// ```text
    /// phi_0 = policy;  g_k = gradient of the inner loss at phi_k;  phi_k+1 = phi_k - rates * d_k
    /// d_k = g_k, or the direction of a learned rule, which is a function of g_0, ..., g_k and its weights
    /// v = weight * gradient of the outer loss at phi_K
    /// for k = K-1, ..., 0
    ///     d rates <- d rates - v * d_k
    ///     u = derivative of the sum of rates * v . d over the steps from k on, by g_k: rates * v without a rule
    ///     d rule <- d rule - derivative of rates * v . d_k by the weights, also through the memory
    ///     v <- v - H_k u                      H_k: Hessian of the inner loss at phi_k, by its estimator
    ///     v <- v + gradient of the sampling term of step k at phi_k
    /// d policy = v + kl_coef * gradient of KL(old || policy)
    /// ```
    #[inline(always)]
    pub fn meta_gradient(
        &mut self,
        at: Point<'_, T>,
        task: &mut TaskData<T>,
        objective: &Objective,
    ) -> TaskGradient<T> {
        let mut kept = std::mem::take(&mut self.kept);
        kept.resize_with(task.supports.len(), Vec::new);
        let mut life = self.live(at, (objective.inner, &task.supports), &mut kept);
        let steps = task.supports.len();
        if task.old.is_none() {
            task.old = Some(self.old(at.policy, task, &kept));
        }
        let (mut v, outer, adapted) = self.outer(&life.phis[steps], task, objective);
        let old = task.old.as_ref().expect("just asked");

        let coef = T::of(objective.kl_coef);
        let (mut kl, mut sampled) = (0.0, 0.0);
        let mut by_rates = vec![T::ZERO; if objective.learn_rates { at.rates.len() } else { 0 }];
        for k in (0..steps).rev() {
            for ((sum, v), d) in by_rates.iter_mut().zip(&v).zip(&life.directions[k]) {
                *sum = *sum - *v * *d;
            }
            let u = life.pull_back(k, v.iter().zip(at.rates).map(|(v, r)| *v * *r).collect());
            if !objective.first_order {
                // this pass has the states before adaptation, and so computes their KL
                let old = (k == 0).then_some((old, coef));
                let known = (&kept[k][..], &life.gradients[k][..]);
                let (product, apart) =
                    self.hessian_vector(objective.inner, (&life.phis[k], &u), &task.supports[k], known, old);
                v.iter_mut().zip(&product).for_each(|(v, p)| *v = *v - *p);
                kl += apart;
            }
            if let (OuterLoss::Clipped(outer), true) = (&objective.outer, task.credit != 0.0) {
                let sampling = Loss::Sampling(T::of(task.credit), outer.clip_eps);
                let (gradient, sums) = self.pass.gradient(&life.phis[k], &task.supports[k], &sampling, None);
                sampled += sums.loss;
                v.iter_mut().zip(&gradient).for_each(|(v, g)| *v += *g);
            }
        }
        if objective.first_order || steps == 0 {
            let (gradient, sums) = self.pass.gradient(at.policy, task.states(), &Loss::Kl(old, coef), None);
            v.iter_mut().zip(&gradient).for_each(|(v, g)| *v += *g);
            kl += sums.kl;
        }
        self.kept = kept;
        let loss = adapted + objective.kl_coef * kl + sampled;
        let gradients = [v, by_rates, life.by_rule()].map(Flat);
        (gradients, [loss, life.loss, kl, outer.entropy, outer.outside, outer.moved])
    }
}
