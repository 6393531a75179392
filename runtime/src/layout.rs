//! The shape of a policy and the place of each block in its flat parameter vector. The host policy, the tensors, Adam
//! and the checkpoints share this one order.

use alloc::sync::Arc;
use core::ops::Range;

use crate::{inputs::Normalizer, prelude::*};

mod added;

pub use added::CONTEXT;

use added::Added;

/// The action distribution that the last layer of a policy parameterises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// Softmax over this many actions; the network's outputs are logits.
    Categorical(usize),
    /// Diagonal Gaussian over this many action dimensions. The outputs are means; the log standard deviations are free
    /// parameters at the end of the vector. Samples are neither clipped nor squashed.
    Gaussian(usize),
    /// Diagonal Gaussian over this many action dimensions. The outputs are means and, behind them, log standard
    /// deviations, which are held within [`LOG_STD`].
    StateGaussian(usize),
}

/// The range of log standard deviations that are outputs. They are cut off there, with slope 0 outside.
pub const LOG_STD: [f64; 2] = [-5.0, 2.0];

impl Head {
    /// Width of the network's last layer.
    pub fn outputs(self) -> usize {
        match self {
            Head::Categorical(n) | Head::Gaussian(n) => n,
            Head::StateGaussian(n) => 2 * n,
        }
    }

    /// Number of inputs that [`show`](Self::show) writes.
    pub fn shown(self) -> usize {
        match self {
            Head::Categorical(n) | Head::Gaussian(n) | Head::StateGaussian(n) => n,
        }
    }

    /// Writes `action` as inputs of a network, `[shown]`: one number for each choice, or the vector.
    pub fn show(self, action: &[f32], input: &mut [f32]) {
        match self {
            Head::Categorical(n) => (0..n).for_each(|k| input[k] = f32::from(u8::from(action[0] == k as f32))),
            Head::Gaussian(dim) | Head::StateGaussian(dim) => input[..dim].copy_from_slice(action),
        }
    }

    /// Number of values stored per action: the index for a categorical head, else the vector.
    pub fn act_dim(self) -> usize {
        match self {
            Head::Categorical(_) => 1,
            Head::Gaussian(n) | Head::StateGaussian(n) => n,
        }
    }
}

/// The function between the layers of a multilayer perceptron.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// The hyperbolic tangent.
    #[default]
    Tanh,
    /// max(x, 0); its derivative at 0 is 0.
    Relu,
}

/// One tensor of the policy: its dimensions and its place in the flat vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Name: `layer0.weight`, `layer0.bias`, …, `log_std`.
    pub name: String,
    /// Dimensions: `[in, out]` for a weight, `[1, out]` for a bias or `log_std`.
    pub dims: [usize; 2],
    /// Place in the flat vector, row-major.
    pub range: Range<usize>,
}

/// The kind of network below the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Core {
    /// A multilayer perceptron with an [`Activation`] between its layers: `obs_dim -> hidden… -> head`.
    Feedforward,
    /// A tanh layer and a gated recurrent unit; the head has a value behind the policy's outputs.
    Recurrent {
        /// Width of the tanh layer.
        embedding: usize,
        /// Width of the memory.
        hidden: usize,
    },
    /// Two perceptrons, see [`Layout::parts`]: an encoder turns the last transitions into a code, and the policy sees the
    /// observation, the code, and the products of the two.
    Context {
        /// Number of values of an observation without the last transitions.
        own: usize,
        /// Length of the code.
        code: usize,
    },
    /// No network: a model of the environment, whose parameters are knowledge of its channels.
    Model,
}

/// The shape of a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    obs_dim: usize,
    window: usize,
    /// Shift and factor of the observations that the policy acts on; learners are handed normalised ones.
    inputs: Option<Arc<Normalizer>>,
    core: Core,
    /// True if the network has no distribution.
    plain: bool,
    activation: Activation,
    head: Head,
    blocks: Vec<Block>,
    parts: Vec<Layout>,
    /// Products that are added to blocks of the network; their factors are the last blocks but for `log_std`.
    added: Vec<Added>,
}

