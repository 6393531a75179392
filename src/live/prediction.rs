//! A model that predicts the next readings from the last, learned while the plant runs.

use metadrift_envs::{ActionSpace, EnvSpec};
use nalgebra::{DMatrix, DVector};

/// Factor by which a tick's weight falls with every tick.
const FORGETTING: f64 = 0.999;
/// Variance of the unknown coefficients before anything is seen.
const PRIOR: f64 = 100.0;
/// Share of a new error in the running variance of the errors.
const SHARE: f64 = 0.02;
/// Largest squared error, in units of its variance: one tick is no proof.
const MOST: f64 = 9.0;

/// Recursive least squares (Plackett 1950) of the changes of all readings, on readings, command and the products of any
/// two: a sign that flips shows in a product with the command.
#[derive(Clone, Debug)]
pub struct Prediction {
    readings: usize,
    space: ActionSpace,
    /// `[readings, features]`
    coefficients: DMatrix<f64>,
    /// Covariance of the coefficients, in units of the errors' variance, `[features, features]`.
    covariance: DMatrix<f64>,
    /// Running variance of each reading's error.
    variance: Vec<f64>,
    /// Ticks since the last change.
    ticks: usize,
}

impl Prediction {
    /// A model that knows nothing of the environment `spec`.
    pub fn new(spec: &EnvSpec) -> Prediction {
        let (readings, inputs) = (spec.obs_dim(), spec.obs_dim() + spec.act_dim());
        let features = 1 + inputs + inputs * (inputs + 1) / 2;
        Prediction {
            readings,
            space: spec.action,
            coefficients: DMatrix::zeros(readings, features),
            covariance: DMatrix::identity(features, features) * PRIOR,
            variance: vec![0.0; readings],
            ticks: 0,
        }
    }

    /// Features of readings and action.
    fn features(&self, obs: &[f32], action: &[f32]) -> DVector<f64> {
        let unit = |action: &f32| match self.space {
            ActionSpace::Discrete(count) => 2.0 * f64::from(*action) / (count as f64 - 1.0) - 1.0,
            ActionSpace::Box { .. } => f64::from(*action).clamp(-1.0, 1.0),
        };
        let inputs: Vec<f64> =
            obs[..self.readings].iter().map(|x| f64::from(*x)).chain(action.iter().map(unit)).collect();
        let products = inputs.iter().enumerate().flat_map(|(k, a)| inputs[k..].iter().map(move |b| a * b));
        DVector::from_iterator(self.covariance.nrows(), std::iter::once(1.0).chain(inputs.clone()).chain(products))
    }

    /// Learns from observation, action and next observation, and says by how much they surprised: the mean over readings of
    /// the squared error in units of its variance, less 1. Nothing is said until the model has seen enough.
    pub fn surprise(&mut self, (obs, action, next): (&[f32], &[f32], &[f32])) -> Option<f64> {
        let features = self.features(obs, action);
        let gain = &self.covariance * &features;
        let doubt = features.dot(&gain);
        let step = &gain / (FORGETTING + doubt);
        self.ticks += 1;
        let knows = self.ticks > self.learning();
        let (mut surprise, mut told) = (0.0, 0.0);
        for k in 0..self.readings {
            let change = f64::from(next[k]) - f64::from(obs[k]);
            let error = change - (self.coefficients.row(k) * &features)[0];
            self.coefficients.row_mut(k).iter_mut().zip(step.iter()).for_each(|(c, step)| *c += error * step);
            let squared = error * error / (1.0 + doubt);
            let variance = &mut self.variance[k];
            // readings that follow from the others without error tell nothing
            if *variance > 1e-14 * change.abs().max(1e-3) {
                surprise += (squared / *variance).min(MOST) - 1.0;
                told += 1.0;
            }
            // before there are as many ticks as coefficients, errors are those of a model that knows nothing
            if let Some(after) = self.ticks.checked_sub(self.covariance.nrows()).filter(|after| *after > 0) {
                let bounded = if knows { squared.min(MOST * *variance) } else { squared };
                *variance += SHARE.max(1.0 / after as f64) * (bounded - *variance);
            }
        }
        self.covariance -= &step * gain.transpose();
        self.covariance /= FORGETTING;
        (knows && told > 0.0).then(|| surprise / told)
    }

    /// Ticks without a surprise at the beginning.
    fn learning(&self) -> usize {
        3 * self.covariance.nrows()
    }

    /// Makes everything uncertain again.
    pub fn forget(&mut self) {
        self.covariance = DMatrix::identity(self.covariance.nrows(), self.covariance.nrows()) * PRIOR;
        (self.ticks, self.variance) = (0, vec![0.0; self.readings]);
    }
}
