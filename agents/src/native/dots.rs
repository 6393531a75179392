//! Inner products of many rows with few vectors: the head of a network, whose outputs are too few for a register.
//!
//! The vector runs along the inputs, and sixteen rows' partial sums are added up together, as a matrix is transposed.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use super::{
    data::{Column, TILE},
    isa::Isa,
    scalar::Scalar,
};

/// Partial sums of an inner product, and rows that are added up together.
pub(super) const GROUP: usize = 16;

const _: () = assert!(TILE.is_multiple_of(GROUP));

/// Adds to the head's outputs by column, `out` `[outputs]`, the inner products of `x` `[n, inputs]` and `w`
/// `[outputs, inputs]`.
#[inline(always)]
pub(super) fn add_dots<T: Scalar>(isa: Isa, x: &[T], w: &[T], n: usize, out: &mut [Column<T>]) {
    let inputs = w.len() / out.len();
    for (out, w) in out.iter_mut().zip(w.chunks_exact(inputs)) {
        for first in (0..n).step_by(GROUP) {
            let rows = GROUP.min(n - first);
            let dots = T::dots(isa, &x[first * inputs..][..rows * inputs], w);
            for (out, dot) in out[first..first + GROUP].iter_mut().zip(dots) {
                *out += dot;
            }
        }
    }
}

/// The inner product of each of up to sixteen `rows`, `[_, inputs]`, with `w` `[inputs]`: sixteen sums of every sixteenth
/// product, then `(0 + 2) + (1 + 3)` of each four of them, and of those `(0 + 1) + (2 + 3)`.
#[inline(always)]
pub(super) fn dots<T: Scalar>(rows: &[T], w: &[T]) -> [T; GROUP] {
    let mut dots = [T::ZERO; GROUP];
    for (dot, row) in dots.iter_mut().zip(rows.chunks_exact(w.len())) {
        let mut sums = [T::ZERO; GROUP];
        for (x, w) in row.chunks(GROUP).zip(w.chunks(GROUP)) {
            for (sum, (x, w)) in sums.iter_mut().zip(x.iter().zip(w)) {
                *sum = x.mul_add(*w, *sum);
            }
        }
        let fours: [T; 4] = std::array::from_fn(|i| {
            let [a, b, c, d] = std::array::from_fn(|k| sums[4 * i + k]);
            (a + c) + (b + d)
        });
        *dot = (fours[0] + fours[1]) + (fours[2] + fours[3]);
    }
    dots
}

/// [`dots`] with 512-bit vectors.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
pub(super) fn dots_avx512(rows: &[f32], w: &[f32]) -> [f32; GROUP] {
    let (whole, rest) = w.as_chunks::<GROUP>();
    let mask = (1 << rest.len()) - 1;
    let mut sums = [_mm512_setzero_ps(); GROUP];
    for (sum, row) in sums.iter_mut().zip(rows.chunks_exact(w.len())) {
        let (row, row_rest) = row.as_chunks::<GROUP>();
        for (x, w) in row.iter().zip(whole) {
            // SAFETY: both are sixteen numbers.
            *sum = unsafe { _mm512_fmadd_ps(_mm512_loadu_ps(x.as_ptr()), _mm512_loadu_ps(w.as_ptr()), *sum) };
        }
        if mask != 0 {
            // SAFETY: the mask lets through as many numbers as both have left.
            let [x, w] = [row_rest, rest].map(|from| unsafe { _mm512_maskz_loadu_ps(mask, from.as_ptr()) });
            *sum = _mm512_fmadd_ps(x, w, *sum);
        }
    }
    for i in 0..8 {
        let (a, b) = (sums[2 * i], sums[2 * i + 1]);
        sums[i] = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    }
    for i in 0..4 {
        let (a, b) = (_mm512_castps_pd(sums[2 * i]), _mm512_castps_pd(sums[2 * i + 1]));
        let (low, high) = (_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b));
        sums[i] = _mm512_add_ps(_mm512_castpd_ps(low), _mm512_castpd_ps(high));
    }
    for width in [2, 1] {
        for i in 0..width {
            let (a, b) = (sums[2 * i], sums[2 * i + 1]);
            sums[i] = _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b));
        }
    }
    let mut dots = [0.0; GROUP];
    // SAFETY: there is room for sixteen numbers.
    unsafe { _mm512_storeu_ps(dots.as_mut_ptr(), sums[0]) };
    dots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_agrees_with_the_definition_and_to_the_bit_between_instruction_sets() {
        let value = |i: usize| (i * 7919 % 2003) as f32 / 1001.0 - 1.0;
        for (rows, inputs) in [(1, 1), (16, 64), (5, 3), (16, 43), (7, 128), (16, 16), (3, 130)] {
            let x: Vec<f32> = (0..rows * inputs).map(value).collect();
            let w: Vec<f32> = (0..inputs).map(|i| value(i + 31)).collect();
            let portable = dots(&x, &w);
            for (row, dot) in x.chunks(inputs).zip(portable) {
                let exact: f64 = row.iter().zip(&w).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
                assert!((f64::from(dot) - exact).abs() < 1e-5, "{inputs}: {dot} {exact}");
            }
            for isa in Isa::available() {
                assert_eq!(f32::dots(isa, &x, &w).map(f32::to_bits), portable.map(f32::to_bits), "{rows} {inputs}");
            }
        }
    }
}
