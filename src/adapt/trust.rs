//! The likeness of a log to the tasks of training.
//!
//! A log becomes a model: a ridge regression of the change of every reading and of the reward on readings, their products and
//! the last commands. Models of tasks of training are made in the same way, from as many episodes of the same policy. The
//! distance from a log to a task is what the task's model predicts worse on the log's steps than the log's own model, as a share
//! of the variance of changes; noise that both have falls out. A log is measured by its distances to the nearest task, to
//! the nearest mixture of tasks ([`hull`]), from its parts to those of training ([`parts`]), and of the values of parameters that
//! its model tells from their ranges in training ([`values`]); each in units of the distance that a share of the tasks of training
//! keep to the others. The score is the largest, in units of a threshold by the same share.

mod hull;
mod model;
mod parts;
mod values;

use metadrift_agents::{agent::Agent, batch::Trajectories, report::Diverged, rollout::Rollout};
use metadrift_envs::{Split, Task};

use self::{
    model::{Model, Units},
    parts::Parts,
    values::Values,
};

use crate::{
    config::Experiment,
    evaluate::{Protocol, support},
    life::Life,
};

/// Number of tasks of training that a log is compared with.
pub const TASKS: usize = 200;
/// Share of the tasks of training that are as near to others as the threshold.
pub const LEVEL: f64 = 0.97;
/// Smallest units of the distances: predictions that differ by a smaller share of the variance of changes make no other world,
/// nor do values beyond a range by a smaller share of it.
const FLOORS: Distances = [1e-5, 1e-5, 1e-6, 0.01];
/// Most lanes on each task, whatever the length of the log.
const MOST_LANES: usize = 64;
/// Number of tasks that are collected at a time.
const GROUP: usize = 20;
/// Iteration of the draws of the tasks: neither that of reports nor that of validations.
const DRAW: u32 = 3;

/// Least share of the steps of a log within what training saw. The distances compare changes, and units by what varied in
/// training: a reading or a reward that was always the same there, and is another one here, shows in nothing else.
pub const INSIDE: f64 = 0.5;

/// The opinion on a log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likeness {
    /// Distance to the tasks of training, in units of the threshold: above 1, the log is out of distribution.
    pub score: f64,
    /// Share of the steps whose readings and reward all lie within what the tasks of training showed.
    pub in_range: f64,
    /// Number of steps.
    pub steps: usize,
    /// Number of steps that a comparison takes: as many as a model has weights for each change.
    pub steps_needed: usize,
}

impl Likeness {
    /// True if the log is like the tasks of training in every respect.
    pub fn trust(&self) -> bool {
        self.score <= 1.0 && self.in_range >= INSIDE && self.steps >= self.steps_needed
    }
}

/// The distances to the nearest task, to the nearest mixture of tasks, of parts, and of values beyond their ranges.
type Distances = [f64; 4];

/// The value that a share of [`LEVEL`] of `values` do not exceed.
fn quantile(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((LEVEL * values.len() as f64) as usize).min(values.len() - 1)]
}

/// Models, parts and ranges of the tasks of training, as a policy met them.
#[derive(Debug)]
struct Seen {
    units: Units,
    models: Vec<Model>,
    parts: Vec<Parts>,
    /// Smallest and largest value of every reading, and of the reward, `[own_obs + 1]`.
    range: Vec<[f64; 2]>,
}

impl Seen {
    /// Adds a task.
    fn add(&mut self, data: &Trajectories<'_>) {
        let model = Model::fit(data, &self.units);
        self.parts.push(Parts::of(data, &self.units));
        self.models.push(model);
        for row in data.rows() {
            let seen = self.units.seen(data, row);
            self.range.resize(seen.len(), [f64::INFINITY, f64::NEG_INFINITY]);
            for (range, x) in self.range.iter_mut().zip(seen) {
                *range = [range[0].min(x), range[1].max(x)];
            }
        }
    }
}

/// The tasks of training as a policy meets them.
#[derive(Debug)]
pub struct Reference {
    seen: Seen,
    values: Values,
    /// Units of the distances.
    scales: Distances,
    threshold: f64,
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
        let tasks: Vec<Task> = (0..TASKS as u32).map(|index| distribution.sample(protocol.seed, DRAW, index)).collect();
        let mut seen: Option<Seen> = None;
        for group in tasks.chunks(GROUP) {
            agent.begin(group.len());
            let data = support(config, &*agent, actors, &protocol, group, k)?;
            let seen = seen.get_or_insert_with(|| Seen {
                units: Units::of(&data, config.env().spec().obs_dim(), config.env().spec().action),
                models: Vec::new(),
                parts: Vec::new(),
                range: Vec::new(),
            });
            data.tasks().for_each(|task| seen.add(&task));
        }
        let values: Vec<Vec<f64>> = tasks.into_iter().map(|task| task.values).collect();
        Ok(Self::of(seen.expect("there are groups"), &values))
    }

    /// Tasks with these values of all channels, `[tasks][channels]`.
    fn of(seen: Seen, values: &[Vec<f64>]) -> Self {
        let values = Values::of(&seen.models, values);
        let mut found = Reference { seen, values, scales: [1.0; 4], threshold: 1.0 };
        let apart = |at: usize| {
            let beyond = found.values.beyond_others(at);
            found.distances((&found.seen.models[at], &found.seen.parts[at]), beyond, Some(at))
        };
        let apart: Vec<Distances> = (0..found.seen.models.len()).map(apart).collect();
        found.scales = std::array::from_fn(|k| quantile(apart.iter().map(|all| all[k]).collect()).max(FLOORS[k]));
        found.threshold = quantile(apart.iter().map(|distances| found.largest(distances)).collect());
        found
    }

    /// The distances from a world, whose values lie so far `beyond` their ranges, to the tasks but for that at place `but`.
    fn distances(&self, (model, parts): (&Model, &Parts), beyond: f64, but: Option<usize>) -> Distances {
        let Seen { models, parts: known, .. } = &self.seen;
        let others = || (0..models.len()).filter(|at| Some(*at) != but);
        let [nearest, mixture] = hull::distances(model, others().map(|at| &models[at]));
        [nearest, mixture, parts.distance(others().map(|at| &known[at])), beyond]
    }

    /// The largest of the distances, each in its unit.
    fn largest(&self, distances: &Distances) -> f64 {
        distances.iter().zip(&self.scales).map(|(distance, scale)| distance / scale).fold(0.0, f64::max)
    }

    /// The likeness of the first task of `data`.
    pub fn likeness(&self, data: &Rollout) -> Likeness {
        let data = data.task(0);
        let Seen { units, range, .. } = &self.seen;
        let model = Model::fit(&data, units);
        let parts = Parts::of(&data, units);
        let score = self.largest(&self.distances((&model, &parts), self.values.beyond(&model), None)) / self.threshold;
        let inside = |row: &usize| {
            let seen = units.seen(&data, *row);
            seen.iter().zip(range).all(|(x, [low, high])| (*low..=*high).contains(x))
        };
        let steps = data.rows().count();
        let in_range = data.rows().filter(inside).count() as f64 / steps as f64;
        Likeness { score, in_range, steps, steps_needed: model.size() }
    }
}
