//! The policy in plain f32 on the host, for one parameter vector and a few dozen lanes, as the rollout actors run it.
//!
//! libtorch needs 26-38 µs for any forward pass; an actor asks for 20 samples at a time. The kernels are those of the
//! backend `native`. A lane's sums run in one fixed order and every product is fused with its sum, so a lane's result
//! depends neither on the lanes beside it nor on the processor's vector width. `tests/parity.rs` ties this to the tensor
//! policy.

mod density;

use alloc::sync::Arc;

use crate::{
    context::{Encoder, Sight},
    inputs::Normalizer,
    kernels::{
        isa::Isa,
        mlp,
        net::{Net, Shape, State},
        tile::TILE,
    },
    layout::{Head, LOG_STD, Layout},
    prelude::*,
    vector_math, with_isa,
};

/// Work space of [`HostPolicy::forward`], reused between calls.
pub struct Scratch {
    state: State<f32>,
    sight: Option<Box<Sight>>,
    /// Normalised observations.
    obs: Vec<f32>,
}

/// A policy and its parameters.
pub struct HostPolicy {
    obs_dim: usize,
    head: Head,
    inputs: Option<Arc<Normalizer>>,
    /// The network before this one, which encodes a part of the observation.
    encoder: Option<Box<Encoder>>,
    shape: Shape,
    net: Net<f32>,
    isa: Isa,
}

impl HostPolicy {
    /// A policy of shape `layout` with parameters `params` `[num_params]`.
    ///
    /// # Panics
    /// If `params` has another length, or if there are more than four action dimensions: a step has four random
    /// numbers.
    pub fn new(layout: &Layout, params: &[f32]) -> Self {
        assert_eq!(params.len(), layout.num_params(), "parameter vector and layout differ");
        assert!(layout.head().act_dim() <= 4, "more than four action dimensions");
        let encoder = Encoder::new(layout, params).map(Box::new);
        let inputs = layout.normalizer().cloned();
        let (layout, obs_dim) = (layout.parts().last().unwrap_or(layout), layout.obs_dim());
        let params = &params[params.len() - layout.num_params()..];
        let shape = Shape::new(layout);
        let net = Net::new(layout, &shape, params);
        HostPolicy { obs_dim, head: layout.head(), inputs, encoder, shape, net, isa: Isa::detect() }
    }

    /// Work space for policies of this shape.
    pub fn scratch(&self) -> Scratch {
        let sight = self.encoder.as_ref().map(|encoder| Box::new(encoder.sight()));
        Scratch { state: State::new(&self.shape), sight, obs: Vec::new() }
    }

    /// Number of values in one observation.
    pub fn obs_dim(&self) -> usize {
        self.obs_dim
    }

    /// Number of values per lane that [`forward`](Self::forward) writes.
    pub fn outputs(&self) -> usize {
        self.head.outputs()
    }

    /// Computes the head outputs (logits, means, or means and log standard deviations) `out` `[outputs, envs]` for `obs`
    /// `[envs, obs_dim]`.
    pub fn forward(&self, obs: &[f32], out: &mut [f32], Scratch { state, sight, obs: normalised }: &mut Scratch) {
        let isa = self.isa;
        let policy = self;
        let obs = match &self.inputs {
            Some(normalizer) => {
                normalised.clear();
                normalised.extend_from_slice(obs);
                normalizer.apply(normalised);
                normalised
            }
            None => obs,
        };
        let obs = match (&self.encoder, sight) {
            (Some(encoder), Some(sight)) => encoder.see(obs, sight),
            _ => obs,
        };
        with_isa!(isa, [] (policy: &HostPolicy, obs: &[f32], out: &mut [f32], state: &mut State<f32>) => {
            policy.forward_body(obs, out, state);
        });
    }

    #[inline(always)]
    fn forward_body(&self, x: &[f32], out: &mut [f32], state: &mut State<f32>) {
        let inputs = self.shape.inputs();
        let envs = x.len() / inputs;
        assert_eq!(out.len(), envs * self.head.outputs());
        for (tile, x) in x.chunks(TILE * inputs).enumerate() {
            let n = x.len() / inputs;
            mlp::forward(self.isa, &self.shape, &self.net, x, n, state);
            for (out, column) in out.chunks_exact_mut(envs).zip(&state.out) {
                out[tile * TILE..][..n].copy_from_slice(&column[..n]);
            }
        }
    }

