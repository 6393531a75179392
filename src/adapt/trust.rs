//! The likeness of a log to the tasks of training.
//!
//! A log becomes a model: a ridge regression of the change of every reading and of the reward on readings, their products and
//! the command. Models of tasks of training are made in the same way, from as many episodes of the same policy. The distance
//! from a log to a task is what the task's model predicts worse on the log's steps than the log's own model, as a share of the
//! variance of changes; noise that both have falls out. The score is the distance to the nearest task in units of a
//! threshold, which 97.5 % of the tasks of training keep to the nearest other one.

use metadrift_agents::{agent::Agent, batch::Trajectories, report::Diverged, rollout::Rollout};
use metadrift_envs::{ActionSpace, Split, Task};
use nalgebra::{Cholesky, DMatrix, DVector};

use crate::{
    config::Experiment,
    evaluate::{Protocol, support},
    life::Life,
};

/// Number of tasks of training that a log is compared with.
pub const TASKS: usize = 200;
/// Share of the tasks of training that are as near to another one as the threshold.
pub const LEVEL: f64 = 0.975;
/// Smallest threshold, as a share of the variance of changes: predictions that differ by less make no other world.
pub const FLOOR: f64 = 1e-5;
/// Most lanes on each task, whatever the length of the log.
const MOST_LANES: usize = 64;
/// Ridge, in units of a feature's variance.
const RIDGE: f64 = 1e-6;
/// Standard deviations from the mean at which a reading saturates: one outlier must not decide a model.
const REACH: f64 = 10.0;
/// Number of tasks that are collected at a time.
const GROUP: usize = 20;
/// Iteration of the draws of the tasks: neither that of reports nor that of validations.
const DRAW: u32 = 3;

/// The opinion on a log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likeness {
    /// Distance to the nearest task of training, in units of the threshold: above 1, the log is out of distribution.
    pub score: f64,
    /// Share of the steps whose readings and reward all lie within what the tasks of training showed.
    pub in_range: f64,
}

/// The tasks of training as a policy meets them.
#[derive(Debug)]
pub struct Reference {
    units: Units,
    models: Vec<Model>,
    threshold: f64,
    /// Smallest and largest value of every reading, and of the reward, `[own_obs + 1]`.
    range: Vec<[f64; 2]>,
}

impl Reference {
    /// The tasks of training under the policy of `agent`, in phase `k` of their lives, with about `episodes` episodes each.
    ///
    /// # Errors
    /// If an output of the policy is not finite.
    pub fn collect(
        config: &Experiment,
        agent: &dyn Agent,
        actors: usize,
        episodes: usize,
        k: u8,
    ) -> Result<Self, Diverged> {
        let life = Life::evaluation(config);
        let of_lane = (life.phase_steps / life.horizon as usize).max(1);
        let lanes = episodes.div_ceil(of_lane).clamp(1, MOST_LANES);
        let protocol = Protocol { episodes: lanes, draw: DRAW, ..Protocol::of(config, Split::Train) };
        let distribution = config.tasks(Split::Train);
        let mut agent = agent.duplicate();
        let mut found: Option<Reference> = None;
        for first in (0..TASKS as u32).step_by(GROUP) {
            let draw = |index| distribution.sample(protocol.seed, DRAW, index);
            let tasks: Vec<Task> = (first..first + GROUP as u32).map(draw).collect();
            agent.begin(tasks.len());
            let data = support(config, &*agent, actors, &protocol, &tasks, k)?;
            let known = found.get_or_insert_with(|| Reference {
                units: Units::of(&data, config.env().spec().obs_dim(), config.env().spec().action),
                models: Vec::new(),
                threshold: 0.0,
                range: Vec::new(),
            });
            data.tasks().for_each(|task| known.add(&task));
        }
        let mut found = found.expect("there are groups");
        let distances = |at: usize| found.nearest(&found.models[at], Some(at));
        let mut distances: Vec<f64> = (0..found.models.len()).map(distances).collect();
        distances.sort_by(f64::total_cmp);
        found.threshold = distances[((LEVEL * TASKS as f64) as usize).min(TASKS - 1)].max(FLOOR);
        Ok(found)
    }

    /// Adds a task.
    fn add(&mut self, data: &Trajectories<'_>) {
        self.models.push(Model::fit(data, &self.units));
        for row in data.rows() {
            let seen = self.units.seen(data, row);
            self.range.resize(seen.len(), [f64::INFINITY, f64::NEG_INFINITY]);
            for (range, x) in self.range.iter_mut().zip(seen) {
                *range = [range[0].min(x), range[1].max(x)];
            }
        }
    }

    /// The distance from `model` to the nearest task but for that at place `but`.
    fn nearest(&self, model: &Model, but: Option<usize>) -> f64 {
        let others = self.models.iter().enumerate().filter(|(at, _)| Some(*at) != but);
        others.map(|(_, other)| model.distance(other, &self.units)).fold(f64::INFINITY, f64::min)
    }

