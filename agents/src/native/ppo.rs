//! Gradients on the minibatches of plain PPO: one pass over a few hundred samples of one network, many times over.

use super::{
    NativeBackend,
    data::Samples,
    gemm::Isa,
    head::{HeadLoss, Outputs, Sums},
    mlp::{Gradient, Net, Shape, TILE, Tile},
    scalar::Scalar,
};
use crate::{
    batch::Batch,
    layout::Layout,
    objective::{Objective, ObjectiveStats},
};

/// Work space for one network's minibatches.
pub struct Minibatches<'a, T> {
    layout: &'a Layout,
    isa: Isa,
    shape: Shape,
    tile: Tile<T>,
    head: HeadLoss<T>,
}

/// What is differentiated, each a mean over the minibatch.
enum Loss<'a, T> {
    /// Minus PPO's clipped gain, minus the entropy bonus.
    Clipped { data: &'a Samples<T>, objective: &'a Objective },
    /// Half the squared distance of the first output from `target` `[samples]`.
    Squared { target: &'a [T], weight: T },
}

impl NativeBackend {
    /// Work space for minibatches of the network that this backend is for.
    pub fn minibatches<T: Scalar>(&self) -> Minibatches<'_, T> {
        let (layout, isa, shape) = (&self.layout, self.isa, Shape::new(&self.layout));
        Minibatches { layout, isa, tile: Tile::new(&shape, isa), head: HeadLoss::new(layout.head()), shape }
    }
}

impl<T: Scalar> Minibatches<'_, T> {
    /// Gradient of PPO's clipped loss by the policy's parameters, `[num_params]`; `kl` and `inner_loss` stay 0.
    pub fn clipped(&mut self, params: &[T], batch: &Batch, objective: &Objective) -> (Vec<T>, ObjectiveStats) {
        let data = Samples::new(batch);
        let (gradient, sums) = self.pass(params, &data.obs, &Loss::Clipped { data: &data, objective });
        let Sums { gain, entropy, outside, moved } = sums;
        let loss = -gain - objective.ent_coef * entropy;
        let stats = ObjectiveStats { loss, entropy, clip_fraction: outside, approx_kl: moved, ..Default::default() };
        (gradient, stats)
    }

    /// Gradient of half the mean squared error of a value network, `[num_params]`, and that loss; `obs`
    /// `[samples, obs_dim]`, `target` `[samples]`.
    pub fn squared(&mut self, params: &[T], obs: &[f32], target: &[f32]) -> (Vec<T>, f64) {
        let wide = |column: &[f32]| -> Vec<T> { column.iter().map(|x| T::of_f32(*x)).collect() };
        let (obs, target) = (wide(obs), wide(target));
        let weight = T::of(1.0 / target.len() as f64);
        let (gradient, sums) = self.pass(params, &obs, &Loss::Squared { target: &target, weight });
        (gradient, -sums.gain)
    }

    #[cfg(target_arch = "x86_64")]
    fn pass(&mut self, params: &[T], obs: &[T], loss: &Loss<'_, T>) -> (Vec<T>, Sums) {
        // SAFETY: `Isa::detect` found the features.
        match self.isa {
            Isa::Avx512 => unsafe { pass_avx512(self, params, obs, loss) },
            Isa::Avx2 => unsafe { pass_avx2(self, params, obs, loss) },
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn pass(&mut self, params: &[T], obs: &[T], loss: &Loss<'_, T>) -> (Vec<T>, Sums) {
        self.pass_body(params, obs, loss)
    }

    #[inline(always)]
    fn pass_body(&mut self, params: &[T], obs: &[T], loss: &Loss<'_, T>) -> (Vec<T>, Sums) {
        let net = Net::new(self.layout, &self.shape, params);
        let (padded, outputs, obs_dim) = (self.shape.padded, self.layout.head().outputs(), self.layout.obs_dim());
        let mut gradient = Gradient::zero(&self.shape, net.log_std.len());
        let mut sums = Sums::default();
        for (tile_index, x) in obs.chunks(TILE * obs_dim).enumerate() {
            let (first, n, tile) = (tile_index * TILE, x.len() / obs_dim, &mut self.tile);
            tile.forward(&net, x, n);
            for s in 0..n {
                let row = s * padded..s * padded + outputs;
                let (out, d_out) = (&tile.out[row.clone()], &mut tile.d_out[row]);
                match loss {
                    Loss::Clipped { data, objective } => {
                        let o = Outputs { out, log_std: &net.log_std };
                        let d = (d_out, &mut gradient.log_std[..]);
                        self.head.clipped(o, data, first + s, objective, d, &mut sums);
                    }
                    Loss::Squared { target, weight } => {
                        let error = out[0] - target[first + s];
                        d_out[0] = *weight * error;
                        sums.gain += (T::of(-0.5) * *weight * error * error).to_f64();
                    }
                }
            }
            tile.backward(&net, x, n, &mut gradient);
        }
        (gradient.flat(self.layout, &self.shape), sums)
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
fn pass_avx512<T: Scalar>(m: &mut Minibatches<'_, T>, params: &[T], obs: &[T], loss: &Loss<'_, T>) -> (Vec<T>, Sums) {
    m.pass_body(params, obs, loss)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn pass_avx2<T: Scalar>(m: &mut Minibatches<'_, T>, params: &[T], obs: &[T], loss: &Loss<'_, T>) -> (Vec<T>, Sums) {
    m.pass_body(params, obs, loss)
}
