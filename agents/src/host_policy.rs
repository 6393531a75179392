//! The policy in plain f32 on the host, for one parameter vector and a few dozen lanes: what the rollout actors run.
//!
//! libtorch needs 26-38 µs for any forward pass; an actor asks for 20 samples at a time. Sums run in one fixed
//! order per lane, without fused multiply-add, so a lane's result depends neither on the lanes beside it nor on the
//! processor's vector width. `tests/parity.rs` ties this to the tensor policy.

use crate::layout::{Head, Layout};

/// Work space of [`HostPolicy::forward`], reused between calls.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    hidden: [Vec<f32>; 2],
}

/// A policy with its parameters.
#[derive(Clone, Copy, Debug)]
pub struct HostPolicy<'a> {
    layout: &'a Layout,
    params: &'a [f32],
}

impl<'a> HostPolicy<'a> {
    /// # Panics
    /// If `params` is not `[num_params]`.
    pub fn new(layout: &'a Layout, params: &'a [f32]) -> Self {
        assert_eq!(params.len(), layout.num_params(), "parameter vector and layout differ");
        HostPolicy { layout, params }
    }

    /// Values per lane that [`forward`](Self::forward) writes.
    pub fn outputs(&self) -> usize {
        self.layout.head().outputs()
    }

    /// Head outputs (logits or means) `[envs, outputs]` for `obs` `[envs, obs_dim]`.
    pub fn forward(&self, obs: &[f32], out: &mut [f32], scratch: &mut Scratch) {
        let envs = obs.len() / self.layout.obs_dim();
        assert_eq!(out.len(), envs * self.layout.head().outputs());
        let [mut input, mut output] = scratch.hidden.each_mut();
        let layers = self.layout.num_layers();
        for (i, pair) in self.layout.blocks()[..2 * layers].chunks_exact(2).enumerate() {
            let x: &[f32] = if i == 0 { obs } else { input };
            let (w, b) = (&self.params[pair[0].range.clone()], &self.params[pair[1].range.clone()]);
            if i + 1 == layers {
                affine(x, w, b, out);
            } else {
                output.resize(envs * b.len(), 0.0);
                affine(x, w, b, output);
                tanh_in_place(output);
                std::mem::swap(&mut input, &mut output);
            }
        }
    }

    /// Draws one action per lane and its log-probability from the head outputs.
    ///
    /// `out` `[envs, outputs]` as [`forward`](Self::forward) left it; `noise(lane)` gives four independent uniforms
    /// in `[0, 1)`; `action` `[envs, act_dim]`; `log_prob` `[envs]`.
    pub fn sample(
        &self,
        out: &[f32],
        mut noise: impl FnMut(usize) -> [f32; 4],
        action: &mut [f32],
        log_prob: &mut [f32],
    ) {
        match self.layout.head() {
            Head::Categorical(n) => {
                for (env, logits) in out.chunks_exact(n).enumerate() {
                    (action[env], log_prob[env]) = sample_categorical(logits, noise(env)[0]);
                }
            }
            Head::Gaussian(dim) => {
                let log_std = self.log_std();
                for (env, mean) in out.chunks_exact(dim).enumerate() {
                    let normals = standard_normals(noise(env));
                    let action = &mut action[env * dim..(env + 1) * dim];
                    for ((a, m), (s, z)) in action.iter_mut().zip(mean).zip(log_std.iter().zip(normals)) {
                        *a = m + s.exp() * z;
                    }
                    log_prob[env] = gaussian_log_prob(action, mean, log_std);
                }
            }
        }
    }

    /// The most likely action of each lane, `[envs, act_dim]`.
    pub fn mode(&self, out: &[f32], action: &mut [f32]) {
        match self.layout.head() {
            Head::Categorical(n) => {
                for (a, logits) in action.iter_mut().zip(out.chunks_exact(n)) {
                    *a = (1..n).fold(0, |best, i| if logits[i] > logits[best] { i } else { best }) as f32;
                }
            }
            Head::Gaussian(_) => action.copy_from_slice(out),
        }
    }

    fn log_std(&self) -> &'a [f32] {
        &self.params[self.layout.log_std().expect("Gaussian head")]
    }
}

