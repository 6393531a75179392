//! The losses on a tile with derivatives written by hand: value, derivative by the head's outputs, and the change of
//! that derivative along a direction. Every quantity is a [`Column`] over the samples, so plain loops become vector
//! instructions; `c` is the derivative of a sample's loss by its log-probability. The padding of a tile has advantage
//! 0, and so adds nothing.
#![expect(clippy::needless_range_loop, reason = "a sample's numbers lie at the same place in several columns")]

mod clipped;
mod direction;
mod state;

use super::{
    data::{Samples, total},
    scalar::Scalar,
    tile::{Column, TILE},
};
use crate::{layout::Head, loss::InnerLoss, prelude::*};

const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_7;

/// Head outputs of a tile, and the free parameters that belong to them.
#[derive(Clone, Copy)]
pub struct Outputs<'a, T> {
    /// The outputs, `[outputs]`.
    pub out: &'a [Column<T>],
    /// Log standard deviations, `[act_dim]`; empty for a categorical head.
    pub log_std: &'a [T],
}

/// Derivatives by [`Outputs`].
pub struct Slopes<'a, T> {
    /// Derivatives by the outputs, `[outputs]`.
    pub out: &'a mut [Column<T>],
    /// Derivatives by `log_std`, summed over the samples, `[act_dim]`; empty for a categorical head.
    pub log_std: &'a mut [T],
}

/// Sums over samples of the logged statistics.
#[derive(Clone, Copy, Default)]
pub struct Sums {
    /// The inner loss or the squared error.
    pub loss: f64,
    pub gain: f64,
    pub entropy: f64,
    pub outside: f64,
    pub moved: f64,
    pub kl: f64,
}

/// Work space for one tile.
pub struct HeadLoss<T> {
    head: Head,
    /// Probabilities, or standardised actions, and behind these the inverse standard deviations if they are outputs;
    /// `[outputs]`.
    p: Vec<Column<T>>,
    /// Probabilities of the old policy in the KL, `[outputs]`.
    old_p: Vec<Column<T>>,
    /// Logarithm of the sum of the logits' exponentials.
    log_total: Column<T>,
}

impl<T: Scalar> HeadLoss<T> {
    pub fn new(head: Head) -> Self {
        let outputs = || vec![[T::ZERO; TILE]; head.outputs()];
        HeadLoss { head, p: outputs(), old_p: outputs(), log_total: [T::ZERO; TILE] }
    }

    /// The log-probability of `action`; leaves the probabilities or standardised actions in `p`.
    #[inline(always)]
    fn log_prob(&mut self, o: Outputs<'_, T>, action: &[Column<T>]) -> Column<T> {
        let mut log_prob = [T::ZERO; TILE];
        match self.head {
            Head::Categorical(_) => {
                softmax(o.out, &mut self.p, &mut self.log_total);
                for (j, logit) in o.out.iter().enumerate() {
                    let j = T::of(j as f64);
                    for s in 0..TILE {
                        let chosen = if action[0][s] == j { logit[s] } else { T::ZERO };
                        log_prob[s] += chosen;
                    }
                }
                for s in 0..TILE {
                    log_prob[s] = log_prob[s] - self.log_total[s];
                }
            }
            Head::Gaussian(_) => {
                for (k, z) in self.p.iter_mut().enumerate() {
                    let inverse = (-o.log_std[k]).exp();
                    let log_std = o.log_std[k];
                    let constant = log_std + T::of(HALF_LOG_TAU);
                    for s in 0..TILE {
                        z[s] = (action[k][s] - o.out[k][s]) * inverse;
                        log_prob[s] = log_prob[s] - T::of(0.5) * z[s] * z[s] - constant;
                    }
                }
            }
            Head::StateGaussian(_) => self.state_log_prob(o, action, &mut log_prob),
        }
        log_prob
    }

