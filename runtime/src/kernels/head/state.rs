//! The Gaussian whose log standard deviations are outputs, too, behind the means. They are held within [`LOG_STD`], and
//! have no slope where they are held.

use super::{HALF_LOG_TAU, HeadLoss, Outputs};
use crate::{
    kernels::{
        scalar::Scalar,
        tile::{Column, TILE},
    },
    layout::LOG_STD,
};

impl<T: Scalar> HeadLoss<T> {
    /// Adds the log-probability of `action`; leaves the standardised actions in `p`, and behind them the inverse standard
    /// deviations.
    #[inline(always)]
    pub fn state_log_prob(&mut self, o: Outputs<'_, T>, action: &[Column<T>], log_prob: &mut Column<T>) {
        let dim = o.out.len() / 2;
        let (z, inverse) = self.p.split_at_mut(dim);
        for k in 0..dim {
            for s in 0..TILE {
                let log_std = held(o.out[dim + k][s]);
                inverse[k][s] = (-log_std).exp();
                z[k][s] = (action[k][s] - o.out[k][s]) * inverse[k][s];
                log_prob[s] = log_prob[s] - T::of(0.5) * z[k][s] * z[k][s] - (log_std + T::of(HALF_LOG_TAU));
            }
        }
    }

    /// Sets `d` to `c` times the derivative of the log-probability by the outputs.
    #[inline(always)]
    pub fn state_score(&self, c: &Column<T>, o: Outputs<'_, T>, d: &mut [Column<T>]) {
        let dim = o.out.len() / 2;
        for k in 0..dim {
            let (z, inverse) = (&self.p[k], &self.p[dim + k]);
            for s in 0..TILE {
                // z * z may overflow where c is 0
                let cz = c[s] * z[s];
                d[k][s] = cz * inverse[s];
                d[dim + k][s] = (cz * z[s] - c[s]) * slope(o.out[dim + k][s]);
            }
        }
    }

    /// The entropies; adds `c` times their derivative to `d`.
    #[inline(always)]
    pub fn add_state_entropy(&self, c: T, o: Outputs<'_, T>, d: &mut [Column<T>]) -> Column<T> {
        let dim = o.out.len() / 2;
        let mut entropy = [T::ZERO; TILE];
        for (raw, d) in o.out[dim..].iter().zip(&mut d[dim..]) {
            for s in 0..TILE {
                entropy[s] += held(raw[s]) + T::of(HALF_LOG_TAU + 0.5);
                d[s] += c * slope(raw[s]);
            }
        }
        entropy
    }

    /// KL(old || new); adds `c` times its derivative to `d`.
    #[inline(always)]
    pub fn add_state_kl(c: T, old: Outputs<'_, T>, new: Outputs<'_, T>, d: &mut [Column<T>]) -> Column<T> {
        let dim = new.out.len() / 2;
        let mut kl = [T::ZERO; TILE];
        for k in 0..dim {
            for s in 0..TILE {
                let (log_std, old_log_std) = (held(new.out[dim + k][s]), held(old.out[dim + k][s]));
                let precision = (-T::of(2.0) * log_std).exp();
                let apart = new.out[k][s] - old.out[k][s];
                let spread = ((T::of(2.0) * old_log_std).exp() + apart * apart) * precision;
                kl[s] += log_std - old_log_std + T::of(0.5) * (spread - T::ONE);
                d[k][s] += c * apart * precision;
                d[dim + k][s] += c * (T::ONE - spread) * slope(new.out[dim + k][s]);
            }
        }
        kl
    }

    /// Adds the change of the log-probability along `r`.
    #[inline(always)]
    pub fn r_state_log_prob(&self, o: Outputs<'_, T>, r: Outputs<'_, T>, change: &mut Column<T>) {
        let dim = o.out.len() / 2;
        for k in 0..dim {
            let (z, inverse) = (&self.p[k], &self.p[dim + k]);
            for s in 0..TILE {
                let r_log_std = slope(o.out[dim + k][s]) * r.out[dim + k][s];
                change[s] += z[s] * (inverse[s] * r.out[k][s] + z[s] * r_log_std) - r_log_std;
            }
        }
    }

    /// Sets `rd` to the change along `r` of what [`state_score`](Self::state_score) sets; `rc` is that of `c`.
    #[inline(always)]
    pub fn r_state(
        &self,
        (c, rc): (&Column<T>, &Column<T>),
        o: Outputs<'_, T>,
        r: Outputs<'_, T>,
        rd: &mut [Column<T>],
    ) {
        let dim = o.out.len() / 2;
        for k in 0..dim {
            let (z, inverse) = (&self.p[k], &self.p[dim + k]);
            for s in 0..TILE {
                let free = slope(o.out[dim + k][s]);
                let r_log_std = free * r.out[dim + k][s];
                let rz = -r.out[k][s] * inverse[s] - z[s] * r_log_std;
                let (cz, rcz) = (c[s] * z[s], rc[s] * z[s]);
                rd[k][s] = rcz * inverse[s] + c[s] * inverse[s] * (rz - z[s] * r_log_std);
                rd[dim + k][s] = free * (rcz * z[s] - rc[s] + T::of(2.0) * cz * rz);
            }
        }
    }
}

/// The log standard deviation of the output `raw`.
#[inline(always)]
fn held<T: Scalar>(raw: T) -> T {
    let [low, high] = LOG_STD.map(T::of);
    let raised = if raw < low { low } else { raw };
    if raised > high { high } else { raised }
}

/// Its derivative: 1 within the range and at its ends, else 0.
#[inline(always)]
fn slope<T: Scalar>(raw: T) -> T {
    let [low, high] = LOG_STD.map(T::of);
    if low <= raw && raw <= high { T::ONE } else { T::ZERO }
}
