//! A test bed for estimators of the meta-gradient: problems small enough that all data can be enumerated, adapted and
//! differentiated by the very kernels that train, in f64.
//!
//! Two gradients are called the meta-gradient: that of J_N, the expected return after adaptation to N episodes, and that
//! of J_inf, the return after a step along the exact gradient. An estimator aims at one of them.

mod bed;
mod enumeration;
mod monte_carlo;
pub mod problem;

pub use bed::{Bed, Estimator, Sampling};
pub use enumeration::{leaves, means};
pub use monte_carlo::replicate;

/// Mean and spread of an estimator.
#[derive(Clone, Debug)]
pub struct Spread {
    /// Mean of the estimates, `[states]`.
    pub mean: Vec<f64>,
    /// Variance of the estimates, `[states]`.
    pub variance: Vec<f64>,
}

impl Spread {
    /// The spread of estimates with total weight `weight`, from their weighted sum and sum of squares.
    fn of_sums(weight: f64, sum: &[f64], squares: &[f64]) -> Self {
        let mean: Vec<f64> = sum.iter().map(|sum| sum / weight).collect();
        let variance = squares.iter().zip(&mean).map(|(square, mean)| (square / weight - mean * mean).max(0.0));
        Spread { variance: variance.collect(), mean }
    }

    /// Standard deviation: the root of the sum of the components' variances.
    pub fn sd(&self) -> f64 {
        self.variance.iter().sum::<f64>().sqrt()
    }
}

/// Length of the difference of two gradients, relative to the second.
pub fn relative_error(found: &[f64], exact: &[f64]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    norm(&mut found.iter().zip(exact).map(|(a, b)| a - b)) / norm(&mut exact.iter().copied())
}
