//! Ways to choose the parameters that a policy starts with.

use std::{f64::consts::SQRT_2, slice};

use metadrift_random::StreamRng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::layout::{Block, Layout};

/// The distribution of a policy's first weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// Independent normal weights, see [`Layout::init`].
    #[default]
    Normal,
    /// Orthogonal weights, see [`orthogonal`].
    Orthogonal,
}

impl Init {
    /// Fresh parameters `[num_params]` of `layout`, drawn from `rng`; a Gaussian policy has the log standard deviation
    /// `log_std`.
    pub fn draw(self, layout: &Layout, log_std: f32, rng: &mut StreamRng) -> Vec<f32> {
        let normal = || StandardNormal.sample(rng);
        match self {
            Init::Normal => layout.init(log_std, normal),
            Init::Orthogonal => orthogonal(layout, log_std, normal),
        }
    }
}

/// Fresh parameters `[num_params]`: the weights of a layer are an orthogonal matrix, or its first rows or columns, times
/// sqrt(2); times 0.01 in a policy's last layer, times 1 in that of a network without a distribution. Biases are zero,
/// `log_std` is as given. `normal` draws from N(0, 1). (Saxe et al. 2014, arXiv 1312.6120; the factors are those of
/// Huang et al. 2022, "The 37 implementation details of proximal policy optimization".)
pub fn orthogonal(layout: &Layout, log_std: f32, mut normal: impl FnMut() -> f32) -> Vec<f32> {
    let mut params = vec![0.0; layout.num_params()];
    let parts = if layout.parts().is_empty() { slice::from_ref(layout) } else { layout.parts() };
    let gains = parts.iter().flat_map(|part| {
        let last = if part.is_plain() { 1.0 } else { 0.01 };
        (1..=part.num_layers()).map(move |layer| if layer < part.num_layers() { SQRT_2 } else { last })
    });
    for (pair, gain) in layout.blocks().chunks_exact(2).zip(gains) {
        fill(&pair[0], gain, &mut params, &mut normal);
    }
    layout.set_log_std(log_std, &mut params);
    layout.set_added(&mut params, normal);
    params
}

/// Writes `gain` times a matrix with orthonormal rows, or columns if it has fewer of these, to the place of `weights`.
fn fill(weights: &Block, gain: f64, params: &mut [f32], normal: &mut impl FnMut() -> f32) {
    let [inputs, outputs] = weights.dims;
    let basis = orthonormal(inputs.min(outputs), inputs.max(outputs), normal);
    for (at, weight) in params[weights.range.clone()].iter_mut().enumerate() {
        let (input, output) = (at / outputs, at % outputs);
        let value = if inputs < outputs { basis[input][output] } else { basis[output][input] };
        *weight = (gain * value) as f32;
    }
}

/// `count` orthonormal vectors of that length, by Gram and Schmidt from normal ones. The factor R of this QR decomposition
/// has a positive diagonal, so every orthogonal matrix is as likely (Mezzadri 2007, arXiv math-ph/0609050).
fn orthonormal(count: usize, length: usize, normal: &mut impl FnMut() -> f32) -> Vec<Vec<f64>> {
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(count);
    while basis.len() < count {
        let mut vector: Vec<f64> = (0..length).map(|_| f64::from(normal())).collect();
        // rounding leaves the first result a little oblique, but not the second
        for known in basis.iter().chain(&basis) {
            let along = dot(known, &vector);
            vector.iter_mut().zip(known).for_each(|(x, k)| *x -= along * k);
        }
        let norm = dot(&vector, &vector).sqrt();
        if norm > 0.0 {
            vector.iter_mut().for_each(|x| *x /= norm);
            basis.push(vector);
        }
    }
    basis
}

/// The inner product, in eight sums that fit vector registers.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    for (a, b) in a.chunks(8).zip(b.chunks(8)) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use metadrift_random::{Purpose, Stream};

    use super::*;
    use crate::layout::Head;

    fn drawn(layout: &Layout, seed: u64) -> Vec<f32> {
        Init::Orthogonal.draw(layout, -0.5, &mut Stream::new(seed, Purpose::Init).rng())
    }

    /// Checks that rows or columns of the weights, whichever are fewer, are orthogonal and have length `gain`.
    fn assert_orthogonal(params: &[f32], block: &Block, gain: f64) {
        let [inputs, outputs] = block.dims;
        let w = |i: usize, o: usize| f64::from(params[block.range.start + i * outputs + o]);
        let (count, length) = (inputs.min(outputs), inputs.max(outputs));
        let at = |vector: usize, k: usize| if inputs < outputs { w(vector, k) } else { w(k, vector) };
        for (a, b) in (0..count).flat_map(|a| (0..count).map(move |b| (a, b))) {
            let product: f64 = (0..length).map(|k| at(a, k) * at(b, k)).sum();
            let expected = if a == b { gain * gain } else { 0.0 };
            assert!((product - expected).abs() < 1e-6 * gain * gain, "{}: {a} {b}: {product}", block.name);
        }
    }

    #[test]
    fn weights_are_orthogonal_with_their_gains() {
        for (layout, last) in [
            (Layout::new(5, &[64, 33, 70], Head::Gaussian(2)), 0.01),
            (Layout::new(4, &[], Head::Categorical(3)), 0.01),
            (Layout::plain(3, &[64, 64], 1), 1.0),
        ] {
            let params = drawn(&layout, 3);
            assert_eq!(params, drawn(&layout, 3));
            assert_ne!(params, drawn(&layout, 4));
            for (i, pair) in layout.blocks().chunks_exact(2).enumerate() {
                let gain = if i + 1 == layout.num_layers() { last } else { 2f64.sqrt() };
                assert_orthogonal(&params, &pair[0], gain);
                assert!(params[pair[1].range.clone()].iter().all(|bias| *bias == 0.0));
            }
            assert!(layout.log_std().is_none_or(|range| params[range] == [-0.5, -0.5]));
        }
    }

    #[test]
    fn an_encoder_keeps_the_size_of_its_code_and_the_policy_behind_it_begins_small() {
        let layout = Layout::context((2, 6), &[8], 3, &[16], Head::Gaussian(1));
        let params = drawn(&layout, 1);
        for (pair, gain) in layout.blocks().chunks_exact(2).zip([2f64.sqrt(), 1.0, 2f64.sqrt(), 0.01]) {
            assert_orthogonal(&params, &pair[0], gain);
        }
        assert_eq!(params.last(), Some(&-0.5));
    }

    #[test]
    fn gram_and_schmidt_by_hand() {
        let mut draws = [3.0, 4.0, 1.0, 0.0].into_iter();
        let params = orthogonal(&Layout::plain(2, &[], 2), 0.0, || draws.next().unwrap());
        // (3, 4) / 5 is the first column; (1, 0) - 0.6 (0.6, 0.8) has length 0.8
        for (found, expected) in params.iter().zip([0.6, 0.8, 0.8, -0.6, 0.0, 0.0]) {
            assert!((found - expected).abs() < 1e-7, "{params:?}");
        }
    }

    #[test]
    fn signs_are_even() {
        let layout = Layout::plain(3, &[], 3);
        let mut sums = [0.0; 9];
        for seed in 0..2000 {
            sums.iter_mut().zip(drawn(&layout, seed)).for_each(|(sum, w)| *sum += f64::from(w) / 2000.0);
        }
        // an entry has variance 1/3, its mean a standard error of 0.013
        assert!(sums.iter().all(|mean| mean.abs() < 4.0 * 0.013), "{sums:?}");
    }
}