    /// The likeness of the first task of `data`.
    pub fn likeness(&self, data: &Rollout) -> Likeness {
        let data = data.task(0);
        let score = self.nearest(&Model::fit(&data, &self.units), None) / self.threshold;
        let inside = |row: &usize| {
            let seen = self.units.seen(&data, *row);
            seen.iter().zip(&self.range).all(|(x, [low, high])| (*low..=*high).contains(x))
        };
        let steps = data.rows().count();
        Likeness { score, in_range: data.rows().filter(inside).count() as f64 / steps as f64 }
    }
}

/// The units of readings and changes, so that no unit of an environment matters.
#[derive(Debug)]
struct Units {
    own_obs: usize,
    space: ActionSpace,
    /// Mean of each reading and one over its standard deviation, or 0, `[own_obs]`.
    obs: Vec<[f64; 2]>,
    /// One over the variance of the change of each reading, and of the reward, or 0, `[own_obs + 1]`.
    weight: Vec<f64>,
}

impl Units {
    /// The units of all tasks of `data`.
    fn of(data: &Rollout, own_obs: usize, space: ActionSpace) -> Units {
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
        units.weight = (0..=own_obs).map(|k| spread(&|task, row| units.changes(task, row)[k]).1).collect();
        units
    }

    /// The readings and the reward of a step.
    fn seen(&self, data: &Trajectories<'_>, row: usize) -> Vec<f64> {
        let own = data.obs_at(data.obs, row)[..self.own_obs].iter();
        own.chain([&data.reward[row]]).map(|x| f64::from(*x)).collect()
    }

    /// The change of every reading in a step, and its reward, `[own_obs + 1]`.
    fn changes(&self, data: &Trajectories<'_>, row: usize) -> Vec<f64> {
        let (before, after) = (data.obs_at(data.obs, row), data.obs_at(data.next_obs, row));
        let change = |k: usize| f64::from(after[k]) - f64::from(before[k]);
        (0..self.own_obs).map(change).chain([data.reward[row].into()]).collect()
    }

    /// The features of a step: 1, readings, their products, and the command within its limits.
    fn features(&self, data: &Trajectories<'_>, row: usize) -> Vec<f64> {
        let obs = data.obs_at(data.obs, row);
        let own = self.obs.iter().zip(obs).map(|([m, s], x)| ((f64::from(*x) - m) * s).clamp(-REACH, REACH));
        let own: Vec<f64> = own.collect();
        let mut features = vec![1.0];
        features.extend(&own);
        for (k, a) in own.iter().enumerate() {
            features.extend(own[..=k].iter().map(|b| a * b));
        }
        let action = &data.action[row * data.act_dim()..][..data.act_dim()];
        match self.space {
            ActionSpace::Discrete(count) => {
                features.extend((1..count).map(|k| f64::from(u8::from(action[0] == k as f32))));
            }
            ActionSpace::Box { .. } => features.extend(action.iter().map(|a| f64::from(a.clamp(-1.0, 1.0)))),
        }
        features
    }
}

/// A model of one world.
#[derive(Debug)]
struct Model {
    /// `[features, own_obs + 1]`
    weights: DMatrix<f64>,
    /// Mean product of any two features, `[features, features]`.
    gram: DMatrix<f64>,
}

impl Model {
    /// The model of the valid steps of `data`.
    fn fit(data: &Trajectories<'_>, units: &Units) -> Model {
        let mut sums: Option<(DMatrix<f64>, DMatrix<f64>)> = None;
        let mut steps = 0.0;
        for row in data.rows() {
            let (x, y) = (units.features(data, row), units.changes(data, row));
            let zeros = || (DMatrix::zeros(x.len(), x.len()), DMatrix::zeros(x.len(), y.len()));
            let (gram, target) = sums.get_or_insert_with(zeros);
            let x = DVector::from_vec(x);
            gram.ger(1.0, &x, &x, 1.0);
            target.ger(1.0, &x, &DVector::from_vec(y), 1.0);
            steps += 1.0;
        }
        let (gram, target) = sums.expect("data have a step");
        let (gram, target) = (gram / steps, target / steps);
        let mut ridged = gram.clone();
        // the constant is not penalised
        (1..gram.nrows()).for_each(|k| ridged[(k, k)] += RIDGE);
        let solver = Cholesky::new(ridged).expect("features within their reach and a ridge");
        Model { weights: solver.solve(&target), gram }
    }

    /// The error that `other` adds on the steps of this model, as a share of the variance of changes: the mean over readings
    /// and reward.
    fn distance(&self, other: &Model, units: &Units) -> f64 {
        let apart = &self.weights - &other.weights;
        let added = &self.gram * &apart;
        let share = |k: usize| units.weight[k] * apart.column(k).dot(&added.column(k));
        let counted = units.weight.iter().filter(|weight| **weight > 0.0).count().max(1);
        (0..apart.ncols()).map(share).sum::<f64>() / counted as f64
    }
}
