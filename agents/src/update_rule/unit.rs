//! The network of a learned rule: a gated recurrent unit with one output, and its derivatives.
//!
//! ```text
//! r, z  = sigmoid(b + x W + h U)          of the gates r and z
//! q     = h U                             of the gate n
//! n     = tanh(b + x W + r q)
//! next  = n + z (h - n)
//! out   = next . w + c
//! ```

use super::{GATES, HIDDEN, OWN, SHARED};
use crate::native::Scalar;

/// Coordinates that are computed together.
pub(crate) const LANES: usize = 16;

// the loops use no closures: one that is not inlined would be compiled without vector instructions
pub(crate) type Lanes<T> = [T; LANES];

/// A unit for coordinates that share some inputs.
pub(crate) struct Unit<'a, T> {
    /// Weights of the own inputs, `[OWN, GATES]`.
    input: &'a [T],
    /// Weights of the memory, `[HIDDEN, GATES]`.
    memory: &'a [T],
    /// Bias of the gates with the part of the shared inputs.
    bias: [T; GATES],
    /// Weights of the output, then its bias.
    head: &'a [T],
}

impl<'a, T: Scalar> Unit<'a, T> {
    #[inline(always)]
    pub fn new(weights: &'a [T], shared: &[T; SHARED]) -> Self {
        let (input, rest) = weights.split_at((OWN + SHARED) * GATES);
        let (memory, rest) = rest.split_at(HIDDEN * GATES);
        let (bias, head) = rest.split_at(GATES);
        let mut sum = [T::ZERO; GATES];
        for gate in 0..GATES {
            sum[gate] = bias[gate];
            for (i, shared) in shared.iter().enumerate() {
                sum[gate] = shared.mul_add(input[(OWN + i) * GATES + gate], sum[gate]);
            }
        }
        Unit { input, memory, bias: sum, head }
    }

    /// The gates r, z and n of one of the memories, and q.
    #[inline(always)]
    fn gates(&self, unit: usize, x: &[Lanes<T>; OWN], h: &[Lanes<T>; HIDDEN]) -> [Lanes<T>; 4] {
        let (mut r, mut z) = (self.gate(unit, x, h), self.gate(HIDDEN + unit, x, h));
        let at = 2 * HIDDEN + unit;
        let mut n = product(self.input, at, x, [self.bias[at]; LANES]);
        let q = product(self.memory, at, h, [T::ZERO; LANES]);
        for i in 0..LANES {
            (r[i], z[i]) = (sigmoid(r[i]), sigmoid(z[i]));
            n[i] = r[i].mul_add(q[i], n[i]).tanh();
        }
        [r, z, n, q]
    }

    /// The memories after the inputs `x`.
    #[inline(always)]
    fn remember(&self, x: &[Lanes<T>; OWN], h: &[Lanes<T>; HIDDEN]) -> [Lanes<T>; HIDDEN] {
        let mut next = [[T::ZERO; LANES]; HIDDEN];
        for unit in 0..HIDDEN {
            let [_, z, n, _] = self.gates(unit, x, h);
            for i in 0..LANES {
                next[unit][i] = z[i].mul_add(h[unit][i] - n[i], n[i]);
            }
        }
        next
    }

    #[inline(always)]
    fn gate(&self, gate: usize, x: &[Lanes<T>; OWN], h: &[Lanes<T>; HIDDEN]) -> Lanes<T> {
        product(self.memory, gate, h, product(self.input, gate, x, [self.bias[gate]; LANES]))
    }

    /// Brings the memories of `width` coordinates from `at` on up to date, which are the rows from `row` on of `memory`
    /// `[_, count]`; returns the outputs.
    #[inline(always)]
    pub fn advance(
        &self,
        x: &[Lanes<T>; OWN],
        memory: &mut [T],
        (row, count): (usize, usize),
        (at, width): (usize, usize),
    ) -> Lanes<T> {
        let next = self.remember(x, &rows(memory, (row, count), (at, width)));
        put_rows(&next, memory, (row, count), (at, width));
        self.answer(&next)
    }

