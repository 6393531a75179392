//! The effect of commands in the parts of a log, which tells worlds that change within it.

use metadrift_agents::batch::Trajectories;
use nalgebra::{Cholesky, DMatrix, DVector};

use super::model::{Model, Units};

/// Number of steps of a part, and the least.
const STEPS: [usize; 2] = [25, 10];
/// Most parts of a log, evenly spread over it.
const MOST: usize = 32;
/// Largest error of a part, in units of the median: the world changes within one that has more.
const CALM: f64 = 4.0;
/// Ridge on the sums over a part's steps: on the constant, and on commands.
const RIDGE: [f64; 2] = [5e-5, 0.05];

/// The weights of the command in parts of a log, in units of changes, `[parts, command size * (own_obs + 1)]`.
#[derive(Debug)]
pub struct Parts(Vec<DVector<f64>>);

impl Parts {
    /// The parts of `data`, whose model is `model`; a part in which the world changes is left out.
    pub fn of(data: &Trajectories<'_>, units: &Units, model: &Model) -> Parts {
        let mut all: Vec<(f64, DVector<f64>)> = Vec::new();
        for (env, start, end) in data.episodes() {
            for from in (start..end).step_by(STEPS[0]) {
                let rows: Vec<usize> = (from..end.min(from + STEPS[0])).map(|t| data.row(t, env)).collect();
                if rows.len() >= STEPS[1] {
                    all.push(part(data, &rows, units, model));
                }
            }
        }
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

/// The mean squared error of a part, and its weights of the command: those of the log's model and what a regression of its
/// errors adds.
fn part(data: &Trajectories<'_>, rows: &[usize], units: &Units, model: &Model) -> (f64, DVector<f64>) {
    let size = units.command_size();
    let inputs = |k: usize, row: usize| if k == 0 { 1.0 } else { units.command(data, row).nth(k - 1).unwrap_or(0.0) };
    let x = DMatrix::from_fn(rows.len(), 1 + size, |at, k| inputs(k, rows[at]));
    let errors: Vec<DVector<f64>> = rows.iter().map(|row| model.error(data, *row, units)).collect();
    let y = DMatrix::from_fn(rows.len(), errors[0].len(), |at, k| errors[at][k]);
    let mut gram = x.transpose() * &x;
    (0..=size).for_each(|k| gram[(k, k)] += RIDGE[usize::from(k > 0)]);
    let solved = Cholesky::new(gram).expect("a ridge").solve(&(x.transpose() * &y));
    let left = y - x * &solved;
    let weights = model.of_command(units) + solved.rows(1, size);
    (left.norm_squared() / rows.len() as f64, DVector::from_column_slice(weights.as_slice()))
}
