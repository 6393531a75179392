//! The number type that physics is written in: `f64` for the reference, `f32` for the batch.

use std::{
    f32::consts::{FRAC_1_PI, FRAC_2_PI},
    f64::consts::PI,
    fmt::Debug,
    ops::{Add, Div, Mul, Neg, Sub},
};

use crate::physics::exponential::{ROUNDER, exp_f32};

/// A floating-point number: the same physics source runs in `f64` (equal to Gymnasium) and in
/// `f32` (the vectorised batch).
///
/// The `f32` functions are branch-free and use neither tables nor fused multiply-add, so a plain
/// loop over lanes vectorises and gives the same bits at every vector width.
pub trait Real:
    Copy
    + Debug
    + Default
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + 'static
{
    /// The nearest representable number.
    fn from_f64(value: f64) -> Self;

    /// The number in `f64`, exact.
    fn to_f64(self) -> f64;

    /// Sine and cosine of an angle (rad).
    ///
    /// `f64`: the standard library. `f32`: absolute error at most 1.2e-7 for |x| <= 8192; beyond,
    /// the error grows with the spacing of `f32` around x, and past 6e6 rad (spacing half a
    /// radian) the values carry no information but stay within [-1, 1]. NaN and infinities give
    /// NaN.
    fn sin_cos(self) -> (Self, Self);

    /// The angle (rad) shifted by whole turns into [-pi, pi).
    ///
    /// `f64`: NumPy's `((x + pi) % (2 * pi)) - pi` to the bit. `f32`: the nearest whole number of
    /// turns is subtracted in two parts, so that few digits are lost; a value within rounding of
    /// the seam may come out at either end.
    fn wrap_angle(self) -> Self;

    /// An angle (rad) that a state adds up step by step.
    ///
    /// `f64`: itself, as Gymnasium keeps it. `f32`: [`Real::wrap_angle`], because after many turns the spacing of
    /// `f32` would swallow the steps.
    fn summed_angle(self) -> Self;

    /// The absolute value.
    fn abs(self) -> Self;

    /// The largest whole number not above `self`.
    fn floor(self) -> Self;

    /// The square root, correctly rounded.
    fn sqrt(self) -> Self;

    /// The exponential. `f64`: the standard library. `f32`: relative error at most 2e-7 within [-87, 88].
    fn exp(self) -> Self;

    /// The divisor that [`Real::over`] takes, prepared once where one number divides several.
    fn divisor(self) -> Divisor<Self>;

    /// The quotient `self / divisor`: to the bit in `f64`, by the reciprocal (within 1.5 units in the last place) in
    /// `f32`, because a division costs as much as ten products.
    fn over(self, divisor: Divisor<Self>) -> Self;

    /// The smaller of two numbers; NaN in `self` is kept.
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        if other < self { other } else { self }
    }

    /// The larger of two numbers; NaN in `self` is kept.
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        if other > self { other } else { self }
    }

    /// The nearest number in [low, high]; NaN is kept.
    #[inline(always)]
    fn clamp(self, low: Self, high: Self) -> Self {
        self.max(low).min(high)
    }

    /// The sum `self + term`, but `self` to the bit (even a zero's sign) where `factor` is zero.
    #[inline(always)]
    fn plus_unless_zero(self, factor: Self, term: Self) -> Self {
        if factor == Self::default() { self } else { self + term }
    }

    /// The square `self * self`.
    #[inline(always)]
    fn squared(self) -> Self {
        self * self
    }
}

/// A number that divides others: itself in `f64`, its reciprocal in `f32`.
#[derive(Clone, Copy, Debug)]
pub struct Divisor<R>(R);

impl Real for f64 {
    #[inline(always)]
    fn from_f64(value: f64) -> f64 {
        value
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }

    #[inline(always)]
    fn sin_cos(self) -> (f64, f64) {
        f64::sin_cos(self)
    }

    #[inline(always)]
    fn wrap_angle(self) -> f64 {
        (self + PI).rem_euclid(2.0 * PI) - PI
    }

    #[inline(always)]
    fn summed_angle(self) -> f64 {
        self
    }

    #[inline(always)]
    fn abs(self) -> f64 {
        f64::abs(self)
    }

    #[inline(always)]
    fn floor(self) -> f64 {
        f64::floor(self)
    }

    #[inline(always)]
    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }

    #[inline(always)]
    fn exp(self) -> f64 {
        f64::exp(self)
    }

    #[inline(always)]
    fn divisor(self) -> Divisor<f64> {
        Divisor(self)
    }

    #[inline(always)]
    fn over(self, divisor: Divisor<f64>) -> f64 {
        self / divisor.0
    }
}