    #[inline(always)]
    fn answer(&self, h: &[Lanes<T>; HIDDEN]) -> Lanes<T> {
        let mut sum = [self.head[HIDDEN]; LANES];
        for (weight, h) in self.head.iter().zip(h) {
            for i in 0..LANES {
                sum[i] = weight.mul_add(h[i], sum[i]);
            }
        }
        sum
    }

    /// The output, and the memories after the inputs `x`.
    #[inline(always)]
    pub fn look(&self, x: &[Lanes<T>; OWN], h: &[Lanes<T>; HIDDEN]) -> (Lanes<T>, [Lanes<T>; HIDDEN]) {
        let next = self.remember(x, h);
        (self.answer(&next), next)
    }

    /// Takes derivatives of a number by the output, and by the memories `next` after the step, back to the inputs `x` and
    /// the memories `h` before; adds those by the weights to `slopes`.
    #[inline(always)]
    pub fn pull_back(
        &self,
        (x, h): (&[Lanes<T>; OWN], &[Lanes<T>; HIDDEN]),
        next: &[Lanes<T>; HIDDEN],
        (by_out, by_next): (&Lanes<T>, &[Lanes<T>; HIDDEN]),
        slopes: &mut Slopes<T>,
    ) -> ([Lanes<T>; OWN], [Lanes<T>; HIDDEN]) {
        let (mut by_x, mut by_h) = ([[T::ZERO; LANES]; OWN], [[T::ZERO; LANES]; HIDDEN]);
        for unit in 0..HIDDEN {
            let [r, z, n, q] = self.gates(unit, x, h);
            let [mut to_r, mut to_z, mut to_n, mut to_q] = [[T::ZERO; LANES]; 4];
            for i in 0..LANES {
                let d = self.head[unit].mul_add(by_out[i], by_next[unit][i]);
                slopes.head[unit][i] += next[unit][i] * by_out[i];
                by_h[unit][i] += d * z[i];
                to_n[i] = d * (T::ONE - z[i]) * (T::ONE - n[i] * n[i]);
                to_z[i] = d * (h[unit][i] - n[i]) * z[i] * (T::ONE - z[i]);
                to_q[i] = to_n[i] * r[i];
                to_r[i] = to_n[i] * q[i] * r[i] * (T::ONE - r[i]);
            }
            for (gate, to_input, to_memory) in
                [(unit, &to_r, &to_r), (HIDDEN + unit, &to_z, &to_z), (2 * HIDDEN + unit, &to_n, &to_q)]
            {
                add(&mut slopes.bias[gate], to_input);
                spread(self.input, gate, x, to_input, (&mut slopes.input, &mut by_x));
                spread(self.memory, gate, h, to_memory, (&mut slopes.memory, &mut by_h));
            }
        }
        add(&mut slopes.head[HIDDEN], by_out);
        (by_x, by_h)
    }
}

/// Derivatives by the weights of a unit, by lanes, for coordinates that share some inputs.
pub(crate) struct Slopes<T> {
    input: [Lanes<T>; OWN * GATES],
    memory: [Lanes<T>; HIDDEN * GATES],
    bias: [Lanes<T>; GATES],
    head: [Lanes<T>; HIDDEN + 1],
}

impl<T: Scalar> Slopes<T> {
    #[inline(always)]
    pub fn zero() -> Self {
        let zero = [T::ZERO; LANES];
        Slopes {
            input: [zero; OWN * GATES],
            memory: [zero; HIDDEN * GATES],
            bias: [zero; GATES],
            head: [zero; HIDDEN + 1],
        }
    }

    /// Adds the sums over the lanes to `weights`, in their order; `shared` are the inputs that the coordinates share.
    #[inline(always)]
    pub fn add_to(&self, weights: &mut [T], shared: &[T; SHARED]) {
        let (input, rest) = weights.split_at_mut(OWN * GATES);
        let (of_shared, rest) = rest.split_at_mut(SHARED * GATES);
        let (memory, rest) = rest.split_at_mut(HIDDEN * GATES);
        let (bias, head) = rest.split_at_mut(GATES);
        collect(&self.input, input);
        collect(&self.memory, memory);
        collect(&self.head, head);
        for gate in 0..GATES {
            let sum = total(&self.bias[gate]);
            bias[gate] += sum;
            for (i, shared) in shared.iter().enumerate() {
                of_shared[i * GATES + gate] += *shared * sum;
            }
        }
    }
}

