//! The policy in plain f32 on the host, for one parameter vector and a few dozen lanes, as the rollout actors run it.
//!
//! libtorch needs 26-38 µs for any forward pass; an actor asks for 20 samples at a time. The kernels are those of the
//! native backend. A lane's sums run in one fixed order and every product is fused with its sum, so a lane's result
//! depends neither on the lanes beside it nor on the processor's vector width. `tests/parity.rs` ties this to the tensor
//! policy.

use crate::{
    context::{Encoder, Sight},
    layout::{Head, Layout},
    native::{self, Isa, Net, Shape, State, TILE, with_isa},
    vector_math,
};

/// Work space of [`HostPolicy::forward`], reused between calls.
pub struct Scratch {
    state: State<f32>,
    sight: Option<Box<Sight>>,
}

/// A policy and its parameters.
pub struct HostPolicy {
    obs_dim: usize,
    head: Head,
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
        let (layout, obs_dim) = (layout.parts().last().unwrap_or(layout), layout.obs_dim());
        let params = &params[params.len() - layout.num_params()..];
        let shape = Shape::new(layout);
        let net = Net::new(layout, &shape, params);
        HostPolicy { obs_dim, head: layout.head(), encoder, shape, net, isa: Isa::detect() }
    }

    /// Work space for policies of this shape.
    pub fn scratch(&self) -> Scratch {
        let sight = self.encoder.as_ref().map(|encoder| Box::new(encoder.sight()));
        Scratch { state: State::new(&self.shape), sight }
    }

    /// Number of values in one observation.
    pub fn obs_dim(&self) -> usize {
        self.obs_dim
    }

    /// Number of values per lane that [`forward`](Self::forward) writes.
    pub fn outputs(&self) -> usize {
        self.head.outputs()
    }

    /// Computes the head outputs (logits or means) `out` `[outputs, envs]` for `obs` `[envs, obs_dim]`.
    pub fn forward(&self, obs: &[f32], out: &mut [f32], Scratch { state, sight }: &mut Scratch) {
        let isa = self.isa;
        let policy = self;
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
            native::forward(self.isa, &self.shape, &self.net, x, n, state);
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
                Head::Gaussian(dim) => draw.gaussian(dim, columns, log_std),
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
        Head::Gaussian(dim) => {
            for (env, action) in action.chunks_exact_mut(dim).enumerate() {
                (0..dim).for_each(|k| action[k] = at(k, env));
            }
        }
    }
}

/// Number of lanes drawn for at once.
const LANES: usize = 32;

/// One number per lane.
type Lanes = [f32; LANES];

/// Uniforms, actions and log-probabilities of some lanes.
struct Draw {
    uniforms: [Lanes; 4],
    action: [Lanes; 4],
    log_prob: Lanes,
}

