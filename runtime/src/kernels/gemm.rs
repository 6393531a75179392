//! The matrix kernel: a tile of `C = start + A B (+ A' B')`, kept in registers while the loop
//! runs over the inner dimension.
//!
//! `B` and `C` are row-major; `A` has any strides, so that the same loop serves the forward pass (`X W`), the backward
//! pass (`D Wᵀ`, with the transpose laid out once) and the weight gradients (`Xᵀ D`). The matrices are small (a few
//! dozen rows of 64) and stay in the first-level caches: no packing, no blocking beyond the tile. A general crate
//! (`gemm`, `matrixmultiply`) packs both operands at every call, which costs as much as the product here. Differentiating
//! a product gives a sum of two: both go through the registers at once.

use super::{
    isa::{Isa, Width},
    scalar::{Lanes, Number},
};

/// A matrix `A` `[rows, inner]` with element (i, k) at `i * row_stride + k * inner_stride`.
#[derive(Clone, Copy)]
pub struct Strided<'a, T> {
    pub data: &'a [T],
    pub row_stride: usize,
    pub inner_stride: usize,
}

impl<'a, T> Strided<'a, T> {
    /// The row-major matrix with `width` columns.
    pub fn rows(data: &'a [T], width: usize) -> Self {
        Strided { data, row_stride: width, inner_stride: 1 }
    }

    /// The transpose of a row-major matrix with `width` columns.
    pub fn transposed(data: &'a [T], width: usize) -> Self {
        Strided { data, row_stride: 1, inner_stride: width }
    }
}

/// The product of `a` `[rows, inner]` and `b` `[inner, columns]`.
#[derive(Clone, Copy)]
pub struct Product<'a, T> {
    pub a: Strided<'a, T>,
    pub b: &'a [T],
    pub inner: usize,
}

/// The initial value of the sums.
#[derive(Clone, Copy)]
pub enum Start<'a, T> {
    /// Zero.
    Zero,
    /// This row, `[columns]`, in every row.
    Row(&'a [T]),
    /// The values already in the result.
    Sum,
}

/// A step applied to the sums of one row of a tile, right after they have been stored.
pub trait Finish<T> {
    /// The matrix of the product's extents that [`row`](Self::row) reads, to prefetch.
    #[inline(always)]
    fn distant(&self) -> Option<&[T]> {
        None
    }

    /// Takes the sums of a row, which begin at `at` in the product.
    fn row(&mut self, at: usize, sums: &mut [T]);
}

/// A finish that changes nothing.
pub struct AsTheyAre;

impl<T> Finish<T> for AsTheyAre {
    #[inline(always)]
    fn row(&mut self, _at: usize, _sums: &mut [T]) {}
}

