//! Inner products with 512-bit vectors.
//!
//! The vector runs along the inputs; sixteen rows' partial sums are added together in the pattern of a matrix
//! transpose.

#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;

/// Number of partial sums of an inner product, and of rows that are added together.
pub const GROUP: usize = 16;

/// [`Scalar::dots`](super::scalar::Scalar::dots) with 512-bit vectors.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
pub fn dots_avx512(rows: &[f32], w: &[f32]) -> [f32; GROUP] {
    let (whole, rest) = w.as_chunks::<GROUP>();
    let mask = (1 << rest.len()) - 1;
    let mut sums = [_mm512_setzero_ps(); GROUP];
    for (sum, row) in sums.iter_mut().zip(rows.chunks_exact(w.len())) {
        let (row, row_rest) = row.as_chunks::<GROUP>();
        for (x, w) in row.iter().zip(whole) {
            // SAFETY: both chunks have sixteen numbers.
            *sum = unsafe { _mm512_fmadd_ps(_mm512_loadu_ps(x.as_ptr()), _mm512_loadu_ps(w.as_ptr()), *sum) };
        }
        if mask != 0 {
            // SAFETY: the mask admits only the numbers that both have left.
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