#[expect(clippy::needless_range_loop, reason = "a lane's numbers lie at the same place in several columns")]
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

    /// Draws a vector from the diagonal Gaussian with these means, by Box and Muller: up to four standard normals from
    /// one block of uniforms, a fixed number of draws.
    #[inline(always)]
    fn gaussian(&mut self, dim: usize, means: &dyn Fn(usize) -> Lanes, log_std: &[f32]) {
        const HALF_LOG_TAU: f32 = 0.918_938_5;
        self.log_prob = [0.0; LANES];
        for k in 0..dim {
            let mean = means(k);
            let std = vector_math::exp(log_std[k]);
            let inverse = vector_math::exp(-log_std[k]);
            let [a, b] = [&self.uniforms[k / 2 * 2], &self.uniforms[k / 2 * 2 + 1]];
            for lane in 0..LANES {
                let radius = (-2.0 * vector_math::ln(1.0 - a[lane])).sqrt();
                let (sin, cos) = vector_math::sin_cos_turns(b[lane]);
                let normal = radius * if k % 2 == 0 { cos } else { sin };
                let action = std.mul_add(normal, mean[lane]);
                let z = (action - mean[lane]) * inverse;
                self.action[k][lane] = action;
                self.log_prob[lane] += -0.5 * z * z - log_std[k] - HALF_LOG_TAU;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers in [-1.7, 1.7].
    fn value(i: usize) -> f32 {
        ((i * 7919 % 2003) as f32 / 1001.0 - 1.0) * 1.7
    }

    fn policy(head: Head, isa: Isa) -> HostPolicy {
        let layout = Layout::new(13, &[43, 70], head);
        let params: Vec<f32> = (0..layout.num_params()).map(|i| 0.3 * value(i)).collect();
        HostPolicy { isa, ..HostPolicy::new(&layout, &params) }
    }

    /// Head outputs, actions and log-probabilities of the lanes `from..to`.
    fn drawn(policy: &HostPolicy, from: usize, to: usize) -> [Vec<f32>; 3] {
        let obs: Vec<f32> = (from * 13..to * 13).map(value).collect();
        let lanes = to - from;
        let dim = policy.head.act_dim();
        let mut out = vec![0.0; lanes * policy.outputs()];
        let mut action = vec![0.0; lanes * dim];
        let mut log_prob = vec![0.0; lanes];
        policy.forward(&obs, &mut out, &mut policy.scratch());
        let noise = |lane: usize| std::array::from_fn(|k| (value((from + lane) * 4 + k) / 3.5 + 0.5).abs());
        policy.sample(&out, noise, &mut action, &mut log_prob);
        [out, action, log_prob]
    }

    #[test]
    fn every_instruction_set_gives_the_same_bytes_and_so_does_a_lane_alone() {
        for head in [Head::Categorical(3), Head::Gaussian(2)] {
            let plain = drawn(&policy(head, Isa::PORTABLE), 0, 131);
            let found = policy(head, Isa::detect());
            let outputs = found.outputs();
            let dim = head.act_dim();
            assert_eq!(drawn(&found, 0, 131), plain);
            for lane in [0, 5, 100, 130] {
                let [out, action, log_prob] = drawn(&found, lane, lane + 1);
                assert_eq!(out, (0..outputs).map(|k| plain[0][k * 131 + lane]).collect::<Vec<_>>());
                assert_eq!((&action[..], log_prob[0]), (&plain[1][lane * dim..][..dim], plain[2][lane]));
            }
        }
    }

    /// Draws one action per logit pair (0, ln 3) and uniform.
    fn choose(uniforms: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let n = uniforms.len();
        let layout = Layout::new(1, &[], Head::Categorical(2));
        let policy = HostPolicy::new(&layout, &vec![0.0; layout.num_params()]);
        let out: Vec<f32> = (0..2 * n).map(|i| if i < n { 0.0 } else { 3f32.ln() }).collect();
        let mut action = vec![0.0; n];
        let mut log_prob = vec![0.0; n];
        policy.sample(&out, |lane| [uniforms[lane]; 4], &mut action, &mut log_prob);
        (action, log_prob)
    }

    #[test]
    fn categorical_frequencies_and_log_probs() {
        // softmax(0, ln 3) = (1/4, 3/4)
        let (action, log_prob) = choose(&[0.2499, 0.2501, 1.0 - f32::EPSILON / 2.0]);
        assert_eq!(action, [0.0, 1.0, 1.0]);
        for (log_prob, p) in log_prob.iter().zip([0.25f32, 0.75, 0.75]) {
            assert!((log_prob - p.ln()).abs() < 1e-6, "{log_prob}");
        }
        let uniforms: Vec<f32> = (0..1000).map(|i| (i as f32 + 0.5) / 1000.0).collect();
        assert_eq!(choose(&uniforms).0.iter().sum::<f32>(), 750.0);
    }

    /// Actions and log-probabilities of a Gaussian around (0.5, 1) with standard deviations 1 and 2.
    fn spread(uniforms: &[[f32; 4]]) -> (Vec<f32>, Vec<f32>) {
        let n = uniforms.len();
        let layout = Layout::new(1, &[], Head::Gaussian(2));
        let mut params = vec![0.0; layout.num_params()];
        params[layout.log_std().unwrap()].copy_from_slice(&[0.0, 2f32.ln()]);
        let policy = HostPolicy::new(&layout, &params);
        let out: Vec<f32> = (0..2 * n).map(|i| if i < n { 0.5 } else { 1.0 }).collect();
        let mut action = vec![0.0; 2 * n];
        let mut log_prob = vec![0.0; n];
        policy.sample(&out, |lane| uniforms[lane], &mut action, &mut log_prob);
        (action, log_prob)
    }

    #[test]
    fn gaussian_log_prob_sums_over_dimensions() {
        let (action, log_prob) = spread(&[[0.3, 0.1, 0.0, 0.0], [0.9, 0.6, 0.0, 0.0]]);
        let log_density = |x: f32, mean: f64, std: f64| {
            let z = (f64::from(x) - mean) / std;
            -0.5 * z * z - std.ln() - 0.5 * std::f64::consts::TAU.ln()
        };
        for (action, log_prob) in action.chunks(2).zip(log_prob) {
            let expected = log_density(action[0], 0.5, 1.0) + log_density(action[1], 1.0, 2.0);
            assert!((f64::from(log_prob) - expected).abs() < 2e-6, "{log_prob} {expected}");
        }
        // Box and Muller by hand: sqrt(-2 ln 0.7) cos(0.2 pi) and sin(0.2 pi)
        let radius = (-2.0 * 0.7f64.ln()).sqrt();
        let turn = 0.2 * std::f64::consts::PI;
        assert!((f64::from(action[0]) - (0.5 + radius * turn.cos())).abs() < 1e-6);
        assert!((f64::from(action[1]) - (1.0 + 2.0 * radius * turn.sin())).abs() < 1e-6);
    }

    #[test]
    fn normals_have_unit_variance_in_every_place() {
        let n = 64;
        let u = |k: usize| (k as f32 + 0.5) / n as f32;
        let uniforms: Vec<[f32; 4]> = (0..n * n).map(|i| [u(i / n), u(i % n), u(i % n), u(i / n)]).collect();
        let (action, _) = spread(&uniforms);
        for (k, mean, std) in [(0, 0.5, 1.0), (1, 1.0, 2.0)] {
            let z = action.iter().skip(k).step_by(2).map(|a| (f64::from(*a) - mean) / std);
            let (sum, square) = z.fold((0.0, 0.0), |(sum, square), z| (sum + z, square + z * z));
            let [mean, square] = [sum, square].map(|v| v / (n * n) as f64);
            assert!(mean.abs() < 1e-3 && (square - 1.0).abs() < 0.03, "{mean} {square}");
        }
    }
}
