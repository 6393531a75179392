//! A recurrent network on some lanes: forward through time, and backward.
//!
//! ```text
//! e = tanh(x W_e + b_e)
//! r, z, n' = e W_i + b_i          r, z, q = h W_h + b_h          (r and z of both are added)
//! h <- n + z (h - n)              n = tanh(n' + sigmoid(r) q), z = sigmoid(z)
//! out = h W_o + b_o
//! ```
//!
//! A gated recurrent unit in the form of PyTorch (Cho et al. 2014, arXiv 1406.1078) behind one tanh layer. Everything
//! without recurrence is one product for a few steps, as many as fit the first-level cache; only `h W_h` goes step by step.

use super::{
    buffer::{Buffer, transpose},
    dots::add_dots,
    gates::{forget, remember},
    gemm::{Start, gemm, gemm_with},
    isa::Isa,
    products::{Activate, Slope, by_columns, from_columns, outer, rows, sum_columns, sum_rows},
    scalar::Scalar,
    tile::{Column, TILE},
};
use crate::{
    layout::{Activation, Core, Layout},
    prelude::*,
};

/// Extents of a recurrent network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GruShape {
    pub inputs: usize,
    pub embedding: usize,
    pub hidden: usize,
    /// Outputs of the policy's head, and the value behind them.
    pub outputs: usize,
}

/// The blocks of a [`GruShape`]'s layout, in the order of the flat vector.
const BLOCKS: usize = 8;

impl GruShape {
    /// The extents of a recurrent `layout`.
    ///
    /// # Panics
    /// If the layout is another one.
    pub fn new(layout: &Layout) -> Self {
        assert!(matches!(layout.core(), Core::Recurrent { .. }), "the policy has no memory");
        let dims = |block: usize| layout.blocks()[block].dims;
        let ([inputs, embedding], [hidden, outputs]) = (dims(0), dims(6));
        GruShape { inputs, embedding, hidden, outputs }
    }
}

/// Parameters made ready: transposes for the backward pass.
pub struct GruNet<T> {
    shape: GruShape,
    /// In the order of the flat vector: weight and bias of embedding, input gates, recurrent gates, head.
    parts: [Buffer<T>; BLOCKS],
    /// `[3 hidden, embedding]`
    input_transpose: Buffer<T>,
    /// `[3 hidden, hidden]`
    recurrent_transpose: Buffer<T>,
    /// `[outputs, hidden]`
    head_transpose: Buffer<T>,
    /// Free parameters of the head, `[act_dim]` or none.
    pub log_std: Vec<T>,
}

impl<T: Scalar> GruNet<T> {
    /// The network of a flat vector.
    pub fn new(layout: &Layout, flat: &[T]) -> Self {
        let shape = GruShape::new(layout);
        let parts: [Buffer<T>; BLOCKS] = core::array::from_fn(|i| Buffer::of(&flat[layout.blocks()[i].range.clone()]));
        GruNet {
            input_transpose: transpose(&parts[2], 3 * shape.hidden),
            recurrent_transpose: transpose(&parts[4], 3 * shape.hidden),
            head_transpose: transpose(&parts[6], shape.outputs),
            log_std: layout.log_std().map_or_else(Vec::new, |range| flat[range].to_vec()),
            shape,
            parts,
        }
    }
}

/// Sums of parameter derivatives, in the order of the flat vector.
pub struct GruGradient<T> {
    shape: GruShape,
    parts: [Buffer<T>; BLOCKS],
    /// The head's weights, `[outputs, hidden]`; their place among the parts is filled in at the end.
    head: Buffer<T>,
    pub log_std: Vec<T>,
}

impl<T: Scalar> GruGradient<T> {
    pub fn zero(net: &GruNet<T>) -> Self {
        let parts = core::array::from_fn(|i| Buffer::zeros(net.parts[i].len()));
        let head = Buffer::zeros(net.parts[6].len());
        GruGradient { shape: net.shape, parts, head, log_std: vec![T::ZERO; net.log_std.len()] }
    }

    /// The flat vector, `[num_params]`.
    pub fn flat(mut self) -> Vec<T> {
        self.parts[6] = transpose(&self.head, self.shape.hidden);
        self.parts.iter().flat_map(|part| part.iter()).chain(&self.log_std).copied().collect()
    }
}

