//! The sampling term of the meta-gradient: the meta-policy also chooses the data that adaptation sees, and is credited for
//! it with the return after adaptation (E-MAML, Stadie et al. 2018, arXiv 1803.01118; Al-Shedivat et al. 2018, arXiv
//! 1710.03641, equation 8).

use crate::{batch::Batch, settings::SamplingTerm};

/// Each value minus the mean of the others, `[values]`; a single one stays.
///
/// The mean of the others does not depend on a task's own data, so as a baseline it changes no expectation.
pub fn beyond_others(values: &[f64]) -> Vec<f64> {
    let others = values.len().saturating_sub(1).max(1) as f64;
    let sum: f64 = values.iter().sum();
    values.iter().map(|value| value - (sum - value) / others).collect::<Vec<_>>()
}

/// Credit of each task's support data, in units of the outer loss, `[tasks]`; empty without the term. `query` and
/// `returns` are the data after adaptation and their mean return per episode, `[tasks]`.
///
/// The outer loss is a mean over samples of advantages divided by their spread; a return counts by the same measure: once
/// per episode, divided by the number of samples and by the spread.
pub fn credit(term: SamplingTerm, query: &[Batch], returns: &[f64]) -> Vec<f64> {
    let earned = match term {
        SamplingTerm::None => return Vec::new(),
        SamplingTerm::Plain => returns.to_vec(),
        SamplingTerm::LeaveOneOut => beyond_others(returns),
    };
    let of_task = |(batch, earned): (&Batch, f64)| match batch.spread {
        0.0 => 0.0, // the outer loss has nothing to say of this task either
        spread => earned * batch.episodes.len() as f64 / (batch.len() as f64 * spread),
    };
    query.iter().zip(earned).map(of_task).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_others_mean_is_by_hand() {
        assert_eq!(beyond_others(&[1.0, 2.0, 6.0]), [-3.0, -1.5, 4.5]);
        assert_eq!(beyond_others(&[7.0]), [7.0]);
    }

    #[test]
    fn credit_is_the_return_per_sample_over_the_spread() {
        let batch = |spread| Batch {
            log_prob: vec![0.0; 10],
            advantage: vec![0.0; 10],
            episodes: vec![4, 6],
            spread,
            ..Batch::default()
        };
        let query = [batch(0.5), batch(0.0)];
        assert_eq!(credit(SamplingTerm::None, &query, &[3.0, 1.0]), [0.0; 0]);
        assert_eq!(credit(SamplingTerm::Plain, &query, &[3.0, 1.0]), [3.0 * 2.0 / (10.0 * 0.5), 0.0]);
        assert_eq!(credit(SamplingTerm::LeaveOneOut, &query, &[3.0, 1.0]), [2.0 * 2.0 / (10.0 * 0.5), 0.0]);
    }
}
