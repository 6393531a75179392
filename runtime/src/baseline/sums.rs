//! Sums over samples of the products of any two of their numbers.

use super::matrix::Matrix;
use crate::{
    kernels::{gemm::gram, isa::Isa},
    prelude::*,
};

/// The sums of each fold, by one matrix product per block of samples.
pub(super) struct Sums {
    numbers: usize,
    /// Samples of one fold, `[BLOCK, numbers]`.
    block: Vec<f64>,
    /// Number of filled rows.
    filled: usize,
    /// The fold of the filled rows.
    fold: usize,
    /// Products of the last block, `[numbers, numbers]`.
    added: Vec<f64>,
    /// Products of all earlier blocks, `[folds, numbers, numbers]`.
    products: Vec<Vec<f64>>,
    isa: Isa,
}

impl Sums {
    const BLOCK: usize = 256;

    /// Empty sums over samples of `numbers` numbers.
    pub(super) fn new(numbers: usize, folds: usize) -> Self {
        let block = vec![0.0; Self::BLOCK * numbers];
        let zeros = vec![0.0; numbers * numbers];
        let products = vec![zeros.clone(); folds];
        Sums { numbers, block, filled: 0, fold: 0, added: zeros, products, isa: Isa::detect() }
    }

    /// The row for all numbers of the next sample, `[numbers]`.
    pub(super) fn row(&mut self, fold: usize) -> &mut [f64] {
        if self.filled == Self::BLOCK || fold != self.fold {
            self.add_block();
        }
        self.fold = fold;
        self.filled += 1;
        &mut self.block[(self.filled - 1) * self.numbers..self.filled * self.numbers]
    }

    fn add_block(&mut self) {
        gram(self.isa, &self.block[..self.filled * self.numbers], self.numbers, &mut self.added);
        self.products[self.fold].iter_mut().zip(&self.added).for_each(|(sum, added)| *sum += added);
        self.filled = 0;
    }

    /// The sums: one matrix `[numbers, numbers]` per fold.
    pub(super) fn finish(mut self) -> Vec<Matrix> {
        self.add_block();
        let numbers = self.numbers;
        self.products.into_iter().map(|products| Matrix::of(numbers, products)).collect()
    }
}
