//! Gradients of an encoder and of the predictor that trains it.

use super::{
    data::total,
    isa::{Isa, with_isa},
    mlp::Work,
    net::{Gradient, Net, Shape, State},
    scalar::Scalar,
    tile::{Column, TILE},
};
use crate::{
    context::{combine, width},
    layout::Layout,
};

/// Transitions with those before them, in the precision of the computation.
#[derive(Clone, Debug, Default)]
pub struct Transitions<T> {
    /// Inputs of the encoder: the transitions before, `[samples, window]`.
    pub past: Vec<T>,
    /// Inputs of the predictor beside the code: observation and action, `[samples, inputs]`.
    pub now: Vec<T>,
    /// Values to predict, `[samples, outputs]`.
    pub target: Vec<T>,
}

/// Gradients of the prediction's squared error by encoder and predictor.
pub struct PredictionGradients<T> {
    isa: Isa,
    encoder: Part<T>,
    predictor: Part<T>,
    /// Inputs of the predictor and derivatives by them, `[TILE, seen]`.
    seen: Vec<T>,
    d_seen: Vec<T>,
    /// Codes, `[TILE, code]`.
    code: Vec<T>,
}

/// One of the two networks.
struct Part<T> {
    layout: Layout,
    shape: Shape,
    work: Work<T>,
    state: State<T>,
}

impl<T: Scalar> Part<T> {
    fn new(layout: Layout, isa: Isa) -> Self {
        let shape = Shape::new(&layout);
        Part { work: Work::new(&shape, isa), state: State::new(&shape), layout, shape }
    }

    fn net(&self, flat: &[T]) -> Net<T> {
        Net::new(&self.layout, &self.shape, flat)
    }
}

impl<T: Scalar> PredictionGradients<T> {
    /// Work space for an encoder with `code` outputs, and a predictor whose inputs are `own` values seen with the code.
    ///
    /// # Panics
    /// If the sizes do not fit together.
    pub fn new(encoder: Layout, predictor: Layout) -> Self {
        let isa = Isa::detect();
        let (seen, code) = (predictor.obs_dim(), encoder.head().outputs());
        let own = (seen - code) / (code + 1);
        assert_eq!(width(own, code), seen, "the predictor sees something else than the encoder's code");
        PredictionGradients {
            isa,
            encoder: Part::new(encoder, isa),
            predictor: Part::new(predictor, isa),
            seen: vec![T::ZERO; TILE * seen],
            d_seen: vec![T::ZERO; TILE * seen],
            code: vec![T::ZERO; TILE * code],
        }
    }

    /// Gradient of half the squared error, summed over the outputs, mean over the samples, by the parameters of the encoder
    /// and behind them the predictor's, `[num_params]`; and that error.
    pub fn gradient(&mut self, params: &[T], data: &Transitions<T>) -> (Vec<T>, f64) {
        let isa = self.isa;
        let all = self;
        with_isa!(isa, [T: Scalar] (all: &mut PredictionGradients<T>, params: &[T], data: &Transitions<T>)
            -> (Vec<T>, f64) => all.gradient_body(params, data))
    }

    #[inline(always)]
    fn gradient_body(&mut self, params: &[T], data: &Transitions<T>) -> (Vec<T>, f64) {
        let (of_encoder, of_predictor) = params.split_at(self.encoder.layout.num_params());
        let nets = [self.encoder.net(of_encoder), self.predictor.net(of_predictor)];
        let mut gradients = [&self.encoder.shape, &self.predictor.shape].map(|shape| Gradient::zero(shape, 0));
        let outputs = self.predictor.shape.outputs;
        let samples = data.target.len() / outputs;
        let (window, inputs) = (data.past.len() / samples, data.now.len() / samples);
        let weight = T::of(1.0 / samples as f64);
        let mut loss = 0.0;
        for first in (0..samples).step_by(TILE) {
            let n = TILE.min(samples - first);
            let of_tile = |width: usize| first * width..(first + n) * width;
            let tile = [&data.past[of_tile(window)], &data.now[of_tile(inputs)], &data.target[of_tile(outputs)]];
            loss += self.tile(tile, n, weight, &nets, &mut gradients);
        }
        let mut flat = gradients[0].flat(&self.encoder.layout, &self.encoder.shape);
        flat.extend(gradients[1].flat(&self.predictor.layout, &self.predictor.shape));
        (flat, loss)
    }

    /// Adds the gradients of `n` samples; returns their loss.
    #[inline(always)]
    fn tile(
        &mut self,
        [past, now, target]: [&[T]; 3],
        n: usize,
        weight: T,
        [encoder, predictor]: &[Net<T>; 2],
        [by_encoder, by_predictor]: &mut [Gradient<T>; 2],
    ) -> f64 {
        let PredictionGradients { encoder: first, predictor: second, seen, d_seen, code, .. } = self;
        let (codes, sees) = (first.shape.outputs, second.layout.obs_dim());
        let own = now.len() / n;
        first.work.forward(encoder, past, n, &mut first.state);
        for (s, (seen, code)) in seen.chunks_exact_mut(sees).zip(code.chunks_exact_mut(codes)).take(n).enumerate() {
            code.iter_mut().zip(&first.state.out).for_each(|(z, column)| *z = column[s].tanh());
            combine(&now[s * own..(s + 1) * own], code, seen);
        }
        let seen = &seen[..n * sees];
        second.work.forward(predictor, seen, n, &mut second.state);
        let loss = squared(&mut second.state, target, n, weight);
        second.work.backward(predictor, seen, n, &mut second.state, by_predictor);
        second.work.by_input(predictor, n, &second.state, &mut d_seen[..n * sees]);
        first.state.d_out.iter_mut().for_each(|column| *column = [T::ZERO; TILE]);
        for s in 0..n {
            let d_seen = &d_seen[s * sees..(s + 1) * sees];
            let (direct, products) = d_seen[own..].split_at(codes);
            for (k, column) in first.state.d_out.iter_mut().enumerate() {
                let z = code[s * codes + k];
                let by_products = products.chunks_exact(codes).zip(&now[s * own..(s + 1) * own]);
                let d = by_products.fold(direct[k], |sum, (d, x)| sum + d[k] * *x);
                column[s] = d * (T::ONE - z * z);
            }
        }
        first.work.backward(encoder, past, n, &mut first.state, by_encoder);
        loss
    }
}

/// Half the squared distance of the outputs from `target` `[n, outputs]`, times `weight`; sets its derivatives.
#[inline(always)]
fn squared<T: Scalar>(state: &mut State<T>, target: &[T], n: usize, weight: T) -> f64 {
    let outputs = state.out.len();
    let mut square: Column<T> = [T::ZERO; TILE];
    for (k, (out, d)) in state.out.iter().zip(&mut state.d_out).enumerate() {
        *d = [T::ZERO; TILE];
        for s in 0..n {
            let error = out[s] - target[s * outputs + k];
            d[s] = weight * error;
            square[s] += T::of(0.5) * weight * error * error;
        }
    }
    total(&square).to_f64()
}
