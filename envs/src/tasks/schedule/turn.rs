//! Cycles: phase and sine of a tick, in loops that vectorise.

use std::f64::consts::TAU;

use super::LAST;

/// Number of ticks between two removals of whole cycles.
const WINDOW: u64 = 32;

/// Sets the values at the ticks from `first` on to `f` of the number of cycles done. Whole cycles are dropped (up to
/// the phase and one more), so the precision does not fade with the clock.
#[inline(always)]
pub(super) fn each_cycle(first: u64, values: &mut [f64], period: f64, phase: f64, f: impl Fn(f64) -> f64) {
    let inverse = 1.0 / period;
    let mut tick = first.min(LAST);
    let mut rest = values;
    while !rest.is_empty() {
        let window = tick - tick % WINDOW;
        let start = window as f64 % period;
        let offset = tick - window;
        let (now, later) = rest.split_at_mut(rest.len().min((WINDOW - offset) as usize));
        for (i, value) in now.iter_mut().enumerate() {
            let elapsed = start + (offset + i as u64) as f64;
            let elapsed = elapsed - (elapsed * inverse).floor() * period;
            *value = f(elapsed / period + phase);
        }
        tick += now.len() as u64;
        rest = later;
    }
}

/// The fractional part of a number of cycles, in [0, 1].
#[inline(always)]
pub(super) fn fraction(cycles: f64) -> f64 {
    cycles - cycles.floor()
}

/// The sine of a number of cycles: elementary operations only, so the same bits on every machine.
///
/// Reduction to an eighth of a cycle is exact; there, the polynomials of FreeBSD's msun
/// (`k_sin.c`, `k_cos.c`) have errors below one unit in the last place.
#[inline(always)]
pub(super) fn sin(cycles: f64) -> f64 {
    let cycles = cycles - (cycles + 0.5).floor();
    let quarters = (4.0 * cycles + 0.5).floor();
    let x = TAU * (cycles - 0.25 * quarters);
    let z = x * x;
    let sine = x + x * z * polynomial(z, SIN);
    let cosine = 1.0 - 0.5 * z + z * z * polynomial(z, COS);
    let odd = quarters.abs() == 1.0;
    let size = if odd { cosine } else { sine };
    let negative = if odd { quarters < 0.0 } else { quarters != 0.0 };
    if negative { -size } else { size }
}

const SIN: [f64; 6] = [
    1.589_690_995_211_55e-10,
    -2.505_076_025_340_686_3e-8,
    2.755_731_370_707_006_8e-6,
    -1.984_126_982_985_795e-4,
    8.333_333_333_322_49e-3,
    -1.666_666_666_666_663_2e-1,
];

const COS: [f64; 6] = [
    -1.135_964_755_778_819_5e-11,
    2.087_572_321_298_175e-9,
    -2.755_731_435_139_066_3e-7,
    2.480_158_728_947_673e-5,
    -1.388_888_888_887_411e-3,
    4.166_666_666_666_66e-2,
];

/// The value of a polynomial, coefficients of the highest power first.
#[inline(always)]
fn polynomial(x: f64, coefficients: [f64; 6]) -> f64 {
    let [a, b, c, d, e, f] = coefficients;
    ((((a * x + b) * x + c) * x + d) * x + e) * x + f
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sine_is_that_of_the_standard_library() {
        for i in -1_000_000..1_000_000 {
            let cycles = f64::from(i) * 2.3e-6;
            let error = (sin(cycles) - (TAU * (cycles - cycles.round())).sin()).abs();
            assert!(error < 5e-16, "{cycles}: {error:e}");
        }
        assert_eq!([-0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0].map(sin), [0.0, -1.0, 0.0, 1.0, 0.0, -1.0, 0.0]);
    }

    #[test]
    fn whole_cycles_are_dropped_exactly() {
        let mut values = [0.0; 100];
        each_cycle(90, &mut values, 12.0, 0.0, |cycles| cycles);
        for (i, value) in values.iter().enumerate() {
            assert_eq!(*value, ((90 + i) % 12) as f64 / 12.0);
        }
    }
}
