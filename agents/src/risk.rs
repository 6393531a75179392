//! Weights of the tasks' outer losses, so that the gradient is that of a figure of the returns other than their mean.

use crate::settings::Risk;

/// Weight of each task, `[tasks]`, mean 1 where all tasks pull in one direction; empty for the mean, where all weights
/// are 1.
///
/// The variance V of n returns J_i with mean m has dV / dJ_i = 2 (J_i - m) / n, so that the weight for mean - level V is
/// 1 - 2 level (J_i - m): a task far above the mean is even pulled down. The conditional value at risk is the mean of the
/// worst share `level` of the returns (Rockafellar and Uryasev 2000); a task at the edge counts in part.
pub fn weights(risk: Risk, level: f64, returns: &[f64]) -> Vec<f64> {
    let n = returns.len() as f64;
    match risk {
        Risk::Mean => Vec::new(),
        Risk::Variance => {
            let mean = returns.iter().sum::<f64>() / n;
            returns.iter().map(|of_task| 1.0 - 2.0 * level * (of_task - mean)).collect()
        }
        Risk::Cvar => {
            let mut order: Vec<usize> = (0..returns.len()).collect();
            order.sort_by(|a, b| returns[*a].total_cmp(&returns[*b]));
            let mut weights = vec![0.0; returns.len()];
            let counted = level * n;
            for (rank, task) in order.into_iter().enumerate() {
                weights[task] = (counted - rank as f64).clamp(0.0, 1.0) / level;
            }
            weights
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_derivatives_of_their_figures() {
        let returns = [3.0, -1.0, 4.0, 2.0, 0.5];
        let n = returns.len() as f64;
        let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
        let variance = |of: &[f64]| of.iter().map(|x| (x - mean(of)).powi(2)).sum::<f64>() / of.len() as f64;
        type Figure<'a> = &'a dyn Fn(&[f64]) -> f64;
        let figures: [(Risk, f64, Figure<'_>); 2] = [
            (Risk::Variance, 0.3, &|of| mean(of) - 0.3 * variance(of)),
            (Risk::Cvar, 0.5, &|of| {
                let mut sorted = of.to_vec();
                sorted.sort_by(f64::total_cmp);
                // the worst two and a half of five
                (sorted[0] + sorted[1] + 0.5 * sorted[2]) / 2.5
            }),
        ];
        for (risk, level, figure) in figures {
            for (i, weight) in weights(risk, level, &returns).iter().enumerate() {
                let moved = |by: f64| {
                    let mut moved = returns;
                    moved[i] += by;
                    figure(&moved)
                };
                let derivative = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                assert!((weight / n - derivative).abs() < 1e-9, "{risk:?}, task {i}: {weight} {derivative}");
            }
        }
        assert_eq!(weights(Risk::Mean, 0.0, &returns), [0.0; 0]);
        assert_eq!(weights(Risk::Cvar, 1.0, &returns), [1.0; 5]);
    }
}
