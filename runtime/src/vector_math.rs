//! Elementary functions in `f32` as short sequences without branches or tables, so that a plain loop over an array
//! becomes vector instructions. Fused multiply-add rounds once wherever it is computed, so every processor gives the same
//! bits.

use core::f32::consts::{LN_2, LOG2_E};

#[cfg(not(feature = "std"))]
use crate::math::Exact as _;

/// The number 1.5 * 2^23: adding it to a number below 2^22 rounds that to a whole number, whose last bits are then the
/// last bits of the sum.
const ROUNDER: f32 = 12_582_912.0;

/// The power 2^f for |f| <= 1/2, to 1e-7 relative: the minimax polynomial of degree 5 that is 1 at 0.
#[expect(clippy::approx_constant, reason = "the best polynomial's coefficient is not quite ln 2")]
#[inline(always)]
fn exp2_fraction(f: f32) -> f32 {
    let p = f.mul_add(1.326_472_7e-3, 9.671_513e-3);
    let p = f.mul_add(p, 5.550_733_6e-2);
    let p = f.mul_add(p, 2.402_224_2e-1);
    let p = f.mul_add(p, 6.931_47e-1);
    f.mul_add(p, 1.0)
}

/// The product `p * 2^k` for the whole number k = `shifted - ROUNDER`, added to the exponent's bits: -126 <= k <= 127.
#[inline(always)]
fn scale(p: f32, shifted: f32) -> f32 {
    f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// The exponential of `x`, to 3e-7 relative. Below -87 it is 0 and above 88 infinite, a little early; NaN stays NaN.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    /// The rounding error of `LOG2_E`.
    const LOG2_E_LOW: f32 = 1.925_963e-8;
    let shifted = x.mul_add(LOG2_E, ROUNDER);
    let whole = shifted - ROUNDER;
    let f = x.mul_add(LOG2_E, -whole);
    let y = scale(exp2_fraction(x.mul_add(LOG2_E_LOW, f)), shifted);
    let y = if x < -87.0 { 0.0 } else { y };
    let y = if x > 88.0 { f32::INFINITY } else { y };
    if x.is_nan() { x } else { y }
}

/// Hyperbolic tangent, to 2e-7 absolute: `1 - 2 / (e + 1)` with `e = exp(2 x)`. NaN stays NaN.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    const TWICE_LOG2_E: f32 = 2.0 * LOG2_E;
    let x = if x > 10.0 { 10.0 } else { x };
    let x = if x < -10.0 { -10.0 } else { x };
    let shifted = x.mul_add(TWICE_LOG2_E, ROUNDER);
    let f = x.mul_add(TWICE_LOG2_E, -(shifted - ROUNDER));
    let e = scale(exp2_fraction(f), shifted);
    1.0 - 2.0 / (e + 1.0)
}

/// Natural logarithm of a positive normal number, to 2e-7 of the larger of itself and 1; infinity and NaN stay as they
/// are.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    /// The bits of the square root of one half: mantissas go from there to the square root of two.
    const SQRT_HALF: u32 = 0x3f35_04f3;
    let exponent = (x.to_bits().wrapping_sub(SQRT_HALF) as i32) >> 23;
    let m = f32::from_bits(x.to_bits().wrapping_sub((exponent as u32) << 23));
    // ln m = 2 artanh s
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let p = z.mul_add(z.mul_add(z.mul_add(2.0 / 9.0, 2.0 / 7.0), 2.0 / 5.0), 2.0 / 3.0);
    let y = (exponent as f32).mul_add(LN_2, s.mul_add(z * p, s + s));
    if x < f32::INFINITY { y } else { x }
}

/// Sine and cosine of `turns` whole turns (2 pi rad each), 0 <= `turns` <= 1, to 2e-7: Taylor polynomials on an eighth of
/// a turn either side of the nearest quarter.
#[inline(always)]
pub fn sin_cos_turns(turns: f32) -> (f32, f32) {
    let shifted = turns.mul_add(4.0, ROUNDER);
    let quadrant = shifted.to_bits();
    // this is exact: the quarters are powers of two
    let r = (turns - 0.25 * (shifted - ROUNDER)) * core::f32::consts::TAU;
    let z = r * r;
    let sin = z.mul_add(z.mul_add(z.mul_add(1.0 / 362_880.0, -1.0 / 5040.0), 1.0 / 120.0), -1.0 / 6.0);
    let sin = (r * z).mul_add(sin, r);
    let cos = z.mul_add(z.mul_add(z.mul_add(1.0 / 40_320.0, -1.0 / 720.0), 1.0 / 24.0), -0.5);
    let cos = z.mul_add(cos, 1.0);
    // odd quadrants swap the two; the second and third flip the sign of the sine, the first and second that of the cosine
    let (s, c) = if quadrant & 1 != 0 { (cos, sin) } else { (sin, cos) };
    let sin_sign = (quadrant & 2) << 30;
    let cos_sign = (quadrant.wrapping_add(1) & 2) << 30;
    (f32::from_bits(s.to_bits() ^ sin_sign), f32::from_bits(c.to_bits() ^ cos_sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest error of `f` against `exact` on a grid over `[from, to]`, each error over `unit(exact value)`.
    fn worst(f: fn(f32) -> f32, exact: fn(f64) -> f64, [from, to]: [f64; 2], unit: fn(f64) -> f64) -> f64 {
        let error = |i: u32| {
            let x = (from + (to - from) * f64::from(i) / 1e6) as f32;
            let y = exact(x.into());
            (f64::from(f(x)) - y).abs() / unit(y)
        };
        (0..=1_000_000).map(error).fold(0.0, f64::max)
    }

    #[test]
    fn exp_is_exact_to_3e_7() {
        for range in [[-87.0, 88.0], [-1.0, 1.0]] {
            let worst = worst(exp, f64::exp, range, |y| y);
            assert!(worst < 3e-7, "{worst:e}");
        }
        assert_eq!((exp(f32::NEG_INFINITY), exp(-200.0), exp(0.0)), (0.0, 0.0, 1.0));
        assert_eq!((exp(f32::INFINITY), exp(200.0)), (f32::INFINITY, f32::INFINITY));
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn tanh_is_exact_to_2e_7() {
        let worst = worst(tanh, f64::tanh, [-20.0, 20.0], |_| 1.0);
        assert!(worst < 2e-7, "{worst:e}");
        assert!(tanh(f32::NAN).is_nan());
        assert_eq!((tanh(f32::INFINITY), tanh(f32::NEG_INFINITY), tanh(0.0)), (1.0, -1.0, 0.0));
    }

    #[test]
    fn ln_is_exact_to_2e_7() {
        for range in [[1e-3, 1.0], [0.5, 8.0], [1.0, 1e6], [1e-30, 1e-29]] {
            let worst = worst(ln, f64::ln, range, |y| y.abs().max(1.0));
            assert!(worst < 2e-7, "{range:?}: {worst:e}");
        }
        assert_eq!((ln(1.0), ln(f32::INFINITY)), (0.0, f32::INFINITY));
        assert!(ln(f32::NAN).is_nan());
    }

    #[test]
    fn sin_and_cos_are_exact_to_2e_7() {
        for i in 0..=1_000_000 {
            let turns = i as f32 / 1e6;
            let (sin, cos) = sin_cos_turns(turns);
            let exact = (f64::from(turns) * std::f64::consts::TAU).sin_cos();
            let error = (f64::from(sin) - exact.0).abs().max((f64::from(cos) - exact.1).abs());
            assert!(error < 2e-7, "{turns}: {error:e}");
        }
    }
}
