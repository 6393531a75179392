//! A world as a linear model of what its policy saw.

use metadrift_agents::{batch::Trajectories, rollout::Rollout};
use metadrift_envs::ActionSpace;
use nalgebra::{Cholesky, DMatrix, DVector};

/// Ridge, in units of a feature's variance.
const RIDGE: f64 = 1e-6;
/// Standard deviations from the mean at which a reading saturates: one outlier must not decide a model.
const REACH: f64 = 10.0;
/// Number of earlier commands that a model knows: a delay up to so many steps shows in their weights.
const LAGS: usize = 8;

/// The units of readings and changes, so that no unit of an environment matters.
#[derive(Debug)]
pub struct Units {
    own_obs: usize,
    space: ActionSpace,
    /// Mean of each reading and one over its standard deviation, or 0, `[own_obs]`.
    obs: Vec<[f64; 2]>,
    /// One over the variance of the change of each reading, and of the reward, or 0, `[own_obs + 1]`; divided by the number of
    /// those that are not 0.
    weight: Vec<f64>,
}

impl Units {
    /// The units of all tasks of `data`.
    pub fn of(data: &Rollout, own_obs: usize, space: ActionSpace) -> Units {
        let mut units = Units { own_obs, space, obs: Vec::new(), weight: Vec::new() };
        let spread = |value: &dyn Fn(&Trajectories<'_>, usize) -> f64| {
            let all: Vec<f64> =
                data.tasks().flat_map(|task| task.rows().map(|row| value(&task, row)).collect::<Vec<_>>()).collect();
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let variance = all.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / all.len() as f64;
            // a spread no larger than rounding is none
            (mean, if variance.sqrt() > 1e-6 * mean.abs() { 1.0 / variance } else { 0.0 })
        };
        for k in 0..own_obs {
            let (mean, inverse) = spread(&|task, row| f64::from(task.obs_at(task.obs, row)[k]));
            units.obs.push([mean, inverse.sqrt()]);
        }
        let weight: Vec<f64> = (0..=own_obs).map(|k| spread(&|task, row| units.changes(task, row)[k]).1).collect();
        let counted = weight.iter().filter(|weight| **weight > 0.0).count().max(1);
        units.weight = weight.into_iter().map(|weight| weight / counted as f64).collect();
        units
    }

    /// The readings and the reward of a step.
    pub fn seen(&self, data: &Trajectories<'_>, row: usize) -> Vec<f64> {
        let own = data.obs_at(data.obs, row)[..self.own_obs].iter();
        own.chain([&data.reward[row]]).map(|x| f64::from(*x)).collect()
    }

    /// The change of every reading in a step, and its reward, `[own_obs + 1]`.
    fn changes(&self, data: &Trajectories<'_>, row: usize) -> Vec<f64> {
        let (before, after) = (data.obs_at(data.obs, row), data.obs_at(data.next_obs, row));
        let change = |k: usize| f64::from(after[k]) - f64::from(before[k]);
        (0..self.own_obs).map(change).chain([data.reward[row].into()]).collect()
    }

    /// The [`changes`](Self::changes) of a step in their units, `[own_obs + 1]`.
    pub fn scaled_changes(&self, data: &Trajectories<'_>, row: usize) -> Vec<f64> {
        self.changes(data, row).into_iter().zip(&self.weight).map(|(change, weight)| change * weight.sqrt()).collect()
    }

    /// Number of the numbers of [`command`](Self::command).
    fn command_size(&self) -> usize {
        match self.space {
            ActionSpace::Discrete(count) => count - 1,
            ActionSpace::Box { dim, .. } => dim,
        }
    }

    /// The command of a step within its limits: in units of a full one or, of a choice, a number for each but the first, whose
    /// mean over choices is 0. A command before the episode is 0.
    pub fn command<'a>(&self, data: &'a Trajectories<'_>, row: usize) -> impl Iterator<Item = f64> + use<'a> {
        let (space, action) = (self.space, &data.action[row * data.act_dim()..][..data.act_dim()]);
        (0..self.command_size()).map(move |k| match space {
            ActionSpace::Discrete(count) => f64::from(u8::from(action[0] == (k + 1) as f32)) - 1.0 / count as f64,
            ActionSpace::Box { .. } => f64::from(action[k].clamp(-1.0, 1.0)),
        })
    }

    /// The features of a step: 1, readings, their products, and the commands of this step and of those before.
    pub fn features(&self, data: &Trajectories<'_>, row: usize) -> DVector<f64> {
        let obs = data.obs_at(data.obs, row);
        let own = self.obs.iter().zip(obs).map(|([m, s], x)| ((f64::from(*x) - m) * s).clamp(-REACH, REACH));
        let own: Vec<f64> = own.collect();
        let mut features = vec![1.0];
        features.extend(&own);
        for (k, a) in own.iter().enumerate() {
            features.extend(own[..=k].iter().map(|b| a * b));
        }
        for lag in 0..=LAGS {
            // the data may begin within an episode
            match row.checked_sub(lag * data.envs).filter(|_| data.episode_step[row] as usize >= lag) {
                Some(before) => features.extend(self.command(data, before)),
                None => features.resize(features.len() + self.command_size(), 0.0),
            }
        }
        DVector::from_vec(features)
    }
}

/// A model of one world: a ridge regression of the change of every reading and of the reward on the features of a step.
#[derive(Debug)]
pub struct Model {
    /// In units of changes, `[features, own_obs + 1]`.
    pub weights: DMatrix<f64>,
    /// Mean product of any two features, `[features, features]`.
    pub gram: DMatrix<f64>,
}

impl Model {
    /// The model of the valid steps of `data`.
    pub fn fit(data: &Trajectories<'_>, units: &Units) -> Model {
        let mut sums: Option<(DMatrix<f64>, DMatrix<f64>)> = None;
        let mut steps = 0.0;
        for row in data.rows() {
            let (x, y) = (units.features(data, row), DVector::from_vec(units.changes(data, row)));
            let zeros = || (DMatrix::zeros(x.len(), x.len()), DMatrix::zeros(x.len(), y.len()));
            let (gram, target) = sums.get_or_insert_with(zeros);
            gram.ger(1.0, &x, &x, 1.0);
            target.ger(1.0, &x, &y, 1.0);
            steps += 1.0;
        }
        let (gram, target) = sums.expect("data have a step");
        let (gram, target) = (gram / steps, target / steps);
        let mut ridged = gram.clone();
        // the constant is not penalised
        (1..gram.nrows()).for_each(|k| ridged[(k, k)] += RIDGE);
        let solver = Cholesky::new(ridged).expect("features within their reach and a ridge");
        let mut weights = solver.solve(&target);
        weights.column_iter_mut().zip(&units.weight).for_each(|(mut column, weight)| column *= weight.sqrt());
        Model { weights, gram }
    }

    /// Number of the weights of a change: with fewer steps a model fits whatever they are.
    pub fn size(&self) -> usize {
        self.weights.nrows()
    }

    /// The errors that `apart`, a difference of weights, makes on the steps of this model: its product with them is their mean
    /// square, and with another difference the mean product of the errors of both.
    pub fn errors(&self, apart: &DMatrix<f64>) -> DMatrix<f64> {
        &self.gram * apart
    }

    /// The error that `other` adds on the steps of this model, as a share of the variance of changes: the mean over readings
    /// and reward.
    pub fn distance(&self, other: &Model) -> f64 {
        let apart = &self.weights - &other.weights;
        self.errors(&apart).dot(&apart)
    }
}
