//! The R-pass of the inner loss: the change of its slopes along a direction.

use super::{HeadLoss, Outputs, Slopes};
use crate::{
    kernels::{
        data::{Samples, total},
        scalar::Scalar,
        tile::{Column, TILE},
    },
    layout::Head,
    loss::InnerLoss,
};

impl<T: Scalar> HeadLoss<T> {
    /// Derivative of the slopes that [`inner`](Self::inner) writes, along the direction `r` of the outputs. `across` is the
    /// change of the slopes by the log-probabilities, if other samples' log-probabilities have a part in it.
    #[inline(always)]
    pub fn r_inner(
        &mut self,
        inner: InnerLoss,
        (o, r): (Outputs<'_, T>, Outputs<'_, T>),
        (data, tile): (&Samples<T>, usize),
        across: Option<&Column<T>>,
        rd: Slopes<'_, T>,
    ) {
        let c = self.inner_slope(inner, o, data, tile);
        let mut rc = [T::ZERO; TILE];
        match (inner, across) {
            (_, Some(across)) => rc = *across,
            (InnerLoss::Score, None) => {}
            (InnerLoss::LoadedDice(_), None) => {
                // the ratio changes by ratio * (change of the log-probability), and so does c
                let change = self.r_log_prob(o, r, data.action(tile));
                for s in 0..TILE {
                    rc[s] = c[s] * change[s];
                }
            }
        }
        match self.head {
            Head::Categorical(_) => self.r_categorical((&c, &rc), &data.action(tile)[0], r, rd),
            Head::Gaussian(_) => self.r_gaussian((&c, &rc), o, r, rd),
            Head::StateGaussian(_) => self.r_state((&c, &rc), o, r, rd.out),
        }
    }

    /// Change of the log-probability of `action` along `r`; call it after `log_prob`.
    #[inline(always)]
    pub fn r_log_prob(&self, o: Outputs<'_, T>, r: Outputs<'_, T>, action: &[Column<T>]) -> Column<T> {
        let mut change = [T::ZERO; TILE];
        match self.head {
            Head::Categorical(_) => {
                let mean = self.r_mean(r);
                for (j, r) in r.out.iter().enumerate() {
                    let j = T::of(j as f64);
                    for s in 0..TILE {
                        change[s] += if action[0][s] == j { r[s] } else { T::ZERO };
                    }
                }
                for s in 0..TILE {
                    change[s] = change[s] - mean[s];
                }
            }
            Head::Gaussian(_) => {
                for (k, z) in self.p.iter().enumerate() {
                    let i = (-o.log_std[k]).exp();
                    for s in 0..TILE {
                        change[s] += z[s] * i * r.out[k][s] + (z[s] * z[s] - T::ONE) * r.log_std[k];
                    }
                }
            }
            Head::StateGaussian(_) => self.r_state_log_prob(o, r, &mut change),
        }
        change
    }

    /// Mean change of the logits under the policy.
    #[inline(always)]
    fn r_mean(&self, r: Outputs<'_, T>) -> Column<T> {
        let mut mean = [T::ZERO; TILE];
        for (p, r) in self.p.iter().zip(r.out) {
            for s in 0..TILE {
                mean[s] = p[s].mul_add(r[s], mean[s]);
            }
        }
        mean
    }

    #[inline(always)]
    fn r_categorical(
        &self,
        (c, rc): (&Column<T>, &Column<T>),
        action: &Column<T>,
        r: Outputs<'_, T>,
        rd: Slopes<'_, T>,
    ) {
        let mean = self.r_mean(r);
        for (j, (rd, (p, r))) in rd.out.iter_mut().zip(self.p.iter().zip(r.out)).enumerate() {
            let j = T::of(j as f64);
            for s in 0..TILE {
                let one = if action[s] == j { T::ONE } else { T::ZERO };
                rd[s] = rc[s] * (one - p[s]) - c[s] * p[s] * (r[s] - mean[s]);
            }
        }
    }

    #[inline(always)]
    fn r_gaussian(&self, (c, rc): (&Column<T>, &Column<T>), o: Outputs<'_, T>, r: Outputs<'_, T>, rd: Slopes<'_, T>) {
        for (k, z) in self.p.iter().enumerate() {
            let i = (-o.log_std[k]).exp();
            let mut by_log_std = [T::ZERO; TILE];
            for s in 0..TILE {
                let rz = -r.out[k][s] * i - z[s] * r.log_std[k];
                rd.out[k][s] = rc[s] * z[s] * i + c[s] * i * (rz - z[s] * r.log_std[k]);
                by_log_std[s] = rc[s] * (z[s] * z[s] - T::ONE) + c[s] * T::of(2.0) * z[s] * rz;
            }
            rd.log_std[k] += total(&by_log_std);
        }
    }
}
