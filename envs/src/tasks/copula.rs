//! Channels that are drawn together: a Gaussian copula.

use crate::{
    physics::spec::EnvSpec,
    tasks::{
        channel::{Entry, channel_at},
        config::{Correlated, Correlation},
        error::TaskError,
        law::Law,
        normal,
    },
};

/// A checked [`Correlated`].
#[derive(Clone, Debug)]
pub(crate) struct Copula {
    pub channels: Vec<usize>,
    /// The lower triangular Cholesky factor of the correlation matrix, by rows.
    root: Vec<Vec<f64>>,
}

impl Copula {
    /// The copula of the channels that `correlated` names.
    ///
    /// # Errors
    /// On an unknown channel, one without a law of its own, and a matrix that is no correlation.
    pub fn new(path: &str, spec: &EnvSpec, correlated: &Correlated, vary: &[Entry<Law>]) -> Result<Copula, TaskError> {
        let invalid = |problem: String| TaskError::Invalid { path: path.to_string(), problem };
        let n = correlated.channels.len();
        if n < 2 {
            return Err(invalid(format!("`channels` has {n} entries; a correlation takes 2 or more")));
        }
        let mut channels = Vec::with_capacity(n);
        for name in &correlated.channels {
            let channel = channel_at(spec, &format!("{path}.channels"), name)?;
            let entry = vary.iter().find(|entry| entry.channel == channel);
            if entry.is_none_or(|entry| matches!(entry.what, Law::Mixture { .. })) {
                return Err(invalid(format!("`{name}` needs a law in vary that is no mixture")));
            }
            // a split or an alternative may fix a channel that is otherwise drawn
            let fixed = |entry: &Entry<Law>| entry.what.support().0 == entry.what.support().1;
            let general = |path: &str| !path.starts_with("task.split.") && !path.starts_with("task.list[");
            if entry.is_some_and(|entry| fixed(entry) && general(&entry.path)) {
                return Err(invalid(format!("`{name}` always has the same value, so it cannot depend on another")));
            }
            if channels.contains(&channel) {
                return Err(invalid(format!("`{name}` is named twice")));
            }
            channels.push(channel);
        }
        let matrix = match &correlated.correlation {
            Correlation::Common(rho) => {
                (0..n).map(|i| (0..n).map(|j| if i == j { 1.0 } else { *rho }).collect()).collect()
            }
            Correlation::Matrix(rows) => rows.clone(),
        };
        let root = root(&matrix, n).ok_or_else(|| {
            invalid(format!("`correlation` must be symmetric {n} x {n}, ones on the diagonal, positive definite"))
        })?;
        Ok(Copula { channels, root })
    }

    /// Correlated uniform numbers of the channels, from independent ones.
    pub fn shares(&self, independent: &[f64]) -> Vec<f64> {
        let normals: Vec<f64> = independent.iter().map(|u| normal::quantile(*u)).collect();
        let joined = self.root.iter().map(|row| row.iter().zip(&normals).map(|(a, z)| a * z).sum());
        joined.map(normal::cdf).collect()
    }
}

/// The Cholesky factor of a correlation matrix, if it is one.
fn root(matrix: &[Vec<f64>], n: usize) -> Option<Vec<Vec<f64>>> {
    if matrix.len() != n || matrix.iter().any(|row| row.len() != n) {
        return None;
    }
    let mut root = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..=i {
            if matrix[i][j] != matrix[j][i] || matrix[i][i] != 1.0 {
                return None;
            }
            let known: f64 = (0..j).map(|k| root[i][k] * root[j][k]).sum();
            let rest = matrix[i][j] - known;
            root[i][j] = if i == j { rest.sqrt() } else { rest / root[j][j] };
        }
        if root[i][i].is_nan() || root[i][i] <= 1e-9 {
            return None;
        }
    }
    Some(root)
}
