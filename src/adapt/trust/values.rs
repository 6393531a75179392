//! The values of a task's parameters as its model tells them: a value just beyond the edge of training's is one of no
//! task, however near its model is to theirs.

use nalgebra::{Cholesky, DMatrix, DVector};

use super::model::Model;

/// Number of directions in which models differ most that tell values.
const AXES: usize = 8;
/// Ridge on the sums over tasks.
const RIDGE: f64 = 1e-4;
/// Smallest variance of a feature, and smallest spread along a direction as a share of the largest: less is rounding.
const ROUNDING: f64 = 1e-9;

/// A regression of the values that differ between tasks of training on the principal components of their models and the
/// products of any two: quadratic, for models are seldom linear in parameters (a goal shows as a distance and a direction).
#[derive(Debug)]
pub struct Values {
    /// From weights to errors on the steps of all tasks, `[features, features]`.
    ruler: DMatrix<f64>,
    /// Mean of the models, `[features * (own_obs + 1)]`.
    mean: DVector<f64>,
    /// One column for each principal component, which has variance 1 over tasks.
    axes: DMatrix<f64>,
    /// Weights of the regression, `[terms, values]`.
    weights: DMatrix<f64>,
    /// The values of each task as a regression on the others tells them, in units of their range, `[tasks, values]`.
    told: DMatrix<f64>,
}

impl Values {
    /// The regression on tasks of training with these `models` and values of all channels, `[tasks][channels]`.
    pub fn of(models: &[Model], values: &[Vec<f64>]) -> Values {
        let tasks = models.len() as f64;
        let mut gram = models.iter().map(|model| &model.gram).sum::<DMatrix<f64>>() / tasks;
        (0..gram.nrows()).for_each(|k| gram[(k, k)] += ROUNDING);
        let ruler = Cholesky::new(gram).expect("a ridge").l().transpose();
        let all: Vec<DVector<f64>> = models.iter().map(|model| errors(&ruler, model)).collect();
        let mean = all.iter().sum::<DVector<f64>>() / tasks;
        let apart = DMatrix::from_columns(&all.iter().map(|errors| errors - &mean).collect::<Vec<_>>());
        let axes = axes(apart);
        let mut found = Values { ruler, mean, axes, weights: DMatrix::zeros(0, 0), told: DMatrix::zeros(0, 0) };

        let rows: Vec<_> = models.iter().map(|model| found.terms(model).transpose()).collect();
        let x = DMatrix::from_rows(&rows);
        let y = in_range(values);
        let mut sums = x.tr_mul(&x);
        (1..sums.nrows()).for_each(|k| sums[(k, k)] += RIDGE);
        let solver = Cholesky::new(sums).expect("a ridge");
        found.weights = solver.solve(&x.tr_mul(&y));
        let inverse = solver.inverse();
        let errors = &y - &x * &found.weights;
        // what a regression without the task leaves, in closed form
        found.told = DMatrix::from_fn(y.nrows(), y.ncols(), |at, k| {
            let own = (x.row(at) * &inverse).dot(&x.row(at));
            y[(at, k)] - errors[(at, k)] / (1.0 - own)
        });
        found
    }

    /// The terms of the regression: 1, the principal components of a model, and their products.
    fn terms(&self, model: &Model) -> DVector<f64> {
        let along = self.axes.tr_mul(&(errors(&self.ruler, model) - &self.mean));
        let mut terms = vec![1.0];
        terms.extend(&along);
        for (k, a) in along.iter().enumerate() {
            terms.extend(along.iter().take(k + 1).map(|b| a * b));
        }
        DVector::from_vec(terms)
    }

    /// The largest share of its range by which a value of the task of training at place `at` lies beyond those of the others.
    pub fn beyond_others(&self, at: usize) -> f64 {
        self.furthest(&self.told.row(at).transpose(), Some(at))
    }

    /// The largest share of its range by which a value of the world of `model` lies beyond those of training.
    pub fn beyond(&self, model: &Model) -> f64 {
        self.furthest(&self.weights.tr_mul(&self.terms(model)), None)
    }

