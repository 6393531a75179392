//! The inner loss and the sampling term by autograd, as losses whose derivatives are those of their estimators.

use tch::{Kind, Tensor};

use super::{TchBackend, data::Samples, dist, policy};
use crate::{layout::Head, objective::InnerLoss};

/// The inner loss of some tasks.
pub(super) struct Inner {
    /// The loss to differentiate, `[tasks]`; its value has no meaning.
    pub loss: Tensor,
    /// Minus the mean of ratio x advantage, or of log-probability x advantage, `[tasks]`, without a graph.
    pub value: Tensor,
    /// Head outputs, `[tasks, samples, outputs]`.
    pub out: Tensor,
}

impl TchBackend {
    /// The inner loss at `params`, blocks `[tasks, in, out]`. Nothing is clipped: that would flatten the curvature that the
    /// meta-gradient needs.
    pub(super) fn inner_loss(&self, inner: InnerLoss, params: &[Tensor], data: &Samples) -> Inner {
        let out = policy::forward(&self.layout, params, &data.obs);
        let log_prob = dist::log_prob(self.layout.head(), params, &out, &data.action);
        let weighted = match inner {
            InnerLoss::Score => Weighted { gain: log_prob.shallow_clone(), ratio: log_prob },
            InnerLoss::LoadedDice(lambda) => loaded_dice(lambda, &log_prob, data),
        };
        let loss = data.mean(&(weighted.gain * &data.advantage)).neg();
        let value = data.mean(&(weighted.ratio * &data.advantage)).neg().detach();
        Inner { loss, value, out }
    }

    /// The sampling term of a step at `params`: PPO's clipped loss of the support data if all samples of a task have the
    /// advantage `credit`, `[tasks]`, beyond that of the ratio 1, summed over samples; `[tasks]`.
    pub(super) fn sampling_loss(&self, params: &[Tensor], data: &Samples, credit: &Tensor, clip_eps: f64) -> Tensor {
        let out = policy::forward(&self.layout, params, &data.obs);
        let log_prob = dist::log_prob(self.layout.head(), params, &out, &data.action);
        let credit = credit.unsqueeze(-1);
        let gain = clipped_gain(&(log_prob - &data.log_prob).exp(), &credit, clip_eps).0;
        let counted = data.weight.gt(0.0).to_kind(gain.kind());
        ((gain - credit) * counted).sum_dim_intlist(-1, false, None::<Kind>).neg()
    }
}

/// Gains by which advantages are multiplied, and their values, both `[tasks, samples]`.
struct Weighted {
    gain: Tensor,
    ratio: Tensor,
}

/// Loaded DiCE: ratio x (magic(v + l) - magic(v)), where magic(x) = exp(x - x without its graph) is 1 and v is the
/// discounted sum of the log-probabilities of the episode's earlier steps.
fn loaded_dice(lambda: f64, log_prob: &Tensor, data: &Samples) -> Weighted {
    let ratio = (log_prob - &data.log_prob).exp();
    if lambda == 0.0 {
        return Weighted { gain: ratio.shallow_clone(), ratio };
    }
    let magic = |x: Tensor| (&x - x.detach()).exp();
    let earlier = data.earlier(log_prob, lambda);
    let ratio = ratio.detach();
    Weighted { gain: (magic(&earlier + log_prob) - magic(earlier)) * &ratio, ratio }
}

/// PPO's gain of every sample, and the ratio held within its range.
pub(super) fn clipped_gain(ratio: &Tensor, advantage: &Tensor, clip_eps: f64) -> (Tensor, Tensor) {
    let clipped = ratio.clamp(1.0 - clip_eps, 1.0 + clip_eps);
    ((ratio * advantage).minimum(&(&clipped * advantage)), clipped)
}

/// Outputs of the loss of the query data that statistics need, too.
pub(super) struct Outer {
    /// PPO's loss without the entropy bonus, `[tasks]`.
    pub loss: Tensor,
    /// Entropy of the policy, `[tasks]`.
    pub entropy: Tensor,
    /// Share of samples outside the clipping range, `[tasks]`, without a graph.
    pub outside: Tensor,
    /// Mean of r - 1 - log r, `[tasks]`.
    pub moved: Tensor,
}

/// PPO's loss on `data` at `params` with head outputs `out`.
pub(super) fn outer_loss(head: Head, params: &[Tensor], out: &Tensor, data: &Samples, clip_eps: f64) -> Outer {
    let log_ratio = dist::log_prob(head, params, out, &data.action) - &data.log_prob;
    let ratio = log_ratio.exp();
    let (gain, clipped) = clipped_gain(&ratio, &data.advantage, clip_eps);
    Outer {
        loss: data.mean(&gain).neg(),
        entropy: data.mean(&dist::entropy(head, params, out)),
        outside: data.mean(&clipped.ne_tensor(&ratio).to_kind(ratio.kind())).detach(),
        moved: data.mean(&(&ratio - 1.0 - &log_ratio)),
    }
}
