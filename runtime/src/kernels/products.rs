//! The products and the steps at their ends that feedforward and recurrent networks are made of.

use super::{
    data::total,
    gemm::{Finish, Product, Start, Strided, gemm},
    isa::Isa,
    scalar::Scalar,
    tile::{Column, TILE},
};
use crate::layout::Activation;

/// Turns a layer's sums into its activations.
pub struct Activate(pub Activation);

impl<T: Scalar> Finish<T> for Activate {
    #[inline(always)]
    fn row(&mut self, _at: usize, sums: &mut [T]) {
        match self.0 {
            Activation::Tanh => sums.iter_mut().for_each(|v| *v = v.tanh()),
            // NaN stays, so that divergence is noticed
            Activation::Relu => sums.iter_mut().for_each(|v| *v = if *v < T::ZERO { T::ZERO } else { *v }),
        }
    }
}

/// Multiplies by the derivative at the given activations: derivatives by activations become derivatives by sums.
pub struct Slope<'a, T>(pub Activation, pub &'a [T]);

impl<T: Scalar> Finish<T> for Slope<'_, T> {
    #[inline(always)]
    fn row(&mut self, at: usize, sums: &mut [T]) {
        let h = &self.1[at..][..sums.len()];
        match self.0 {
            Activation::Tanh => sums.iter_mut().zip(h).for_each(|(v, h)| *v = *v * (T::ONE - *h * *h)),
            Activation::Relu => sums.iter_mut().zip(h).for_each(|(v, h)| *v = passed(*h, *v)),
        }
    }
}

/// `d` where the activation `h` of ReLU is positive, else 0.
#[inline(always)]
pub fn passed<T: Scalar>(h: T, d: T) -> T {
    if h > T::ZERO { d } else { T::ZERO }
}

/// The product `x w` of `x` `[n, inner]` and `w` `[inner, columns]`.
#[inline(always)]
pub fn rows<'a, T>(x: &'a [T], inner: usize, w: &'a [T]) -> Product<'a, T> {
    Product { a: Strided::rows(x, inner), b: w, inner }
}

/// The product `xᵀ d` of `x` `[n, inputs]` and `d` `[n, columns]`.
#[inline(always)]
pub fn outer<'a, T>(x: &'a [T], inputs: usize, d: &'a [T], n: usize) -> Product<'a, T> {
    Product { a: Strided::transposed(x, inputs), b: d, inner: n }
}

/// The product `x w` of `x`, given by its columns `[inner, n]`, and `w` `[inner, columns]`.
#[inline(always)]
pub fn from_columns<'a, T: Scalar>(x: &'a [Column<T>], w: &'a [T]) -> Product<'a, T> {
    Product { a: Strided::transposed(x.as_flattened(), TILE), b: w, inner: x.len() }
}

/// The product `xᵀ y` of `x`, given by its columns `[rows, n]`, and `y` `[n, columns]`.
#[inline(always)]
pub fn by_columns<'a, T: Scalar>(x: &'a [Column<T>], y: &'a [T], n: usize) -> Product<'a, T> {
    Product { a: Strided::rows(x.as_flattened(), TILE), b: y, inner: n }
}

/// Adds the rows of `x` `[n, width]` to `sum` `[width]`.
#[inline(always)]
pub fn sum_rows<T: Scalar>(isa: Isa, x: &[T], sum: &mut [T]) {
    let width = sum.len();
    let ones = Strided { data: &[T::ONE], row_stride: 0, inner_stride: 0 };
    gemm(isa, Start::Sum, [Product { a: ones, b: x, inner: x.len() / width }], sum, [1, width]);
}

/// Adds the first `n` numbers of each column to `sum` `[columns]`.
#[inline(always)]
pub fn sum_columns<T: Scalar>(x: &[Column<T>], n: usize, sum: &mut [T]) {
    for (sum, x) in sum.iter_mut().zip(x) {
        *sum += total(&x[..n]);
    }
}
