//! A multilayer perceptron on a tile of samples: forward, backward, and the same two differentiated along a direction
//! (Pearlmutter's R-operator, 1994: "Fast exact multiplication by the Hessian").
//!
//! A tile's data fit into the second-level cache, and most of them into the first. `d` names derivatives of the loss,
//! `r` derivatives along the direction. [`State`] keeps the activations that the R-passes reuse, one for each tile.

use super::{
    buffer::Buffer,
    dots::add_dots,
    gemm::{Finish, Start, gemm, gemm_with},
    isa::Isa,
    net::{Gradient, Net, Shape, State, layers},
    products::{Activate, Slope, by_columns, from_columns, outer, passed, rows, sum_columns, sum_rows},
    scalar::Scalar,
    tile::{Column, TILE},
};
use crate::{layout::Activation, prelude::*};

/// Computes the head outputs `state.out` for `n` samples `x` `[n, obs_dim]`, at most a tile.
#[inline(always)]
pub fn forward<T: Scalar>(isa: Isa, shape: &Shape, net: &Net<T>, x: &[T], n: usize, state: &mut State<T>) {
    for l in 0..shape.hidden() {
        let (below, here) = state.h.split_at_mut(l);
        let input = below.last().map_or(x, |h| h);
        let h = &mut here[0][..n * shape.widths[l + 1]];
        let product = rows(input, shape.widths[l], &net.weights[l]);
        let finish = &mut Activate(shape.activation);
        gemm_with(isa, Start::Row(&net.biases[l]), [product], h, [n, shape.widths[l + 1]], finish);
    }
    state.out.iter_mut().zip(&net.head_bias).for_each(|(out, bias)| *out = [*bias; TILE]);
    add_dots(isa, state.h.last().map_or(x, |h| h), &net.head, n, &mut state.out);
}

/// Work space for one tile at a time.
pub struct Work<T> {
    pub isa: Isa,
    shape: Shape,
    /// Derivatives of the loss by the layers' sums, `[TILE, width]`.
    d: Vec<Buffer<T>>,
    rd: Vec<Buffer<T>>,
    rh: Vec<Buffer<T>>,
    /// Derivatives of the head outputs along the direction, `[outputs]`.
    pub r_out: Vec<Column<T>>,
    /// Derivatives of `d_out` along the direction, set by the caller, `[outputs]`.
    pub rd_out: Vec<Column<T>>,
}

impl<T: Scalar> Work<T> {
    pub fn new(shape: &Shape, isa: Isa) -> Self {
        let outputs = || vec![[T::ZERO; TILE]; shape.outputs];
        Work {
            isa,
            shape: shape.clone(),
            d: layers(shape),
            rd: layers(shape),
            rh: layers(shape),
            r_out: outputs(),
            rd_out: outputs(),
        }
    }

    /// Computes the head outputs, as [`forward`].
    #[inline(always)]
    pub fn forward(&self, net: &Net<T>, x: &[T], n: usize, state: &mut State<T>) {
        forward(self.isa, &self.shape, net, x, n, state);
    }

    /// Adds the gradient of the tile's loss to `gradient`; `state.d_out` is the loss's derivative by the outputs.
    #[inline(always)]
    pub fn backward(&mut self, net: &Net<T>, x: &[T], n: usize, state: &mut State<T>, gradient: &mut Gradient<T>) {
        let isa = self.isa;
        let shape = &self.shape;
        let input = state.h.last().map_or(x, |h| h);
        let last = shape.last();
        gemm(isa, Start::Sum, [by_columns(&state.d_out, input, n)], &mut gradient.head, [shape.outputs, last]);
        sum_columns(&state.d_out, n, &mut gradient.head_bias);
        for l in (0..shape.hidden()).rev() {
            let width = shape.widths[l + 1];
            let (here, above) = self.d.split_at_mut(l + 1);
            let (d, dh) = (&mut here[l][..n * width], &mut state.dh[l][..n * width]);
            let product = match above.first() {
                None => from_columns(&state.d_out, &net.head),
                Some(above) => rows(above, shape.widths[l + 2], &net.transposes[l + 1]),
            };
            let finish = &mut Descend { activation: shape.activation, h: &state.h[l], d };
            gemm_with(isa, Start::Zero, [product], dh, [n, width], finish);
            let input = if l == 0 { x } else { &state.h[l - 1] };
            let outer = [outer(input, shape.widths[l], d, n)];
            gemm(isa, Start::Sum, outer, &mut gradient.weights[l], [shape.widths[l], width]);
            sum_rows(isa, d, &mut gradient.biases[l]);
        }
    }

    /// Writes the derivatives of the tile's loss by its inputs to `dx` `[n, obs_dim]`; call it after
    /// [`backward`](Self::backward).
    #[inline(always)]
    pub fn by_input(&self, net: &Net<T>, n: usize, state: &State<T>, dx: &mut [T]) {
        let product = match self.d.first() {
            None => from_columns(&state.d_out, &net.head),
            Some(d) => rows(d, self.shape.widths[1], &net.transposes[0]),
        };
        gemm(self.isa, Start::Zero, [product], dx, [n, self.shape.widths[0]]);
    }

