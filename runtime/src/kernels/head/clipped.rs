//! PPO's clipped loss, and the sampling term, which is clipped the same way.

use super::{HeadLoss, Outputs, Slopes, Sums};
use crate::{
    kernels::{
        data::{Samples, total},
        scalar::Scalar,
        tile::{Column, TILE},
    },
    loss::ClippedLoss,
};

impl<T: Scalar> HeadLoss<T> {
    /// The sampling term: minus PPO's clipped gain of the support data if every sample has the advantage `credit`, beyond
    /// that of the ratio 1, summed over samples. Where the ratio is 1, its slope is that of minus `credit` times the
    /// log-likelihood.
    #[inline(always)]
    pub fn sampling(
        &mut self,
        o: Outputs<'_, T>,
        (data, tile): (&Samples<T>, usize),
        credit: T,
        clip_eps: f64,
        mut d: Slopes<'_, T>,
        sums: &mut Sums,
    ) {
        let log_prob = self.log_prob(o, data.action(tile));
        let (low, high) = (T::of(1.0 - clip_eps), T::of(1.0 + clip_eps));
        let old = &data.log_prob[tile];
        let mut c = [T::ZERO; TILE];
        for s in 0..data.in_tile(tile) {
            let (free, held) = clipped_gain((log_prob[s] - old[s]).exp(), low, high, credit);
            c[s] = if free <= held { -free } else { T::ZERO };
            sums.loss += (credit - if free <= held { free } else { held }).to_f64();
        }
        self.score(&c, o, data.action(tile), &mut d);
    }

    /// The distance from the collecting policy, mean of r - 1 - log r.
    #[inline(always)]
    pub fn divergence(
        &mut self,
        o: Outputs<'_, T>,
        (data, tile): (&Samples<T>, usize),
        mut d: Slopes<'_, T>,
        sums: &mut Sums,
    ) {
        let log_prob = self.log_prob(o, data.action(tile));
        let old = &data.log_prob[tile];
        let (mut c, mut moved) = ([T::ZERO; TILE], [T::ZERO; TILE]);
        for s in 0..data.in_tile(tile) {
            let log_ratio = log_prob[s] - old[s];
            let ratio = log_ratio.exp();
            c[s] = data.weight * (ratio - T::ONE);
            moved[s] = data.weight * (ratio - T::ONE - log_ratio);
        }
        self.score(&c, o, data.action(tile), &mut d);
        let n = data.in_tile(tile);
        let entropy = self.add_entropy(T::ZERO, n, o, &mut d);
        sums.moved += total(&moved).to_f64();
        sums.entropy += data.weight.to_f64() * total(&entropy[..n]).to_f64();
    }

    /// PPO's loss: minus the clipped gain, minus the entropy bonus; each sample has `weight`.
    #[inline(always)]
    pub fn clipped(
        &mut self,
        o: Outputs<'_, T>,
        (data, tile): (&Samples<T>, usize),
        weight: T,
        loss: &ClippedLoss,
        mut d: Slopes<'_, T>,
        sums: &mut Sums,
    ) {
        let (low, high) = (T::of(1.0 - loss.clip_eps), T::of(1.0 + loss.clip_eps));
        let log_prob = self.log_prob(o, data.action(tile));
        let (old, advantage) = (&data.log_prob[tile], &data.advantage[tile]);
        let mut c = [T::ZERO; TILE];
        let (mut gain, mut outside, mut moved) = ([T::ZERO; TILE], [T::ZERO; TILE], [T::ZERO; TILE]);
        for s in 0..TILE {
            let log_ratio = log_prob[s] - old[s];
            let ratio = log_ratio.exp();
            let (free, held) = clipped_gain(ratio, low, high, advantage[s]);
            // the gain is flat where the clipped branch is the smaller one
            c[s] = if free <= held { -weight * free } else { T::ZERO };
            gain[s] = if free <= held { free } else { held };
            outside[s] = if low <= ratio && ratio <= high { T::ZERO } else { T::ONE };
            moved[s] = ratio - T::ONE - log_ratio;
        }
        self.score(&c, o, data.action(tile), &mut d);
        let entropy = self.add_entropy(-weight * T::of(loss.ent_coef), data.in_tile(tile), o, &mut d);
        let n = data.in_tile(tile);
        let mean = |column: &Column<T>| weight.to_f64() * total(&column[..n]).to_f64();
        sums.gain += mean(&gain);
        sums.entropy += mean(&entropy);
        sums.outside += mean(&outside);
        sums.moved += mean(&moved);
    }
}

/// PPO's two gains of a sample: free, and with the ratio held within `low..=high`.
#[inline(always)]
fn clipped_gain<T: Scalar>(ratio: T, low: T, high: T, advantage: T) -> (T, T) {
    let clipped = if ratio < low { low } else { ratio };
    let clipped = if clipped > high { high } else { clipped };
    (ratio * advantage, clipped * advantage)
}