    /// Draws one action per lane and its log-probability from the head outputs, `[outputs, envs]`, as
    /// [`forward`](Self::forward) left them. `noise(lane)` gives four independent uniforms in `[0, 1)`; `action` is
    /// `[envs, act_dim]` and `log_prob` `[envs]`.
    pub fn sample(&self, out: &[f32], noise: impl FnMut(usize) -> [f32; 4], action: &mut [f32], log_prob: &mut [f32]) {
        sample(self.isa, self.head, &self.net.log_std, out, noise, action, log_prob);
    }

    /// Writes the mode of each lane's action distribution to `action` `[envs, act_dim]`.
    pub fn mode(&self, out: &[f32], action: &mut [f32]) {
        mode(self.head, out, action);
    }
}

/// Draws one action per lane and its log-probability from the outputs of a head.
///
/// `out` is `[outputs, envs]`, `log_std` `[act_dim]` or empty; `noise(lane)` gives four independent uniforms in `[0, 1)`;
/// `action` is `[envs, act_dim]` and `log_prob` `[envs]`.
pub(crate) fn sample(
    isa: Isa,
    head: Head,
    log_std: &[f32],
    out: &[f32],
    mut noise: impl FnMut(usize) -> [f32; 4],
    action: &mut [f32],
    log_prob: &mut [f32],
) {
    let envs = log_prob.len();
    for first in (0..envs).step_by(LANES) {
        let n = LANES.min(envs - first);
        let mut draw = Draw { uniforms: [[0.5; LANES]; 4], action: [[0.0; LANES]; 4], log_prob: [0.0; LANES] };
        for lane in 0..n {
            let uniforms = noise(first + lane);
            (0..4).for_each(|k| draw.uniforms[k][lane] = uniforms[k]);
        }
        let draw = &mut draw;
        let columns: &dyn Fn(usize) -> Lanes = &|k| {
            let mut column = [0.0; LANES];
            column[..n].copy_from_slice(&out[k * envs + first..][..n]);
            column
        };
        with_isa!(isa, [] (head: Head, columns: &dyn Fn(usize) -> Lanes, log_std: &[f32], draw: &mut Draw) => {
            match head {
                Head::Categorical(count) => draw.categorical(count, columns),
                Head::Gaussian(dim) => {
                    draw.log_prob = [0.0; LANES];
                    (0..dim).for_each(|k| draw.gaussian(k, columns(k), Spread::even(log_std[k])));
                }
                Head::StateGaussian(dim) => {
                    draw.log_prob = [0.0; LANES];
                    (0..dim).for_each(|k| draw.gaussian(k, columns(k), Spread::of(columns(dim + k))));
                }
            }
        });
        log_prob[first..first + n].copy_from_slice(&draw.log_prob[..n]);
        let dim = head.act_dim();
        for (lane, action) in action[first * dim..].chunks_exact_mut(dim).take(n).enumerate() {
            (0..dim).for_each(|k| action[k] = draw.action[k][lane]);
        }
    }
}

/// Writes the mode of each lane's action distribution to `action` `[envs, act_dim]`; `out` is `[outputs, envs]`.
pub(crate) fn mode(head: Head, out: &[f32], action: &mut [f32]) {
    let envs = out.len() / head.outputs();
    let at = |k: usize, env: usize| out[k * envs + env];
    match head {
        Head::Categorical(n) => {
            for (env, a) in action.iter_mut().enumerate() {
                *a = (1..n).fold(0, |best, i| if at(i, env) > at(best, env) { i } else { best }) as f32;
            }
        }
        Head::Gaussian(dim) | Head::StateGaussian(dim) => {
            for (env, action) in action.chunks_exact_mut(dim).enumerate() {
                (0..dim).for_each(|k| action[k] = at(k, env));
            }
        }
    }
}

/// Half the logarithm of 2 pi.
const HALF_LOG_TAU: f32 = 0.918_938_5;