/// Sets `c` `[rows, columns]` to `start` plus the sum of the products; `extents` is [rows, columns].
pub fn gemm<T: Number, const P: usize>(
    isa: Isa,
    start: Start<'_, T>,
    products: [Product<'_, T>; P],
    c: &mut [T],
    extents: [usize; 2],
) {
    gemm_with(isa, start, products, c, extents, &mut AsTheyAre);
}

/// Sets `product` `[width, width]` to `xᵀ x` for `x` `[_, width]`.
pub fn gram(isa: Isa, x: &[f64], width: usize, product: &mut [f64]) {
    let squares = Product { a: Strided::transposed(x, width), b: x, inner: x.len() / width };
    gemm(isa, Start::Zero, [squares], product, [width, width]);
}

/// [`gemm`] that applies `finish` to every row of every tile.
pub fn gemm_with<T: Number, F: Finish<T>, const P: usize>(
    isa: Isa,
    start: Start<'_, T>,
    products: [Product<'_, T>; P],
    c: &mut [T],
    [rows, columns]: [usize; 2],
    finish: &mut F,
) {
    assert!(c.len() >= rows * columns);
    if let Start::Row(start) = start {
        assert!(start.len() >= columns);
    }
    for Product { a, b, inner } in products {
        assert!(b.len() >= inner * columns);
        assert!(rows == 0 || inner == 0 || a.data.len() > (rows - 1) * a.row_stride + (inner - 1) * a.inner_stride);
    }
    let job = Job { start, products, columns };
    // SAFETY: an `Isa` of a width exists only if the processor has its features, and the extents fit the slices, by the
    // assertions above.
    unsafe {
        match isa.width() {
            #[cfg(target_arch = "x86_64")]
            Width::Avx512 => gemm_avx512(&job, c, rows, finish),
            #[cfg(target_arch = "x86_64")]
            Width::Avx2 => gemm_avx2(&job, c, rows, finish),
            _ => {
                strips::<T, T, F, P, 8, 1>(&job, c, rows, 0, finish);
            }
        }
    }
}

/// The operands shared by all tiles.
struct Job<'a, T, const P: usize> {
    start: Start<'a, T>,
    products: [Product<'a, T>; P],
    columns: usize,
}

/// Multiplies with 512-bit vectors.
///
/// # Safety
/// Every operand must have the extents that `job` and `rows` say.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn gemm_avx512<T: Number, F: Finish<T>, const P: usize>(
    job: &Job<'_, T, P>,
    c: &mut [T],
    rows: usize,
    finish: &mut F,
) {
    // SAFETY: the caller guarantees the extents.
    unsafe {
        let column = strips::<T, T::Wide512, F, P, 6, 4>(job, c, rows, 0, finish);
        let column = strips::<T, T::Wide512, F, P, 12, 2>(job, c, rows, column, finish);
        let column = strips::<T, T::Wide512, F, P, 12, 1>(job, c, rows, column, finish);
        let column = strips::<T, T::Wide256, F, P, 12, 1>(job, c, rows, column, finish);
        strips::<T, T, F, P, 8, 1>(job, c, rows, column, finish);
    }
}

/// Multiplies with 256-bit vectors.
///
/// # Safety
/// As `gemm_avx512`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn gemm_avx2<T: Number, F: Finish<T>, const P: usize>(
    job: &Job<'_, T, P>,
    c: &mut [T],
    rows: usize,
    finish: &mut F,
) {
    // SAFETY: the caller guarantees the extents.
    unsafe {
        let column = strips::<T, T::Wide256, F, P, 6, 2>(job, c, rows, 0, finish);
        let column = strips::<T, T::Wide256, F, P, 8, 1>(job, c, rows, column, finish);
        strips::<T, T, F, P, 8, 1>(job, c, rows, column, finish);
    }
}

/// Largest height of the tiles that share the last rows.
const EVEN: usize = 6;

/// Multiplies all strips of `N` vectors from `column` on, in tiles of `M` rows, the last rows in lower tiles. Returns
/// the first column that is left.
///
/// # Safety
/// As `gemm_avx512`; the processor must have the instructions of `V`.
#[inline(always)]
unsafe fn strips<T: Number, V: Lanes<T>, F: Finish<T>, const P: usize, const M: usize, const N: usize>(
    job: &Job<'_, T, P>,
    c: &mut [T],
    rows: usize,
    mut column: usize,
    finish: &mut F,
) -> usize {
    while column + N * V::COUNT <= job.columns {
        let mut row = 0;
        while row < rows {
            let left = rows - row;
            // the last rows go into tiles of equal height, or nearly
            let height = if M > EVEN && left >= M { M } else { left.div_ceil(left.div_ceil(EVEN)) };
            // SAFETY: the tiles lie within the extents.
            unsafe {
                match height {
                    6 => tile::<T, V, F, P, 6, N>(job, c, row, column, finish),
                    5 => tile::<T, V, F, P, 5, N>(job, c, row, column, finish),
                    4 => tile::<T, V, F, P, 4, N>(job, c, row, column, finish),
                    3 => tile::<T, V, F, P, 3, N>(job, c, row, column, finish),
                    2 => tile::<T, V, F, P, 2, N>(job, c, row, column, finish),
                    1 => tile::<T, V, F, P, 1, N>(job, c, row, column, finish),
                    _ => tile::<T, V, F, P, M, N>(job, c, row, column, finish),
                }
            }
            row += height;
        }
        column += N * V::COUNT;
    }
    column
}