impl Layout {
    fn empty(obs_dim: usize, core: Core, head: Head) -> Self {
        let activation = Activation::default();
        Layout {
            obs_dim,
            window: 0,
            inputs: None,
            core,
            plain: false,
            activation,
            head,
            blocks: Vec::new(),
            parts: Vec::new(),
            added: Vec::new(),
        }
    }

    /// A tanh network. Lays out the blocks: weight and bias of each layer in order, then `log_std` for a Gaussian head.
    pub fn new(obs_dim: usize, hidden: &[usize], head: Head) -> Self {
        let mut layout = Layout::empty(obs_dim, Core::Feedforward, head);
        let mut width = obs_dim;
        for (i, &out) in hidden.iter().chain([&head.outputs()]).enumerate() {
            layout.push(format!("layer{i}.weight"), [width, out]);
            layout.push(format!("layer{i}.bias"), [1, out]);
            width = out;
        }
        if let Head::Gaussian(dim) = head {
            layout.push("log_std".into(), [1, dim]);
        }
        layout
    }

    /// A recurrent policy. Its inputs are the observation, the action before (one number for each choice, or the vector),
    /// the reward before, and whether an episode ended with it.
    pub fn recurrent(obs_dim: usize, embedding: usize, hidden: usize, head: Head) -> Self {
        let mut layout = Layout::empty(obs_dim, Core::Recurrent { embedding, hidden }, head);
        let inputs = obs_dim + head.shown() + 2;
        let outputs = head.outputs() + 1;
        layout.push("embedding.weight".into(), [inputs, embedding]);
        layout.push("embedding.bias".into(), [1, embedding]);
        layout.push("gates.input.weight".into(), [embedding, 3 * hidden]);
        layout.push("gates.input.bias".into(), [1, 3 * hidden]);
        layout.push("gates.memory.weight".into(), [hidden, 3 * hidden]);
        layout.push("gates.memory.bias".into(), [1, 3 * hidden]);
        layout.push("head.weight".into(), [hidden, outputs]);
        layout.push("head.bias".into(), [1, outputs]);
        if let Head::Gaussian(dim) = head {
            layout.push("log_std".into(), [1, dim]);
        }
        layout
    }

    /// A policy without a network, for an environment with that many channels. Its parameters are the settings of its
    /// observer, then mean, standard deviation, smallest and largest value of every channel.
    pub fn model(obs_dim: usize, channels: usize, head: Head) -> Self {
        let mut layout = Layout::empty(obs_dim, Core::Model, head);
        layout.push("observer".into(), [1, 2]);
        layout.push("channels".into(), [channels, 4]);
        layout
    }

    /// Inputs of the network: those of a recurrent one are more than the observation.
    pub fn inputs(&self) -> usize {
        self.blocks.first().map_or(self.obs_dim, |block| block.dims[0])
    }

    /// The kind of network below the head.
    pub fn core(&self) -> Core {
        self.core
    }

    /// A network without a distribution: `outputs` linear outputs, which the layout describes as those of a categorical
    /// head. A value network has one.
    pub fn plain(inputs: usize, hidden: &[usize], outputs: usize) -> Self {
        Layout { plain: true, ..Layout::new(inputs, hidden, Head::Categorical(outputs)) }
    }

    /// True if the network is a [`plain`](Layout::plain) one.
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    /// A policy that sees a code of the last transitions, which are the part of the observation behind its first `own`
    /// values; `encoder` are the widths of the encoder's hidden layers.
    pub fn context(
        (own, obs_dim): (usize, usize),
        encoder: &[usize],
        code: usize,
        hidden: &[usize],
        head: Head,
    ) -> Self {
        let mut layout = Layout::empty(obs_dim, Core::Context { own, code }, head);
        let seen = crate::context::width(own, code);
        layout.parts = vec![Layout::plain(obs_dim - own, encoder, code), Layout::new(seen, hidden, head)];
        for (part, name) in layout.parts.clone().iter().zip(["encoder.", ""]) {
            part.blocks.iter().for_each(|block| layout.push(format!("{name}{}", block.name), block.dims));
        }
        layout
    }