impl Real for f32 {
    #[inline(always)]
    fn from_f64(value: f64) -> f32 {
        value as f32
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn sin_cos(self) -> (f32, f32) {
        sin_cos_f32(self)
    }

    #[inline(always)]
    fn wrap_angle(self) -> f32 {
        // 2 pi in two parts; the first has 8 bits, so that its product with `turns` is exact
        const TURN_HIGH: f32 = 6.28125;
        const TURN_LOW: f32 = 1.935_307_2e-3;
        let turns = (self * (0.5 * FRAC_1_PI) + ROUNDER) - ROUNDER;
        (self - turns * TURN_HIGH) - turns * TURN_LOW
    }

    #[inline(always)]
    fn summed_angle(self) -> f32 {
        self.wrap_angle()
    }

    #[inline(always)]
    fn abs(self) -> f32 {
        f32::abs(self)
    }

    #[inline(always)]
    fn floor(self) -> f32 {
        f32::floor(self)
    }

    #[inline(always)]
    fn sqrt(self) -> f32 {
        f32::sqrt(self)
    }

    #[inline(always)]
    fn exp(self) -> f32 {
        exp_f32(self)
    }

    #[inline(always)]
    fn divisor(self) -> Divisor<f32> {
        Divisor(1.0 / self)
    }

    #[inline(always)]
    fn over(self, divisor: Divisor<f32>) -> f32 {
        self * divisor.0
    }
}

/// Sine and cosine by reduction to [-pi/4, pi/4] and the minimax polynomials of Cephes
/// (S. L. Moshier, `sinf.c`, netlib.org/cephes).
#[inline(always)]
fn sin_cos_f32(x: f32) -> (f32, f32) {
    // pi / 2 in three parts; products of the first two with a small whole number are exact
    const QUARTER_1: f32 = 1.570_312_5;
    const QUARTER_2: f32 = 4.837_513e-4;
    const QUARTER_3: f32 = 7.549_79e-8;
    /// A limit just above pi / 4, reached only where reduction has lost all digits.
    const LIMIT: f32 = 0.79;

    let shifted = x * FRAC_2_PI + ROUNDER;
    let quarters = shifted - ROUNDER;
    let quadrant = shifted.to_bits();
    let r = ((x - quarters * QUARTER_1) - quarters * QUARTER_2) - quarters * QUARTER_3;
    let r = Real::clamp(r, -LIMIT, LIMIT);
    let z = r * r;
    let sin = ((-1.951_529_6e-4 * z + 8.332_161e-3) * z - 1.666_665_5e-1) * z * r + r;
    let cos = ((2.443_315_7e-5 * z - 1.388_731_6e-3) * z + 4.166_664_6e-2) * z * z - 0.5 * z + 1.0;

    // odd quadrants swap the two; the second and third flip the sign of the sine, the first and
    // second that of the cosine
    let swap = quadrant & 1 != 0;
    let (s, c) = if swap { (cos, sin) } else { (sin, cos) };
    let sin_sign = (quadrant & 2) << 30;
    let cos_sign = (quadrant.wrapping_add(1) & 2) << 30;
    (f32::from_bits(s.to_bits() ^ sin_sign), f32::from_bits(c.to_bits() ^ cos_sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worst_error(limit: f32, points: u32) -> f64 {
        (0..=points)
            .map(|i| {
                let x = limit * (2.0 * i as f32 / points as f32 - 1.0);
                let (sin, cos) = Real::sin_cos(x);
                let (exact_sin, exact_cos) = f64::from(x).sin_cos();
                let sin_error = (f64::from(sin) - exact_sin).abs();
                sin_error.max((f64::from(cos) - exact_cos).abs())
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn f32_sin_cos_stays_within_its_bound() {
        for limit in [1.0, 4.0, 64.0, 1000.0, 8192.0] {
            let error = worst_error(limit, 4_000_000);
            assert!(error <= 1.2e-7, "|x| <= {limit}: {error:e}");
        }
        // the spacing of f32 at 1e5 is 0.008: one part in a few of that
        assert!(worst_error(1.0e5, 1_000_000) < 4e-3);
    }

    #[test]
    fn f32_sin_cos_stays_in_range_for_any_number() {
        for bits in (0..u32::MAX).step_by(10_007) {
            let x = f32::from_bits(bits);
            let (sin, cos) = Real::sin_cos(x);
            if x.is_finite() {
                assert!(sin.abs() <= 1.0 && cos.abs() <= 1.0, "{x:e}: {sin} {cos}");
            } else {
                assert!(sin.is_nan() && cos.is_nan(), "{x}");
            }
        }
    }

    #[test]
    fn f64_wrap_is_numpys_floored_modulo() {
        // printed by CPython 3.11, whose floored modulo is NumPy's: ((x + pi) % (2 * pi)) - pi
        let printed = [
            (-0.5, -0.5),
            (3.0, 3.0),
            (PI, -PI),
            (3.5, -2.7831853071795862),
            (-3.5, 2.7831853071795862),
            (-10.0, 2.5663706143591725),
            (47.132658953125436, -3.132823504311258),
            (-43.80896904376551, 0.17332810649159214),
            (215.72960344300867, 2.101302998902728),
            (-1000.25, -1.2235361584457998),
        ];
        for (x, wrapped) in printed {
            assert_eq!(x.wrap_angle(), wrapped, "{x}");
        }
    }

    #[test]
    fn f32_wrap_agrees_with_f64() {
        for i in -200_000..200_000 {
            let x = i as f32 * 1e-3;
            let difference = f64::from(x.wrap_angle()) - f64::from(x).wrap_angle();
            let off = difference.abs().min((difference.abs() - 2.0 * PI).abs());
            assert!(off < 5e-7, "{x}: {off:e}");
        }
    }

    #[test]
    fn ordering_keeps_nan_and_picks_the_nearest() {
        assert_eq!(Real::clamp(3.0_f32, -2.0, 2.0), 2.0);
        assert_eq!(Real::clamp(-3.0_f64, -2.0, 2.0), -2.0);
        assert_eq!(Real::clamp(0.5_f32, -2.0, 2.0), 0.5);
        assert!(Real::clamp(f32::NAN, -2.0, 2.0).is_nan());
        assert_eq!(Real::floor(-0.5_f32), -1.0);
    }
}