/// Multiplies a tile of `M` rows and `N` vectors; the sums stay in registers.
///
/// # Safety
/// As `strips`; `row + M` and `column + N * V::COUNT` must lie within the extents.
#[inline(always)]
unsafe fn tile<T: Number, V: Lanes<T>, F: Finish<T>, const P: usize, const M: usize, const N: usize>(
    job: &Job<'_, T, P>,
    c: &mut [T],
    row: usize,
    column: usize,
    finish: &mut F,
) {
    let columns = job.columns;
    // SAFETY: the tile lies within the extents, which `gemm_with` has checked.
    unsafe {
        let at = row * columns + column;
        if let Some(distant) = finish.distant() {
            for i in 0..M {
                prefetch(distant, at + i * columns, N * V::COUNT);
            }
        }
        let c = c.as_mut_ptr().add(at);
        let mut sum = [[V::splat(T::ZERO); N]; M];
        for (i, sum) in sum.iter_mut().enumerate() {
            for (j, sum) in sum.iter_mut().enumerate() {
                match job.start {
                    Start::Zero => {}
                    Start::Row(start) => *sum = V::load(start.as_ptr().add(column + j * V::COUNT)),
                    Start::Sum => *sum = V::load(c.add(i * columns + j * V::COUNT)),
                }
            }
        }
        for product in &job.products {
            accumulate(product, row, column, columns, &mut sum);
        }
        for (i, sum) in sum.iter().enumerate() {
            for (j, sum) in sum.iter().enumerate() {
                sum.store(c.add(i * columns + j * V::COUNT));
            }
        }
        for i in 0..M {
            let sums = core::slice::from_raw_parts_mut(c.add(i * columns), N * V::COUNT);
            finish.row(at + i * columns, sums);
        }
    }
}

/// Adds the tile of a product to `sum`.
///
/// # Safety
/// As `tile`.
#[inline(always)]
unsafe fn accumulate<T: Number, V: Lanes<T>, const M: usize, const N: usize>(
    product: &Product<'_, T>,
    row: usize,
    column: usize,
    columns: usize,
    sum: &mut [[V; N]; M],
) {
    let Product { a, b, inner } = product;
    // if the inner dimension is 0, these may point outside, but nothing is read
    let mut a_column = a.data.as_ptr().wrapping_add(row * a.row_stride);
    let mut b_row = b.as_ptr().wrapping_add(column);
    for k in 0..*inner {
        // SAFETY: the tile lies within the extents, which `gemm_with` has checked.
        unsafe {
            let b: [V; N] = core::array::from_fn(|j| V::load(b_row.add(j * V::COUNT)));
            for (i, sum) in sum.iter_mut().enumerate() {
                let a = V::splat(*a_column.add(i * a.row_stride));
                for (sum, b) in sum.iter_mut().zip(b) {
                    *sum = a.fma(b, *sum);
                }
            }
            if k + 1 < *inner {
                (a_column, b_row) = (a_column.add(a.inner_stride), b_row.add(columns));
            }
        }
    }
}

/// Prefetches the cache lines of `count` numbers from `at` on.
#[inline(always)]
fn prefetch<T>(from: &[T], at: usize, count: usize) {
    #[cfg(target_arch = "x86_64")]
    for i in (0..count).step_by(64 / size_of::<T>()) {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch is a hint and may point anywhere.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.as_ptr().wrapping_add(at + i).cast()) };
    }
}

#[cfg(test)]
mod tests;
