//! The effect of commands in the parts of a log, which tells worlds that change within it.

use metadrift_agents::batch::Trajectories;
use nalgebra::{Cholesky, DMatrix, DVector};

use super::model::Units;

/// Number of steps of a part, and the least.
const STEPS: [usize; 2] = [25, 10];
/// Most parts of a log, evenly spread over it.
const MOST: usize = 32;
/// Largest error of a part, in units of the median: the world changes within one that has more.
const CALM: f64 = 4.0;
/// Ridge on the sums over a part's steps: on the constant, and on commands.
const RIDGE: [f64; 2] = [1e-5, 1e-3];
/// Ridge on what parts have in common, in units of a feature's variance, and on what is taken out of each of them.
const COMMON: f64 = 1e-6;

/// The weights of the command in parts of a log, in units of changes, `[parts, command size * (own_obs + 1)]`.
#[derive(Debug)]
pub struct Parts(Vec<DVector<f64>>);

/// A part of a log.
struct Part {
    /// Features of the steps, `[steps, features]`.
    features: DMatrix<f64>,
    /// Changes in their units, `[steps, own_obs + 1]`.
    changes: DMatrix<f64>,
    /// 1 and the command, `[steps, 1 + command size]`.
    inputs: DMatrix<f64>,
}

impl Part {
    fn of(data: &Trajectories<'_>, rows: &[usize], units: &Units) -> Part {
        let matrix = |row: &dyn Fn(usize) -> Vec<f64>| {
            let all: Vec<f64> = rows.iter().flat_map(|at| row(*at)).collect();
            DMatrix::from_row_slice(rows.len(), all.len() / rows.len(), &all)
        };
        Part {
            features: matrix(&|row| units.features(data, row).as_slice().to_vec()),
            changes: matrix(&|row| units.scaled_changes(data, row)),
            inputs: matrix(&|row| [1.0].into_iter().chain(units.command(data, row)).collect()),
        }
    }

    /// The regression of `y` `[steps, outputs]` on the inputs, `[1 + command size, outputs]`.
    fn by_inputs(&self, y: &DMatrix<f64>, ridge: [f64; 2]) -> DMatrix<f64> {
        let mut gram = self.inputs.tr_mul(&self.inputs);
        (0..gram.nrows()).for_each(|k| gram[(k, k)] += ridge[usize::from(k > 0)]);
        Cholesky::new(gram).expect("a ridge").solve(&self.inputs.tr_mul(y))
    }

    /// The errors of the regression of `y` on the inputs.
    fn without_inputs(&self, y: &DMatrix<f64>) -> DMatrix<f64> {
        y - &self.inputs * self.by_inputs(y, [COMMON; 2])
    }

    /// The mean squared error of the part, and its weights of the command, if its world is else that of `common` weights.
    fn weights(&self, common: &DMatrix<f64>) -> (f64, DVector<f64>) {
        let left = &self.changes - &self.features * common;
        let weights = self.by_inputs(&left, RIDGE);
        let error = (left - &self.inputs * &weights).norm_squared() / self.inputs.nrows() as f64;
        (error, DVector::from_column_slice(weights.rows(1, weights.nrows() - 1).clone_owned().as_slice()))
    }
}

/// The weights of features that `parts` have in common while the effect of the command differs: a regression within parts
/// (Frisch and Waugh 1933). One on all steps would take the policy's reactions for the world.
fn common(parts: &[Part]) -> DMatrix<f64> {
    let (mut gram, mut target) = (DMatrix::zeros(0, 0), DMatrix::zeros(0, 0));
    let mut steps = 0.0;
    for part in parts {
        let (x, y) = (part.without_inputs(&part.features), part.without_inputs(&part.changes));
        gram = if gram.is_empty() { x.tr_mul(&x) } else { gram + x.tr_mul(&x) };
        target = if target.is_empty() { x.tr_mul(&y) } else { target + x.tr_mul(&y) };
        steps += x.nrows() as f64;
    }
    (0..gram.nrows()).for_each(|k| gram[(k, k)] += COMMON * steps);
    Cholesky::new(gram).expect("a ridge").solve(&target)
}

impl Parts {
    /// The parts of `data`; one in which the world changes is left out.
    pub fn of(data: &Trajectories<'_>, units: &Units) -> Parts {
        let mut parts: Vec<Part> = Vec::new();
        for (env, start, end) in data.episodes() {
            for from in (start..end).step_by(STEPS[0]) {
                let rows: Vec<usize> = (from..end.min(from + STEPS[0])).map(|t| data.row(t, env)).collect();
                if rows.len() >= STEPS[1] {
                    parts.push(Part::of(data, &rows, units));
                }
            }
        }
        if parts.is_empty() {
            return Parts(Vec::new());
        }
        let common = common(&parts);
        let all: Vec<(f64, DVector<f64>)> = parts.iter().map(|part| part.weights(&common)).collect();
        let mut errors: Vec<f64> = all.iter().map(|(error, _)| *error).collect();
        errors.sort_by(f64::total_cmp);
        let most = errors.get(errors.len() / 2).map_or(0.0, |median| CALM * median);
        let calm: Vec<DVector<f64>> =
            all.into_iter().filter(|(error, _)| *error <= most).map(|(_, weights)| weights).collect();
        let kept = calm.len().min(MOST);
        Parts((0..kept).map(|k| calm[k * calm.len() / kept].clone()).collect())
    }

    /// The square of the mean distance of a part to the nearest one of `others`; 0 if there is none.
    pub fn distance<'a>(&self, others: impl Iterator<Item = &'a Parts>) -> f64 {
        // side by side in memory: there are many
        let others: Vec<f64> = others.flat_map(|other| &other.0).flat_map(|part| part.iter().copied()).collect();
        let nearest = |part: &DVector<f64>| {
            let squared =
                |other: &[f64]| part.as_slice().iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
            others.chunks_exact(part.len()).map(squared).fold(f64::INFINITY, f64::min).sqrt()
        };
        let apart: Vec<f64> = self.0.iter().map(nearest).filter(|apart| apart.is_finite()).collect();
        if apart.is_empty() { 0.0 } else { (apart.iter().sum::<f64>() / apart.len() as f64).powi(2) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effect_of_commands_is_told_from_that_of_states_that_they_follow() {
        // the change is 2 x + g u, where u follows x (+1 where x > 0, but for every fifth step), with g of 1 and then -0.5
        let part = |gain: f64, from: usize| {
            let x = |at: usize| (0.7 * (from + at) as f64).sin();
            let u = |at: usize| x(at).signum() * if at.is_multiple_of(5) { -1.0 } else { 1.0 };
            Part {
                features: DMatrix::from_fn(25, 3, |at, k| [1.0, x(at), u(at)][k]),
                changes: DMatrix::from_fn(25, 1, |at, _| 2.0 * x(at) + gain * u(at)),
                inputs: DMatrix::from_fn(25, 2, |at, k| [1.0, u(at)][k]),
            }
        };
        let parts = [part(1.0, 0), part(1.0, 25), part(-0.5, 50), part(-0.5, 75)];
        let common = common(&parts);
        assert!((common[(1, 0)] - 2.0).abs() < 1e-3, "{common}");
        for (part, gain) in parts.iter().zip([1.0, 1.0, -0.5, -0.5]) {
            let (error, weights) = part.weights(&common);
            assert!((weights[0] - gain).abs() < 1e-3 && error < 1e-6, "{weights} {error}");
        }
    }
}
