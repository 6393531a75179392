//! The R-pass of the inner loss: the change of its slopes along a direction.

use super::{HeadLoss, Outputs, Slopes};
use crate::{
    layout::Head,
    native::{
        data::{Samples, total},
        scalar::Scalar,
        tile::{Column, TILE},
    },
};

impl<T: Scalar> HeadLoss<T> {
    /// Derivative of the slopes that [`surrogate`](Self::surrogate) writes, along the direction `r` of the outputs.
    #[inline(always)]
    pub fn r_surrogate(
        &mut self,
        o: Outputs<'_, T>,
        r: Outputs<'_, T>,
        data: &Samples<T>,
        tile: usize,
        rd: Slopes<'_, T>,
    ) {
        let c = self.surrogate_slope(o, data, tile);
        match self.head {
            Head::Categorical(_) => self.r_categorical(&c, &data.action(tile)[0], r, rd),
            Head::Gaussian(_) => self.r_gaussian(&c, o, r, rd),
        }
    }

    #[inline(always)]
    fn r_categorical(&self, c: &Column<T>, action: &Column<T>, r: Outputs<'_, T>, rd: Slopes<'_, T>) {
        let mut mean = [T::ZERO; TILE];
        let mut chosen = [T::ZERO; TILE];
        for (j, (p, r)) in self.p.iter().zip(r.out).enumerate() {
            let j = T::of(j as f64);
            for s in 0..TILE {
                mean[s] = p[s].mul_add(r[s], mean[s]);
                chosen[s] += if action[s] == j { r[s] } else { T::ZERO };
            }
        }
        for (j, (rd, (p, r))) in rd.out.iter_mut().zip(self.p.iter().zip(r.out)).enumerate() {
            let j = T::of(j as f64);
            for s in 0..TILE {
                // the ratio changes by ratio * (change of the log-probability), and so does c
                let rc = c[s] * (chosen[s] - mean[s]);
                let one = if action[s] == j { T::ONE } else { T::ZERO };
                rd[s] = rc * (one - p[s]) - c[s] * p[s] * (r[s] - mean[s]);
            }
        }
    }

    #[inline(always)]
    fn r_gaussian(&self, c: &Column<T>, o: Outputs<'_, T>, r: Outputs<'_, T>, rd: Slopes<'_, T>) {
        let inverse = |k: usize| (-o.log_std[k]).exp();
        let mut rc = [T::ZERO; TILE];
        for (k, z) in self.p.iter().enumerate() {
            let i = inverse(k);
            for s in 0..TILE {
                rc[s] += z[s] * i * r.out[k][s] + (z[s] * z[s] - T::ONE) * r.log_std[k];
            }
        }
        for s in 0..TILE {
            rc[s] = rc[s] * c[s];
        }
        for (k, z) in self.p.iter().enumerate() {
            let i = inverse(k);
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
