//! Aggregates of a matrix of scores `[seeds][tasks]`, after Agarwal et al. 2021 (arXiv 2108.13264, the library rliable).

use super::mean;

/// Scores `[seeds][tasks]`: a row for each trained policy, a column for each task.
pub type Matrix = Vec<Vec<f64>>;

/// Interquartile mean: of all scores together, sorted, without floor(n / 4) at each end, the mean. rliable calls it
/// `aggregate_iqm` (SciPy's `trim_mean(x, 0.25)`).
pub fn interquartile_mean(mut scores: Vec<f64>) -> f64 {
    scores.sort_by(f64::total_cmp);
    let cut = scores.len() / 4;
    mean(&scores[cut..scores.len() - cut])
}

/// Mean of the worst tenth of `scores`, rounded up: the conditional value at risk at 10 %.
pub fn worst_tenth(mut scores: Vec<f64>) -> f64 {
    scores.sort_by(f64::total_cmp);
    mean(&scores[..scores.len().div_ceil(10)])
}

/// [`interquartile_mean`] of all scores of a matrix.
pub fn iqm(scores: &Matrix) -> f64 {
    interquartile_mean(scores.concat())
}

/// Mean of the means of tasks.
pub fn total_mean(scores: &Matrix) -> f64 {
    mean(&task_means(scores))
}

/// Median of the means of tasks.
pub fn median(scores: &Matrix) -> f64 {
    let mut means = task_means(scores);
    means.sort_by(f64::total_cmp);
    let half = means.len() / 2;
    if means.len() % 2 == 1 { means[half] } else { 0.5 * (means[half - 1] + means[half]) }
}

/// Optimality gap: gamma minus the mean of min(score, gamma), for scores of which `gamma` is the best that counts.
pub fn optimality_gap(scores: &Matrix, gamma: f64) -> f64 {
    let capped = |row: &Vec<f64>| row.iter().map(|score| score.min(gamma)).collect();
    gamma - total_mean(&scores.iter().map(capped).collect())
}

/// Mean over seeds of each policy's [`worst_tenth`] of tasks: the worst that is to be expected of one training.
pub fn worst_decile(scores: &Matrix) -> f64 {
    mean(&scores.iter().map(|row| worst_tenth(row.clone())).collect::<Vec<_>>())
}

/// Mean over seeds of each task, `[tasks]`.
pub fn task_means(scores: &Matrix) -> Vec<f64> {
    let tasks = scores.first().map_or(0, Vec::len);
    (0..tasks).map(|task| scores.iter().map(|row| row[task]).sum::<f64>() / scores.len() as f64).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::stats::{
        bootstrap::{by_task, crossed, stratified},
        compare::probability_of_improvement,
        curve::profile,
    };

    /// The matrix `[5, 8]` of scripts/statistics_reference.py.
    pub fn matrix(start: u32, shift: f64) -> Matrix {
        let mut state = start;
        let mut next = |task: usize| {
            state = (state * 137 + 71) % 1009;
            f64::from(state % 100) / 100.0 + shift * task as f64 / 8.0
        };
        (0..5).map(|_| (0..8).map(&mut next).collect()).collect()
    }

    fn near(a: f64, b: f64, error: f64) {
        assert!((a - b).abs() < error, "{a} is not {b}");
    }

    #[test]
    fn statistics_are_those_of_rliable() {
        // printed by scripts/statistics_reference.py with rliable 1.2.0
        let (x, y) = (matrix(5, 1.0), matrix(11, 0.5));
        near(iqm(&x), 0.9155, 1e-12);
        near(total_mean(&x), 0.92725, 1e-12);
        near(median(&x), 0.9975, 1e-12);
        near(optimality_gap(&x, 1.0), 0.19975, 1e-12);
        near(probability_of_improvement(&x, &y), 0.765, 1e-12);
        assert_eq!(probability_of_improvement(&x, &x), 0.5);
        assert_eq!(profile(&x, &[0.0, 0.25, 0.5, 1.0, 1.5]), PROFILE);
        // one task less: the median of an odd number
        let odd: Matrix = x.iter().map(|row| row[1..].to_vec()).collect();
        let mut means = task_means(&odd);
        means.sort_by(f64::total_cmp);
        assert_eq!(median(&odd), means[3]);
    }

    const PROFILE: [f64; 5] = [1.0, 1.0, 0.825, 0.4, 0.1];

    #[test]
    fn the_stratified_interval_is_that_of_rliable_and_whole_seeds_give_a_wider_one() {
        let x = matrix(5, 1.0);
        let [low, high] = stratified(&by_task(&x), 0, interquartile_mean);
        // 50,000 resamples of rliable: 0.8142 to 1.0183; ours are 2,000
        near(low, 0.8142, 0.015);
        near(high, 1.0183, 0.015);
        // policies that differ as wholes, by 0 to 4, on tasks that do not matter: 8 columns are no 8 observations.
        // The mean of 5 draws of 0..=4 has the standard deviation sqrt(2 / 5), that of 40 draws sqrt(2 / 40)
        let apart: Matrix = (0..5).map(|seed| vec![f64::from(seed); 8]).collect();
        let whole = crossed(0, (5, 8), |drawn| vec![total_mean(&drawn.of(&apart))])[0];
        let columns = stratified(&by_task(&apart), 0, |drawn| mean(&drawn));
        near(whole[1] - whole[0], 2.0 * 1.96 * (2.0f64 / 5.0).sqrt(), 0.15);
        near(columns[1] - columns[0], 2.0 * 1.96 * (2.0f64 / 40.0).sqrt(), 0.06);
        assert_eq!(crossed(0, (5, 8), |drawn| vec![total_mean(&drawn.of(&apart))])[0], whole);
    }

    #[test]
    fn the_worst_decile_is_that_of_each_policy() {
        // the worst of ten tasks of each: 0 and 100
        let scores = vec![(0..10).map(f64::from).collect(), (0..10).map(|task| f64::from(100 + task)).collect()];
        assert_eq!(worst_decile(&scores), 50.0);
        assert_eq!(worst_tenth((0..11).map(f64::from).collect()), 0.5);
    }
}