    /// The encoder and the policy behind it, whose parameters follow each other; empty for a single network.
    pub fn parts(&self) -> &[Layout] {
        &self.parts
    }

    fn push(&mut self, name: String, dims: [usize; 2]) {
        let start = self.num_params();
        self.blocks.push(Block { name, dims, range: start..start + dims[0] * dims[1] });
    }

    /// Length of the flat vector.
    pub fn num_params(&self) -> usize {
        self.blocks.last().map_or(0, |b| b.range.end)
    }

    /// The same policy, of whose observation a part shows the last `window` transitions.
    pub fn looking_back(self, window: usize) -> Self {
        Layout { window, ..self }
    }

    /// The same policy that normalises the observations it acts on.
    pub fn normalizing(self, inputs: Option<Arc<Normalizer>>) -> Self {
        Layout { inputs, ..self }
    }

    /// The normaliser of the observations that the policy acts on.
    pub fn normalizer(&self) -> Option<&Arc<Normalizer>> {
        self.inputs.as_ref()
    }

    /// The same policy with `activation` between the layers of its perceptrons.
    pub fn with_activation(self, activation: Activation) -> Self {
        let parts = self.parts.into_iter().map(|part| part.with_activation(activation)).collect();
        Layout { activation, parts, ..self }
    }

    /// The function between the layers of the policy's perceptrons.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Number of transitions that the observation shows.
    pub fn window(&self) -> usize {
        self.window
    }

    /// Number of values in one observation.
    pub fn obs_dim(&self) -> usize {
        self.obs_dim
    }

    /// The policy's head.
    pub fn head(&self) -> Head {
        self.head
    }

    /// All blocks, in the order of the flat vector.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Number of affine layers.
    pub fn num_layers(&self) -> usize {
        self.blocks.len() / 2 - self.added.len()
    }

    /// Place of `log_std` in the flat vector, if the head has one.
    pub fn log_std(&self) -> Option<Range<usize>> {
        (matches!(self.head, Head::Gaussian(_)) && self.core != Core::Model)
            .then(|| self.blocks.last().unwrap().range.clone())
    }

    /// Fresh parameters `[num_params]`: normal weights with variance 1 / fan-in, 100 times smaller in the last layer so
    /// that the first policy is nearly uniform; zero biases; `log_std` as given. `normal` draws from N(0, 1).
    pub fn init(&self, log_std: f32, mut normal: impl FnMut() -> f32) -> Vec<f32> {
        let mut params = vec![0.0; self.num_params()];
        let layers = self.blocks.chunks_exact(2).take(self.num_layers());
        for (i, pair) in layers.enumerate() {
            let scale = if i + 1 == self.num_layers() { 0.01 } else { 1.0 } / (pair[0].dims[0] as f32).sqrt();
            params[pair[0].range.clone()].fill_with(|| normal() * scale);
        }
        self.set_log_std(log_std, &mut params);
        self.set_added(&mut params, normal);
        params
    }

    /// Sets the log standard deviations of `params` `[num_params]`, if the head has any, to `log_std`.
    pub fn set_log_std(&self, log_std: f32, params: &mut [f32]) {
        if let Some(range) = self.log_std() {
            params[range].fill(log_std);
        }
        if let Head::StateGaussian(dim) = self.head {
            let bias = &self.blocks[2 * self.num_layers() - 1];
            params[bias.range.clone()][dim..].fill(log_std);
        }
    }

    /// Places of the weights, biases and right factors that belong to log standard deviations alone where these are outputs.
    pub fn log_std_outputs(&self) -> Vec<usize> {
        let Head::StateGaussian(dim) = self.head else { return Vec::new() };
        let of_block = |block: &Block| {
            let start = block.range.start;
            block.range.clone().filter(move |at| (at - start) % (2 * dim) >= dim)
        };
        let last = 2 * self.num_layers() - 2;
        let products = self.added.iter().filter(|added| added.to == last).map(|added| &self.blocks[added.right]);
        self.blocks[last..last + 2].iter().chain(products).flat_map(of_block).collect()
    }
}

#[cfg(test)]
mod tests;
