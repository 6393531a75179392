//! The one matrix kernel of the native backend: a tile of `C += A B`, kept in registers while the inner dimension goes
//! by.
//!
//! `B` and `C` are row-major; `A` has any strides, so that the same loop serves the forward pass (`X W`), the backward
//! pass (`D Wᵀ`, with the transpose laid out once) and the weight gradients (`Xᵀ D`). The matrices are small (a few
//! dozen rows of 64) and stay in the first-level cache: no packing, no blocking beyond the tile. A general crate
//! (`gemm`, `matrixmultiply`) packs both operands at every call, which costs as much as the product here.

use super::scalar::Scalar;

/// `A` `[rows, inner]` with element (i, k) at `i * row_stride + k * inner_stride`.
#[derive(Clone, Copy)]
pub(super) struct Strided<'a, T> {
    pub data: &'a [T],
    pub row_stride: usize,
    pub inner_stride: usize,
}

impl<'a, T> Strided<'a, T> {
    /// Row-major with `width` columns.
    pub fn rows(data: &'a [T], width: usize) -> Self {
        Strided { data, row_stride: width, inner_stride: 1 }
    }

    /// The transpose of a row-major matrix with `width` columns.
    pub fn transposed(data: &'a [T], width: usize) -> Self {
        Strided { data, row_stride: 1, inner_stride: width }
    }
}

/// The instruction sets the kernel is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Isa {
    /// 256-bit vectors with fused multiply-add.
    Avx2,
    /// 512-bit vectors.
    Avx512,
}

impl Isa {
    /// The widest that this processor has, if any.
    pub fn detect() -> Option<Isa> {
        #[cfg(target_arch = "x86_64")]
        {
            let fused = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if fused && is_x86_feature_detected!("avx512f") {
                return Some(Isa::Avx512);
            }
            if fused {
                return Some(Isa::Avx2);
            }
        }
        None
    }
}

/// Extents of a product.
#[derive(Clone, Copy)]
pub(super) struct Extents {
    pub rows: usize,
    pub inner: usize,
    pub columns: usize,
}

/// `c` `[rows, columns] += a` `[rows, inner]` `b` `[inner, columns]`.
pub(super) fn gemm_add<T: Scalar>(isa: Isa, a: Strided<'_, T>, b: &[T], c: &mut [T], extents: Extents) {
    let Extents { rows, inner, columns } = extents;
    assert!(b.len() >= inner * columns && c.len() >= rows * columns);
    assert!(rows == 0 || inner == 0 || a.data.len() > (rows - 1) * a.row_stride + (inner - 1) * a.inner_stride);
    // SAFETY: an `Isa` comes from `Isa::detect`, which found the features.
    #[cfg(target_arch = "x86_64")]
    match isa {
        Isa::Avx512 => unsafe { gemm_avx512(a, b, c, extents) },
        Isa::Avx2 => unsafe { gemm_avx2(a, b, c, extents) },
    }
    #[cfg(not(target_arch = "x86_64"))]
    unreachable!("{isa:?} on another architecture")
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
fn gemm_avx512<T: Scalar>(a: Strided<'_, T>, b: &[T], c: &mut [T], extents: Extents) {
    strips::<T, 6, 64>(a, b, c, extents);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn gemm_avx2<T: Scalar>(a: Strided<'_, T>, b: &[T], c: &mut [T], extents: Extents) {
    strips::<T, 6, 16>(a, b, c, extents);
}

/// Strips of `N` columns in tiles of `M` rows, then narrower ones.
#[inline(always)]
fn strips<T: Scalar, const M: usize, const N: usize>(a: Strided<'_, T>, b: &[T], c: &mut [T], extents: Extents) {
    let mut column = 0;
    while column + N <= extents.columns {
        strip::<T, M, N>(a, b, c, extents, column);
        column += N;
    }
    while column + 8 <= extents.columns {
        strip::<T, 8, 8>(a, b, c, extents, column);
        column += 8;
    }
    while column < extents.columns {
        strip::<T, 4, 1>(a, b, c, extents, column);
        column += 1;
    }
}

/// All rows of `N` columns.
#[inline(always)]
fn strip<T: Scalar, const M: usize, const N: usize>(
    a: Strided<'_, T>,
    b: &[T],
    c: &mut [T],
    extents: Extents,
    column: usize,
) {
    let mut row = 0;
    while row + M <= extents.rows {
        tile::<T, M, N>(a, b, c, extents, row, column);
        row += M;
    }
    while row < extents.rows {
        tile::<T, 1, N>(a, b, c, extents, row, column);
        row += 1;
    }
}

/// `M` rows of `N` columns.
#[inline(always)]
fn tile<T: Scalar, const M: usize, const N: usize>(
    a: Strided<'_, T>,
    b: &[T],
    c: &mut [T],
    extents: Extents,
    row: usize,
    column: usize,
) {
    let Extents { inner, columns, .. } = extents;
    let mut sum = [[T::ZERO; N]; M];
    for (i, sum) in sum.iter_mut().enumerate() {
        sum.copy_from_slice(&c[(row + i) * columns + column..][..N]);
    }
    for k in 0..inner {
        let b: &[T; N] = b[k * columns + column..][..N].try_into().expect("N columns");
        for (i, sum) in sum.iter_mut().enumerate() {
            // SAFETY: row + i < rows and k < inner: `gemm_add` has checked the largest index.
            let a = unsafe { *a.data.get_unchecked((row + i) * a.row_stride + k * a.inner_stride) };
            for (sum, b) in sum.iter_mut().zip(b) {
                *sum = a.mul_add(*b, *sum);
            }
        }
    }
    for (i, sum) in sum.iter().enumerate() {
        c[(row + i) * columns + column..][..N].copy_from_slice(sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_definition_for_all_shapes() {
        let value = |i: usize| ((i * 37 % 101) as f64 - 50.0) / 7.0;
        for (rows, inner, columns) in [(1, 1, 1), (7, 5, 3), (6, 64, 64), (13, 9, 75), (8, 3, 40), (64, 48, 2)] {
            let a: Vec<f64> = (0..rows * inner).map(value).collect();
            let b: Vec<f64> = (0..inner * columns).map(|i| value(i + 11)).collect();
            let mut expected = vec![0.5; rows * columns];
            for (i, k, j) in (0..rows).flat_map(|i| (0..inner).flat_map(move |k| (0..columns).map(move |j| (i, k, j))))
            {
                expected[i * columns + j] += a[i * inner + k] * b[k * columns + j];
            }
            let transposed: Vec<f64> = (0..rows * inner).map(|n| a[n % rows * inner + n / rows]).collect();
            for a in [Strided::rows(&a, inner), Strided::transposed(&transposed, rows)] {
                let mut c = vec![0.5; rows * columns];
                gemm_add(Isa::detect().unwrap(), a, &b, &mut c, Extents { rows, inner, columns });
                for (c, expected) in c.iter().zip(&expected) {
                    assert!((c - expected).abs() < 1e-10 * expected.abs().max(1.0), "{rows} {inner} {columns}");
                }
            }
        }
    }
}
