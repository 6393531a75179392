//! The losses on a tile, by hand: value, derivative by the head's outputs, and that derivative's derivative along a
//! direction. `c` is the derivative of a sample's loss by its log-probability.

use super::{data::Samples, scalar::Scalar};
use crate::{layout::Head, objective::Objective};

const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_7;

/// A row of head outputs with the free parameters it goes with.
#[derive(Clone, Copy)]
pub(super) struct Outputs<'a, T> {
    /// `[outputs]`
    pub out: &'a [T],
    /// `[act_dim]`, empty for a categorical head.
    pub log_std: &'a [T],
}

/// Sums over samples of what the log tells.
#[derive(Clone, Copy, Default)]
pub(super) struct Sums {
    pub gain: f64,
    pub entropy: f64,
    pub outside: f64,
    pub moved: f64,
}

/// Per-sample work space.
pub(super) struct HeadLoss<T> {
    head: Head,
    /// Probabilities, or standardised actions.
    p: Vec<T>,
    old_p: Vec<T>,
}

impl<T: Scalar> HeadLoss<T> {
    pub fn new(head: Head) -> Self {
        HeadLoss { head, p: vec![T::ZERO; head.outputs()], old_p: vec![T::ZERO; head.outputs()] }
    }

    /// Log-probability of sample `i`; leaves the probabilities or standardised actions in `p`.
    #[inline(always)]
    fn log_prob(&mut self, o: Outputs<'_, T>, data: &Samples<T>, i: usize) -> T {
        match self.head {
            Head::Categorical(_) => {
                let log_total = softmax(o.out, &mut self.p);
                o.out[data.action[i] as usize] - log_total
            }
            Head::Gaussian(dim) => {
                let mut total = T::ZERO;
                for k in 0..dim {
                    let z = (T::of_f32(data.action[i * dim + k]) - o.out[k]) * (-o.log_std[k]).exp();
                    self.p[k] = z;
                    total = total - T::of(0.5) * z * z - o.log_std[k] - T::of(HALF_LOG_TAU);
                }
                total
            }
        }
    }

    /// Adds `c` times the derivative of the log-probability; after [`log_prob`](Self::log_prob).
    #[inline(always)]
    fn add_score(&self, c: T, o: Outputs<'_, T>, data: &Samples<T>, i: usize, d_out: &mut [T], d_log_std: &mut [T]) {
        match self.head {
            Head::Categorical(_) => {
                for (d, p) in d_out.iter_mut().zip(&self.p) {
                    *d = *d - c * *p;
                }
                d_out[data.action[i] as usize] += c;
            }
            Head::Gaussian(dim) => {
                for k in 0..dim {
                    let z = self.p[k];
                    d_out[k] += c * z * (-o.log_std[k]).exp();
                    d_log_std[k] += c * (z * z - T::ONE);
                }
            }
        }
    }

    /// The inner loss of sample `i`, minus ratio x advantage, unclipped; sets `d_out`, adds to `d_log_std`.
    #[inline(always)]
    pub fn surrogate(
        &mut self,
        o: Outputs<'_, T>,
        data: &Samples<T>,
        i: usize,
        d_out: &mut [T],
        d_log_std: &mut [T],
    ) -> T {
        let ratio = (self.log_prob(o, data, i) - data.log_prob[i]).exp();
        let c = -data.weight * data.advantage[i] * ratio;
        d_out.fill(T::ZERO);
        self.add_score(c, o, data, i, d_out, d_log_std);
        c
    }

    /// As [`surrogate`](Self::surrogate), and its derivative along the direction in which the outputs change by `r`:
    /// sets `rd_out`, adds to `rd_log_std`.
    #[inline(always)]
    pub fn r_surrogate(
        &mut self,
        o: Outputs<'_, T>,
        r: Outputs<'_, T>,
        data: &Samples<T>,
        i: usize,
        (d_out, rd_out): (&mut [T], &mut [T]),
        rd_log_std: &mut [T],
    ) {
        let ratio = (self.log_prob(o, data, i) - data.log_prob[i]).exp();
        let c = -data.weight * data.advantage[i] * ratio;
        d_out.fill(T::ZERO);
        match self.head {
            Head::Categorical(n) => {
                let mean = (0..n).fold(T::ZERO, |sum, j| self.p[j].mul_add(r.out[j], sum));
                let action = data.action[i] as usize;
                // the ratio changes by ratio * (change of the log-probability), so does c
                let rc = c * (r.out[action] - mean);
                for j in 0..n {
                    d_out[j] = -c * self.p[j];
                    rd_out[j] = -rc * self.p[j] - c * self.p[j] * (r.out[j] - mean);
                }
                d_out[action] += c;
                rd_out[action] += rc;
            }
            Head::Gaussian(dim) => {
                let mut change = T::ZERO;
                for k in 0..dim {
                    let (z, s) = (self.p[k], (-o.log_std[k]).exp());
                    change += z * s * r.out[k] + (z * z - T::ONE) * r.log_std[k];
                }
                let rc = c * change;
                for k in 0..dim {
                    let (z, s) = (self.p[k], (-o.log_std[k]).exp());
                    let rz = -r.out[k] * s - z * r.log_std[k];
                    d_out[k] = c * z * s;
                    rd_out[k] = rc * z * s + c * s * (rz - z * r.log_std[k]);
                    rd_log_std[k] += rc * (z * z - T::ONE) + c * T::of(2.0) * z * rz;
                }
            }
        }
    }

