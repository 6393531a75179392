//! One task's samples in the precision of the computation, tile by tile.

use super::{
    scalar::Scalar,
    tile::{Column, TILE},
};
use crate::{batch::Batch, prelude::*};

/// The columns of a [`Batch`]; the last tile is padded with zeros.
#[derive(Debug)]
pub struct Samples<T> {
    /// Number of samples.
    pub len: usize,
    obs_dim: usize,
    act_dim: usize,
    /// Observations, `[samples, obs_dim]`.
    obs: Vec<T>,
    /// Actions, `[tiles, act_dim]`; indices for a categorical head.
    action: Vec<Column<T>>,
    /// Log-probabilities, `[tiles]`.
    pub log_prob: Vec<Column<T>>,
    /// Advantages, or the targets of a value network, `[tiles]`.
    pub advantage: Vec<Column<T>>,
    /// One over the number of samples: a weighted sum is a mean.
    pub weight: T,
    /// Numbers of samples of the episodes.
    pub episodes: Vec<u32>,
}

impl<T: Scalar> Samples<T> {
    pub fn new<U: Scalar>(batch: &Batch<U>) -> Self {
        let mut samples = Self::unlabelled(&batch.obs, batch.log_prob.len());
        let act_dim = batch.action.len() / samples.len.max(1);
        samples.act_dim = act_dim;
        samples.action = vec![[T::ZERO; TILE]; samples.tiles() * act_dim];
        for (i, action) in batch.action.iter().enumerate() {
            let (sample, k) = (i / act_dim, i % act_dim);
            samples.action[sample / TILE * act_dim + k][sample % TILE] = T::of_f32(*action);
        }
        samples.log_prob = columns(&batch.log_prob);
        samples.advantage = columns(&batch.advantage);
        samples.episodes.clone_from(&batch.episodes);
        samples
    }

    /// Samples for a value network: observations `[samples, obs_dim]` and targets `[samples]`.
    pub fn of_values(obs: &[f32], target: &[f32]) -> Self {
        let mut samples = Self::unlabelled(obs, target.len());
        samples.advantage = columns(target);
        samples
    }

    fn unlabelled(obs: &[f32], len: usize) -> Self {
        Samples {
            len,
            obs_dim: obs.len() / len.max(1),
            act_dim: 0,
            obs: obs.iter().map(|v| T::of_f32(*v)).collect(),
            action: Vec::new(),
            log_prob: Vec::new(),
            advantage: Vec::new(),
            weight: T::of(1.0 / len as f64),
            episodes: Vec::new(),
        }
    }

    /// Number of tiles.
    pub fn tiles(&self) -> usize {
        self.len.div_ceil(TILE)
    }

    /// Number of samples in a tile.
    pub fn in_tile(&self, tile: usize) -> usize {
        TILE.min(self.len - tile * TILE)
    }

    /// Observations of a tile, `[samples of the tile, obs_dim]`.
    pub fn obs(&self, tile: usize) -> &[T] {
        &self.obs[tile * TILE * self.obs_dim..][..self.in_tile(tile) * self.obs_dim]
    }

    /// Actions of a tile, `[act_dim]`.
    pub fn action(&self, tile: usize) -> &[Column<T>] {
        &self.action[tile * self.act_dim..][..self.act_dim]
    }
}

pub fn columns<T: Scalar, U: Scalar>(values: &[U]) -> Vec<Column<T>> {
    let column = |values: &[U]| core::array::from_fn(|s| values.get(s).map_or(T::ZERO, |v| T::of(v.to_f64())));
    values.chunks(TILE).map(column).collect()
}

/// The sum of `values`, in sixteen partial sums.
#[inline(always)]
pub fn total<T: Scalar>(values: &[T]) -> T {
    const LANES: usize = 16;
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [T::ZERO; LANES];
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += *value;
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane += *value;
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for i in 0..width {
            let upper = lanes[i + width];
            lanes[i] += upper;
        }
    }
    lanes[0]
}
