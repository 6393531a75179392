//! A trained policy as a file: its shape, its numbers, and its way of adapting.

use alloc::sync::Arc;
use core::fmt;

use crate::{
    bytes::{Reader, Writer, crc32},
    inputs::Normalizer,
    layout::{Activation, CONTEXT, Core, Head, Layout},
    loss::InnerLoss,
    prelude::*,
    window::{Commands, Window},
};

/// The first bytes of every file.
const MAGIC: [u8; 8] = *b"MDPOLICY";
/// The version of the format that this crate writes, and the only one that it reads.
pub const VERSION: u32 = 1;

/// A trained policy: everything that acting and adapting need.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// Shape of the network, with the normaliser of its observations.
    pub layout: Layout,
    /// Number of values of an observation that are readings of the environment; settings of the task append others.
    pub readings: usize,
    /// The commands that it gives.
    pub commands: Commands,
    /// Largest change of each component of a command from one tick to the next, in the command's unit; none if there is no
    /// such limit, as for choices.
    pub rate_limit: Option<f32>,
    /// Parameters before adaptation, `[num_params]`.
    pub params: Vec<f32>,
    /// The way of adapting by gradient steps; none if it adapts by its memory, or not at all.
    pub adaptation: Option<Adaptation>,
}

/// A way of adapting by gradient steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Adaptation {
    /// The loss whose gradient is taken.
    pub loss: InnerLoss,
    /// Discount factor.
    pub gamma: f64,
    /// Trace decay of the advantages.
    pub gae_lambda: f64,
    /// Step size of each parameter, `[num_params]`; 0 for one that does not adapt.
    pub rates: Vec<f32>,
    /// Number of episodes that one step learned from in training.
    pub episodes: usize,
    /// Number of steps of a whole episode in training.
    pub horizon: usize,
    /// Number of steps of a whole adaptation in training.
    pub steps: usize,
}

/// The reason why a file is not taken for a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It begins otherwise.
    NotAPolicy,
    /// Another version has written it.
    Version(u32),
    /// It is cut off, or bytes have changed.
    Damaged,
    /// That part is not one that this crate can use.
    Invalid(&'static str),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::NotAPolicy => f.write_str("not a policy of metadrift"),
            Malformed::Version(other) => {
                write!(f, "a policy in format {other}; this library reads format {VERSION}: export it again")
            }
            Malformed::Damaged => f.write_str("a damaged policy: bytes are missing or have changed; copy it again"),
            Malformed::Invalid(part) => write!(f, "not a policy that this library can use: {part} is not possible"),
        }
    }
}

impl core::error::Error for Malformed {}

impl Form {
    /// Number of values of an observation that the caller gives: those of the network without its window.
    pub fn obs_dim(&self) -> usize {
        self.layout.obs_dim() - self.layout.window() * self.window().width()
    }

    /// The transitions that a policy with a window sees.
    pub fn window(&self) -> Window {
        Window { readings: self.readings, commands: self.commands }
    }

