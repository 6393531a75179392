//! The part of loaded DiCE's second derivative in which the steps of an episode meet each other.

use super::Task;
use crate::{
    native::{
        data::{Samples, columns},
        head::Outputs,
        net::{Net, State},
        scalar::Scalar,
        tile::Column,
    },
    objective::InnerLoss,
};

impl<T: Scalar> Task<T> {
    /// Change of the slopes of the inner loss by every log-probability, `[tiles]`, if it is loaded DiCE with lambda > 0,
    /// whose steps meet each other; else nothing. With R the change along the direction,
    ///
    /// ```text
    /// R c_t = c_t (R l_t + sum over u < t of lambda^(t-u) R l_u) + sum over u > t of lambda^(u-t) c_u R l_u
    /// ```
    #[inline(always)]
    pub(super) fn across(
        &mut self,
        inner: InnerLoss,
        (net, along): (&Net<T>, &Net<T>),
        data: &Samples<T>,
        kept: &[State<T>],
    ) -> Vec<Column<T>> {
        let InnerLoss::LoadedDice(lambda) = inner else { return Vec::new() };
        if lambda == 0.0 {
            return Vec::new();
        }
        let (mut slopes, mut changes) = (Vec::with_capacity(data.len), Vec::with_capacity(data.len));
        for (tile, state) in kept.iter().enumerate().take(data.tiles()) {
            let n = data.in_tile(tile);
            self.pass.work.r_forward(net, along, data.obs(tile), n, state);
            let o = Outputs { out: &state.out, log_std: &net.log_std };
            let r = Outputs { out: &self.pass.work.r_out, log_std: &along.log_std };
            slopes.extend_from_slice(&self.pass.head.inner_slope(inner, o, data, tile)[..n]);
            changes.extend_from_slice(&self.pass.head.r_log_prob(o, r, data.action(tile))[..n]);
        }
        columns(&meet(&slopes, &changes, &data.episodes, T::of(lambda)))
    }
}

/// The sums of [`Task::across`] over the steps of every episode; `slopes` and `changes` are `[samples]`.
fn meet<T: Scalar>(slopes: &[T], changes: &[T], episodes: &[u32], lambda: T) -> Vec<T> {
    let mut across = Vec::with_capacity(slopes.len());
    for length in episodes.iter().map(|length| *length as usize) {
        let episode = across.len()..across.len() + length;
        let (c, change) = (&slopes[episode.clone()], &changes[episode.clone()]);
        let mut earlier = T::ZERO;
        for (c, change) in c.iter().zip(change) {
            across.push(*c * (*change + earlier));
            earlier = lambda * (earlier + *change);
        }
        let mut later = T::ZERO;
        for ((across, c), change) in across[episode].iter_mut().zip(c).zip(change).rev() {
            *across += later;
            later = lambda * (later + *c * *change);
        }
    }
    assert_eq!(across.len(), slopes.len(), "the lengths of a batch's episodes do not add up to its samples");
    across
}
