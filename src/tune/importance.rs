//! The importance of parameters: the share of the variance of a value that each explains alone, by functional analysis of
//! variance of a random forest (Hutter, Hoos and Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter
//! Importance", ICML 2014), as Optuna has it by default.

use fanova::{FanovaOptions, RandomForestOptions};

use super::{plan::Plan, trial::Trial};

/// Fewest trials of which an importance is told.
pub const FEWEST: usize = 10;

/// The share of each parameter, 0 to 1, in the values of objective `of` after the first rung, which all trials have that did
/// not fail; none with fewer than [`FEWEST`] trials, or where all values are equal.
pub fn importance(plan: &Plan, trials: &[Trial], of: usize) -> Option<Vec<f64>> {
    let known = trials.iter().filter(|trial| trial.is_own);
    let rows: Vec<(&Vec<f64>, f64)> =
        known.filter_map(|trial| Some((trial.point.as_ref()?, trial.scores.first()?[of]))).collect();
    let target: Vec<f64> = rows.iter().map(|(_, value)| *value).collect();
    if rows.len() < FEWEST || target.iter().all(|value| *value == target[0]) {
        return None;
    }
    let column = |at: usize| {
        let parameter = &plan.parameters[at];
        rows.iter().map(|(point, _)| parameter.unit(point[at]).unwrap_or(0.0)).collect::<Vec<f64>>()
    };
    let columns: Vec<Vec<f64>> = (0..plan.parameters.len()).map(column).collect();
    let forest = RandomForestOptions::new().seed(plan.file.seed);
    let features = columns.iter().map(Vec::as_slice).collect();
    let mut found = FanovaOptions::new().random_forest(forest).fit(features, &target).ok()?;
    // of a tree that drew equal values alone there is no share
    let share = |at| Some(found.quantify_importance(&[at]).mean).filter(|share| share.is_finite());
    (0..columns.len()).map(share).collect()
}