    /// The file.
    ///
    /// # Panics
    /// If the policy is a model of its environment, which has no network.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer(MAGIC.to_vec());
        out.count(VERSION as usize);
        self.write_layout(&mut out);
        out.count(self.readings);
        match self.commands {
            Commands::Choices(count) => out.counts(&[0, count]),
            Commands::Vector { dim, .. } => out.counts(&[1 + usize::from(self.rate_limit.is_some()), dim]),
        }
        out.single(self.commands.scale());
        self.rate_limit.into_iter().for_each(|rate| out.single(rate));
        out.singles(&self.params);
        out.count(usize::from(self.adaptation.is_some()));
        if let Some(adaptation) = &self.adaptation {
            let ratio = matches!(adaptation.loss, InnerLoss::LoadedDice(_));
            out.count(usize::from(ratio));
            out.double(if let InnerLoss::LoadedDice(lambda) = adaptation.loss { lambda } else { 0.0 });
            out.double(adaptation.gamma);
            out.double(adaptation.gae_lambda);
            out.counts(&[adaptation.episodes, adaptation.horizon, adaptation.steps]);
            out.singles(&adaptation.rates);
        }
        let sum = crc32(&out.0);
        out.0.extend_from_slice(&sum.to_le_bytes());
        out.0
    }

    fn write_layout(&self, out: &mut Writer) {
        let layout = &self.layout;
        let widths = |layout: &Layout| -> Vec<usize> {
            (1..layout.num_layers()).map(|layer| layout.blocks()[2 * layer].dims[0]).collect()
        };
        let list = |out: &mut Writer, values: &[usize]| {
            out.count(values.len());
            out.counts(values);
        };
        out.count(layout.obs_dim());
        out.count(layout.window());
        let (kind, count) = match layout.head() {
            Head::Categorical(count) => (0, count),
            Head::Gaussian(dim) => (1, dim),
            Head::StateGaussian(dim) => (2, dim),
        };
        out.counts(&[kind, count]);
        out.count(usize::from(layout.activation() == Activation::Relu));
        match layout.core() {
            Core::Feedforward => {
                out.count(0);
                list(out, &widths(layout));
                let rank = |name: &str| layout.blocks().iter().find(|block| block.name == name).map(|b| b.dims[1]);
                let (kind, size) = match (rank(CONTEXT), rank("layer0.left")) {
                    (Some(size), _) => (1, size),
                    (_, Some(rank)) => (2, rank),
                    _ => (0, 0),
                };
                out.counts(&[kind, size]);
            }
            Core::Recurrent { embedding, hidden } => out.counts(&[1, embedding, hidden]),
            Core::Context { own, code } => {
                out.counts(&[2, own, code]);
                layout.parts().iter().for_each(|part| list(out, &widths(part)));
            }
            Core::Model => panic!("a model of the environment has no network"),
        }
        out.count(usize::from(layout.normalizer().is_some()));
        if let Some(normalizer) = layout.normalizer() {
            normalizer.numbers().into_iter().for_each(|numbers| out.singles(numbers));
        }
    }

    /// The policy of a file.
    ///
    /// # Errors
    /// If the bytes are not those of a policy, or damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Form, Malformed> {
        let body = bytes.strip_prefix(&MAGIC).ok_or(Malformed::NotAPolicy)?;
        let mut version = Reader(body);
        let version = version.count()? as u32;
        if version != VERSION {
            return Err(Malformed::Version(version));
        }
        let (all, sum) = bytes.split_last_chunk::<4>().ok_or(Malformed::Damaged)?;
        if all.len() < MAGIC.len() + 4 || crc32(all) != u32::from_le_bytes(*sum) {
            return Err(Malformed::Damaged);
        }
        let mut file = Reader(&all[MAGIC.len() + 4..]);
        let layout = read_layout(&mut file)?;
        let readings = file.size()?;
        let (kind, count, bound) = (file.count()?, file.size()?, file.single()?);
        let commands = match (kind, layout.head()) {
            (0, Head::Categorical(n)) if n == count && n > 0 => Commands::Choices(count),
            (1 | 2, Head::Gaussian(n) | Head::StateGaussian(n)) if n == count && bound > 0.0 && bound.is_finite() => {
                Commands::Vector { dim: count, bound }
            }
            _ => return Err(Malformed::Invalid("the commands")),
        };
        let rate_limit = if kind == 2 { Some(file.single()?) } else { None };
        if rate_limit.is_some_and(|rate| !(rate > 0.0 && rate.is_finite())) {
            return Err(Malformed::Invalid("the rate limit"));
        }
        let params = file.singles(layout.num_params())?;
        let adaptation = match file.count()? {
            0 => None,
            1 => Some(read_adaptation(&mut file, params.len())?),
            _ => return Err(Malformed::Invalid("the adaptation")),
        };
        let form = Form { layout, readings, commands, rate_limit, params, adaptation };
        form.check()?;
        if file.0.is_empty() { Ok(form) } else { Err(Malformed::Damaged) }
    }

    fn check(&self) -> Result<(), Malformed> {
        let past = self.layout.window() * self.window().width();
        let own = self.layout.obs_dim().checked_sub(past).ok_or(Malformed::Invalid("the window"))?;
        let fits = match self.layout.core() {
            Core::Feedforward | Core::Model => true,
            Core::Recurrent { .. } => self.adaptation.is_none(),
            Core::Context { own: sees, .. } => sees == own && self.adaptation.is_none(),
        };
        let fits = fits && self.readings > 0 && self.readings <= own;
        if fits { Ok(()) } else { Err(Malformed::Invalid("the observation")) }
    }
}

