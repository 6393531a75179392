//! The learned rule of [`inner_rule`](crate::inner_rule) as tensor operations, which autograd differentiates.

use tch::{Tensor, kind::Element};

use super::TchBackend;
use crate::{
    inner_rule::{BETA_1, BETA_2, MOST, TINY, shared_inputs},
    update_rule::{BLOCKS, HIDDEN, SHARED},
};

/// A rule in a life.
pub(super) struct Rule {
    /// The blocks of the weights, leaves of a graph.
    pub weights: Vec<Tensor>,
    /// Inputs that the coordinates of a block share, `[1, num_params, SHARED]`.
    shared: Tensor,
    /// The moments m and v, `[tasks, num_params]`.
    moments: [Tensor; 2],
    /// The memories of the two units, `[tasks, num_params, HIDDEN]`.
    memories: [Tensor; 2],
    steps: i32,
}

impl TchBackend {
    /// The rule of `weights`, before the first step on each of `tasks` tasks; none without weights.
    pub(super) fn rule<T: Element>(&self, weights: &[T], tasks: i64) -> Option<Rule> {
        if weights.is_empty() {
            return None;
        }
        let options = (self.kind, self.device);
        let n = self.layout.num_params() as i64;
        let flat = Tensor::from_slice(weights).to_kind(self.kind).to_device(self.device);
        let mut start = 0;
        let block = |(_, [rows, columns]): &(&str, [usize; 2])| {
            let (length, dims) = ((rows * columns) as i64, [*rows as i64, *columns as i64]);
            start += length;
            flat.narrow(0, start - length, length).copy().view(dims).set_requires_grad(true)
        };
        let weights = BLOCKS.iter().map(block).collect();
        let shared: Vec<f64> =
            shared_inputs(&self.layout).iter().flat_map(|(range, x)| x.repeat(range.len())).collect();
        let shared = Tensor::from_slice(&shared).view([1, n, SHARED as i64]).to_kind(self.kind).to_device(self.device);
        let moments = [(); 2].map(|()| Tensor::zeros([tasks, n], options));
        let memories = [(); 2].map(|()| Tensor::zeros([tasks, n, HIDDEN as i64], options));
        Some(Rule { weights, shared, moments, memories, steps: 0 })
    }
}

impl Rule {
    /// The directions of a step at the gradients `blocks`, `[tasks, in, out]`, in the same form.
    pub fn directions(&mut self, blocks: &[Tensor]) -> Vec<Tensor> {
        let tasks = self.moments[0].size()[0];
        let rows: Vec<Tensor> = blocks.iter().map(|block| block.reshape([tasks, -1])).collect();
        let direction = self.direction(&Tensor::cat(&rows, 1));
        let mut start = 0;
        let block = |like: &Tensor| {
            let length = like.numel() as i64 / tasks;
            start += length;
            direction.narrow(1, start - length, length).reshape(like.size())
        };
        blocks.iter().map(block).collect()
    }

    /// The direction of a step at the gradients `g`, `[tasks, num_params]`.
    fn direction(&mut self, g: &Tensor) -> Tensor {
        self.steps += 1;
        let [m, v] = &self.moments;
        self.moments = [m * BETA_1 + g * (1.0 - BETA_1), v * BETA_2 + g * g * (1.0 - BETA_2)];
        let m = &self.moments[0] / (1.0 - BETA_1.powi(self.steps));
        let root = (&self.moments[1] / (1.0 - BETA_2.powi(self.steps)) + TINY).sqrt();
        let square = g * g + TINY;
        let own = [g / square.sqrt(), square.log() / 20.0, m / &root, g / &root, root.log() / 10.0];
        let own = Tensor::stack(&own, -1);
        let shared = self.shared.expand([own.size()[0], -1, -1], false);
        let x = Tensor::cat(&[own, shared], -1);
        let bend = self.unit(0, &x);
        let log_scale = (self.unit(1, &x) / MOST).tanh() * MOST;
        (g + root * bend) * log_scale.exp()
    }

    /// The output of a unit at the inputs `x`, `[tasks, num_params]`, whose memory it brings up to date.
    fn unit(&mut self, at: usize, x: &Tensor) -> Tensor {
        let [input, memory, bias, head, head_bias] = [0, 1, 2, 3, 4].map(|block| &self.weights[5 * at + block]);
        let h = &self.memories[at];
        let hidden = HIDDEN as i64;
        let (of_x, of_h) = (x.matmul(input) + bias, h.matmul(memory));
        let gate = |of: &Tensor, gate: i64| of.narrow(-1, gate * hidden, hidden);
        let r = (gate(&of_x, 0) + gate(&of_h, 0)).sigmoid();
        let z = (gate(&of_x, 1) + gate(&of_h, 1)).sigmoid();
        let n = (gate(&of_x, 2) + r * gate(&of_h, 2)).tanh();
        let next = &n + z * (h - &n);
        let out = (next.matmul(head) + head_bias).squeeze_dim(-1);
        self.memories[at] = next;
        out
    }
}
