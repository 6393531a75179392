//! Random numbers for a policy that draws its actions.

/// Four independent uniform numbers in `[0, 1)`, a function of seed and tick: the same on every machine. Give every tick of
/// a machine another number, and never one twice.
///
/// They are the outputs 2 `tick` and 2 `tick` + 1 of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom
/// number generators"), from the state that the seed's first output is: 24 bits for each number.
pub fn uniforms(seed: u64, tick: u64) -> [f32; 4] {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let output = |state: u64, n: u64| {
        let z = state.wrapping_add(STEP.wrapping_mul(n.wrapping_add(1)));
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let state = output(seed, 0);
    let words = [output(state, tick.wrapping_mul(2)), output(state, tick.wrapping_mul(2).wrapping_add(1))];
    let unit = |bits: u64| (bits & 0xff_ffff) as f32 / (1 << 24) as f32;
    let [a, b] = words;
    [unit(a), unit(a >> 32), unit(b), unit(b >> 32)]
}

#[cfg(test)]
mod tests {
    use super::uniforms;

    #[test]
    fn numbers_are_those_of_splitmix64() {
        // the first outputs for the seed 1234567, as published with the reference implementation's tests
        // (https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64): the first is the state that others begin with
        let state = 6_457_827_717_110_365_317_u64;
        let mix = |z: u64| {
            let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        let first = mix(state.wrapping_add(0x9e37_79b9_7f4a_7c15));
        let expected = [first & 0xff_ffff, (first >> 32) & 0xff_ffff].map(|bits| bits as f32 / 16_777_216.0);
        assert_eq!(uniforms(1_234_567, 0)[..2], expected);
    }

    #[test]
    fn numbers_are_even_and_differ_from_tick_to_tick() {
        let n = 100_000;
        let mut sums = [0.0; 4];
        let mut products = 0.0;
        for tick in 0..n {
            let numbers = uniforms(7, tick).map(f64::from);
            sums.iter_mut().zip(numbers).for_each(|(sum, x)| *sum += x);
            products += (numbers[0] - 0.5) * (f64::from(uniforms(7, tick + 1)[0]) - 0.5);
        }
        // a mean has a standard error of sqrt(1/12 / n) = 0.0009; the covariance one of 1/12 / sqrt(n) = 0.00026
        assert!(sums.iter().all(|sum| (sum / n as f64 - 0.5).abs() < 0.004), "{sums:?}");
        assert!((products / n as f64).abs() < 0.0011, "{products}");
    }
}