    /// Sets `d.out` to `c` times the derivative of the log-probability by the outputs, and adds its derivative by the
    /// free parameters, summed over samples; call it after [`log_prob`](Self::log_prob).
    #[inline(always)]
    fn score(&self, c: &Column<T>, o: Outputs<'_, T>, action: &[Column<T>], d: &mut Slopes<'_, T>) {
        match self.head {
            Head::Categorical(_) => {
                for (j, (d, p)) in d.out.iter_mut().zip(&self.p).enumerate() {
                    let j = T::of(j as f64);
                    for s in 0..TILE {
                        let one = if action[0][s] == j { T::ONE } else { T::ZERO };
                        d[s] = c[s] * (one - p[s]);
                    }
                }
            }
            Head::Gaussian(_) => {
                for (k, (d_out, z)) in d.out.iter_mut().zip(&self.p).enumerate() {
                    let inverse = (-o.log_std[k]).exp();
                    let mut by_log_std = [T::ZERO; TILE];
                    for s in 0..TILE {
                        d_out[s] = c[s] * z[s] * inverse;
                        by_log_std[s] = c[s] * (z[s] * z[s] - T::ONE);
                    }
                    d.log_std[k] += total(&by_log_std);
                }
            }
            Head::StateGaussian(_) => self.state_score(c, o, d.out),
        }
    }

    /// The slope of the inner loss by every sample's log-probability: minus ratio x advantage, unclipped, or minus the
    /// advantage alone.
    #[inline(always)]
    pub fn inner_slope(&mut self, inner: InnerLoss, o: Outputs<'_, T>, data: &Samples<T>, tile: usize) -> Column<T> {
        let log_prob = self.log_prob(o, data.action(tile));
        inner_slope(inner, &log_prob, data, tile)
    }

    /// The inner loss: adds minus the mean of ratio x advantage to `sums`, or of log-probability x advantage, and sets and adds
    /// the derivatives.
    #[inline(always)]
    pub fn inner(
        &mut self,
        inner: InnerLoss,
        o: Outputs<'_, T>,
        data: &Samples<T>,
        tile: usize,
        mut d: Slopes<'_, T>,
        sums: &mut Sums,
    ) {
        let log_prob = self.log_prob(o, data.action(tile));
        let c = inner_slope(inner, &log_prob, data, tile);
        self.score(&c, o, data.action(tile), &mut d);
        sums.loss += match inner {
            InnerLoss::LoadedDice(_) => total(&c).to_f64(),
            InnerLoss::Score => {
                let n = data.in_tile(tile);
                c[..n].iter().zip(&log_prob).map(|(c, log_prob)| (*c * *log_prob).to_f64()).sum()
            }
        };
    }

    /// Minus the log-likelihood of the actions, each times its advantage and `weight`; sets and adds its derivatives.
    #[inline(always)]
    pub fn likelihood(
        &mut self,
        o: Outputs<'_, T>,
        data: &Samples<T>,
        tile: usize,
        weight: T,
        mut d: Slopes<'_, T>,
        sums: &mut Sums,
    ) {
        let log_prob = self.log_prob(o, data.action(tile));
        let mut c = [T::ZERO; TILE];
        for (c, advantage) in c.iter_mut().zip(&data.advantage[tile]) {
            *c = -weight * *advantage;
        }
        self.score(&c, o, data.action(tile), &mut d);
        let n = data.in_tile(tile);
        let entropy = self.add_entropy(T::ZERO, n, o, &mut d);
        let gain = c[..n].iter().zip(&log_prob).map(|(c, log_prob)| -(*c * *log_prob).to_f64());
        sums.gain += gain.sum::<f64>();
        sums.entropy += weight.to_f64() * total(&entropy[..n]).to_f64();
    }

    /// Entropies of the policy that [`log_prob`](Self::log_prob) saw last; adds `c` times their derivative by the free
    /// parameters, over the first `n` samples.
    #[inline(always)]
    fn add_entropy(&self, c: T, n: usize, o: Outputs<'_, T>, d: &mut Slopes<'_, T>) -> Column<T> {
        let mut entropy = [T::ZERO; TILE];
        match self.head {
            Head::Categorical(_) => {
                for (p, logit) in self.p.iter().zip(o.out) {
                    for s in 0..TILE {
                        entropy[s] = entropy[s] - p[s] * (logit[s] - self.log_total[s]);
                    }
                }
                for (d, (p, logit)) in d.out.iter_mut().zip(self.p.iter().zip(o.out)) {
                    for s in 0..TILE {
                        d[s] = d[s] - c * p[s] * (logit[s] - self.log_total[s] + entropy[s]);
                    }
                }
            }
            Head::Gaussian(_) => {
                d.log_std.iter_mut().for_each(|d| *d += c * T::of(n as f64));
                let constant = T::of(HALF_LOG_TAU + 0.5);
                entropy = [o.log_std.iter().fold(T::ZERO, |sum, log_std| sum + *log_std + constant); TILE];
            }
            Head::StateGaussian(_) => entropy = self.add_state_entropy(c, o, d.out),
        }
        entropy
    }

