//! The elementwise part of a gated recurrent unit, sixteen units at a time.

use super::scalar::Scalar;

/// One step of one lane: gates become r, z and n, and the last third of those by the memory is kept in `kept`.
#[inline(always)]
pub fn remember<T: Scalar>(gates: &mut [T], recalled: &[T], (h, next): (&[T], &mut [T]), kept: &mut [T]) {
    let hidden = h.len();
    for at in (0..hidden).step_by(GROUP) {
        let (mut r, mut z, mut n) = (group(gates, at), group(gates, hidden + at), group(gates, 2 * hidden + at));
        let (by_r, by_z, q) = (group(recalled, at), group(recalled, hidden + at), group(recalled, 2 * hidden + at));
        let mut h = group(h, at);
        for i in 0..GROUP {
            r[i] = sigmoid(r[i] + by_r[i]);
            z[i] = sigmoid(z[i] + by_z[i]);
            n[i] = r[i].mul_add(q[i], n[i]).tanh();
            h[i] = z[i].mul_add(h[i] - n[i], n[i]);
        }
        let width = GROUP.min(hidden - at);
        put(&r, width, gates, at);
        put(&z, width, gates, hidden + at);
        put(&n, width, gates, 2 * hidden + at);
        put(&q, width, kept, at);
        put(&h, width, next, at);
    }
}

#[inline(always)]
fn sigmoid<T: Scalar>(x: T) -> T {
    let half = T::of(0.5);
    half.mul_add((half * x).tanh(), half)
}

/// One step of one lane backward: `carry` is the derivative by the memory after the step through later ones, then the
/// part of that by the memory before it which goes past the gates.
#[inline(always)]
pub fn forget<T: Scalar>(
    (gates, q): (&[T], &[T]),
    (h, dh): (&[T], &[T]),
    carry: &mut [T],
    (d_gates, d_recalled): (&mut [T], &mut [T]),
) {
    let hidden = h.len();
    for at in (0..hidden).step_by(GROUP) {
        let (r, z, n) = (group(gates, at), group(gates, hidden + at), group(gates, 2 * hidden + at));
        let (q, h, dh, mut later) = (group(q, at), group(h, at), group(dh, at), group(carry, at));
        let [mut d_r, mut d_z, mut d_n, mut d_q] = [[T::ZERO; GROUP]; 4];
        for i in 0..GROUP {
            let d = later[i] + dh[i];
            d_n[i] = d * (T::ONE - z[i]) * (T::ONE - n[i] * n[i]);
            d_q[i] = d_n[i] * r[i];
            d_r[i] = d_n[i] * q[i] * r[i] * (T::ONE - r[i]);
            d_z[i] = d * (h[i] - n[i]) * z[i] * (T::ONE - z[i]);
            later[i] = d * z[i];
        }
        let width = GROUP.min(hidden - at);
        put(&d_r, width, d_gates, at);
        put(&d_z, width, d_gates, hidden + at);
        put(&d_n, width, d_gates, 2 * hidden + at);
        put(&d_r, width, d_recalled, at);
        put(&d_z, width, d_recalled, hidden + at);
        put(&d_q, width, d_recalled, 2 * hidden + at);
        put(&later, width, carry, at);
    }
}

/// Number of units that are computed together.
const GROUP: usize = 16;

/// The group of numbers that begins at `at`; what lies behind the end of `from` is 0. Groups are values, so that the
/// compiler knows that they do not overlap.
#[inline(always)]
fn group<T: Scalar>(from: &[T], at: usize) -> [T; GROUP] {
    if let Some(whole) = from[at..].first_chunk() {
        return *whole;
    }
    let mut part = [T::ZERO; GROUP];
    part[..from.len() - at].copy_from_slice(&from[at..]);
    part
}

/// Writes the first `width` numbers of a group to `to`, from `at` on.
#[inline(always)]
fn put<T: Scalar>(group: &[T; GROUP], width: usize, to: &mut [T], at: usize) {
    if width == GROUP {
        to[at..at + GROUP].copy_from_slice(group);
    } else {
        to[at..at + width].copy_from_slice(&group[..width]);
    }
}
