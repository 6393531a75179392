//! Arithmetic that the standard library has and its core has not, for builds without it: to the bit the same, but slower.

/// Operations that are rounded once.
pub trait Exact: Sized {
    /// `self * a + b`
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
}

impl Exact for f32 {
    fn mul_add(self, a: f32, b: f32) -> f32 {
        // the product is exact in f64; the sum is rounded there to odd, which no second rounding can harm
        let (product, b) = (f64::from(self) * f64::from(a), f64::from(b));
        let sum = product + b;
        let part = sum - product;
        let lost = (product - (sum - part)) + (b - part);
        let odd = sum.to_bits() & 1 == 1;
        if lost == 0.0 || odd || !sum.is_finite() {
            return sum as f32;
        }
        // the neighbour on the side of what was lost is odd
        let up = (lost > 0.0) == (sum > 0.0);
        f64::from_bits(if up { sum.to_bits() + 1 } else { sum.to_bits() - 1 }) as f32
    }

    fn sqrt(self) -> f32 {
        // the root of a number of 24 bits, rounded to 53 and then to 24, is the root rounded once
        f64::from(self).sqrt_exact() as f32
    }
}

impl Exact for f64 {
    fn mul_add(self, a: f64, b: f64) -> f64 {
        fused(self, a, b)
    }

    fn sqrt(self) -> f64 {
        self.sqrt_exact()
    }
}

trait Root {
    fn sqrt_exact(self) -> f64;
}

impl Root for f64 {
    fn sqrt_exact(self) -> f64 {
        if self.is_nan() || self < 0.0 {
            return f64::NAN;
        }
        if self == 0.0 || self.is_infinite() {
            return self;
        }
        let (mantissa, exponent) = split(self);
        // the root has 54 bits, one more than a number; what is left over decides like a further one
        let shift = 54 + (exponent & 1) as u32;
        let square = u128::from(mantissa) << shift;
        let root = square.isqrt();
        let rest = root * root != square;
        compose(false, (root << 1) | u128::from(rest), (exponent - shift as i32) / 2 - 1)
    }
}

/// Whole mantissa of 53 bits and exponent of a positive finite number.
fn split(x: f64) -> (u64, i32) {
    let bits = x.to_bits() & (u64::MAX >> 1);
    let (fraction, exponent) = (bits & ((1 << 52) - 1), (bits >> 52) as i32);
    if exponent > 0 {
        return (fraction | 1 << 52, exponent - 1075);
    }
    let shift = fraction.leading_zeros() as i32 - 11;
    (fraction << shift, -1074 - shift)
}

/// The number nearest to `mantissa * 2^exponent`, ties to even.
fn compose(negative: bool, mantissa: u128, exponent: i32) -> f64 {
    let sign = u64::from(negative) << 63;
    if mantissa == 0 {
        return f64::from_bits(sign);
    }
    let length = 128 - mantissa.leading_zeros() as i32;
    // subnormal numbers have fewer bits
    let drop = (length - 53).max(-1074 - exponent);
    let (kept, up) = match drop {
        ..=0 => (mantissa << -drop, false),
        128.. => (0, false),
        _ => {
            let (kept, half) = (mantissa.checked_shr(drop as u32).unwrap_or(0), 1_u128 << (drop - 1));
            let rest = mantissa & ((half << 1).wrapping_sub(1));
            (kept, rest > half || (rest == half && kept & 1 == 1))
        }
    };
    let kept = kept as u64 + u64::from(up);
    let exponent = exponent + drop + 1074;
    if kept >> 52 == 0 {
        return f64::from_bits(sign | kept);
    }
    // a carry into the next power of two adds to the exponent by itself
    let bits = ((exponent as u64) << 52) + kept;
    if exponent >= 2046 || bits >= 0x7ff0 << 48 {
        return f64::from_bits(sign | 0x7ff0 << 48);
    }
    f64::from_bits(sign | bits)
}

