//! Statistics of scores, a small file for each family.
//!
//! | file | holds |
//! |---|---|
//! | [`aggregate`] | mean, interquartile mean, median, optimality gap, worst decile of a matrix of scores |
//! | [`bootstrap`] | intervals: redrawn seeds and tasks, or runs within each task |
//! | [`compare`] | paired differences, probability of improvement, normalised score |
//! | [`curve`] | area under the adaptation curve, performance profile |
//! | `survival` | times until an event, some of which were not waited for |
//!
//! Scores of a study are matrices `[seeds][tasks]`: one trained policy, a row, meets all tasks.

use serde::{Deserialize, Serialize};

pub mod aggregate;
pub mod bootstrap;
pub mod compare;
pub mod curve;
mod survival;

use aggregate::{interquartile_mean, worst_tenth};
use bootstrap::stratified;
pub use survival::Censored;

/// A score over held-out tasks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Mean over tasks.
    pub mean: f64,
    /// Interquartile mean: the mean of the middle half.
    pub iqm: f64,
    /// Mean of the worst tenth of the tasks, at least one.
    pub worst_decile: f64,
    /// 95 % percentile bootstrap interval of the mean, resampling tasks.
    pub ci95: [f64; 2],
}

impl Summary {
    /// The summary of `scores`, one per task; `seed` is that of the bootstrap.
    ///
    /// # Panics
    /// If there are none.
    pub fn of(scores: &[f64], seed: u64) -> Self {
        assert!(!scores.is_empty(), "a summary of no tasks");
        let mut sorted = scores.to_vec();
        sorted.sort_by(f64::total_cmp);
        Summary {
            mean: mean(&sorted),
            iqm: interquartile_mean(sorted.clone()),
            worst_decile: worst_tenth(sorted),
            ci95: bootstrap_mean(scores, seed),
        }
    }
}

/// A mean difference between two scores of the same tasks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Mean over tasks.
    pub mean: f64,
    /// 95 % percentile bootstrap interval of the mean, resampling tasks.
    pub ci95: [f64; 2],
}

impl Difference {
    /// The summary of `better - worse`, `[tasks]` each; `seed` is that of the bootstrap.
    ///
    /// # Panics
    /// If there are no tasks, or the lengths differ.
    pub fn paired(better: &[f64], worse: &[f64], seed: u64) -> Self {
        assert_eq!(better.len(), worse.len(), "two scores for each task");
        let differences: Vec<f64> = better.iter().zip(worse).map(|(better, worse)| better - worse).collect();
        let Summary { mean, ci95, .. } = Summary::of(&differences, seed);
        Difference { mean, ci95 }
    }

    /// Says whether the whole interval lies below zero.
    pub fn is_negative(&self) -> bool {
        self.ci95[1] < 0.0
    }

    /// The standard error of the mean that the interval implies: a 95 % interval is 2 * 1.96 of them wide.
    pub fn standard_error(&self) -> f64 {
        (self.ci95[1] - self.ci95[0]) / 3.92
    }
}

/// Mean of `values`; NaN if there are none.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The variance, by the unbiased estimate; 0 for a single value.
pub fn variance(values: &[f64]) -> f64 {
    let average = mean(values);
    values.iter().map(|v| (v - average).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0).max(1.0)
}

/// Interquartile mean of all runs of `groups`, and its 95 % percentile bootstrap interval, resampling runs within each group
/// (rliable's stratified bootstrap).
pub fn grouped_iqm(groups: &[Vec<f64>], seed: u64) -> (f64, [f64; 2]) {
    (interquartile_mean(groups.concat()), stratified(groups, seed, interquartile_mean))
}

/// The 95 % percentile bootstrap interval of the mean of `scores`.
pub fn bootstrap_mean(scores: &[f64], seed: u64) -> [f64; 2] {
    stratified(&[scores.to_vec()], seed, |drawn| mean(&drawn))
}

#[cfg(test)]
mod tests;
