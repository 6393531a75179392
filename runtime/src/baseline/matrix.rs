//! Symmetric systems of linear equations, small enough to be solved one number at a time.
//!
//! Sums are in the order of the crate nalgebra, on which the baseline was built first, so that values are the same to the bit.

use crate::prelude::*;

/// A square matrix by columns.
#[derive(Clone, Debug)]
pub(super) struct Matrix {
    size: usize,
    values: Vec<f64>,
}

impl Matrix {
    /// The matrix with these columns, `[size, size]`.
    pub(super) fn of(size: usize, values: Vec<f64>) -> Self {
        assert_eq!(values.len(), size * size, "a square matrix");
        Matrix { size, values }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn at(&self, row: usize, column: usize) -> f64 {
        self.values[column * self.size + row]
    }

    pub(super) fn add_at(&mut self, row: usize, column: usize, value: f64) {
        self.values[column * self.size + row] += value;
    }

    fn column(&self, column: usize) -> &[f64] {
        &self.values[column * self.size..][..self.size]
    }

    /// All columns, to be changed.
    pub(super) fn columns_mut(&mut self) -> impl Iterator<Item = &mut [f64]> {
        self.values.chunks_exact_mut(self.size)
    }

    /// The upper left square of that size.
    pub(super) fn leading(&self, size: usize) -> Matrix {
        Matrix { size, values: (0..size).flat_map(|column| &self.column(column)[..size]).copied().collect() }
    }

    pub(super) fn transpose(&mut self) {
        for (column, row) in (0..self.size).flat_map(|column| (0..column).map(move |row| (column, row))) {
            self.values.swap(column * self.size + row, row * self.size + column);
        }
    }

    /// The sum of this matrix and `times` the other.
    pub(super) fn plus(&self, other: &Matrix, times: f64) -> Matrix {
        Matrix { size: self.size, values: plus(&self.values, &other.values, times) }
    }

    /// The product of the upper left square and `vector`, `[vector]`.
    pub(super) fn leading_times(&self, vector: &[f64]) -> Vec<f64> {
        let mut product = vec![0.0; vector.len()];
        vector.iter().enumerate().for_each(|(column, x)| add(&mut product, *x, self.column(column)));
        product
    }
}

/// `a + times * b`, `[a]`
pub(super) fn plus(a: &[f64], b: &[f64], times: f64) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b * times).collect()
}

/// Adds `times * x` to `sum`, whose numbers may be fewer.
pub(super) fn add(sum: &mut [f64], times: f64, x: &[f64]) {
    sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += times * x);
}

/// The inner product, in eight sums.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        (0..8).for_each(|k| sums[k] += a[k] * b[k]);
    }
    let whole = (0..4).fold(0.0, |sum, k| sum + (sums[k] + sums[k + 4]));
    a_rest.iter().zip(b_rest).fold(whole, |sum, (a, b)| sum + a * b)
}

/// The lower triangle L of a symmetric matrix L Lᵀ.
pub(super) struct Cholesky(Matrix);

impl Cholesky {
    /// The factor of `matrix`, of which only the lower triangle counts; `None` unless it is positive definite and finite.
    pub(super) fn new(mut matrix: Matrix) -> Option<Self> {
        let size = matrix.size;
        for j in 0..size {
            let (before, here) = matrix.values.split_at_mut(j * size);
            let here = &mut here[j..size];
            for column in before.chunks_exact(size) {
                add(here, -column[j], &column[j..]);
            }
            // false for NaN, too
            let positive = here[0] > 0.0;
            if !positive {
                return None;
            }
            let root = here[0].sqrt();
            here[0] = root;
            here[1..].iter_mut().for_each(|x| *x /= root);
        }
        Some(Cholesky(matrix))
    }

    /// The solution of L Lᵀ x = `right`.
    pub(super) fn solve(&self, mut right: Vec<f64>) -> Vec<f64> {
        let size = self.0.size;
        for i in 0..size {
            let column = &self.0.column(i)[i..];
            let x = right[i] / column[0];
            right[i] = x;
            add(&mut right[i + 1..], -x, &column[1..]);
        }
        for i in (0..size).rev() {
            let column = &self.0.column(i)[i..];
            right[i] = (right[i] - dot(&column[1..], &right[i + 1..])) / column[0];
        }
        right
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_of_three_by_hand() {
        // L = [2 0 0; 6 1 0; -8 5 3], the example of many textbooks; x = (1, 2, 3)
        let matrix = Matrix::of(3, vec![4.0, 12.0, -16.0, 12.0, 37.0, -43.0, -16.0, -43.0, 98.0]);
        let right = matrix.leading_times(&[1.0, 2.0, 3.0]);
        assert_eq!(right, [4.0 + 24.0 - 48.0, 12.0 + 74.0 - 129.0, -16.0 - 86.0 + 294.0]);
        let factor = Cholesky::new(matrix).unwrap();
        assert_eq!(factor.0.column(0), [2.0, 6.0, -8.0]);
        assert_eq!(factor.0.column(1)[1..], [1.0, 5.0]);
        assert_eq!(factor.0.column(2)[2..], [3.0]);
        assert_eq!(factor.solve(right), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn what_is_not_positive_definite_has_no_factor() {
        for values in [[1.0, 2.0, 2.0, 1.0], [0.0, 0.0, 0.0, 1.0], [f64::NAN, 0.0, 0.0, 1.0]] {
            assert!(Cholesky::new(Matrix::of(2, values.to_vec())).is_none(), "{values:?}");
        }
    }

    #[test]
    fn an_inner_product_of_nineteen() {
        let x: Vec<f64> = (1..20).map(f64::from).collect();
        // n (n + 1) (2 n + 1) / 6
        assert_eq!(dot(&x, &x), 2470.0);
    }
}
