//! Parameters that enter a network as products: the context of CAVIA and the low-rank changes of LoRA.
//!
//! A block of the network is the sum of its own values and the product of two further blocks. Context parameters, which are
//! inputs beside the observation (Zintgraf et al. 2019, arXiv 1810.03642), are such a product: weights of a constant input
//! are a part of the bias. So are changes of low rank of a weight matrix (Hu et al. 2022, arXiv 2106.09685).

use alloc::borrow::Cow;

use super::{Block, Layout};
use crate::prelude::*;

/// A product of two blocks that is added to a third; numbers are places in [`Layout::blocks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added {
    /// The block of the network, `[in, out]`.
    pub to: usize,
    /// The left factor, `[in, rank]`.
    pub left: usize,
    /// The right factor, `[rank, out]`.
    pub right: usize,
}

/// Name of the context parameters.
pub const CONTEXT: &str = "context";

impl Layout {
    /// The same network with `size` context parameters beside the observation, and their weights in the first layer.
    pub fn with_context(mut self, size: usize) -> Self {
        let width = self.blocks[1].dims[1];
        self.add(1, [CONTEXT.to_owned(), format!("{CONTEXT}.weight")], [1, size, width]);
        self
    }

    /// The same network, to whose weights products of rank `rank` are added.
    pub fn with_low_rank(mut self, rank: usize) -> Self {
        for layer in 0..self.num_layers() {
            let [inputs, outputs] = self.blocks[2 * layer].dims;
            let names = ["left", "right"].map(|factor| format!("layer{layer}.{factor}"));
            self.add(2 * layer, names, [inputs, rank, outputs]);
        }
        self
    }

    fn add(&mut self, to: usize, [left, right]: [String; 2], [inputs, rank, outputs]: [usize; 3]) {
        let log_std = self.log_std().and_then(|_| self.blocks.pop());
        let at = self.blocks.len();
        self.push(left, [inputs, rank]);
        self.push(right, [rank, outputs]);
        if let Some(Block { name, dims, .. }) = log_std {
            self.push(name, dims);
        }
        self.added.push(Added { to, left: at, right: at + 1 });
    }

    /// The products.
    pub fn added(&self) -> &[Added] {
        &self.added
    }

    /// The products as places in [`Layout::blocks`]: the block that each is added to, its left and its right factor.
    pub fn products(&self) -> impl Iterator<Item = [usize; 3]> + '_ {
        self.added.iter().map(|added| [added.to, added.left, added.right])
    }

    /// Sets the factors' first values, `params` `[num_params]`, so that each product is 0 and its derivative by the factor that
    /// is 0 is not: the context and the right factors of low rank are 0, the others normal with variance 1 / rows.
    pub fn set_added(&self, params: &mut [f32], mut normal: impl FnMut() -> f32) {
        for added in &self.added {
            let left = &self.blocks[added.left];
            let drawn = &self.blocks[if left.name == CONTEXT { added.right } else { added.left }];
            let scale = 1.0 / (drawn.dims[0] as f32).sqrt();
            params[drawn.range.clone()].fill_with(|| normal() * scale);
        }
    }

    /// The blocks that are factors.
    pub fn factors(&self) -> impl Iterator<Item = &Block> {
        self.added.iter().flat_map(|added| [&self.blocks[added.left], &self.blocks[added.right]])
    }
}

/// Arithmetic of the products: what the network's kernels see, and the way back from their derivatives.
pub trait Value: Copy + core::ops::Add<Output = Self> + core::ops::Mul<Output = Self> {}

impl<T: Copy + core::ops::Add<Output = T> + core::ops::Mul<Output = T>> Value for T {}

/// `out [m, n] += a [m, k] b [k, n]`
fn add_product<T: Value>(out: &mut [T], a: &[T], b: &[T], [m, k, n]: [usize; 3]) {
    for i in 0..m {
        for l in 0..k {
            for j in 0..n {
                out[i * n + j] = out[i * n + j] + a[i * k + l] * b[l * n + j];
            }
        }
    }
}

/// `[n, m]` of `[m, n]`
fn transposed<T: Copy>(a: &[T], [m, n]: [usize; 2]) -> Vec<T> {
    (0..n).flat_map(|j| (0..m).map(move |i| a[i * n + j])).collect()
}