fn sample_categorical(logits: &[f32], uniform: f32) -> (f32, f32) {
    let max = logits.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
    let total: f32 = logits.iter().map(|l| (l - max).exp()).sum();
    let mut left = uniform * total;
    // rounding may leave a crumb after the last action: then it is the last
    let mut chosen = logits.len() - 1;
    for (i, l) in logits.iter().enumerate() {
        left -= (l - max).exp();
        if left < 0.0 {
            chosen = i;
            break;
        }
    }
    (chosen as f32, logits[chosen] - max - total.ln())
}

/// Box-Muller: up to four standard normals from one block of uniforms, a fixed number of draws.
fn standard_normals(u: [f32; 4]) -> [f32; 4] {
    let pair = |a: f32, b: f32| {
        let radius = (-2.0 * (1.0 - a).ln()).sqrt();
        let (sin, cos) = (std::f32::consts::TAU * b).sin_cos();
        [radius * cos, radius * sin]
    };
    let ([a, b], [c, d]) = (pair(u[0], u[1]), pair(u[2], u[3]));
    [a, b, c, d]
}

/// Log-density of a diagonal Gaussian, summed over the action dimensions.
pub fn gaussian_log_prob(action: &[f32], mean: &[f32], log_std: &[f32]) -> f32 {
    const HALF_LOG_TAU: f32 = 0.918_938_5;
    let terms = action.iter().zip(mean).zip(log_std);
    terms.map(|((a, m), s)| -0.5 * ((a - m) * (-s).exp()).powi(2) - s - HALF_LOG_TAU).sum()
}