    /// The largest distance of a value from the range of those of the tasks but for that at place `but`.
    fn furthest(&self, values: &DVector<f64>, but: Option<usize>) -> f64 {
        let beyond = |(k, value): (usize, &f64)| {
            let others = (0..self.told.nrows()).filter(|at| Some(*at) != but).map(|at| self.told[(at, k)]);
            let [low, high] =
                others.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], told| [low.min(told), high.max(told)]);
            (low - value).max(value - high)
        };
        values.iter().enumerate().map(beyond).fold(0.0, f64::max)
    }
}

/// The weights of `model` in the units of `ruler`, in which their squared distance is a squared error.
fn errors(ruler: &DMatrix<f64>, model: &Model) -> DVector<f64> {
    DVector::from_column_slice((ruler * &model.weights).as_slice())
}

/// The directions in which the columns of `apart` spread most, each divided by the spread.
fn axes(apart: DMatrix<f64>) -> DMatrix<f64> {
    let tasks = apart.ncols() as f64;
    let found = apart.svd(true, false);
    let left = found.u.expect("asked for");
    let spread = |k: usize| found.singular_values[k];
    let kept = (0..left.ncols().min(AXES)).take_while(|k| spread(*k) > ROUNDING * spread(0));
    let columns: Vec<_> = kept.map(|k| left.column(k) * (tasks.sqrt() / spread(k))).collect();
    if columns.is_empty() { DMatrix::zeros(left.nrows(), 0) } else { DMatrix::from_columns(&columns) }
}

/// The values that differ between tasks, 0 for the smallest and 1 for the largest, `[tasks, values]`.
fn in_range(values: &[Vec<f64>]) -> DMatrix<f64> {
    let of = |channel: usize| values.iter().map(move |task| task[channel]);
    let low = |channel| of(channel).fold(f64::INFINITY, f64::min);
    let high = |channel| of(channel).fold(f64::NEG_INFINITY, f64::max);
    let differ: Vec<usize> = (0..values[0].len()).filter(|channel| high(*channel) > low(*channel)).collect();
    let ranges: Vec<[f64; 2]> = differ.iter().map(|channel| [low(*channel), high(*channel)]).collect();
    DMatrix::from_fn(values.len(), differ.len(), |at, k| {
        (values[at][differ[k]] - ranges[k][0]) / (ranges[k][1] - ranges[k][0])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The model of a goal that shows as a distance and a direction.
    fn model([x, y]: [f64; 2]) -> Model {
        let away = x.hypot(y);
        Model { weights: DMatrix::from_vec(3, 1, vec![-away, x / away, y / away]), gram: DMatrix::identity(3, 3) }
    }

    #[test]
    fn goals_are_told_from_distance_and_direction() {
        // a grid from -0.5 to 0.5 that misses the origin; a third channel is the same in all
        let goals: Vec<[f64; 2]> =
            (0..196).map(|k| [f64::from(k % 14) / 13.0 - 0.5, f64::from(k / 14) / 13.0 - 0.5]).collect();
        let models: Vec<Model> = goals.iter().map(|goal| model(*goal)).collect();
        let values: Vec<Vec<f64>> = goals.iter().map(|[x, y]| vec![*x, *y, 7.0]).collect();
        let found = Values::of(&models, &values);
        assert_eq!(found.told.ncols(), 2);
        // a coordinate is minus the first weight times another: the range is 1 long, and 0.6 lies 0.1 beyond it
        for goal in [[0.6, 0.1], [-0.2, 0.6], [-0.6, -0.55]] {
            assert!((found.beyond(&model(goal)) - 0.1).abs() < 1e-3, "{goal:?}");
        }
        for goal in [[0.45, 0.48], [-0.3, 0.01]] {
            assert_eq!(found.beyond(&model(goal)), 0.0, "{goal:?}");
        }
        // edges have others on them
        assert!((0..196).all(|at| found.beyond_others(at) < 1e-3));
    }

    #[test]
    fn tasks_with_the_same_values_tell_none() {
        let models = [[0.3, 0.4], [0.1, 0.2], [0.2, -0.1]].map(model);
        let found = Values::of(&models, &vec![vec![1.0, 2.0]; 3]);
        assert_eq!(found.beyond(&model([5.0, 5.0])), 0.0);
        assert_eq!(found.beyond_others(0), 0.0);
    }
}
