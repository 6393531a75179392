//! Gradients on the minibatches of plain PPO by autograd: the reference for the native ones.

use tch::{Tensor, kind::Element};

use super::{Graph, TchBackend, data::Samples, dist, gradient, inner::outer_loss, policy};
use crate::{
    batch::Batch,
    objective::{ClippedLoss, ObjectiveStats},
};

impl TchBackend {
    /// Gradient of PPO's clipped loss by the policy's parameters, `[num_params]`; `kl` and `inner_loss` stay 0.
    pub fn clipped<T>(&self, params: &[T], batch: &Batch, loss: &ClippedLoss) -> (Vec<T>, ObjectiveStats)
    where
        T: Element + Default + Copy + Into<f64>,
    {
        let head = self.layout.head();
        let params = policy::blocks(&self.layout, &[params], self.device, self.kind, true);
        let data = Samples::upload(&self.layout, std::slice::from_ref(batch), self.device, self.kind);
        let out = policy::forward(&self.layout, &params, &data.obs);
        let outer = outer_loss(head, &params, &out, &data, loss.clip_eps);
        let loss = (outer.loss - &outer.entropy * loss.ent_coef).sum(self.kind);
        let (entropy, outside, moved) = (outer.entropy, outer.outside, outer.moved.detach());
        let numbers = [&loss, &entropy.sum(self.kind), &outside.sum(self.kind), &moved.sum(self.kind)];
        let (gradient, [loss, entropy, clip_fraction, approx_kl]) = with_numbers(&params, &loss, numbers);
        (gradient, ObjectiveStats { loss, entropy, clip_fraction, approx_kl, ..Default::default() })
    }

    /// Gradient of minus the mean log-likelihood of the actions of `batch`, each times its advantage, `[num_params]`; and
    /// that loss.
    pub fn likelihood<T>(&self, params: &[T], batch: &Batch) -> (Vec<T>, f64)
    where
        T: Element + Default + Copy + Into<f64>,
    {
        let params = policy::blocks(&self.layout, &[params], self.device, self.kind, true);
        let data = Samples::upload(&self.layout, std::slice::from_ref(batch), self.device, self.kind);
        let out = policy::forward(&self.layout, &params, &data.obs);
        let loss = self.likelihoods(&params, &out, &data).sum(self.kind);
        let (gradient, [loss]) = with_numbers(&params, &loss, [&loss]);
        (gradient, loss)
    }

    /// Minus the mean log-likelihood of the actions, each times its advantage, `[tasks]`; `out` are the head outputs.
    pub(super) fn likelihoods(&self, params: &[Tensor], out: &Tensor, data: &Samples) -> Tensor {
        let log_prob = dist::log_prob(self.layout.head(), params, out, &data.action);
        data.mean(&(log_prob * &data.advantage)).neg()
    }

    /// Gradient of half the mean squared error of a value network, `[num_params]`, and that loss; `obs` is `[samples,
    /// obs_dim]` and `target` `[samples]`.
    pub fn squared<T>(&self, params: &[T], obs: &[f32], target: &[f32]) -> (Vec<T>, f64)
    where
        T: Element + Default + Copy + Into<f64>,
    {
        let params = policy::blocks(&self.layout, &[params], self.device, self.kind, true);
        let column = |values: &[f32]| {
            let columns = (values.len() / target.len()) as i64;
            let host = Tensor::from_slice(values).view([1, target.len() as i64, columns]);
            policy::upload(host, self.device, self.kind)
        };
        let error = policy::forward(&self.layout, &params, &column(obs)) - column(target);
        let loss = error.square().mean(self.kind) * 0.5;
        let (gradient, [loss]) = with_numbers(&params, &loss, [&loss]);
        (gradient, loss)
    }
}

/// The flat gradient of `loss`, and some numbers in the same transfer, so that a GPU is waited for once.
fn with_numbers<T, const N: usize>(params: &[Tensor], loss: &Tensor, numbers: [&Tensor; N]) -> (Vec<T>, [f64; N])
where
    T: Element + Default + Copy + Into<f64>,
{
    let mut rows = gradient(loss, params, Graph::Free);
    rows.push(Tensor::stack(&numbers, 0).detach().view([1, N as i64]));
    let mut flat: Vec<T> = policy::flatten(&rows).concat();
    let tail = flat.split_off(flat.len() - N);
    (flat, std::array::from_fn(|i| tail[i].into()))
}
