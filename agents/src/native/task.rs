//! One task's share of the meta-gradient, tile by tile.

use super::{
    data::Samples,
    gemm::Isa,
    head::{HeadLoss, Outputs, Sums},
    mlp::{Gradient, Net, Shape, TILE, Tile},
    scalar::Scalar,
};
use crate::{layout::Layout, objective::Objective};

/// What the computation of one task needs besides parameters and data.
pub(super) struct Task<'a, T> {
    layout: &'a Layout,
    shape: Shape,
    tile: Tile<T>,
    head: HeadLoss<T>,
}

/// One task's data: support per inner step, query, and what the old meta-policy said on the states before adaptation.
#[derive(Debug)]
pub(super) struct TaskData<T> {
    pub supports: Vec<Samples<T>>,
    pub query: Samples<T>,
    /// Head outputs of the meta-policy that collected the data, `[samples, padded]`.
    pub old_out: Vec<T>,
    pub old_log_std: Vec<T>,
}

/// Gradient by the meta-parameters, by the rates, and the six sums of `ObjectiveStats`.
pub(super) type TaskGradient<T> = (Vec<T>, Vec<T>, [f64; 6]);

impl<'a, T: Scalar> Task<'a, T> {
    pub fn new(layout: &'a Layout, isa: Isa) -> Self {
        let shape = Shape::new(layout);
        Task { layout, tile: Tile::new(&shape, isa), head: HeadLoss::new(layout.head()), shape }
    }

    fn net(&self, flat: &[T]) -> Net<T> {
        Net::new(self.layout, &self.shape, flat)
    }

    /// Head outputs `[samples, padded]` at `params`.
    #[inline(always)]
    pub fn outputs(&mut self, params: &[T], data: &Samples<T>) -> Vec<T> {
        let (net, padded) = (self.net(params), self.shape.padded);
        let mut out = Vec::with_capacity(data.len * padded);
        for (x, _, n) in tiles(data, self.layout.obs_dim()) {
            self.tile.forward(&net, x, n);
            out.extend_from_slice(&self.tile.out[..n * padded]);
        }
        out
    }

    /// Loss and gradient of the inner surrogate.
    #[inline(always)]
    pub fn inner(&mut self, params: &[T], data: &Samples<T>) -> (f64, Vec<T>) {
        let net = self.net(params);
        let (padded, outputs) = (self.shape.padded, self.layout.head().outputs());
        let mut gradient = Gradient::zero(&self.shape, net.log_std.len());
        let mut loss = 0.0;
        for (x, first, n) in tiles(data, self.layout.obs_dim()) {
            let tile = &mut self.tile;
            tile.forward(&net, x, n);
            for s in 0..n {
                let row = s * padded..s * padded + outputs;
                let o = Outputs { out: &tile.out[row.clone()], log_std: &net.log_std };
                let d_out = &mut tile.d_out[row];
                loss += self.head.surrogate(o, data, first + s, d_out, &mut gradient.log_std).to_f64();
            }
            tile.backward(&net, x, n, &mut gradient);
        }
        (loss, gradient.flat(self.layout, &self.shape))
    }

    /// Hessian of the inner surrogate at `params` times `direction`, minus `kl_coef` times the gradient of KL(old ||
    /// params) on the same states if `old` is given; and that KL.
    #[inline(always)]
    fn hessian_vector(
        &mut self,
        params: &[T],
        direction: &[T],
        data: &Samples<T>,
        old: Option<(&TaskData<T>, T)>,
    ) -> (Vec<T>, f64) {
        let (net, along) = (self.net(params), self.net(direction));
        let (padded, outputs) = (self.shape.padded, self.layout.head().outputs());
        let mut gradient = Gradient::zero(&self.shape, net.log_std.len());
        let mut kl = 0.0;
        for (x, first, n) in tiles(data, self.layout.obs_dim()) {
            let tile = &mut self.tile;
            tile.forward(&net, x, n);
            tile.r_forward(&net, &along, x, n);
            for s in 0..n {
                let row = s * padded..s * padded + outputs;
                let o = Outputs { out: &tile.out[row.clone()], log_std: &net.log_std };
                let r = Outputs { out: &tile.r_out[row.clone()], log_std: &along.log_std };
                let (d_out, rd_out) = (&mut tile.d_out[row.clone()], &mut tile.rd_out[row]);
                self.head.r_surrogate(o, r, data, first + s, (d_out, &mut *rd_out), &mut gradient.log_std);
                if let Some((task, kl_coef)) = old {
                    let at = (first + s) * padded;
                    let old = Outputs { out: &task.old_out[at..at + outputs], log_std: &task.old_log_std };
                    let c = -kl_coef * data.weight;
                    kl += (data.weight * self.head.add_kl(c, old, o, rd_out, &mut gradient.log_std)).to_f64();
                }
            }
            tile.r_backward(&net, &along, x, n, &mut gradient);
        }
        (gradient.flat(self.layout, &self.shape), kl)
    }

