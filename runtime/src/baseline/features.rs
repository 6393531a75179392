//! The baseline's features of a state and of the time.

use crate::{batch::Trajectories, prelude::*};

/// Number of polynomials of the step.
const TIME: usize = 3;
/// Largest number of features: the cost of their products grows with its square.
const MOST: usize = 128;
/// Smallest number of samples per feature.
const SAMPLES_EACH: usize = 4;
/// Fewest episodes for products of squares: with fewer, the left-out episodes cannot show that these help.
const EPISODES: usize = 8;
/// Standard deviations from the mean at which an observation saturates: an unbounded one (a spinning pole) must not
/// dominate the others.
const REACH: f64 = 10.0;

/// The features: 1, each observation, products of two of the environment's own, polynomials of the step, and products
/// of two of their squares, for values that saturate far from the goal. Observations are in standard deviations from
/// their mean, so units do not matter, and a square is taken minus its mean, 1.
#[derive(Clone, Debug)]
pub(super) struct Features {
    /// Mean of each observation in use, `[observations]`.
    mean: Vec<f64>,
    /// One over the standard deviation of each observation; 0 for a constant one, `[observations]`.
    scale: Vec<f64>,
    /// Number of observations, from the first on, that are multiplied with each other.
    products: usize,
    /// Number of observations whose squares are multiplied with each other.
    squares: usize,
    /// Scale of the steps, so that episodes fill [-1, 1].
    time_scale: f64,
}

/// Number of products of two of `n` factors, squares included.
fn pairs(n: usize) -> usize {
    n * (n + 1) / 2
}

impl Features {
    /// The features for `data` whose observations begin with `own_obs` numbers of the environment. Numbers that a
    /// setting appends (past actions, notifications) are too many for products.
    pub(super) fn new(data: &Trajectories<'_>, own_obs: usize) -> Self {
        let samples = data.rows().count();
        let room = (samples / SAMPLES_EACH).min(MOST).saturating_sub(1 + TIME);
        let observed = data.obs_dim().min(room.max(own_obs));
        let own = own_obs.min(observed);
        let products = if observed + pairs(own) <= room { own } else { 0 };
        let many = data.episodes().count() >= EPISODES && observed + 2 * pairs(own) <= room;
        let squares = if many { products } else { 0 };
        let (mean, scale) = (0..observed).map(|i| spread(data, i, samples)).unzip();
        let last = data.rows().map(|row| data.episode_step[row]).max().unwrap_or(0);
        Features { mean, scale, products, squares, time_scale: 2.0 / (f64::from(last) + 1.0) }
    }

    /// Number of features of the state.
    pub(super) fn of_state(&self) -> usize {
        1 + self.mean.len() + pairs(self.products)
    }

    /// Number of features without products of squares.
    pub(super) fn without_squares(&self) -> usize {
        self.of_state() + TIME
    }

    /// Number of all features; those of the state come first, products of squares last.
    pub(super) fn count(&self) -> usize {
        self.without_squares() + pairs(self.squares)
    }

    /// The first `count` of these features: all, or those without squares.
    pub(super) fn truncated(self, count: usize) -> Self {
        if count < self.count() { Features { squares: 0, ..self } } else { self }
    }

    /// Writes the features of the state to `out` `[of_state]`.
    pub(super) fn write_state(&self, obs: &[f32], out: &mut [f64]) {
        out[0] = 1.0;
        let mut at = 1;
        for (i, ((x, mean), scale)) in obs.iter().zip(&self.mean).zip(&self.scale).enumerate() {
            let x = ((f64::from(*x) - mean) * scale).clamp(-REACH, REACH);
            out[at] = x;
            at += 1;
            if i < self.products {
                let (before, here) = out.split_at_mut(at);
                // observation j lies behind j others and their j (j + 1) / 2 products
                for (j, product) in here.iter_mut().take(i).enumerate() {
                    *product = x * before[1 + j + pairs(j)];
                }
                here[i] = x * x;
                at += i + 1;
            }
        }
    }

    /// Writes all features to `out` `[count]`. The polynomials of the step are Legendre's.
    pub(super) fn write(&self, obs: &[f32], step: u32, out: &mut [f64]) {
        let (state, rest) = out.split_at_mut(self.of_state());
        let (time, mut squares) = rest.split_at_mut(TIME);
        self.write_state(obs, state);
        // the square of observation i lies behind it and its products with the observations before it
        let square = |i: usize| state[1 + i + pairs(i) + i + 1] - 1.0;
        for i in 0..self.squares {
            let (here, next) = squares.split_at_mut(i + 1);
            here.iter_mut().enumerate().for_each(|(j, product)| *product = square(i) * square(j));
            squares = next;
        }
        let x = (f64::from(step) * self.time_scale - 1.0).min(1.0);
        time.copy_from_slice(&[x, (3.0 * x * x - 1.0) / 2.0, (5.0 * x * x - 3.0) * x / 2.0]);
    }
}

/// Mean of observation `i` and one over its standard deviation, or 0 if that is no larger than rounding.
fn spread(data: &Trajectories<'_>, i: usize, samples: usize) -> (f64, f64) {
    let dim = data.obs_dim();
    let values = || data.rows().map(|row| f64::from(data.obs[row * dim + i]));
    let mean = values().sum::<f64>() / samples.max(1) as f64;
    let variance = values().map(|x| (x - mean) * (x - mean)).sum::<f64>() / samples.max(1) as f64;
    let deviation = variance.sqrt();
    (mean, if deviation > 1e-6 * mean.abs() { 1.0 / deviation } else { 0.0 })
}
