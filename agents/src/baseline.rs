//! A value function linear in simple features, fitted to one task's experience in closed form.

use nalgebra::{DMatrix, DVector};

use crate::{
    batch::Trajectories,
    native::{Isa, gram},
};

/// V(obs, step) = w · features: 1, each observation, all products of two, and step, step², step³ (in hundreds), after
/// the baseline of Duan et al. 2016 (arXiv 1604.06778).
///
/// A value must not fall at a time limit, so the targets of a truncated episode contain the value of its last
/// observation, which is itself w · features: w solves the linear system that says so, not a regression on returns
/// that pretend the episode had ended (least squares with a bootstrapped end, LSTD(1)).
#[derive(Clone, Debug)]
pub struct LinearBaseline {
    weights: Vec<f64>,
}

impl LinearBaseline {
    /// Fits to the valid steps of `data`.
    pub fn fit(data: &Trajectories<'_>, gamma: f64) -> Self {
        let dim = num_features(data.obs_dim());
        let mut sums = Sums::new(dim);
        let (mut row, mut discounted) = (vec![0.0; dim], vec![0.0; dim]);
        let mut bootstrap = DMatrix::<f64>::zeros(dim, dim);
        for (env, start, end) in data.episodes() {
            discounted.fill(0.0);
            let (mut returns, mut discount) = (0.0, 1.0);
            for t in (start..end).rev() {
                let at = data.row(t, env);
                returns = f64::from(data.reward[at]) + gamma * returns;
                discount *= gamma;
                let row = sums.row();
                features(data.obs_at(data.obs, at), data.episode_step[at], &mut row[..dim]);
                row[dim] = returns;
                discounted.iter_mut().zip(row).for_each(|(sum, feature)| *sum += *feature * discount);
            }
            let last = data.row(end - 1, env);
            if !data.terminated[last] {
                features(data.obs_at(data.next_obs, last), data.episode_step[last] + 1, &mut row);
                bootstrap.ger(1.0, &DVector::from_column_slice(&discounted), &DVector::from_column_slice(&row), 1.0);
            }
        }
        let samples = sums.samples;
        let products = sums.finish();
        let (gram, target) = (products.view((0, 0), (dim, dim)) - bootstrap, products.view((0, dim), (dim, 1)));
        LinearBaseline { weights: solve(gram, &target.column(0).into_owned(), samples) }
    }

    /// Values before every valid step and after it, `[steps, envs]` each; padding stays 0. The value after a
    /// terminal step is 0.
    pub fn values(&self, data: &Trajectories<'_>) -> (Vec<f64>, Vec<f64>) {
        let mut value = vec![0.0; data.reward.len()];
        let mut next_value = vec![0.0; data.reward.len()];
        let mut row = vec![0.0; self.weights.len()];
        let mut predict = |obs: &[f32], step: u32| {
            features(obs, step, &mut row);
            dot(&row, &self.weights)
        };
        for (env, start, end) in data.episodes() {
            for t in start..end {
                let at = data.row(t, env);
                value[at] = predict(data.obs_at(data.obs, at), data.episode_step[at]);
                if t > start {
                    next_value[data.row(t - 1, env)] = value[at];
                }
            }
            let last = data.row(end - 1, env);
            if !data.terminated[last] {
                next_value[last] = predict(data.obs_at(data.next_obs, last), data.episode_step[last] + 1);
            }
        }
        (value, next_value)
    }
}