    /// The outer loss of sample `i`: minus PPO's clipped gain, minus the entropy bonus; sets `d_out`, adds to
    /// `d_log_std`.
    #[inline(always)]
    pub fn clipped(
        &mut self,
        o: Outputs<'_, T>,
        data: &Samples<T>,
        i: usize,
        objective: &Objective,
        (d_out, d_log_std): (&mut [T], &mut [T]),
        sums: &mut Sums,
    ) {
        let log_ratio = self.log_prob(o, data, i) - data.log_prob[i];
        let ratio = log_ratio.exp();
        let (low, high) = (T::of(1.0 - objective.clip_eps), T::of(1.0 + objective.clip_eps));
        let clipped = if ratio < low {
            low
        } else if ratio > high {
            high
        } else {
            ratio
        };
        let (free, held) = (ratio * data.advantage[i], clipped * data.advantage[i]);
        // where the clipped branch is the smaller one the gain is flat
        let c = if free <= held { -data.weight * free } else { T::ZERO };
        let gain = if free <= held { free } else { held };
        d_out.fill(T::ZERO);
        self.add_score(c, o, data, i, d_out, d_log_std);
        let entropy = self.add_entropy(-data.weight * T::of(objective.ent_coef), o, d_out, d_log_std);
        sums.gain += (data.weight * gain).to_f64();
        sums.entropy += (data.weight * entropy).to_f64();
        sums.outside += if clipped != ratio { data.weight.to_f64() } else { 0.0 };
        sums.moved += (data.weight * (ratio - T::ONE - log_ratio)).to_f64();
    }

    /// Entropy at the sample that [`log_prob`](Self::log_prob) saw last; adds `c` times its derivative.
    #[inline(always)]
    fn add_entropy(&self, c: T, o: Outputs<'_, T>, d_out: &mut [T], d_log_std: &mut [T]) -> T {
        match self.head {
            Head::Categorical(n) => {
                let log_total = o.out[0] - self.p[0].ln();
                let entropy = (0..n).fold(T::ZERO, |sum, j| sum - self.p[j] * (o.out[j] - log_total));
                for ((d, p), z) in d_out.iter_mut().zip(&self.p).zip(o.out) {
                    *d = *d - c * *p * (*z - log_total + entropy);
                }
                entropy
            }
            Head::Gaussian(dim) => {
                d_log_std.iter_mut().for_each(|d| *d += c);
                (0..dim).fold(T::ZERO, |sum, k| sum + o.log_std[k] + T::of(HALF_LOG_TAU + 0.5))
            }
        }
    }

    /// KL(old || new) of one sample; adds `c` times its derivative by the new outputs.
    #[inline(always)]
    pub fn add_kl(
        &mut self,
        c: T,
        old: Outputs<'_, T>,
        new: Outputs<'_, T>,
        d_out: &mut [T],
        d_log_std: &mut [T],
    ) -> T {
        let mut kl = T::ZERO;
        match self.head {
            Head::Categorical(n) => {
                let old_total = softmax(old.out, &mut self.old_p);
                let new_total = softmax(new.out, &mut self.p);
                for (j, d) in d_out.iter_mut().enumerate().take(n) {
                    kl += self.old_p[j] * (old.out[j] - old_total - new.out[j] + new_total);
                    *d += c * (self.p[j] - self.old_p[j]);
                }
            }
            Head::Gaussian(dim) => {
                for k in 0..dim {
                    let (precision, apart) = ((-T::of(2.0) * new.log_std[k]).exp(), new.out[k] - old.out[k]);
                    let spread = (T::of(2.0) * old.log_std[k]).exp() + apart * apart;
                    kl += new.log_std[k] - old.log_std[k] + T::of(0.5) * (spread * precision - T::ONE);
                    d_out[k] += c * apart * precision;
                    d_log_std[k] += c * (T::ONE - spread * precision);
                }
            }
        }
        kl
    }
}

/// Probabilities of `logits`; returns the logarithm of the sum of their exponentials.
#[inline(always)]
fn softmax<T: Scalar>(logits: &[T], p: &mut [T]) -> T {
    let max = logits[1..].iter().fold(logits[0], |a, b| if *b > a { *b } else { a });
    let mut total = T::ZERO;
    for (p, l) in p.iter_mut().zip(logits) {
        *p = (*l - max).exp();
        total += *p;
    }
    let scale = T::ONE / total;
    p.iter_mut().for_each(|p| *p = *p * scale);
    max + total.ln()
}
