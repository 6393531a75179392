//! The gradient of a prototypical network's loss, exact through the class means.

use super::{
    isa::{Isa, with_isa},
    mlp::Work,
    net::{Gradient, Net, Shape, State},
    scalar::Scalar,
    tile::TILE,
};
use crate::layout::Layout;

/// One task's labelled examples, in the precision of the computation: the support examples, then the query ones.
#[derive(Clone, Debug, Default)]
pub struct Labelled<T> {
    /// Inputs, `[support + query, inputs]`.
    pub inputs: Vec<T>,
    /// Classes, `[support + query]`.
    pub labels: Vec<usize>,
    /// Number of support examples; every class has at least one.
    pub support: usize,
}

/// Work space for the loss of an embedding network on one task after the other.
pub struct PrototypeGradients<T> {
    isa: Isa,
    layout: Layout,
    shape: Shape,
    work: Work<T>,
    /// Activations, `[tiles]`.
    states: Vec<State<T>>,
}

impl<T: Scalar> PrototypeGradients<T> {
    /// Work space for the network `layout`, whose outputs are the embedding.
    pub fn new(layout: Layout) -> Self {
        let (isa, shape) = (Isa::detect(), Shape::new(&layout));
        PrototypeGradients { isa, work: Work::new(&shape, isa), shape, layout, states: Vec::new() }
    }

    /// The mean cross-entropy of the query labels, and its gradient by the parameters, `[num_params]`; the support
    /// embeddings move the class means.
    pub fn gradient(&mut self, params: &[T], data: &Labelled<T>) -> (Vec<T>, f64) {
        let isa = self.isa;
        let all = self;
        with_isa!(isa, [T: Scalar] (all: &mut PrototypeGradients<T>, params: &[T], data: &Labelled<T>)
            -> (Vec<T>, f64) => all.gradient_body(params, data))
    }

    #[inline(always)]
    fn gradient_body(&mut self, params: &[T], data: &Labelled<T>) -> (Vec<T>, f64) {
        let PrototypeGradients { layout, shape, work, states, .. } = self;
        let (inputs, size, examples) = (shape.inputs(), shape.outputs, data.labels.len());
        let net = Net::new(layout, shape, params);
        let tiles: Vec<&[T]> = data.inputs.chunks(TILE * inputs).collect();
        states.resize_with(states.len().max(tiles.len()), || State::new(shape));
        let mut embedded = vec![T::ZERO; examples * size];
        for ((x, state), z) in tiles.iter().zip(&mut *states).zip(embedded.chunks_mut(TILE * size)) {
            work.forward(&net, x, x.len() / inputs, state);
            for (s, z) in z.chunks_exact_mut(size).enumerate() {
                z.iter_mut().zip(&state.out).for_each(|(z, column)| *z = column[s]);
            }
        }
        let (d, loss) = cross_entropy(&embedded, size, &data.labels, data.support);
        let mut gradient = Gradient::zero(shape, 0);
        for ((x, state), d) in tiles.iter().zip(states).zip(d.chunks(TILE * size)) {
            state.d_out.iter_mut().for_each(|column| *column = [T::ZERO; TILE]);
            for (s, d) in d.chunks_exact(size).enumerate() {
                state.d_out.iter_mut().zip(d).for_each(|(column, d)| column[s] = *d);
            }
            work.backward(&net, x, x.len() / inputs, state, &mut gradient);
        }
        (gradient.flat(layout, shape), loss)
    }
}

/// Means of the embeddings `[examples, size]` of each class, `[classes, size]`, and the numbers of their members, `[classes]`.
pub fn prototypes<T: Scalar>(embedded: &[T], size: usize, labels: &[usize]) -> (Vec<T>, Vec<usize>) {
    let classes = labels.iter().max().map_or(0, |most| most + 1);
    let (mut means, mut members) = (vec![T::ZERO; classes * size], vec![0; classes]);
    for (z, &label) in embedded.chunks_exact(size).zip(labels) {
        members[label] += 1;
        means[label * size..][..size].iter_mut().zip(z).for_each(|(sum, z)| *sum += *z);
    }
    for (mean, &members) in means.chunks_exact_mut(size).zip(&members) {
        let share = T::of(1.0 / members as f64);
        mean.iter_mut().for_each(|mean| *mean = *mean * share);
    }
    (means, members)
}

/// The mean cross-entropy of the labels of the examples behind the first `support` ones, if logits are minus the squared
/// distances of their embeddings `[examples, size]` from the prototypes, and its derivatives by all embeddings.
pub fn cross_entropy<T: Scalar>(embedded: &[T], size: usize, labels: &[usize], support: usize) -> (Vec<T>, f64) {
    let (known, asked) = embedded.split_at(support * size);
    let (means, members) = prototypes(known, size, &labels[..support]);
    let classes = members.len();
    let weight = T::of(1.0 / (labels.len() - support) as f64);
    let mut d = vec![T::ZERO; embedded.len()];
    let (d_known, d_asked) = d.split_at_mut(support * size);
    let (mut d_means, mut logits, mut loss) = (vec![T::ZERO; means.len()], vec![T::ZERO; classes], 0.0);
    for ((z, dz), &label) in asked.chunks_exact(size).zip(d_asked.chunks_exact_mut(size)).zip(&labels[support..]) {
        for (logit, mean) in logits.iter_mut().zip(means.chunks_exact(size)) {
            *logit = z.iter().zip(mean).fold(T::ZERO, |sum, (z, c)| sum - (*z - *c) * (*z - *c));
        }
        let most = logits.iter().skip(1).fold(logits[0], |most, logit| if *logit > most { *logit } else { most });
        let total = logits.iter().fold(T::ZERO, |sum, logit| sum + (*logit - most).exp());
        let log_total = most + total.ln();
        loss += (weight * (log_total - logits[label])).to_f64();
        for (k, (mean, d_mean)) in means.chunks_exact(size).zip(d_means.chunks_exact_mut(size)).enumerate() {
            let right = if k == label { T::ONE } else { T::ZERO };
            let slope = T::of(2.0) * weight * ((logits[k] - log_total).exp() - right);
            for i in 0..size {
                let by_mean = slope * (z[i] - mean[i]);
                dz[i] = dz[i] - by_mean;
                d_mean[i] += by_mean;
            }
        }
    }
    for (dz, &label) in d_known.chunks_exact_mut(size).zip(labels) {
        let share = T::of(1.0 / members[label] as f64);
        dz.iter_mut().zip(&d_means[label * size..]).for_each(|(dz, d)| *dz = *d * share);
    }
    (d, loss)
}
