//! A tanh network on a tile of samples: forward, backward, and the same two differentiated along a direction
//! (Pearlmutter's R-operator, 1994: "Fast exact multiplication by the Hessian").
//!
//! Everything about a tile fits into the second-level cache, most of it into the first. `d` names derivatives of the
//! loss, `r` derivatives along the direction.

use super::{
    gemm::{Extents, Isa, Strided, gemm_add},
    scalar::Scalar,
};
use crate::layout::Layout;

/// Samples in a tile.
pub(super) const TILE: usize = 64;

/// Columns of head outputs in memory: a multiple of this many, so that they make whole vectors.
const PAD: usize = 8;

/// Parameters made ready: transposes for the backward pass, the head padded to whole vectors.
pub(super) struct Net<T> {
    /// `[in, out]` of each hidden layer.
    weights: Vec<Vec<T>>,
    /// `[out, in]` of each hidden layer but the first, whose input has no derivative.
    transposes: Vec<Vec<T>>,
    /// `[out]` of each hidden layer.
    biases: Vec<Vec<T>>,
    /// `[in, padded outputs]`
    head: Vec<T>,
    /// `[outputs, in]`
    head_transpose: Vec<T>,
    /// `[padded outputs]`
    head_bias: Vec<T>,
    /// Free parameters of the head, `[act_dim]` or none.
    pub log_std: Vec<T>,
}

/// Extents of a network.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// Width of the input, then of each hidden layer.
    widths: Vec<usize>,
    outputs: usize,
    /// Outputs in memory, a multiple of [`PAD`].
    pub padded: usize,
}

impl Shape {
    pub fn new(layout: &Layout) -> Self {
        let widths = (0..layout.num_layers()).map(|l| layout.blocks()[2 * l].dims[0]).collect();
        let outputs = layout.head().outputs();
        Shape { widths, outputs, padded: outputs.next_multiple_of(PAD) }
    }

    fn hidden(&self) -> usize {
        self.widths.len() - 1
    }

    /// Width of the head's input.
    fn last(&self) -> usize {
        self.widths[self.hidden()]
    }
}

impl<T: Scalar> Net<T> {
    /// From a flat vector of parameters, or of directions in parameter space.
    pub fn new(layout: &Layout, shape: &Shape, flat: &[T]) -> Self {
        let block = |i: usize| &flat[layout.blocks()[i].range.clone()];
        let hidden = shape.hidden();
        let transpose = |w: &[T], columns: usize| -> Vec<T> {
            let rows = w.len() / columns;
            (0..w.len()).map(|n| w[n % rows * columns + n / rows]).collect()
        };
        let pad = |w: &[T]| -> Vec<T> {
            let rows = w.chunks_exact(shape.outputs);
            rows.flat_map(|row| (0..shape.padded).map(move |j| row.get(j).copied().unwrap_or(T::ZERO))).collect()
        };
        Net {
            weights: (0..hidden).map(|l| block(2 * l).to_vec()).collect(),
            transposes: (0..hidden).map(|l| transpose(block(2 * l), shape.widths[l + 1])).collect(),
            biases: (0..hidden).map(|l| block(2 * l + 1).to_vec()).collect(),
            head: pad(block(2 * hidden)),
            head_transpose: transpose(block(2 * hidden), shape.outputs),
            head_bias: pad(block(2 * hidden + 1)),
            log_std: layout.log_std().map_or_else(Vec::new, |range| flat[range].to_vec()),
        }
    }
}

/// Sums of parameter derivatives over samples, in the kernel's own order; [`Gradient::add_to`] gives the flat one.
pub(super) struct Gradient<T> {
    weights: Vec<Vec<T>>,
    biases: Vec<Vec<T>>,
    head_transpose: Vec<T>,
    head_bias: Vec<T>,
    pub log_std: Vec<T>,
}

impl<T: Scalar> Gradient<T> {
    pub fn zero(shape: &Shape, log_std: usize) -> Self {
        let hidden = shape.hidden();
        Gradient {
            weights: (0..hidden).map(|l| vec![T::ZERO; shape.widths[l] * shape.widths[l + 1]]).collect(),
            biases: (0..hidden).map(|l| vec![T::ZERO; shape.widths[l + 1]]).collect(),
            head_transpose: vec![T::ZERO; shape.outputs * shape.last()],
            head_bias: vec![T::ZERO; shape.padded],
            log_std: vec![T::ZERO; log_std],
        }
    }

    /// The flat vector, `[num_params]`.
    pub fn flat(&self, layout: &Layout, shape: &Shape) -> Vec<T> {
        let mut flat = Vec::with_capacity(layout.num_params());
        for (w, b) in self.weights.iter().zip(&self.biases) {
            flat.extend_from_slice(w);
            flat.extend_from_slice(b);
        }
        let last = shape.last();
        flat.extend((0..last * shape.outputs).map(|n| {
            let (i, j) = (n / shape.outputs, n % shape.outputs);
            self.head_transpose[j * last + i]
        }));
        flat.extend_from_slice(&self.head_bias[..shape.outputs]);
        flat.extend_from_slice(&self.log_std);
        flat
    }
}