/// `y [envs, out] = x [envs, in] w [in, out] + b [out]`, in the widest vectors the processor has.
fn affine(x: &[f32], w: &[f32], b: &[f32], y: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the feature was just detected.
            return unsafe { affine_avx512(x, w, b, y) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the feature was just detected.
            return unsafe { affine_avx2(x, w, b, y) };
        }
    }
    affine_body(x, w, b, y);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn affine_avx512(x: &[f32], w: &[f32], b: &[f32], y: &mut [f32]) {
    affine_body(x, w, b, y);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn affine_avx2(x: &[f32], w: &[f32], b: &[f32], y: &mut [f32]) {
    affine_body(x, w, b, y);
}

#[inline(always)]
fn affine_body(x: &[f32], w: &[f32], b: &[f32], y: &mut [f32]) {
    let (inputs, outputs) = (w.len() / b.len(), b.len());
    let mut xs = x.chunks_exact(4 * inputs);
    let mut ys = y.chunks_exact_mut(4 * outputs);
    for (x, y) in (&mut xs).zip(&mut ys) {
        affine_lanes::<4>(x, w, b, y);
    }
    for (x, y) in xs.remainder().chunks_exact(inputs).zip(ys.into_remainder().chunks_exact_mut(outputs)) {
        affine_lanes::<1>(x, w, b, y);
    }
}

/// `L` lanes at once, so that a row of weights is loaded once for all of them.
#[inline(always)]
fn affine_lanes<const L: usize>(x: &[f32], w: &[f32], b: &[f32], y: &mut [f32]) {
    let mut o = 0;
    while o + 32 <= b.len() {
        affine_tile::<L, 32>(x, w, b, y, o);
        o += 32;
    }
    while o + 8 <= b.len() {
        affine_tile::<L, 8>(x, w, b, y, o);
        o += 8;
    }
    while o < b.len() {
        affine_tile::<L, 1>(x, w, b, y, o);
        o += 1;
    }
}

/// `L` lanes times `O` outputs, held in registers while the inputs go by.
#[inline(always)]
fn affine_tile<const L: usize, const O: usize>(x: &[f32], w: &[f32], b: &[f32], y: &mut [f32], o: usize) {
    let (inputs, outputs) = (w.len() / b.len(), b.len());
    let mut sum = [[0f32; O]; L];
    for s in &mut sum {
        s.copy_from_slice(&b[o..o + O]);
    }
    for i in 0..inputs {
        let row = &w[i * outputs + o..][..O];
        for (lane, s) in sum.iter_mut().enumerate() {
            let value = x[lane * inputs + i];
            for (s, w) in s.iter_mut().zip(row) {
                *s += value * w;
            }
        }
    }
    for (lane, s) in sum.iter().enumerate() {
        y[lane * outputs + o..][..O].copy_from_slice(s);
    }
}

fn tanh_in_place(x: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the feature was just detected.
            return unsafe { tanh_avx512(x) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the feature was just detected.
            return unsafe { tanh_avx2(x) };
        }
    }
    tanh_body(x);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn tanh_avx512(x: &mut [f32]) {
    tanh_body(x);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn tanh_avx2(x: &mut [f32]) {
    tanh_body(x);
}

#[inline(always)]
fn tanh_body(x: &mut [f32]) {
    for v in x {
        *v = tanh(*v);
    }
}

/// tanh to 2e-7 absolute, as `(e - 1) / (e + 1)` with `e = exp(2 x)`: the power of two goes straight into the
/// exponent bits, the rest is a Taylor polynomial on |r| <= ln 2 / 2. Branch-free, NaN stays NaN.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer, kept in the low mantissa bits
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = if x > 9.0 { 9.0 } else { x };
    let x = if x < -9.0 { -9.0 } else { x };
    let y = x + x;
    let shifted = y * std::f32::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = (y - k * LN_2_HIGH) - k * LN_2_LOW;
    let p = 1.0 / 120.0 + r * (1.0 / 720.0 + r * (1.0 / 5040.0));
    let p = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * p))));
    let e = p * f32::from_bits(1f32.to_bits().wrapping_add(shifted.to_bits() << 23));
    (e - 1.0) / (e + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tanh_is_within_2e_7_of_the_f64_one() {
        let worst = (-1_000_000..=1_000_000)
            .map(|i| i as f32 * 2e-5)
            .map(|x| (f64::from(tanh(x)) - f64::from(x).tanh()).abs())
            .fold(0.0, f64::max);
        assert!(worst < 2e-7, "{worst:e}");
        assert!(tanh(f32::NAN).is_nan());
        assert_eq!((tanh(f32::INFINITY), tanh(f32::NEG_INFINITY), tanh(0.0)), (1.0, -1.0, 0.0));
    }

    #[test]
    fn every_vector_width_gives_the_same_bytes() {
        let value = |i: usize| ((i * 7919 % 2003) as f32 / 1001.0 - 1.0) * 1.7;
        let (x, w, b): (Vec<_>, Vec<_>, Vec<_>) =
            ((0..7 * 13).map(value).collect(), (0..13 * 43).map(value).collect(), (0..43).map(value).collect());
        let (mut plain, mut wide) = (vec![0.0; 7 * 43], vec![0.0; 7 * 43]);
        affine_body(&x, &w, &b, &mut plain);
        tanh_body(&mut plain);
        affine(&x, &w, &b, &mut wide);
        tanh_in_place(&mut wide);
        assert_eq!(plain, wide);
        // and one lane alone equals the same lane among seven
        let mut alone = vec![0.0; 43];
        affine(&x[13..26], &w, &b, &mut alone);
        tanh_in_place(&mut alone);
        assert_eq!(alone, wide[43..86]);
    }

    #[test]
    fn categorical_frequencies_and_log_probs() {
        // softmax(0, ln 3) = (1/4, 3/4)
        let logits = [0.0, 3f32.ln()];
        assert_eq!(sample_categorical(&logits, 0.2499).0, 0.0);
        let (action, log_prob) = sample_categorical(&logits, 0.2501);
        assert_eq!(action, 1.0);
        assert!((log_prob - 0.75f32.ln()).abs() < 1e-6);
        assert_eq!(sample_categorical(&logits, 1.0 - f32::EPSILON / 2.0).0, 1.0);
    }

    #[test]
    fn gaussian_log_prob_sums_over_dimensions() {
        // N(0.5; 0, 1) * N(3; 1, 2): -0.125 - 0.9189385, -0.5 - ln 2 - 0.9189385
        let expected = -0.125 - 0.5 - 2f32.ln() - 2.0 * 0.918_938_5;
        assert!((gaussian_log_prob(&[0.5, 3.0], &[0.0, 1.0], &[0.0, 2f32.ln()]) - expected).abs() < 1e-6);
    }

    #[test]
    fn normals_have_unit_variance_in_every_place() {
        let n = 64;
        let mut sums = [[0f64; 2]; 4];
        for i in 0..n * n {
            let u = |k: usize| (k as f32 + 0.5) / n as f32;
            let z = standard_normals([u(i / n), u(i % n), u(i % n), u(i / n)]);
            for (s, z) in sums.iter_mut().zip(z) {
                *s = [s[0] + f64::from(z), s[1] + f64::from(z * z)];
            }
        }
        for [mean, square] in sums.map(|s| s.map(|v| v / (n * n) as f64)) {
            assert!(mean.abs() < 1e-3 && (square - 1.0).abs() < 0.03, "{mean} {square}");
        }
    }
}