/// Number of lanes drawn for at once.
const LANES: usize = 32;

/// One number per lane.
type Lanes = [f32; LANES];

/// Log standard deviations, standard deviations and their inverses of some lanes.
struct Spread {
    log_std: Lanes,
    std: Lanes,
    inverse: Lanes,
}

impl Spread {
    /// The same for all lanes.
    #[inline(always)]
    fn even(log_std: f32) -> Self {
        let (std, inverse) = (vector_math::exp(log_std), vector_math::exp(-log_std));
        Spread { log_std: [log_std; LANES], std: [std; LANES], inverse: [inverse; LANES] }
    }

    /// The log standard deviations `outputs`, held within their range.
    #[inline(always)]
    fn of(outputs: Lanes) -> Self {
        let mut spread = Spread { log_std: outputs, std: [0.0; LANES], inverse: [0.0; LANES] };
        for lane in 0..LANES {
            let log_std = spread.log_std[lane].clamp(LOG_STD[0] as f32, LOG_STD[1] as f32);
            spread.log_std[lane] = log_std;
            spread.std[lane] = vector_math::exp(log_std);
            spread.inverse[lane] = vector_math::exp(-log_std);
        }
        spread
    }
}

/// Uniforms, actions and log-probabilities of some lanes.
struct Draw {
    uniforms: [Lanes; 4],
    action: [Lanes; 4],
    log_prob: Lanes,
}

impl Draw {
    /// Draws an index with the probabilities softmax(logits).
    #[inline(always)]
    fn categorical(&mut self, count: usize, logits: &dyn Fn(usize) -> Lanes) {
        let mut max = logits(0);
        for k in 1..count {
            let logit = logits(k);
            for lane in 0..LANES {
                max[lane] = if logit[lane] > max[lane] { logit[lane] } else { max[lane] };
            }
        }
        let mut total = [0.0; LANES];
        for k in 0..count {
            let logit = logits(k);
            for lane in 0..LANES {
                total[lane] += vector_math::exp(logit[lane] - max[lane]);
            }
        }
        let mut left = [0.0; LANES];
        for lane in 0..LANES {
            left[lane] = self.uniforms[0][lane] * total[lane];
        }
        // rounding may leave a remainder after the last action, which is then chosen
        let last = logits(count - 1);
        let mut chosen = [(count - 1) as f32; LANES];
        let mut chosen_logit = last;
        for k in 0..count - 1 {
            let logit = logits(k);
            for lane in 0..LANES {
                let before = left[lane];
                left[lane] -= vector_math::exp(logit[lane] - max[lane]);
                let here = (before >= 0.0) & (left[lane] < 0.0);
                chosen[lane] = if here { k as f32 } else { chosen[lane] };
                chosen_logit[lane] = if here { logit[lane] } else { chosen_logit[lane] };
            }
        }
        self.action[0] = chosen;
        for lane in 0..LANES {
            self.log_prob[lane] = chosen_logit[lane] - max[lane] - vector_math::ln(total[lane]);
        }
    }

    /// Draws dimension `k` of a vector from the diagonal Gaussian, by Box and Muller: up to four standard normals from one
    /// block of uniforms, a fixed number of draws. Adds its log-probability.
    #[inline(always)]
    fn gaussian(&mut self, k: usize, mean: Lanes, Spread { log_std, std, inverse }: Spread) {
        let [a, b] = [&self.uniforms[k / 2 * 2], &self.uniforms[k / 2 * 2 + 1]];
        for lane in 0..LANES {
            let radius = (-2.0 * vector_math::ln(1.0 - a[lane])).sqrt();
            let (sin, cos) = vector_math::sin_cos_turns(b[lane]);
            let normal = radius * if k.is_multiple_of(2) { cos } else { sin };
            let action = std[lane].mul_add(normal, mean[lane]);
            let z = (action - mean[lane]) * inverse[lane];
            self.action[k][lane] = action;
            self.log_prob[lane] += -0.5 * z * z - log_std[lane] - HALF_LOG_TAU;
        }
    }
}

#[cfg(test)]
mod tests;
