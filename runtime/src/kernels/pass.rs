//! Passes over the samples of one network, tile by tile: a loss and its gradient.

use super::{
    data::{Samples, total},
    head::{HeadLoss, Outputs, Slopes, Sums},
    isa::Isa,
    mlp::Work,
    net::{Gradient, Net, Shape, State},
    scalar::Scalar,
    tile::{Column, TILE},
};
use crate::{
    layout::Layout,
    loss::{ClippedLoss, InnerLoss},
    prelude::*,
    with_isa,
};

/// Work space for computations on one network.
pub struct Pass<T> {
    pub layout: Layout,
    pub shape: Shape,
    pub work: Work<T>,
    pub head: HeadLoss<T>,
    /// State of passes that nothing reuses.
    pub state: State<T>,
}

/// The distributions of the meta-policy that collected the data, on the states before adaptation.
#[derive(Debug)]
pub struct Old<T> {
    /// Head outputs, `[tiles, outputs]`.
    pub out: Vec<Vec<Column<T>>>,
    /// Free parameters of the head.
    pub log_std: Vec<T>,
}

impl<T> Old<T> {
    pub fn of(&self, tile: usize) -> Outputs<'_, T> {
        Outputs { out: &self.out[tile], log_std: &self.log_std }
    }
}

/// The loss to differentiate, a mean over the samples but where it says otherwise.
pub enum Loss<'a, T> {
    /// The inner loss.
    Inner(InnerLoss),
    /// The sampling term with the credit, and PPO's clipping range; a sum over the samples.
    Sampling(T, f64),
    /// The outer loss: minus PPO's clipped gain, minus the entropy bonus.
    Clipped(&'a ClippedLoss),
    /// Distance of the policy from the collecting one: r - 1 - log r.
    Divergence,
    /// Minus the log-likelihood of the actions, each times its advantage.
    Likelihood,
    /// KL(old || parameters), times a coefficient.
    Kl(&'a Old<T>, T),
    /// Half the squared distance of the first output from `advantage`.
    Squared,
}

impl<T: Scalar> Pass<T> {
    pub fn new(layout: &Layout, isa: Isa) -> Self {
        let shape = Shape::new(layout);
        let (work, state) = (Work::new(&shape, isa), State::new(&shape));
        Pass { layout: layout.clone(), work, head: HeadLoss::new(layout.head()), state, shape }
    }

    pub fn net(&self, flat: &[T]) -> Net<T> {
        Net::new(&self.layout, &self.shape, flat)
    }

    /// Gradient of the inner loss at `params`, `[num_params]`, and its sums.
    pub fn inner_gradient(&mut self, params: &[T], data: &Samples<T>, inner: InnerLoss) -> (Vec<T>, Sums) {
        let (isa, pass) = (self.work.isa, self);
        with_isa!(isa, [T: Scalar] (pass: &mut Pass<T>, params: &[T], data: &Samples<T>, inner: InnerLoss)
            -> (Vec<T>, Sums) => pass.gradient(params, data, &Loss::Inner(inner), None))
    }

    /// Gradient of `loss` at `params`, `[num_params]`, and its sums. Keeps each tile's state in `kept`, if given.
    #[inline(always)]
    pub fn gradient(
        &mut self,
        params: &[T],
        data: &Samples<T>,
        loss: &Loss<'_, T>,
        mut kept: Option<&mut Vec<State<T>>>,
    ) -> (Vec<T>, Sums) {
        let net = self.net(params);
        let mut gradient = Gradient::zero(&self.shape, net.log_std.len());
        let mut sums = Sums::default();
        for tile in 0..data.tiles() {
            let x = data.obs(tile);
            let n = data.in_tile(tile);
            let state = match &mut kept {
                Some(kept) => &mut kept[tile],
                None => &mut self.state,
            };
            self.work.forward(&net, x, n, state);
            let o = Outputs { out: &state.out, log_std: &net.log_std };
            let mut d = Slopes { out: &mut state.d_out, log_std: &mut gradient.log_std };
            match loss {
                Loss::Inner(inner) => self.head.inner(*inner, o, data, tile, d, &mut sums),
                Loss::Sampling(credit, clip_eps) => {
                    self.head.sampling(o, (data, tile), *credit, *clip_eps, d, &mut sums);
                }
                Loss::Clipped(loss) => self.head.clipped(o, (data, tile), data.weight, loss, d, &mut sums),
                Loss::Divergence => self.head.divergence(o, (data, tile), d, &mut sums),
                Loss::Likelihood => self.head.likelihood(o, data, tile, data.weight, d, &mut sums),
                Loss::Kl(old, coef) => {
                    d.out.iter_mut().for_each(|column| column.fill(T::ZERO));
                    self.head.add_kl(*coef, old.of(tile), o, (data, tile), &mut d, &mut sums);
                }
                Loss::Squared => squared(&state.out[0], data, tile, &mut state.d_out[0], &mut sums),
            }
            self.work.backward(&net, x, n, state, &mut gradient);
        }
        let mut gradient = gradient.flat(&self.layout, &self.shape);
        self.layout.pull_back(params, &mut gradient);
        (gradient, sums)
    }
}

/// Half the squared distance of the first output from its target.
#[inline(always)]
fn squared<T: Scalar>(out: &Column<T>, data: &Samples<T>, tile: usize, d_out: &mut Column<T>, sums: &mut Sums) {
    let target = &data.advantage[tile];
    let n = data.in_tile(tile);
    let mut square = [T::ZERO; TILE];
    *d_out = [T::ZERO; TILE];
    for s in 0..n {
        let error = out[s] - target[s];
        d_out[s] = data.weight * error;
        square[s] = T::of(0.5) * data.weight * error * error;
    }
    sums.loss += total(&square).to_f64();
}