fn read_layout(file: &mut Reader<'_>) -> Result<Layout, Malformed> {
    let (obs_dim, window) = (file.size()?, file.size()?);
    let head = match (file.count()?, file.size()?) {
        (0, count @ 1..) => Head::Categorical(count),
        (1, dim @ 1..=4) => Head::Gaussian(dim),
        (2, dim @ 1..=4) => Head::StateGaussian(dim),
        _ => return Err(Malformed::Invalid("the distribution of actions")),
    };
    let activation = match file.count()? {
        0 => Activation::Tanh,
        1 => Activation::Relu,
        _ => return Err(Malformed::Invalid("the activation")),
    };
    let layout = match file.count()? {
        0 => {
            let layout = Layout::new(obs_dim, &widths(file)?, head);
            match (file.count()?, file.size()?) {
                (0, 0) => layout,
                (1, size @ 1..) => layout.with_context(size),
                (2, rank @ 1..) => layout.with_low_rank(rank),
                _ => return Err(Malformed::Invalid("the parameters that adapt")),
            }
        }
        1 => Layout::recurrent(obs_dim, positive(file)?, positive(file)?, head),
        2 => {
            let (own, code) = (positive(file)?, positive(file)?);
            if own >= obs_dim {
                return Err(Malformed::Invalid("the encoder"));
            }
            let encoder = widths(file)?;
            Layout::context((own, obs_dim), &encoder, code, &widths(file)?, head)
        }
        _ => return Err(Malformed::Invalid("the network")),
    };
    if obs_dim == 0 {
        return Err(Malformed::Invalid("the observation"));
    }
    let normalizer = match file.count()? {
        0 => None,
        1 => Some(Arc::new(Normalizer::new(file.singles(obs_dim)?, file.singles(obs_dim)?))),
        _ => return Err(Malformed::Invalid("the normaliser")),
    };
    Ok(layout.with_activation(activation).looking_back(window).normalizing(normalizer))
}

fn positive(file: &mut Reader<'_>) -> Result<usize, Malformed> {
    match file.size()? {
        0 => Err(Malformed::Invalid("a width of 0")),
        size => Ok(size),
    }
}

/// Widths of hidden layers.
fn widths(file: &mut Reader<'_>) -> Result<Vec<usize>, Malformed> {
    const MOST: usize = 64;
    match file.count()? {
        layers @ 0..=MOST => (0..layers).map(|_| positive(file)).collect(),
        _ => Err(Malformed::Invalid("the number of layers")),
    }
}

fn read_adaptation(file: &mut Reader<'_>, params: usize) -> Result<Adaptation, Malformed> {
    let (kind, lambda) = (file.count()?, file.double()?);
    let loss = match kind {
        0 => InnerLoss::Score,
        1 if lambda.is_finite() => InnerLoss::LoadedDice(lambda),
        _ => return Err(Malformed::Invalid("the loss")),
    };
    let (gamma, gae_lambda) = (file.double()?, file.double()?);
    if !((0.0..1.0).contains(&gamma) && (0.0..=1.0).contains(&gae_lambda)) {
        return Err(Malformed::Invalid("the discount"));
    }
    let (episodes, horizon, steps) = (file.count()?, file.count()?, file.count()?);
    Ok(Adaptation { loss, gamma, gae_lambda, rates: file.singles(params)?, episodes, horizon, steps })
}

#[cfg(test)]
mod tests;
