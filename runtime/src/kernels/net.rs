//! A multilayer perceptron's parameters, gradients and activations, laid out for the kernels.

use super::{
    buffer::{Buffer, transpose},
    scalar::Scalar,
    tile::{Column, TILE},
};
use crate::{
    layout::{Activation, Core, Layout},
    prelude::*,
};

/// Parameters prepared for the kernels, with transposes for the backward pass.
pub struct Net<T> {
    /// Weights of each hidden layer, `[in, out]`.
    pub weights: Vec<Buffer<T>>,
    /// Transposed weights of each hidden layer, `[out, in]`.
    pub transposes: Vec<Buffer<T>>,
    /// Biases of each hidden layer, `[out]`.
    pub biases: Vec<Buffer<T>>,
    /// Weights of the head, `[outputs, in]`.
    pub head: Buffer<T>,
    /// Biases of the head, `[outputs]`.
    pub head_bias: Vec<T>,
    /// Free parameters of the head, `[act_dim]` or empty.
    pub log_std: Vec<T>,
}

/// Extents of a network, and its activation.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Width of the input, then of each hidden layer.
    pub widths: Vec<usize>,
    pub outputs: usize,
    /// The function between the layers.
    pub activation: Activation,
}

impl Shape {
    /// The extents of a feedforward `layout`.
    ///
    /// # Panics
    /// If the layout is another one.
    pub fn new(layout: &Layout) -> Self {
        assert_eq!(layout.core(), Core::Feedforward, "a recurrent policy has kernels of its own");
        let widths = (0..layout.num_layers()).map(|l| layout.blocks()[2 * l].dims[0]).collect();
        Shape { widths, outputs: layout.head().outputs(), activation: layout.activation() }
    }

    /// Width of the input.
    pub fn inputs(&self) -> usize {
        self.widths[0]
    }

    pub fn hidden(&self) -> usize {
        self.widths.len() - 1
    }

    /// Width of the head's input.
    pub fn last(&self) -> usize {
        self.widths[self.hidden()]
    }
}

impl<T: Scalar> Net<T> {
    /// The network of a flat vector `[num_params]` of parameters.
    pub fn new(layout: &Layout, shape: &Shape, flat: &[T]) -> Self {
        Self::of_sums(layout, shape, &layout.summed(flat))
    }

    /// The change of the network of `flat` along `direction`, both `[num_params]`.
    pub fn change(layout: &Layout, shape: &Shape, flat: &[T], direction: &[T]) -> Self {
        Self::of_sums(layout, shape, &layout.summed_change(flat, direction))
    }

    fn of_sums(layout: &Layout, shape: &Shape, flat: &[T]) -> Self {
        let block = |i: usize| &flat[layout.blocks()[i].range.clone()];
        let hidden = shape.hidden();
        Net {
            weights: (0..hidden).map(|l| Buffer::of(block(2 * l))).collect(),
            transposes: (0..hidden).map(|l| transpose(block(2 * l), shape.widths[l + 1])).collect(),
            biases: (0..hidden).map(|l| Buffer::of(block(2 * l + 1))).collect(),
            head: transpose(block(2 * hidden), shape.outputs),
            head_bias: block(2 * hidden + 1).to_vec(),
            log_std: layout.log_std().map_or_else(Vec::new, |range| flat[range].to_vec()),
        }
    }
}

/// Sums of parameter derivatives over samples, in the kernels' order; [`Gradient::flat`] gives the flat one.
pub struct Gradient<T> {
    pub weights: Vec<Buffer<T>>,
    pub biases: Vec<Buffer<T>>,
    /// Derivatives by the head's weights, `[outputs, in]`.
    pub head: Buffer<T>,
    pub head_bias: Vec<T>,
    pub log_std: Vec<T>,
}

impl<T: Scalar> Gradient<T> {
    pub fn zero(shape: &Shape, log_std: usize) -> Self {
        let hidden = shape.hidden();
        Gradient {
            weights: (0..hidden).map(|l| Buffer::zeros(shape.widths[l] * shape.widths[l + 1])).collect(),
            biases: (0..hidden).map(|l| Buffer::zeros(shape.widths[l + 1])).collect(),
            head: Buffer::zeros(shape.outputs * shape.last()),
            head_bias: vec![T::ZERO; shape.outputs],
            log_std: vec![T::ZERO; log_std],
        }
    }

    /// The flat vector, `[num_params]`, by the blocks that the kernels see: 0 for factors of products.
    pub fn flat(&self, layout: &Layout, shape: &Shape) -> Vec<T> {
        let mut flat = Vec::with_capacity(layout.num_params());
        for (w, b) in self.weights.iter().zip(&self.biases) {
            flat.extend_from_slice(w);
            flat.extend_from_slice(b);
        }
        flat.extend_from_slice(&transpose(&self.head, shape.last()));
        flat.extend_from_slice(&self.head_bias);
        flat.resize(layout.num_params() - self.log_std.len(), T::ZERO);
        flat.extend_from_slice(&self.log_std);
        flat
    }
}

/// Results of a tile's passes.
pub struct State<T> {
    /// Activations of the hidden layers, `[TILE, width]`.
    pub h: Vec<Buffer<T>>,
    /// Derivatives of the loss by the activations, `[TILE, width]`.
    pub dh: Vec<Buffer<T>>,
    /// Head outputs, `[outputs]`.
    pub out: Vec<Column<T>>,
    /// Derivatives of the loss by the head outputs, set by the caller, `[outputs]`.
    pub d_out: Vec<Column<T>>,
}

impl<T: Scalar> State<T> {
    pub fn new(shape: &Shape) -> Self {
        let outputs = || vec![[T::ZERO; TILE]; shape.outputs];
        State { h: layers(shape), dh: layers(shape), out: outputs(), d_out: outputs() }
    }
}

/// One buffer for each hidden layer, `[TILE, width]`.
pub fn layers<T: Scalar>(shape: &Shape) -> Vec<Buffer<T>> {
    shape.widths[1..].iter().map(|width| Buffer::zeros(TILE * width)).collect()
}
