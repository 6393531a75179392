//! Gradients of a recurrent policy on whole lives, by libtorch's gated recurrent unit and its autograd: the reference for
//! the native ones, and the way to a GPU.

use tch::{Kind, Tensor, kind::Element};

use super::{Graph, TchBackend, dist, gradient, policy};
use crate::{
    batch::Lives,
    layout::{Core, Head},
    objective::{ClippedLoss, LifeObjective, LifePolicy, LifeStats},
};

/// Lives of a group of lanes on the device; every tensor is `[steps, lanes, _]` or `[steps, lanes]`.
#[derive(Debug)]
pub struct UploadedLives {
    inputs: Tensor,
    action: Tensor,
    log_prob: Tensor,
    advantage: Tensor,
    target: Tensor,
    /// Steps between two cuts of the derivatives.
    stretch: i64,
}

impl UploadedLives {
    /// The steps of a stretch from `first` on, of all lanes of `groups` side by side, in the order of the fields.
    fn stretch_of(groups: &[&UploadedLives], first: i64) -> [Tensor; 5] {
        let steps = groups[0].stretch.min(groups[0].inputs.size()[0] - first);
        let column = |of: fn(&UploadedLives) -> &Tensor| {
            Tensor::cat(&groups.iter().map(|group| of(group).narrow(0, first, steps)).collect::<Vec<_>>(), 1)
        };
        [
            column(|g| &g.inputs),
            column(|g| &g.action),
            column(|g| &g.log_prob),
            column(|g| &g.advantage),
            column(|g| &g.target),
        ]
    }
}

impl TchBackend {
    /// Copies `lives` to the device; derivatives run back through `stretch` steps.
    pub fn upload_lives(&self, lives: &Lives, stretch: usize) -> UploadedLives {
        let extents = [lives.steps() as i64, lives.lanes as i64];
        let column = |values: &[f32], kind: Kind| {
            let host = Tensor::from_slice(values).view([extents[0], extents[1], -1]);
            policy::upload(host, self.device, kind)
        };
        let row = |values: &[f32]| column(values, self.kind).squeeze_dim(-1);
        let action = if matches!(self.layout.head(), Head::Categorical(_)) { Kind::Int64 } else { self.kind };
        UploadedLives {
            inputs: column(&lives.inputs, self.kind),
            action: column(&lives.batch.action, action),
            log_prob: row(&lives.batch.log_prob),
            advantage: row(&lives.batch.advantage),
            target: row(&lives.target),
            stretch: stretch as i64,
        }
    }

    /// Gradient of the loss by the parameters, `[num_params]`, mean over all samples of `groups`. The memory runs through
    /// each life from its beginning; derivatives end where a stretch does.
    ///
    /// # Panics
    /// If the layout is not recurrent.
    pub fn life_gradient<T>(
        &self,
        params: &[T],
        groups: &[&UploadedLives],
        objective: &LifeObjective,
    ) -> (Vec<T>, LifeStats)
    where
        T: Element + Default + Copy + Into<f64>,
    {
        let Core::Recurrent { hidden, .. } = self.layout.core() else { panic!("the policy has no memory") };
        let blocks = policy::blocks(&self.layout, &[params], self.device, self.kind, true);
        let lanes = groups.iter().map(|group| group.inputs.size()[1]).sum::<i64>();
        let samples = (groups[0].inputs.size()[0] * lanes) as f64;
        let mut memory = Tensor::zeros([1, lanes, hidden as i64], (self.kind, self.device));
        let mut sums: Option<Tensor> = None;
        for first in (0..groups[0].inputs.size()[0]).step_by(groups[0].stretch as usize) {
            let stretch = UploadedLives::stretch_of(groups, first);
            let (out, after) = unroll(&blocks, &stretch[0], &memory);
            memory = after.detach();
            let here = self.life_sums(&blocks, &out, &stretch, objective);
            sums = Some(sums.map_or_else(|| here.shallow_clone(), |sums| sums + &here));
        }
        let means = sums.expect("lives have steps") / samples;
        let ent_coef = if let LifePolicy::Clipped(loss) = objective.policy { loss.ent_coef } else { 0.0 };
        let loss = means.get(0) + means.get(1) * objective.value_coef - means.get(2) * ent_coef;
        let mut rows = gradient(&loss, &blocks, Graph::Free);
        rows.push(means.detach().view([1, 5]));
        let mut flat: Vec<T> = policy::flatten(&rows).concat();
        let tail = flat.split_off(flat.len() - 5);
        let [policy_loss, value_loss, entropy, clip_fraction, approx_kl] = std::array::from_fn(|i| tail[i].into());
        (flat, LifeStats { policy_loss, value_loss, entropy, clip_fraction, approx_kl })
    }

    /// Sums over the samples of a stretch of the numbers of [`LifeStats`], `[5]`.
    fn life_sums(
        &self,
        blocks: &[Tensor],
        out: &Tensor,
        [_, action, log_prob, advantage, target]: &[Tensor; 5],
        objective: &LifeObjective,
    ) -> Tensor {
        let head = self.layout.head();
        let outputs = head.outputs() as i64;
        let (policy, value) = (out.narrow(2, 0, outputs), out.select(2, outputs));
        let now = dist::log_prob(head, blocks, &policy, action);
        let entropy = dist::entropy(head, blocks, &policy);
        let none = || Tensor::zeros([1], (self.kind, self.device));
        let (loss, outside, moved) = match objective.policy {
            LifePolicy::Clipped(ClippedLoss { clip_eps, .. }) => {
                let log_ratio = &now - log_prob;
                let ratio = log_ratio.exp();
                let clipped = ratio.clamp(1.0 - clip_eps, 1.0 + clip_eps);
                let gain = (&ratio * advantage).minimum(&(&clipped * advantage));
                (gain.neg(), clipped.ne_tensor(&ratio).to_kind(self.kind), &ratio - 1.0 - &log_ratio)
            }
            LifePolicy::Likelihood => ((now * advantage).neg(), none(), none()),
        };
        let error = (value - target).square() * 0.5;
        Tensor::stack(&[loss, error, entropy, outside, moved].map(|x| x.sum(self.kind)), 0)
    }
}

/// Outputs of policy and value, `[steps, lanes, outputs + 1]`, for inputs `x` `[steps, lanes, inputs]`, and the memory
/// `[1, lanes, hidden]` after them.
fn unroll(blocks: &[Tensor], x: &Tensor, memory: &Tensor) -> (Tensor, Tensor) {
    let block = |at: usize| blocks[at].squeeze_dim(0);
    let bias = |at: usize| block(at).view([-1]);
    let embedded = (x.matmul(&block(0)) + bias(1)).tanh();
    let weight = |at: usize| block(at).tr().contiguous();
    let gates = [weight(2), weight(4), bias(3), bias(5)];
    let (h, after) = embedded.gru(memory, &gates, true, 1, 0.0, true, false, false);
    (h.matmul(&block(6)) + bias(7), after)
}