/// `x * y + z` in whole numbers, rounded once.
fn fused(x: f64, y: f64, z: f64) -> f64 {
    if !z.is_finite() && x.is_finite() && y.is_finite() {
        return z; // a product that is too large is finite all the same
    }
    if !(x.is_finite() && y.is_finite() && z.is_finite()) || x == 0.0 || y == 0.0 {
        return x * y + z;
    }
    let negative = x.is_sign_negative() != y.is_sign_negative();
    let ((a, ea), (b, eb)) = (split(x), split(y));
    let (product, exponent) = (u128::from(a) * u128::from(b), ea + eb);
    if z == 0.0 {
        return compose(negative, product, exponent);
    }
    let (c, ec) = split(z);
    // both with their highest bit at 125, so that a sum has room
    let lift = |mantissa: u128, exponent: i32| {
        let shift = mantissa.leading_zeros() - 2;
        (mantissa << shift, exponent - shift as i32)
    };
    let (mut large, mut small) = ((lift(product, exponent), negative), (lift(u128::from(c), ec), z.is_sign_negative()));
    if (large.0.1, large.0.0) < (small.0.1, small.0.0) {
        core::mem::swap(&mut large, &mut small);
    }
    let (((p, e), sign), ((q, f), other)) = (large, small);
    let apart = (e - f) as u32;
    let lost = if apart >= 127 { q != 0 } else { q & ((1 << apart) - 1) != 0 };
    let q = if apart >= 127 { 0 } else { q >> apart };
    let sum = if sign == other {
        // what was lost stands below all bits that count
        (p + q) | u128::from(lost)
    } else {
        (p - q - u128::from(lost)) | u128::from(lost)
    };
    if sum == 0 { 0.0 } else { compose(sign, sum, e) }
}

#[cfg(test)]
mod tests {
    use metadrift_random::{Purpose, Stream};

    use super::*;

    /// Numbers of all sizes: random bits, and numbers that are near each other.
    fn numbers(count: u32) -> impl Iterator<Item = [u64; 3]> {
        let stream = Stream::new(1, Purpose::Search);
        (0..count).map(move |at| {
            let word = |part: u8| {
                let [a, b, ..] = stream.part(part).block(at);
                u64::from(a) << 32 | u64::from(b)
            };
            [word(0), word(1), word(2)]
        })
    }

    fn same(a: f64, b: f64) -> bool {
        a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
    }

    #[test]
    fn fused_sums_and_roots_of_f64_are_those_of_the_processor() {
        for words in numbers(300_000) {
            let [x, y, z] = words.map(f64::from_bits);
            // of a similar size to the product, so that digits cancel
            let near = -x * y * (1.0 + (words[2] >> 60) as f64 * f64::EPSILON);
            let small = words.map(|word| (word >> 40) as f64 * 1e-5 - 80.0);
            for [x, y, z] in [[x, y, z], [x, y, near], small, [x, y, 0.0], [small[0], small[1], -small[0] * small[1]]] {
                assert!(same(fused(x, y, z), x.mul_add(y, z)), "{x:e} {y:e} {z:e}");
            }
            for x in [x, small[0], f64::from_bits(words[0] >> 12)] {
                assert!(same(x.sqrt_exact(), x.sqrt()), "{x:e}");
            }
        }
    }

    #[test]
    fn fused_sums_and_roots_of_f32_are_those_of_the_processor() {
        for words in numbers(300_000) {
            let [x, y, z] = words.map(|word| f32::from_bits((word >> 32) as u32));
            let near = -x * y * (1.0 + (words[2] >> 60) as f32 * f32::EPSILON);
            let small = words.map(|word| (word >> 44) as f32 * 1e-4 - 50.0);
            for [x, y, z] in [[x, y, z], [x, y, near], small] {
                let (found, exact) = (Exact::mul_add(x, y, z), x.mul_add(y, z));
                assert!(found.to_bits() == exact.to_bits() || (found.is_nan() && exact.is_nan()), "{x:e} {y:e} {z:e}");
            }
            for x in [x, small[0]] {
                let (found, exact) = (Exact::sqrt(x), x.sqrt());
                assert!(found.to_bits() == exact.to_bits() || (found.is_nan() && exact.is_nan()), "{x:e}");
            }
        }
    }
}