    /// Sets `r_out` to the derivative of `out` along `direction`; `state` comes from [`forward`](Self::forward).
    #[inline(always)]
    pub fn r_forward(&mut self, net: &Net<T>, direction: &Net<T>, x: &[T], n: usize, state: &State<T>) {
        let isa = self.isa;
        let shape = &self.shape;
        for l in 0..shape.hidden() {
            let (below, here) = self.rh.split_at_mut(l);
            let width = shape.widths[l];
            let extents = [n, shape.widths[l + 1]];
            let rh = &mut here[0][..n * shape.widths[l + 1]];
            let input = if l == 0 { x } else { &state.h[l - 1] };
            let start = Start::Row(&direction.biases[l]);
            let moved = rows(input, width, &direction.weights[l]);
            let finish = &mut Slope(shape.activation, &state.h[l]);
            match below.last() {
                None => gemm_with(isa, start, [moved], rh, extents, finish),
                Some(r_input) => {
                    gemm_with(isa, start, [moved, rows(r_input, width, &net.weights[l])], rh, extents, finish);
                }
            }
        }
        let input = state.h.last().map_or(x, |h| h);
        self.r_out.iter_mut().zip(&direction.head_bias).for_each(|(out, bias)| *out = [*bias; TILE]);
        add_dots(isa, input, &direction.head, n, &mut self.r_out);
        if let Some(r_input) = self.rh.last() {
            add_dots(isa, r_input, &net.head, n, &mut self.r_out);
        }
    }

    /// Adds the derivative of [`backward`](Self::backward)'s gradient along `direction`, a Hessian-vector product.
    /// `rd_out` is the derivative of `d_out` along it; `state` comes from the forward and backward passes.
    #[inline(always)]
    pub fn r_backward(
        &mut self,
        net: &Net<T>,
        direction: &Net<T>,
        x: &[T],
        n: usize,
        state: &State<T>,
        gradient: &mut Gradient<T>,
    ) {
        let isa = self.isa;
        let shape = &self.shape;
        let input = state.h.last().map_or(x, |h| h);
        let moved = by_columns(&self.rd_out, input, n);
        let extents = [shape.outputs, shape.last()];
        match self.rh.last() {
            None => gemm(isa, Start::Sum, [moved], &mut gradient.head, extents),
            Some(r_input) => {
                gemm(isa, Start::Sum, [moved, by_columns(&state.d_out, r_input, n)], &mut gradient.head, extents);
            }
        }
        sum_columns(&self.rd_out, n, &mut gradient.head_bias);
        for l in (0..shape.hidden()).rev() {
            let width = shape.widths[l + 1];
            let (d_here, d_above) = self.d.split_at_mut(l + 1);
            let (rd_here, rd_above) = self.rd.split_at_mut(l + 1);
            let (d, rd) = (&mut d_here[l][..n * width], &mut rd_here[l][..n * width]);
            let products = match (d_above.first(), rd_above.first()) {
                (Some(above), Some(r_above)) => {
                    let outputs = shape.widths[l + 2];
                    [rows(r_above, outputs, &net.transposes[l + 1]), rows(above, outputs, &direction.transposes[l + 1])]
                }
                _ => [from_columns(&self.rd_out, &net.head), from_columns(&state.d_out, &direction.head)],
            };
            let activation = shape.activation;
            let finish = &mut RDescend { activation, h: &state.h[l], rh: &self.rh[l], dh: &state.dh[l], d };
            gemm_with(isa, Start::Zero, products, rd, [n, width], finish);
            let inputs = shape.widths[l];
            let extents = [shape.widths[l], width];
            let weights = &mut gradient.weights[l];
            if l == 0 {
                gemm(isa, Start::Sum, [outer(x, inputs, rd, n)], weights, extents);
            } else {
                let both = [outer(&state.h[l - 1], inputs, rd, n), outer(&self.rh[l - 1], inputs, d, n)];
                gemm(isa, Start::Sum, both, weights, extents);
            }
            sum_rows(isa, rd, &mut gradient.biases[l]);
        }
    }
}

/// Keeps the derivatives by a layer's activations, and writes those by its sums to `d`.
struct Descend<'a, T> {
    activation: Activation,
    h: &'a [T],
    d: &'a mut [T],
}

impl<T: Scalar> Finish<T> for Descend<'_, T> {
    #[inline(always)]
    fn row(&mut self, at: usize, dh: &mut [T]) {
        let n = dh.len();
        let layer = self.d[at..][..n].iter_mut().zip(dh).zip(&self.h[at..][..n]);
        match self.activation {
            Activation::Tanh => layer.for_each(|((d, dh), h)| *d = *dh * (T::ONE - *h * *h)),
            Activation::Relu => layer.for_each(|((d, dh), h)| *d = passed(*h, *dh)),
        }
    }
}

/// Turns R-derivatives by a layer's activations into those by its sums, and recomputes the plain ones in `d`.
struct RDescend<'a, T> {
    activation: Activation,
    h: &'a [T],
    rh: &'a [T],
    dh: &'a [T],
    d: &'a mut [T],
}

impl<T: Scalar> Finish<T> for RDescend<'_, T> {
    #[inline(always)]
    fn distant(&self) -> Option<&[T]> {
        Some(self.dh)
    }

    #[inline(always)]
    fn row(&mut self, at: usize, rd: &mut [T]) {
        let n = rd.len();
        let layer = self.h[at..][..n].iter().zip(&self.rh[at..][..n]).zip(&self.dh[at..][..n]);
        let layer = self.d[at..][..n].iter_mut().zip(rd).zip(layer);
        match self.activation {
            Activation::Tanh => layer.for_each(|((d, rd), ((h, rh), dh))| {
                let slope = T::ONE - *h * *h;
                *rd = *rd * slope - T::of(2.0) * *h * *rh * *dh;
                *d = *dh * slope;
            }),
            // there is no second derivative
            Activation::Relu => layer.for_each(|((d, rd), ((h, _), dh))| {
                *rd = passed(*h, *rd);
                *d = passed(*h, *dh);
            }),
        }
    }
}