    /// Gradient of the outer loss at the adapted parameters; the KL is added where `old` is given.
    #[inline(always)]
    fn outer(
        &mut self,
        params: &[T],
        data: &Samples<T>,
        objective: &Objective,
        old: Option<&TaskData<T>>,
    ) -> (Vec<T>, Sums, f64) {
        let net = self.net(params);
        let (padded, outputs) = (self.shape.padded, self.layout.head().outputs());
        let mut gradient = Gradient::zero(&self.shape, net.log_std.len());
        let (mut sums, mut kl) = (Sums::default(), 0.0);
        for (x, first, n) in tiles(data, self.layout.obs_dim()) {
            let tile = &mut self.tile;
            tile.forward(&net, x, n);
            for s in 0..n {
                let row = s * padded..s * padded + outputs;
                let o = Outputs { out: &tile.out[row.clone()], log_std: &net.log_std };
                let d_out = &mut tile.d_out[row];
                let d = (&mut *d_out, &mut gradient.log_std[..]);
                self.head.clipped(o, data, first + s, objective, d, &mut sums);
                if let Some(task) = old {
                    let at = (first + s) * padded;
                    let old = Outputs { out: &task.old_out[at..at + outputs], log_std: &task.old_log_std };
                    let c = T::of(objective.kl_coef) * data.weight;
                    kl += (data.weight * self.head.add_kl(c, old, o, d_out, &mut gradient.log_std)).to_f64();
                }
            }
            tile.backward(&net, x, n, &mut gradient);
        }
        (gradient.flat(self.layout, &self.shape), sums, kl)
    }

    /// KL(old || params) on the states before adaptation and its gradient, where no Hessian pass carries it along.
    #[inline(always)]
    fn kl(&mut self, params: &[T], task: &TaskData<T>, kl_coef: T) -> (Vec<T>, f64) {
        let (net, data) = (self.net(params), &task.supports[0]);
        let (padded, outputs) = (self.shape.padded, self.layout.head().outputs());
        let mut gradient = Gradient::zero(&self.shape, net.log_std.len());
        let mut kl = 0.0;
        for (x, first, n) in tiles(data, self.layout.obs_dim()) {
            let tile = &mut self.tile;
            tile.forward(&net, x, n);
            for s in 0..n {
                let (row, at) = (s * padded..s * padded + outputs, (first + s) * padded);
                let o = Outputs { out: &tile.out[row.clone()], log_std: &net.log_std };
                let old = Outputs { out: &task.old_out[at..at + outputs], log_std: &task.old_log_std };
                let d_out = &mut tile.d_out[row];
                d_out.fill(T::ZERO);
                let c = kl_coef * data.weight;
                kl += (data.weight * self.head.add_kl(c, old, o, d_out, &mut gradient.log_std)).to_f64();
            }
            tile.backward(&net, x, n, &mut gradient);
        }
        (gradient.flat(self.layout, &self.shape), kl)
    }

    /// Gradient of the task's meta-objective by `theta` and by `rates`:
    ///
    /// ```text
    /// phi_0 = theta;  g_k = gradient of the inner loss at phi_k;  phi_k+1 = phi_k - rates * g_k
    /// v = gradient of the outer loss at phi_K
    /// for k = K-1, ..., 0
    ///     d rates <- d rates - v * g_k
    ///     v <- v - H_k (rates * v)            H_k: Hessian of the inner loss at phi_k
    /// d theta = v + kl_coef * gradient of KL(old || theta)
    /// ```
    #[inline(always)]
    pub fn meta_gradient(
        &mut self,
        theta: &[T],
        rates: &[T],
        task: &TaskData<T>,
        objective: &Objective,
    ) -> TaskGradient<T> {
        let (mut phis, mut gradients, mut inner_loss) = (vec![theta.to_vec()], Vec::new(), 0.0);
        for support in &task.supports {
            let phi = phis.last().expect("theta");
            let (loss, gradient) = self.inner(phi, support);
            let next = phi.iter().zip(rates).zip(&gradient).map(|((p, r), g)| *p - *r * *g).collect();
            inner_loss += loss;
            phis.push(next);
            gradients.push(gradient);
        }
        let steps = task.supports.len();
        let kl_coef = T::of(objective.kl_coef);
        let without_adaptation = (steps == 0).then_some(task);
        let (mut v, sums, mut kl) = self.outer(&phis[steps], &task.query, objective, without_adaptation);

        let mut by_rates = vec![T::ZERO; if objective.learn_rates { rates.len() } else { 0 }];
        for k in (0..steps).rev() {
            for ((sum, v), g) in by_rates.iter_mut().zip(&v).zip(&gradients[k]) {
                *sum = *sum - *v * *g;
            }
            if !objective.first_order {
                let direction: Vec<T> = v.iter().zip(rates).map(|(v, r)| *v * *r).collect();
                let old = (k == 0).then_some((task, kl_coef));
                let (product, here) = self.hessian_vector(&phis[k], &direction, &task.supports[k], old);
                v.iter_mut().zip(&product).for_each(|(v, p)| *v = *v - *p);
                kl += here;
            }
        }
        if objective.first_order && steps > 0 {
            let (gradient, here) = self.kl(theta, task, kl_coef);
            v.iter_mut().zip(&gradient).for_each(|(v, g)| *v += *g);
            kl += here;
        }
        let loss = -sums.gain - objective.ent_coef * sums.entropy + objective.kl_coef * kl;
        (v, by_rates, [loss, inner_loss, kl, sums.entropy, sums.outside, sums.moved])
    }
}

/// Tiles of `data` as (observations, first sample, number of samples).
#[inline(always)]
fn tiles<T>(data: &Samples<T>, obs_dim: usize) -> impl Iterator<Item = (&[T], usize, usize)> {
    data.obs.chunks(TILE * obs_dim).enumerate().map(move |(i, x)| (x, i * TILE, x.len() / obs_dim))
}
