//! The baseline's features of a state and of the time.

use crate::batch::Trajectories;

/// Polynomials of the step.
const TIME: usize = 3;
/// Never more features than this: their products cost the square of it.
const MOST: usize = 128;
/// Samples that a feature must be worth.
const SAMPLES_EACH: usize = 4;
/// Standard deviations from the mean at which an observation saturates: one that is unbounded (a pole that spins) must
/// not drown the rest.
const REACH: f64 = 10.0;

/// 1, each observation, the products of two of the environment's own, then polynomials of the step; observations in
/// standard deviations from their mean, whatever their unit.
#[derive(Clone, Debug)]
pub(super) struct Features {
    /// Mean of each observation that counts, `[observations]`.
    mean: Vec<f64>,
    /// One over the standard deviation of each; 0 for one that is constant, `[observations]`.
    scale: Vec<f64>,
    /// Number of observations, from the first on, that are multiplied with each other.
    products: usize,
    /// Scale of the steps, so that episodes fill [-1, 1].
    time_scale: f64,
}

impl Features {
    /// For `data`, the first `own_obs` numbers of whose observations are the environment's own: what another setting
    /// appends (past actions, notifications) is too much to be multiplied.
    pub(super) fn new(data: &Trajectories<'_>, own_obs: usize) -> Self {
        let samples = data.rows().count();
        let room = (samples / SAMPLES_EACH).min(MOST).saturating_sub(1 + TIME);
        let observed = data.obs_dim().min(room.max(own_obs));
        let own = own_obs.min(observed);
        let products = if observed + own * (own + 1) / 2 <= room { own } else { 0 };
        let (mean, scale) = (0..observed).map(|i| spread(data, i, samples)).unzip();
        let last = data.rows().map(|row| data.episode_step[row]).max().unwrap_or(0);
        Features { mean, scale, products, time_scale: 2.0 / (f64::from(last) + 1.0) }
    }

    /// Features of the state.
    pub(super) fn of_state(&self) -> usize {
        1 + self.mean.len() + self.products * (self.products + 1) / 2
    }

    /// All features, those of the state first.
    pub(super) fn count(&self) -> usize {
        self.of_state() + TIME
    }

    /// Features of the state, `out` `[of_state]`.
    pub(super) fn write_state(&self, obs: &[f32], out: &mut [f64]) {
        out[0] = 1.0;
        let mut at = 1;
        for (i, ((x, mean), scale)) in obs.iter().zip(&self.mean).zip(&self.scale).enumerate() {
            let x = ((f64::from(*x) - mean) * scale).clamp(-REACH, REACH);
            out[at] = x;
            at += 1;
            if i < self.products {
                let (before, here) = out.split_at_mut(at);
                // observation j before this one stands behind j others and their j (j + 1) / 2 products
                for (j, product) in here.iter_mut().take(i).enumerate() {
                    *product = x * before[1 + j + j * (j + 1) / 2];
                }
                here[i] = x * x;
                at += i + 1;
            }
        }
    }

    /// All features, `out` `[count]`. The polynomials of the step are Legendre's.
    pub(super) fn write(&self, obs: &[f32], step: u32, out: &mut [f64]) {
        let (state, time) = out.split_at_mut(self.of_state());
        self.write_state(obs, state);
        let x = (f64::from(step) * self.time_scale - 1.0).min(1.0);
        time.copy_from_slice(&[x, (3.0 * x * x - 1.0) / 2.0, (5.0 * x * x - 3.0) * x / 2.0]);
    }
}

/// Mean of observation `i` and one over its standard deviation; 0 if that is no more than rounding.
fn spread(data: &Trajectories<'_>, i: usize, samples: usize) -> (f64, f64) {
    let dim = data.obs_dim();
    let values = || data.rows().map(|row| f64::from(data.obs[row * dim + i]));
    let mean = values().sum::<f64>() / samples.max(1) as f64;
    let variance = values().map(|x| (x - mean) * (x - mean)).sum::<f64>() / samples.max(1) as f64;
    let deviation = variance.sqrt();
    (mean, if deviation > 1e-6 * mean.abs() { 1.0 / deviation } else { 0.0 })
}