/// The activations of some steps of some lanes, rows by step and then by lane, and the work space of a few steps.
pub struct GruState<T> {
    lanes: usize,
    /// Number of steps that go together.
    block: usize,
    /// `[steps * lanes, embedding]`
    e: Buffer<T>,
    /// Gates by the input; then r, z and n, `[steps * lanes, 3 hidden]`.
    gates: Buffer<T>,
    /// The last third of the gates by the memory, `[steps * lanes, hidden]`.
    q: Buffer<T>,
    /// The memory before the first step, then after each, `[(steps + 1) * lanes, hidden]`.
    h: Buffer<T>,
    /// Gates of a step by the memory, `[lanes, 3 hidden]`.
    recalled: Buffer<T>,
    /// Derivatives by the gates, by those of the memory and by the embedding's sums, `[block * lanes, _]`.
    d_gates: Buffer<T>,
    d_recalled: Buffer<T>,
    d_e: Buffer<T>,
    /// `[lanes, hidden]`
    carry: Buffer<T>,
}

impl<T: Scalar> GruState<T> {
    /// Room for `steps` steps of `lanes` lanes; for the backward pass, too, if `learns`.
    pub fn new(shape: GruShape, steps: usize, lanes: usize, learns: bool) -> Self {
        let count = steps * lanes;
        let block = (TILE / lanes).clamp(1, steps.max(1));
        let learned = if learns { block * lanes } else { 0 };
        GruState {
            lanes,
            block,
            e: Buffer::zeros(count * shape.embedding),
            gates: Buffer::zeros(count * 3 * shape.hidden),
            q: Buffer::zeros(count * shape.hidden),
            h: Buffer::zeros((count + lanes) * shape.hidden),
            recalled: Buffer::zeros(lanes * 3 * shape.hidden),
            d_gates: Buffer::zeros(learned * 3 * shape.hidden),
            d_recalled: Buffer::zeros(learned * 3 * shape.hidden),
            d_e: Buffer::zeros(learned * shape.embedding),
            carry: Buffer::zeros(if learns { lanes * shape.hidden } else { 0 }),
        }
    }

    /// The memory before the first step, `[lanes, hidden]`, to be set.
    pub fn memory_mut(&mut self, shape: GruShape) -> &mut [T] {
        &mut self.h[..self.lanes * shape.hidden]
    }

    /// The memory before the first step, `[lanes, hidden]`.
    pub fn memory(&self, shape: GruShape) -> &[T] {
        &self.h[..self.lanes * shape.hidden]
    }

    /// Makes the memory after `steps` steps that before the first one.
    pub fn move_on(&mut self, shape: GruShape, steps: usize) {
        let width = self.lanes * shape.hidden;
        self.h.copy_within(steps * width..(steps + 1) * width, 0);
    }

    /// True if there is room for `steps` steps of exactly `lanes` lanes.
    pub fn fits(&self, shape: GruShape, steps: usize, lanes: usize) -> bool {
        self.lanes == lanes && self.e.len() >= steps * lanes * shape.embedding
    }

    /// The memory after each of `steps` steps, `[steps * lanes, hidden]`.
    pub fn after(&self, shape: GruShape, steps: usize) -> &[T] {
        &self.h[self.lanes * shape.hidden..][..steps * self.lanes * shape.hidden]
    }
}

/// Goes through `steps` steps with inputs `x` `[steps * lanes, inputs]`.
#[inline(always)]
pub fn forward<T: Scalar>(isa: Isa, net: &GruNet<T>, x: &[T], steps: usize, state: &mut GruState<T>) {
    let GruShape { inputs, embedding, hidden, .. } = net.shape;
    let [we, be, wi, bi, wh, bh, ..] = &net.parts;
    let GruState { lanes, block, e, gates, q, h, recalled, .. } = state;
    let lanes = *lanes;
    for first in (0..steps).step_by(*block) {
        let last = steps.min(first + *block);
        let (at, count) = (first * lanes, (last - first) * lanes);
        let e = &mut e[at * embedding..][..count * embedding];
        let x = rows(&x[at * inputs..][..count * inputs], inputs, we);
        gemm_with(isa, Start::Row(be), [x], e, [count, embedding], &mut Activate(Activation::Tanh));
        let given = &mut gates[at * 3 * hidden..][..count * 3 * hidden];
        gemm(isa, Start::Row(bi), [rows(e, embedding, wi)], given, [count, 3 * hidden]);
        for t in first..last {
            let (before, after) = h[t * lanes * hidden..].split_at_mut(lanes * hidden);
            gemm(isa, Start::Row(bh), [rows(before, hidden, wh)], recalled, [lanes, 3 * hidden]);
            for lane in 0..lanes {
                let row = t * lanes + lane;
                remember(
                    &mut gates[row * 3 * hidden..][..3 * hidden],
                    &recalled[lane * 3 * hidden..][..3 * hidden],
                    (&before[lane * hidden..][..hidden], &mut after[lane * hidden..][..hidden]),
                    &mut q[row * hidden..][..hidden],
                );
            }
        }
    }
}

