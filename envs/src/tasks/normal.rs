//! The standard normal distribution: its distribution function and the inverse.

#![expect(clippy::excessive_precision, reason = "the coefficients as published")]

use std::f64::consts::SQRT_2;

/// Probability of a standard normal number below `x`.
pub(crate) fn cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x / SQRT_2)
}

/// The `x` with `cdf(x) = p`, for 0 < p < 1; relative error below 1e-15.
///
/// Wichura, "Algorithm AS241: the percentage points of the normal distribution", Applied
/// Statistics 37 (1988) 477.
pub(crate) fn quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= CENTRAL {
        return central(q);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    let r = (-tail.ln()).sqrt();
    let (r, (numerator, denominator)) = if r <= 5.0 { (r - 1.6, NEAR) } else { (r - 5.0, FAR) };
    (polynomial(numerator, r) / polynomial(denominator, r)).copysign(q)
}

/// Replaces each number by its [`quantile`]: the central ones, six in seven, in one loop.
#[inline(always)]
pub(crate) fn quantiles<const N: usize>(numbers: &mut [f64; N]) {
    let uniforms = *numbers;
    for i in 0..N {
        numbers[i] = central(uniforms[i] - 0.5);
    }
    for i in 0..N {
        if (uniforms[i] - 0.5).abs() > CENTRAL {
            numbers[i] = quantile(uniforms[i]);
        }
    }
}

/// Half of the centre's probability.
const CENTRAL: f64 = 0.425;

/// The quantile of 1/2 + q in the centre.
#[inline(always)]
fn central(q: f64) -> f64 {
    let r = 0.180625 - q * q;
    q * polynomial(CENTRE.0, r) / polynomial(CENTRE.1, r)
}

/// The value of a polynomial, coefficients of the highest power first.
#[inline(always)]
fn polynomial(coefficients: [f64; 8], x: f64) -> f64 {
    coefficients.into_iter().fold(0.0, |sum, c| sum * x + c)
}

/// Numerator and denominator for |p - 1/2| up to 0.425.
const CENTRE: ([f64; 8], [f64; 8]) = (
    [
        2.509_080_928_730_122_672_7e3,
        3.343_057_558_358_812_810_5e4,
        6.726_577_092_700_870_085_3e4,
        4.592_195_393_154_987_145_7e4,
        1.373_169_376_550_946_112_5e4,
        1.971_590_950_306_551_442_7e3,
        1.331_416_678_917_843_774_5e2,
        3.387_132_872_796_366_608_0,
    ],
    [
        5.226_495_278_852_854_561_0e3,
        2.872_908_573_572_194_267_4e4,
        3.930_789_580_009_271_061_0e4,
        2.121_379_430_158_659_586_7e4,
        5.394_196_021_424_751_107_7e3,
        6.871_870_074_920_579_083_0e2,
        4.231_333_070_160_091_125_2e1,
        1.0,
    ],
);

/// Numerator and denominator for tails down to exp(-25).
const NEAR: ([f64; 8], [f64; 8]) = (
    [
        7.745_450_142_783_414_076_40e-4,
        2.272_384_498_926_918_458_33e-2,
        2.417_807_251_774_506_117_70e-1,
        1.270_458_252_452_368_382_58,
        3.647_848_324_763_204_605_04,
        5.769_497_221_460_691_405_50,
        4.630_337_846_156_545_295_90,
        1.423_437_110_749_683_577_34,
    ],
    [
        1.050_750_071_644_416_843_24e-9,
        5.475_938_084_995_344_946_00e-4,
        1.519_866_656_361_645_719_66e-2,
        1.481_039_764_274_800_745_90e-1,
        6.897_673_349_851_000_045_50e-1,
        1.676_384_830_183_803_849_40,
        2.053_191_626_637_758_821_87,
        1.0,
    ],
);

/// Numerator and denominator for the tails beyond.
const FAR: ([f64; 8], [f64; 8]) = (
    [
        2.010_334_399_292_288_132_65e-7,
        2.711_555_568_743_487_578_15e-5,
        1.242_660_947_388_078_438_60e-3,
        2.653_218_952_657_612_309_30e-2,
        2.965_605_718_285_048_912_30e-1,
        1.784_826_539_917_291_335_80,
        5.463_784_911_164_114_369_90,
        6.657_904_643_501_103_777_20,
    ],
    [
        2.044_263_103_389_939_785_64e-15,
        1.421_511_758_316_445_888_70e-7,
        1.846_318_317_510_054_681_80e-5,
        7.868_691_311_456_132_591_00e-4,
        1.487_536_129_085_061_485_25e-2,
        1.369_298_809_227_358_053_10e-1,
        5.998_322_065_558_879_376_90e-1,
        1.0,
    ],
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables_and_invert_the_distribution() {
        // Abramowitz and Stegun, table 26.5; Python's statistics.NormalDist().inv_cdf agrees
        let table = [(0.5, 0.0), (0.975, 1.959963984540054), (0.01, -2.3263478740408408), (1e-6, -4.753424308822899)];
        for (p, x) in table {
            assert!((quantile(p) - x).abs() < 1e-12, "{p}");
        }
        assert!((quantile(1e-20) + 9.262340089798408).abs() < 1e-11);
        for x in [-8.0, -3.0, -1.5, -0.2, 0.7, 2.9] {
            assert!((quantile(cdf(x)) - x).abs() < 1e-12, "{x}");
        }
    }
}