/// Work space for one tile.
pub(super) struct Tile<T> {
    isa: Isa,
    shape: Shape,
    /// Activations of the hidden layers, `[TILE, width]`.
    h: Vec<Vec<T>>,
    rh: Vec<Vec<T>>,
    /// Derivatives of the loss by the layers' sums, `[TILE, width]`.
    d: Vec<Vec<T>>,
    rd: Vec<Vec<T>>,
    /// Head outputs, `[TILE, padded]`.
    pub out: Vec<T>,
    pub r_out: Vec<T>,
    /// Derivatives of the loss by the head outputs; the caller sets them, `[TILE, padded]`.
    pub d_out: Vec<T>,
    pub rd_out: Vec<T>,
}

impl<T: Scalar> Tile<T> {
    pub fn new(shape: &Shape, isa: Isa) -> Self {
        let layers = || shape.widths[1..].iter().map(|w| vec![T::ZERO; TILE * w]).collect::<Vec<_>>();
        let outputs = || vec![T::ZERO; TILE * shape.padded];
        Tile {
            isa,
            shape: shape.clone(),
            h: layers(),
            rh: layers(),
            d: layers(),
            rd: layers(),
            out: outputs(),
            r_out: outputs(),
            d_out: outputs(),
            rd_out: outputs(),
        }
    }

    /// `out` of `n` samples `x` `[n, obs_dim]`.
    #[inline(always)]
    pub fn forward(&mut self, net: &Net<T>, x: &[T], n: usize) {
        let (isa, shape) = (self.isa, &self.shape);
        for l in 0..shape.hidden() {
            let (below, here) = self.h.split_at_mut(l);
            let input = below.last().map_or(x, |h| h);
            let h = &mut here[0][..n * shape.widths[l + 1]];
            affine(isa, input, &net.weights[l], &net.biases[l], h, n, shape.widths[l]);
            h.iter_mut().for_each(|v| *v = v.tanh());
        }
        let input = self.h.last().map_or(x, |h| h);
        affine(isa, input, &net.head, &net.head_bias, &mut self.out, n, shape.last());
    }

    /// Adds the derivatives of the tile's loss, whose derivative by the outputs is `d_out`.
    #[inline(always)]
    pub fn backward(&mut self, net: &Net<T>, x: &[T], n: usize, gradient: &mut Gradient<T>) {
        let (isa, shape) = (self.isa, &self.shape);
        let (padded, last) = (shape.padded, shape.last());
        let input = self.h.last().map_or(x, |h| h);
        outer_add(isa, &self.d_out, padded, input, &mut gradient.head_transpose, [shape.outputs, n, last]);
        sum_rows(&self.d_out[..n * padded], &mut gradient.head_bias);
        for l in (0..shape.hidden()).rev() {
            let width = shape.widths[l + 1];
            let (here, above) = self.d.split_at_mut(l + 1);
            let d = &mut here[l][..n * width];
            d.fill(T::ZERO);
            match above.first() {
                None => product(isa, &self.d_out, padded, &net.head_transpose, d, [n, shape.outputs, width]),
                Some(above) => {
                    let outputs = shape.widths[l + 2];
                    product(isa, above, outputs, &net.transposes[l + 1], d, [n, outputs, width]);
                }
            }
            for (d, h) in d.iter_mut().zip(&self.h[l]) {
                *d = *d * (T::ONE - *h * *h);
            }
            let input = if l == 0 { x } else { &self.h[l - 1] };
            outer_add(isa, input, shape.widths[l], d, &mut gradient.weights[l], [shape.widths[l], n, width]);
            sum_rows(d, &mut gradient.biases[l]);
        }
    }

    /// `r_out`, the derivative of `out` along `direction`; after [`forward`](Self::forward) on the same tile.
    #[inline(always)]
    pub fn r_forward(&mut self, net: &Net<T>, direction: &Net<T>, x: &[T], n: usize) {
        let (isa, shape) = (self.isa, &self.shape);
        for l in 0..shape.hidden() {
            let (below, here) = self.rh.split_at_mut(l);
            let rh = &mut here[0][..n * shape.widths[l + 1]];
            let input = if l == 0 { x } else { &self.h[l - 1] };
            affine(isa, input, &direction.weights[l], &direction.biases[l], rh, n, shape.widths[l]);
            if let Some(r_input) = below.last() {
                let (inner, width) = (shape.widths[l], shape.widths[l + 1]);
                product(isa, r_input, inner, &net.weights[l], rh, [n, inner, width]);
            }
            for (rh, h) in rh.iter_mut().zip(&self.h[l]) {
                *rh = *rh * (T::ONE - *h * *h);
            }
        }
        let (last, input) = (shape.last(), self.h.last().map_or(x, |h| h));
        affine(isa, input, &direction.head, &direction.head_bias, &mut self.r_out, n, last);
        if let Some(r_input) = self.rh.last() {
            product(isa, r_input, last, &net.head, &mut self.r_out, [n, last, shape.padded]);
        }
    }