/// Adds the derivatives by the parameters below the head to `gradient`. `dh` `[steps * lanes, hidden]` are the
/// derivatives of the loss by the memory after each step through the outputs alone; `state` is what [`forward`] left.
#[inline(always)]
pub fn backward<T: Scalar>(
    isa: Isa,
    net: &GruNet<T>,
    x: &[T],
    steps: usize,
    dh: &[T],
    state: &mut GruState<T>,
    gradient: &mut GruGradient<T>,
) {
    let GruShape { inputs, embedding, hidden, .. } = net.shape;
    let GruState { lanes, block, e, gates, q, h, d_gates, d_recalled, d_e, carry, .. } = state;
    let lanes = *lanes;
    let [ge, gbe, gi, gbi, gh, gbh, ..] = &mut gradient.parts;
    carry.fill(T::ZERO);
    for first in (0..steps).step_by(*block).rev() {
        let last = steps.min(first + *block);
        let (at, count) = (first * lanes, (last - first) * lanes);
        for t in (first..last).rev() {
            for lane in 0..lanes {
                let (row, here) = (t * lanes + lane, (t - first) * lanes + lane);
                forget(
                    (&gates[row * 3 * hidden..][..3 * hidden], &q[row * hidden..][..hidden]),
                    (&h[row * hidden..][..hidden], &dh[row * hidden..][..hidden]),
                    &mut carry[lane * hidden..][..hidden],
                    (
                        &mut d_gates[here * 3 * hidden..][..3 * hidden],
                        &mut d_recalled[here * 3 * hidden..][..3 * hidden],
                    ),
                );
            }
            let of_step = &d_recalled[(t - first) * lanes * 3 * hidden..][..lanes * 3 * hidden];
            let through = rows(of_step, 3 * hidden, &net.recurrent_transpose);
            gemm(isa, Start::Sum, [through], carry, [lanes, hidden]);
        }
        let (d_gates, d_recalled) = (&d_gates[..count * 3 * hidden], &d_recalled[..count * 3 * hidden]);
        let (x, e) = (&x[at * inputs..][..count * inputs], &e[at * embedding..][..count * embedding]);
        let h = &h[at * hidden..][..count * hidden];
        gemm(isa, Start::Sum, [outer(h, hidden, d_recalled, count)], gh, [hidden, 3 * hidden]);
        sum_rows(isa, d_recalled, gbh);
        gemm(isa, Start::Sum, [outer(e, embedding, d_gates, count)], gi, [embedding, 3 * hidden]);
        sum_rows(isa, d_gates, gbi);
        let d_e = &mut d_e[..count * embedding];
        let through = rows(d_gates, 3 * hidden, &net.input_transpose);
        gemm_with(isa, Start::Zero, [through], d_e, [count, embedding], &mut Slope(Activation::Tanh, e));
        gemm(isa, Start::Sum, [outer(x, inputs, d_e, count)], ge, [inputs, embedding]);
        sum_rows(isa, d_e, gbe);
    }
}

/// Outputs of `n` memories `h` `[n, hidden]`, at most a tile, by column, `[outputs]`.
#[inline(always)]
pub fn head<T: Scalar>(isa: Isa, net: &GruNet<T>, h: &[T], n: usize, out: &mut [Column<T>]) {
    out.iter_mut().zip(&net.parts[7][..]).for_each(|(out, bias)| *out = [*bias; TILE]);
    add_dots(isa, h, &net.head_transpose, n, out);
}

/// Adds the derivatives by the head for outputs with derivatives `d_out` `[outputs]` of memories `h` `[n, hidden]`, at
/// most a tile, and sets those by the memories, `dh` `[n, hidden]`.
#[inline(always)]
pub fn head_backward<T: Scalar>(
    isa: Isa,
    net: &GruNet<T>,
    (h, n): (&[T], usize),
    d_out: &[Column<T>],
    dh: &mut [T],
    gradient: &mut GruGradient<T>,
) {
    let GruShape { hidden, outputs, .. } = net.shape;
    gemm(isa, Start::Sum, [by_columns(d_out, h, n)], &mut gradient.head, [outputs, hidden]);
    sum_columns(d_out, n, &mut gradient.parts[7]);
    gemm(isa, Start::Zero, [from_columns(d_out, &net.head_transpose)], dh, [n, hidden]);
}
