//! Gradient steps on shuffled minibatches, the same for every network that learns from samples.

use metadrift_random::Stream;

use crate::{objective::clip_norm, optimizer::Optimizer, report::Diverged, stop};

/// The settings of a descent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Descent {
    /// Samples per gradient step; the last minibatch of an epoch has the rest.
    pub minibatch: usize,
    /// Learning rate.
    pub rate: f64,
    /// Key of the learning rate, for errors.
    pub key: &'static str,
    /// Share of training that lies behind; Adam does not read it.
    pub done: f64,
    /// Euclidean norm to which a longer gradient is scaled down.
    pub max_grad_norm: f64,
    /// The network in words, for errors.
    pub network: &'static str,
}

/// The loss on a minibatch and its derivative.
pub(crate) struct Slope<const N: usize> {
    /// Gradient of the loss, `[num_params]`.
    pub gradient: Vec<f32>,
    /// The loss, and other figures.
    pub figures: [f64; N],
    /// False if nothing is to move, not even by momentum.
    pub moves: bool,
}

/// Means over the gradient steps of a descent: the figures, and the gradient's norm before it is clipped.
pub(crate) type Means<const N: usize> = ([f64; N], f64);

impl Descent {
    /// Runs an epoch for each of `orders`, which are permutations of the samples:
    ///
    /// ```text
    /// for each epoch
    ///     for each minibatch in its order
    ///         params <- step along the gradient of the loss, its norm clipped
    /// ```
    ///
    /// `slope` is the loss at given parameters on the samples with given numbers.
    ///
    /// # Errors
    /// [`Diverged`] on a loss, gradient or parameter that is not finite; parameters and optimiser are then spoilt.
    pub fn run<const N: usize>(
        &self,
        (params, optimizer): (&mut [f32], &mut Optimizer),
        orders: impl IntoIterator<Item: AsRef<[u32]>>,
        mut slope: impl FnMut(&[f32], &[u32]) -> Slope<N>,
    ) -> Result<Means<N>, Diverged> {
        let (mut sums, mut norms, mut steps) = ([0.0; N], 0.0, 0usize);
        for (epoch, order) in orders.into_iter().enumerate() {
            for rows in order.as_ref().chunks(self.minibatch) {
                stop::check();
                let Slope { mut gradient, figures, moves } = slope(params, rows);
                let norm = clip_norm(&mut gradient, self.max_grad_norm);
                self.check(&[figures[0] as f32, norm as f32], "a loss or its gradient", "in", epoch)?;
                if moves {
                    optimizer.step(params, &gradient, self.rate, self.done);
                }
                sums.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure);
                norms += norm;
                steps += 1;
            }
            self.check(params, "a parameter", "after", epoch)?;
        }
        let steps = steps.max(1) as f64;
        Ok((sums.map(|sum| sum / steps), norms / steps))
    }

    fn check(&self, values: &[f32], what: &'static str, when: &str, epoch: usize) -> Result<(), Diverged> {
        Diverged::check(values, what, || format!("the {} {when} epoch {epoch}", self.network))
            .map_err(|diverged| diverged.advising(self.key))
    }
}

/// The order of `samples` samples in each of `epochs` epochs, drawn from `shuffle` when its turn comes.
pub(crate) fn orders(shuffle: Stream, epochs: usize, samples: usize) -> impl Iterator<Item = Vec<u32>> {
    (0..epochs).map(move |epoch| shuffle.task(epoch as u32).permutation(samples as u32))
}