impl Layout {
    /// The parameters `[num_params]` with the products added to their blocks.
    pub fn summed<'a, T: Value>(&self, params: &'a [T]) -> Cow<'a, [T]> {
        let mut sum = Cow::Borrowed(params);
        for added in &self.added {
            self.add_to(sum.to_mut(), added, params, params);
        }
        sum
    }

    /// The change of [`summed`](Self::summed) along `direction`: that of each block, and `dL R + L dR`.
    pub fn summed_change<'a, T: Value>(&self, params: &[T], direction: &'a [T]) -> Cow<'a, [T]> {
        let mut sum = Cow::Borrowed(direction);
        for added in &self.added {
            self.add_to(sum.to_mut(), added, direction, params);
            self.add_to(sum.to_mut(), added, params, direction);
        }
        sum
    }

    /// Adds the product of a left factor in `left` and a right factor in `right`, both `[num_params]`.
    fn add_to<T: Value>(&self, sum: &mut [T], added: &Added, left: &[T], right: &[T]) {
        let [l, r, to] = [added.left, added.right, added.to].map(|at| &self.blocks[at]);
        let dims = [l.dims[0], l.dims[1], r.dims[1]];
        add_product(&mut sum[to.range.clone()], &left[l.range.clone()], &right[r.range.clone()], dims);
    }

    /// Adds to `gradient` `[num_params]`, which holds that by the summed blocks G, the one by the factors: `G Rᵀ` and
    /// `Lᵀ G`.
    pub fn pull_back<T: Value>(&self, params: &[T], gradient: &mut [T]) {
        for added in &self.added {
            let g = gradient[self.blocks[added.to].range.clone()].to_vec();
            self.pull_through(added, params, &g, gradient);
        }
    }

    /// Adds to `change` `[num_params]`, which holds that of the gradient by the summed blocks along `direction`, the change of
    /// the gradient by the factors; `gradient` `[num_params]` is the gradient itself.
    pub fn pull_change_back<T: Value>(&self, (params, direction): (&[T], &[T]), gradient: &[T], change: &mut [T]) {
        self.pull_back(params, change);
        for added in &self.added {
            self.pull_through(added, direction, &gradient[self.blocks[added.to].range.clone()], change);
        }
    }

    /// Adds `G Rᵀ` and `Lᵀ G` to the places of the factors in `sum`, with factors from `params`.
    fn pull_through<T: Value>(&self, added: &Added, params: &[T], g: &[T], sum: &mut [T]) {
        let [left, right] = [added.left, added.right].map(|at| &self.blocks[at]);
        let ([m, k], n) = (left.dims, right.dims[1]);
        let r = transposed(&params[right.range.clone()], right.dims);
        add_product(&mut sum[left.range.clone()], g, &r, [m, n, k]);
        let l = transposed(&params[left.range.clone()], left.dims);
        add_product(&mut sum[right.range.clone()], &l, g, [k, m, n]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Head;

    #[test]
    fn a_context_is_a_part_of_the_first_bias() {
        let layout = Layout::new(1, &[2], Head::Gaussian(1)).with_context(2);
        // weight 1 x 2, bias 2, weight 2 x 1, bias 1, context 2, its weight 2 x 2, log_std 1
        assert_eq!((layout.num_params(), layout.num_layers(), layout.log_std()), (14, 2, Some(13..14)));
        let mut params = vec![0.0; 14];
        params[2..4].copy_from_slice(&[10.0, 20.0]);
        params[7..13].copy_from_slice(&[2.0, 3.0, 1.0, -1.0, 0.5, 4.0]);
        assert_eq!(layout.summed(&params)[2..4], [10.0 + 2.0 + 1.5, 20.0 - 2.0 + 12.0]);
        // by the context: weights times the bias's gradient; by a weight: context times it
        let mut gradient = vec![0.0; 14];
        gradient[2..4].copy_from_slice(&[1.0, 10.0]);
        layout.pull_back(&params, &mut gradient);
        assert_eq!(gradient[7..13], [1.0 - 10.0, 0.5 + 40.0, 2.0, 20.0, 3.0, 30.0]);
    }

    #[test]
    fn products_are_zero_at_first_and_can_become_others() {
        let layout = Layout::new(3, &[4], Head::Categorical(2)).with_low_rank(2);
        let params = layout.init(0.0, || 1.0);
        assert_eq!(layout.summed(&params)[..], params[..]);
        let mut gradient = vec![1.0; layout.num_params()];
        layout.factors().for_each(|block| gradient[block.range.clone()].fill(0.0));
        layout.pull_back(&params, &mut gradient);
        let found = |name: &str| &gradient[layout.blocks().iter().find(|b| b.name == name).unwrap().range.clone()];
        // the left factor is 1 / sqrt(3), over three inputs
        assert!(found("layer0.right").iter().all(|g| (g - 3f32.sqrt()).abs() < 1e-6));
        assert!(found("layer0.left").iter().all(|g| *g == 0.0));
    }
}
