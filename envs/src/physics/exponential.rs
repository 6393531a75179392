//! The exponential function in `f32`, without branches.

use std::f32::consts::LOG2_E;

/// The number 1.5 * 2^23: adding it rounds a number below 2^22 to the nearest whole one, whose last bits are
/// then the last bits of the sum.
pub(crate) const ROUNDER: f32 = 12_582_912.0;

/// The exponential of a number from -87 to 88; of one outside, that of the nearer end.
///
/// It is reduced to [-ln 2 / 2, ln 2 / 2] and the minimax polynomial of Cephes (S. L. Moshier, `expf.c`,
/// netlib.org/cephes): relative error at most 2e-7. NaN is kept.
#[inline(always)]
pub(crate) fn exp_f32(x: f32) -> f32 {
    // ln 2 in two parts; products of the first with a small whole number are exact
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;

    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = x * LOG2_E + ROUNDER;
    let twos = shifted - ROUNDER;
    let r = (x - twos * LN2_HIGH) - twos * LN2_LOW;
    let tail = ((((1.987_569_1e-4 * r + 1.398_199_9e-3) * r + 8.333_452e-3) * r + 4.166_579_6e-2) * r + 1.666_666_5e-1)
        * r
        + 0.5;
    let power = shifted.to_bits().wrapping_sub(ROUNDER.to_bits()).wrapping_add(127) << 23;
    (tail * r * r + r + 1.0) * f32::from_bits(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_exponential_to_single_precision() {
        for i in 0..=1_750_000 {
            let x = -87.0 + i as f32 * 1e-4;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp_f32(x)) - exact).abs() / exact;
            assert!(error < 2e-7, "{x}: {error:e}");
        }
        assert_eq!(exp_f32(0.0), 1.0);
        assert_eq!((exp_f32(f32::NEG_INFINITY), exp_f32(f32::INFINITY)), (exp_f32(-87.0), exp_f32(88.0)));
        assert!(exp_f32(f32::NAN).is_nan());
    }
}