#[inline(always)]
fn collect<T: Scalar>(from: &[Lanes<T>], to: &mut [T]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += total(from);
    }
}

#[inline(always)]
fn total<T: Scalar>(lanes: &Lanes<T>) -> T {
    let mut sum = T::ZERO;
    for x in lanes {
        sum += *x;
    }
    sum
}

#[inline(always)]
fn add<T: Scalar>(to: &mut Lanes<T>, x: &Lanes<T>) {
    for i in 0..LANES {
        to[i] += x[i];
    }
}

/// The derivatives of column `gate` of `weights` `[ROWS, GATES]` times `x` `[ROWS]`, by both, where `by` is that by the
/// product.
#[inline(always)]
fn spread<T: Scalar, const ROWS: usize>(
    weights: &[T],
    gate: usize,
    x: &[Lanes<T>; ROWS],
    by: &Lanes<T>,
    (by_weights, by_x): (&mut [Lanes<T>], &mut [Lanes<T>; ROWS]),
) {
    for row in 0..ROWS {
        let at = row * GATES + gate;
        for i in 0..LANES {
            by_weights[at][i] = x[row][i].mul_add(by[i], by_weights[at][i]);
            by_x[row][i] = weights[at].mul_add(by[i], by_x[row][i]);
        }
    }
}

/// The sum `start` + column `gate` of `weights` `[rows, GATES]` times `x` `[rows]`.
#[inline(always)]
fn product<T: Scalar, const ROWS: usize>(
    weights: &[T],
    gate: usize,
    x: &[Lanes<T>; ROWS],
    start: Lanes<T>,
) -> Lanes<T> {
    let mut sum = start;
    for (row, x) in x.iter().enumerate() {
        let weight = weights[row * GATES + gate];
        for i in 0..LANES {
            sum[i] = weight.mul_add(x[i], sum[i]);
        }
    }
    sum
}

#[inline(always)]
fn sigmoid<T: Scalar>(x: T) -> T {
    let half = T::of(0.5);
    (half * x).tanh().mul_add(half, half)
}

/// The rows from `row` on of `memory` `[_, count]`, `width` numbers from `at` on.
#[inline(always)]
pub(crate) fn rows<T: Scalar, const ROWS: usize>(
    memory: &[T],
    (row, count): (usize, usize),
    (at, width): (usize, usize),
) -> [Lanes<T>; ROWS] {
    let mut rows = [[T::ZERO; LANES]; ROWS];
    for (i, lane) in rows.iter_mut().enumerate() {
        *lane = lanes(memory, (row + i) * count + at, width);
    }
    rows
}

/// The inverse of [`rows`].
#[inline(always)]
pub(crate) fn put_rows<T: Scalar>(
    rows: &[Lanes<T>],
    memory: &mut [T],
    (row, count): (usize, usize),
    (at, width): (usize, usize),
) {
    for (i, lane) in rows.iter().enumerate() {
        put(lane, memory, (row + i) * count + at, width);
    }
}

/// The `width` numbers from `at` on; what lies behind them is 0.
#[inline(always)]
pub(crate) fn lanes<T: Scalar>(from: &[T], at: usize, width: usize) -> Lanes<T> {
    let mut lanes = [T::ZERO; LANES];
    if width == LANES {
        lanes.copy_from_slice(&from[at..at + LANES]);
    } else {
        lanes[..width].copy_from_slice(&from[at..at + width]);
    }
    lanes
}

#[inline(always)]
pub(crate) fn put<T: Scalar>(lanes: &Lanes<T>, to: &mut [T], at: usize, width: usize) {
    if width == LANES {
        to[at..at + LANES].copy_from_slice(lanes);
    } else {
        to[at..at + width].copy_from_slice(&lanes[..width]);
    }
}