    /// Adds the derivative of [`backward`](Self::backward)'s gradient along `direction`: the Hessian times it. `rd_out`
    /// is the derivative of `d_out` along it.
    #[inline(always)]
    pub fn r_backward(&mut self, net: &Net<T>, direction: &Net<T>, x: &[T], n: usize, gradient: &mut Gradient<T>) {
        let (isa, shape) = (self.isa, &self.shape);
        let (padded, outputs, last) = (shape.padded, shape.outputs, shape.last());
        let input = self.h.last().map_or(x, |h| h);
        outer_add(isa, &self.rd_out, padded, input, &mut gradient.head_transpose, [outputs, n, last]);
        if let Some(r_input) = self.rh.last() {
            outer_add(isa, &self.d_out, padded, r_input, &mut gradient.head_transpose, [outputs, n, last]);
        }
        sum_rows(&self.rd_out[..n * padded], &mut gradient.head_bias);
        for l in (0..shape.hidden()).rev() {
            let width = shape.widths[l + 1];
            let (d_here, d_above) = self.d.split_at_mut(l + 1);
            let (rd_here, rd_above) = self.rd.split_at_mut(l + 1);
            let (d, rd) = (&mut d_here[l][..n * width], &mut rd_here[l][..n * width]);
            d.fill(T::ZERO);
            rd.fill(T::ZERO);
            let (above, r_above, stride, inner, w, rw) = match (d_above.first(), rd_above.first()) {
                (Some(above), Some(r_above)) => {
                    let outputs = shape.widths[l + 2];
                    (above, r_above, outputs, outputs, &net.transposes[l + 1], &direction.transposes[l + 1])
                }
                _ => (&self.d_out, &self.rd_out, padded, outputs, &net.head_transpose, &direction.head_transpose),
            };
            product(isa, above, stride, w, d, [n, inner, width]);
            product(isa, r_above, stride, w, rd, [n, inner, width]);
            product(isa, above, stride, rw, rd, [n, inner, width]);
            let (two, layer) = (T::of(2.0), self.h[l].iter().zip(&self.rh[l]));
            for ((d, rd), (h, rh)) in d.iter_mut().zip(rd.iter_mut()).zip(layer) {
                let slope = T::ONE - *h * *h;
                *rd = *rd * slope - two * *h * *rh * *d;
                *d = *d * slope;
            }
            let input = if l == 0 { x } else { &self.h[l - 1] };
            outer_add(isa, input, shape.widths[l], rd, &mut gradient.weights[l], [shape.widths[l], n, width]);
            if l > 0 {
                outer_add(
                    isa,
                    &self.rh[l - 1],
                    shape.widths[l],
                    d,
                    &mut gradient.weights[l],
                    [shape.widths[l], n, width],
                );
            }
            sum_rows(rd, &mut gradient.biases[l]);
        }
    }
}

/// `y` `[n, out] = x` `[n, inputs] w` `[inputs, out] + b` `[out]`.
#[inline(always)]
fn affine<T: Scalar>(isa: Isa, x: &[T], w: &[T], b: &[T], y: &mut [T], n: usize, inputs: usize) {
    for row in y.chunks_exact_mut(b.len()).take(n) {
        row.copy_from_slice(b);
    }
    product(isa, x, inputs, w, y, [n, inputs, b.len()]);
}

/// `y` `[rows, columns] += x w`, where `x` has rows of length `stride`, of which the first `inner` count.
#[inline(always)]
fn product<T: Scalar>(isa: Isa, x: &[T], stride: usize, w: &[T], y: &mut [T], [rows, inner, columns]: [usize; 3]) {
    gemm_add(isa, Strided::rows(x, stride), w, y, Extents { rows, inner, columns });
}

/// `c` `[rows, columns] += aᵀ b` for `a` `[n, stride]`, of which the first `rows` columns count, and `b` `[n, columns]`.
#[inline(always)]
fn outer_add<T: Scalar>(isa: Isa, a: &[T], stride: usize, b: &[T], c: &mut [T], [rows, n, columns]: [usize; 3]) {
    gemm_add(isa, Strided::transposed(a, stride), b, c, Extents { rows, inner: n, columns });
}

/// `sum` `[width] += ` the rows of `x` `[n, width]`.
#[inline(always)]
fn sum_rows<T: Scalar>(x: &[T], sum: &mut [T]) {
    for row in x.chunks_exact(sum.len()) {
        for (sum, x) in sum.iter_mut().zip(row) {
            *sum += *x;
        }
    }
}