/// The inner product, as four sums: one after the other, each addition would wait for the one before.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    let mut sums = [0.0; 4];
    for (a, b) in a.iter().zip(b) {
        (0..4).for_each(|k| sums[k] += a[k] * b[k]);
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

fn num_features(obs_dim: usize) -> usize {
    1 + obs_dim + obs_dim * (obs_dim + 1) / 2 + 3
}

fn features(obs: &[f32], step: u32, out: &mut [f64]) {
    let time = f64::from(step) / 100.0;
    out[..4].copy_from_slice(&[1.0, time, time * time, time * time * time]);
    let mut at = 4;
    for (i, &x) in obs.iter().enumerate() {
        // unbounded observations (a pole that spins) must not drown the rest
        let x = f64::from(x).clamp(-10.0, 10.0);
        let (before, here) = out.split_at_mut(at);
        here[0] = x;
        // observation j before this one stands behind j others and their j (j + 1) / 2 products
        for (j, product) in here[1..].iter_mut().take(i).enumerate() {
            *product = x * before[4 + j + j * (j + 1) / 2];
        }
        here[1 + i] = x * x;
        at += i + 2;
    }
}

/// The normal equations: the sum over samples of the products of any two of their numbers (features and, last, return),
/// by one matrix product for every so many samples.
struct Sums {
    numbers: usize,
    /// `[BLOCK, numbers]`
    block: Vec<f64>,
    /// Rows filled.
    filled: usize,
    /// Of the last block, `[numbers, numbers]`.
    added: Vec<f64>,
    /// Of all before, `[numbers, numbers]`.
    products: Vec<f64>,
    samples: usize,
    isa: Isa,
}

impl Sums {
    const BLOCK: usize = 256;

    /// Of `features` features.
    fn new(features: usize) -> Self {
        let numbers = features + 1;
        let (block, zeros) = (vec![0.0; Self::BLOCK * numbers], vec![0.0; numbers * numbers]);
        Sums { numbers, block, filled: 0, added: zeros.clone(), products: zeros, samples: 0, isa: Isa::detect() }
    }

    /// Where the next sample's numbers go, all of them.
    fn row(&mut self) -> &mut [f64] {
        if self.filled == Self::BLOCK {
            self.add_block();
        }
        (self.filled, self.samples) = (self.filled + 1, self.samples + 1);
        &mut self.block[(self.filled - 1) * self.numbers..self.filled * self.numbers]
    }

    fn add_block(&mut self) {
        gram(self.isa, &self.block[..self.filled * self.numbers], self.numbers, &mut self.added);
        self.products.iter_mut().zip(&self.added).for_each(|(sum, added)| *sum += added);
        self.filled = 0;
    }

    fn finish(mut self) -> DMatrix<f64> {
        self.add_block();
        DMatrix::from_vec(self.numbers, self.numbers, self.products)
    }
}

fn solve(gram: DMatrix<f64>, target: &DVector<f64>, samples: usize) -> Vec<f64> {
    let mut ridge = 1e-9 * samples as f64;
    for _ in 0..12 {
        let mut regular = gram.clone();
        for i in 0..regular.nrows() {
            regular[(i, i)] += ridge;
        }
        match regular.lu().solve(target) {
            Some(weights) if weights.iter().all(|w| w.is_finite()) => return weights.as_slice().to_vec(),
            _ => ridge *= 10.0,
        }
    }
    // only non-finite data come here; the learner refuses them by name
    vec![f64::NAN; target.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_quadratic_in_the_observation_is_found_exactly() {
        // episodes of one step, so the value is the reward; each product of two observations in it once
        let steps = 600;
        let number = |i: usize| (i * 7919 % 2003) as f32 / 1001.0 - 1.0;
        let obs: Vec<f32> = (0..3 * steps).map(number).collect();
        let worth =
            |x: &[f32]| 1.0 + x[0] - 2.0 * x[0] * x[1] + 3.0 * x[0] * x[2] - 4.0 * x[1] * x[2] + 5.0 * x[2] * x[2];
        let reward: Vec<f32> = obs.chunks(3).map(worth).collect();
        let (ended, first, zeros) = (vec![true; steps], vec![0; steps], vec![0.0; steps]);
        let data = Trajectories {
            envs: 1,
            obs: &obs,
            next_obs: &obs,
            action: &zeros,
            log_prob: &zeros,
            reward: &reward,
            terminated: &ended,
            truncated: &ended,
            episode_step: &first,
            valid_steps: &[steps as u32],
        };
        let (value, _) = LinearBaseline::fit(&data, 0.9).values(&data);
        for (value, reward) in value.iter().zip(&reward) {
            assert!((value - f64::from(*reward)).abs() < 1e-5, "{value} {reward}");
        }
    }
}
