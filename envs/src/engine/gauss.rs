//! Normal random numbers in `f32` from elementary operations only: the same bits on every machine.

use std::f32::consts::TAU;

use metadrift_random::unit_f32;

use crate::physics::real::Real;

/// A standard normal number from two random words (Box and Muller 1958); at most 6.8 in size.
#[inline(always)]
pub(crate) fn normal([first, second]: [u32; 2]) -> f32 {
    // in (0, 1]; the smallest is 2^-33
    let u = (first as f32 + 0.5) * (1.0 / 4_294_967_296.0);
    // not the method of f32 itself, whose bits are the C library's
    let (_, cos) = Real::sin_cos((unit_f32(second) - 0.5) * TAU);
    (-2.0 * ln(u)).max(0.0).sqrt() * cos
}

/// The natural logarithm of a positive normal number, by the polynomial of Cephes (S. L. Moshier,
/// `logf.c`, netlib.org/cephes); relative error at most 2e-7.
#[inline(always)]
fn ln(x: f32) -> f32 {
    const COEFFICIENTS: [f32; 9] = [
        7.037_683_6e-2,
        -1.151_461e-1,
        1.167_699_9e-1,
        -1.242_014_1e-1,
        1.424_932_3e-1,
        -1.666_805_7e-1,
        2.000_071_4e-1,
        -2.499_999_4e-1,
        3.333_333e-1,
    ];
    // ln 2 in two parts
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // x = m 2^e with m in [sqrt(1/2), sqrt(2))
    let bits = x.to_bits();
    let mut exponent = (bits >> 23) as i32 - 126;
    let mut m = f32::from_bits(bits & 0x007f_ffff | 0x3f00_0000);
    if m < std::f32::consts::FRAC_1_SQRT_2 {
        exponent -= 1;
        m += m;
    }
    let e = exponent as f32;
    let m = m - 1.0;
    let z = m * m;
    let series = COEFFICIENTS.iter().fold(0.0, |sum, c| sum * m + c) * m * z;
    (series + e * LN2_LOW - 0.5 * z) + m + e * LN2_HIGH
}

#[cfg(test)]
mod tests {
    use metadrift_random::{Purpose, Stream};

    use super::*;

    #[test]
    fn the_logarithm_is_that_of_f64() {
        for i in 1..2_000_000 {
            let x = i as f32 / 1_999_999.0;
            let exact = f64::from(x).ln();
            assert!((f64::from(ln(x)) - exact).abs() <= 2e-7 * exact.abs(), "{x}: {} {exact}", ln(x));
        }
        for exponent in 1..34 {
            let x = (-exponent as f32).exp2();
            assert!((f64::from(ln(x)) + f64::from(exponent) * std::f64::consts::LN_2).abs() < 3e-6);
        }
    }

    #[test]
    fn moments_and_tails_are_those_of_the_normal_law() {
        let stream = Stream::new(4, Purpose::Sensor);
        let n = 400_000;
        let draws: Vec<f64> = (0..n)
            .map(|step| {
                let [a, b, ..] = stream.block(step);
                f64::from(normal([a, b]))
            })
            .collect();
        let moment = |power: i32| draws.iter().map(|x| x.powi(power)).sum::<f64>() / f64::from(n);
        // five standard errors: sqrt(var(x^k) / n) with var(x^k) = (2k - 1)!! - ((k - 1)!!)^2
        let bound = |variance: f64| 5.0 * (variance / f64::from(n)).sqrt();
        assert!(moment(1).abs() < bound(1.0));
        assert!((moment(2) - 1.0).abs() < bound(2.0));
        assert!(moment(3).abs() < bound(15.0));
        assert!((moment(4) - 3.0).abs() < bound(96.0));
        // P(|x| > 2) = 0.0455003
        let tail = draws.iter().filter(|x| x.abs() > 2.0).count() as f64 / f64::from(n);
        assert!((tail - 0.045_500_3).abs() < bound(0.0455 * 0.9545));
        for word in [0, 1, u32::MAX - 1, u32::MAX] {
            assert!(normal([word, word]).abs() < 6.8);
        }
    }
}
