//! Aggregates over tasks, after Agarwal et al. 2021 (arXiv 2108.13264, the rliable library).

use metadrift_envs::{Purpose, Stream};
use serde::{Deserialize, Serialize};

/// Resamples behind an interval.
const RESAMPLES: u32 = 2_000;

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
        let n = sorted.len();
        Summary {
            mean: mean(&sorted),
            iqm: iqm(sorted.clone()),
            worst_decile: mean(&sorted[..n.div_ceil(10)]),
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

/// Interquartile mean: the mean of the middle half.
fn iqm(mut scores: Vec<f64>) -> f64 {
    scores.sort_by(f64::total_cmp);
    let cut = scores.len() / 4;
    mean(&scores[cut..scores.len() - cut])
}

/// Interquartile mean of all runs of `groups`, and its 95 % percentile bootstrap interval, resampling runs within each group
/// (rliable's stratified bootstrap).
pub fn grouped_iqm(groups: &[Vec<f64>], seed: u64) -> (f64, [f64; 2]) {
    (iqm(groups.concat()), bootstrap(groups, seed, iqm))
}

/// The 95 % percentile bootstrap interval of the mean of `scores`.
pub fn bootstrap_mean(scores: &[f64], seed: u64) -> [f64; 2] {
    bootstrap(&[scores.to_vec()], seed, |drawn| mean(&drawn))
}

/// 95 % percentile bootstrap interval of a statistic of all scores of `groups`, resampled within each.
fn bootstrap(groups: &[Vec<f64>], seed: u64, statistic: fn(Vec<f64>) -> f64) -> [f64; 2] {
    let mut seen: Vec<f64> = (0..RESAMPLES)
        .map(|resample| {
            let mut rng = Stream::new(seed, Purpose::Bootstrap).iteration(resample).rng();
            let mut draw = |scores: &[f64]| {
                let word = u64::from(rand::Rng::next_u32(&mut rng));
                scores[((word * scores.len() as u64) >> 32) as usize]
            };
            statistic(
                groups.iter().flat_map(|scores| scores.iter().map(|_| draw(scores)).collect::<Vec<_>>()).collect(),
            )
        })
        .collect();
    seen.sort_by(f64::total_cmp);
    [percentile(&seen, 0.025), percentile(&seen, 0.975)]
}

/// Linear interpolation between the nearest ranks, as NumPy does it.
fn percentile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aggregates_by_hand() {
        // 1..=20 with one outlier: the middle half is 6..=15
        let mut scores: Vec<f64> = (1..=20).map(f64::from).collect();
        scores[19] = 1000.0;
        let summary = Summary::of(&scores, 0);
        assert_eq!((summary.mean, summary.iqm, summary.worst_decile), (59.5, 10.5, 1.5));
        assert_eq!(percentile(&[1.0, 2.0, 4.0], 0.75), 3.0);
    }

    #[test]
    fn the_interval_of_an_interquartile_mean_is_that_of_a_trimmed_mean() {
        // 25 % trimmed mean of a uniform law on (0, 1): asymptotic variance 1/6 a score (Huber 1981, section 3.3)
        let scores: Vec<f64> = (0..400).map(|i| (f64::from(i * 123 % 400) + 0.5) / 400.0).collect();
        let halves = [scores[..200].to_vec(), scores[200..].to_vec()];
        for groups in [&[scores][..], &halves] {
            let (middle, [low, high]) = grouped_iqm(groups, 1);
            let error = 1.96 * (1.0f64 / 6.0 / 400.0).sqrt();
            assert!((middle - 0.5).abs() < 1e-12, "{middle}");
            assert!((low - 0.5 + error).abs() < 0.006 && (high - 0.5 - error).abs() < 0.006, "{low} {high} {error}");
        }
        // groups far apart do not widen it: each keeps its share of the runs
        let apart = [vec![0.0; 10], vec![1.0; 10]];
        assert_eq!(grouped_iqm(&apart, 0), (0.5, [0.5, 0.5]));
    }

    #[test]
    fn the_interval_is_that_of_the_normal_law() {
        // 200 scores of 0 and 200 of 1: standard error of the mean 0.5 / sqrt(400) = 0.025
        let scores: Vec<f64> = (0..400).map(|i| f64::from(i % 2)).collect();
        let [low, high] = Summary::of(&scores, 3).ci95;
        assert!((low - (0.5 - 1.96 * 0.025)).abs() < 0.005 && (high - (0.5 + 1.96 * 0.025)).abs() < 0.005);
        assert_eq!(Summary::of(&[7.0; 5], 1).ci95, [7.0, 7.0]);
        // pairs that all differ by 2 leave no doubt, however far apart the tasks are
        let better: Vec<f64> = scores.iter().map(|score| 100.0 * score + 2.0).collect();
        let worse: Vec<f64> = scores.iter().map(|score| 100.0 * score).collect();
        assert_eq!(Difference::paired(&better, &worse, 0), Difference { mean: 2.0, ci95: [2.0, 2.0] });
        assert!(Difference::paired(&worse, &better, 0).is_negative());
    }
}
