//! Statistics that are curves, or areas under them.

use super::aggregate::Matrix;

/// Area under the adaptation curve: `returns` after 0, 1, … K steps, joined by straight lines, over K. It has the unit of a
/// return; a curve of one point is that point. (The practice of MAML; Meta-World's evaluation procedure.)
pub fn area(returns: &[f64]) -> f64 {
    match returns {
        [only] => *only,
        _ => returns.windows(2).map(|pair| 0.5 * (pair[0] + pair[1])).sum::<f64>() / (returns.len() - 1) as f64,
    }
}

/// Performance profile: for each of `taus` the share of all scores strictly above it. Agarwal et al. 2021 (arXiv 2108.13264),
/// rliable's run-score distribution.
pub fn profile(scores: &Matrix, taus: &[f64]) -> Vec<f64> {
    let all = scores.concat();
    taus.iter().map(|tau| all.iter().filter(|score| *score > tau).count() as f64 / all.len() as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_is_that_of_trapezia() {
        assert_eq!(area(&[10.0]), 10.0);
        assert_eq!(area(&[0.0, 10.0, 10.0]), 7.5);
    }

    #[test]
    fn a_profile_counts_what_is_strictly_above() {
        assert_eq!(profile(&vec![vec![0.0, 1.0], vec![1.0, 2.0]], &[-1.0, 0.0, 1.0, 2.0]), [1.0, 0.75, 0.25, 0.0]);
    }
}