    /// KL(old || new) at the samples of a tile, times `weight`; adds `coef * weight` times its derivative.
    #[inline(always)]
    pub fn add_kl(
        &mut self,
        coef: T,
        old: Outputs<'_, T>,
        new: Outputs<'_, T>,
        (data, tile): (&Samples<T>, usize),
        d: &mut Slopes<'_, T>,
        sums: &mut Sums,
    ) {
        let n = data.in_tile(tile);
        let c = coef * data.weight;
        let mut kl = [T::ZERO; TILE];
        match self.head {
            Head::Categorical(_) => {
                let mut old_total = [T::ZERO; TILE];
                softmax(old.out, &mut self.old_p, &mut old_total);
                softmax(new.out, &mut self.p, &mut self.log_total);
                for (j, d) in d.out.iter_mut().enumerate() {
                    let (p, old_p, old, new) = (&self.p[j], &self.old_p[j], &old.out[j], &new.out[j]);
                    for s in 0..TILE {
                        kl[s] += old_p[s] * (old[s] - old_total[s] - new[s] + self.log_total[s]);
                        d[s] += c * (p[s] - old_p[s]);
                    }
                }
            }
            Head::Gaussian(_) => {
                for (k, d_out) in d.out.iter_mut().enumerate() {
                    let (log_std, old_log_std) = (new.log_std[k], old.log_std[k]);
                    let precision = (-T::of(2.0) * log_std).exp();
                    let variance = (T::of(2.0) * old_log_std).exp();
                    let mut by_log_std = [T::ZERO; TILE];
                    for s in 0..TILE {
                        let apart = new.out[k][s] - old.out[k][s];
                        let spread = (variance + apart * apart) * precision;
                        kl[s] += log_std - old_log_std + T::of(0.5) * (spread - T::ONE);
                        d_out[s] += c * apart * precision;
                        by_log_std[s] = c * (T::ONE - spread);
                    }
                    d.log_std[k] += total(&by_log_std[..n]);
                }
            }
            Head::StateGaussian(_) => kl = Self::add_state_kl(c, old, new, d.out),
        }
        sums.kl += data.weight.to_f64() * total(&kl[..n]).to_f64();
    }
}

/// The slope of the inner loss by `log_prob`, those of a tile.
#[inline(always)]
fn inner_slope<T: Scalar>(inner: InnerLoss, log_prob: &Column<T>, data: &Samples<T>, tile: usize) -> Column<T> {
    let (old, advantage) = (&data.log_prob[tile], &data.advantage[tile]);
    let mut c = [T::ZERO; TILE];
    for s in 0..TILE {
        let ratio = match inner {
            InnerLoss::Score => T::ONE,
            InnerLoss::LoadedDice(_) => (log_prob[s] - old[s]).exp(),
        };
        c[s] = -data.weight * advantage[s] * ratio;
    }
    c
}

/// Writes the probabilities of `logits` to `p` and the logarithm of the sum of their exponentials to `log_total`.
#[inline(always)]
fn softmax<T: Scalar>(logits: &[Column<T>], p: &mut [Column<T>], log_total: &mut Column<T>) {
    let mut max = logits[0];
    for logit in &logits[1..] {
        for s in 0..TILE {
            max[s] = if logit[s] > max[s] { logit[s] } else { max[s] };
        }
    }
    let mut sum = [T::ZERO; TILE];
    for (p, logit) in p.iter_mut().zip(logits) {
        for s in 0..TILE {
            p[s] = (logit[s] - max[s]).exp();
            sum[s] += p[s];
        }
    }
    for s in 0..TILE {
        log_total[s] = max[s] + sum[s].ln();
        sum[s] = T::ONE / sum[s];
    }
    for p in p {
        for s in 0..TILE {
            p[s] = p[s] * sum[s];
        }
    }
}
