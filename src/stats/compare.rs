//! Comparisons of two methods on the same seeds and tasks.

use super::{
    aggregate::{Matrix, total_mean},
    bootstrap::by_task,
};

/// Probability of improvement of `x` over `y`: for each task the share of pairs of runs in which that of `x` scores more,
/// ties counting half (the statistic of Mann and Whitney over n_x n_y), and the mean of the tasks. Agarwal et al. 2021
/// (arXiv 2108.13264), rliable's `probability_of_improvement`. It says nothing of the size of an improvement.
pub fn probability_of_improvement(x: &Matrix, y: &Matrix) -> f64 {
    let (x, y) = (by_task(x), by_task(y));
    let of_task = |(x, y): (&Vec<f64>, &Vec<f64>)| {
        let won =
            |a: &f64| y.iter().map(|b| f64::from(u8::from(a > b)) + 0.5 * f64::from(u8::from(a == b))).sum::<f64>();
        x.iter().map(won).sum::<f64>() / (x.len() * y.len()) as f64
    };
    x.iter().zip(&y).map(of_task).sum::<f64>() / x.len() as f64
}

/// Mean difference `x - y`; the scores are paired by seed and task.
pub fn paired_difference(x: &Matrix, y: &Matrix) -> f64 {
    total_mean(x) - total_mean(y)
}

/// Normalised score: the position of the mean of `x` between those of `zero` (0) and `one` (1), a ratio of means and not a
/// mean of ratios: `(mean x - mean zero) / (mean one - mean zero)`. Within a bootstrap all three are redrawn together, so that
/// the interval has the uncertainty of the gap, too.
pub fn normalised(x: &Matrix, zero: &Matrix, one: &Matrix) -> f64 {
    let low = total_mean(zero);
    (total_mean(x) - low) / (total_mean(one) - low)
}

/// True if a gap of that size and 95 % interval exceeds three of its standard errors: a smaller one is no scale.
pub fn is_scale(gap: f64, ci95: [f64; 2]) -> bool {
    gap > 3.0 * super::Difference { mean: gap, ci95 }.standard_error()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::bootstrap::crossed;

    #[test]
    fn a_normalised_score_is_a_ratio_of_means_with_the_uncertainty_of_the_gap() {
        let (zero, one) = (vec![vec![0.0, 100.0]], vec![vec![100.0, 300.0]]);
        // means 50, 200 and 125: half of the way; the mean of ratios would be (0.5 + 0.5) / 2 by chance, so a task differs
        let x = vec![vec![80.0, 170.0]];
        assert_eq!(normalised(&x, &zero, &one), 0.5);
        assert_eq!(paired_difference(&x, &zero), 75.0);
        // redrawn tasks: only the first gives 0.8, only the second 0.35, both together 0.5
        let [low, high] =
            crossed(1, (1, 2), |drawn| vec![normalised(&drawn.of(&x), &drawn.of(&zero), &drawn.of(&one))])[0];
        assert!((low - 0.35).abs() < 1e-12 && (high - 0.8).abs() < 1e-12, "{low} {high}");
        assert!(is_scale(100.0, [80.0, 120.0]) && !is_scale(20.0, [0.0, 40.0]) && !is_scale(0.0, [0.0, 0.0]));
    }

    #[test]
    fn pairs_are_counted_as_mann_and_whitney_do() {
        // first task: (1, 1) against (0, 1): wins 1, ties 1 for each of two: (1 + 0.5) * 2 / 4; second: always less
        let (x, y) = (vec![vec![1.0, 0.0], vec![1.0, 0.0]], vec![vec![0.0, 5.0], vec![1.0, 6.0]]);
        assert_eq!(probability_of_improvement(&x, &y), 0.375);
    }
}
