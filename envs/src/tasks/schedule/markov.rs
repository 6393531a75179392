//! Hidden switching between a few states.

use serde::{Deserialize, Serialize};

use super::{
    dwell::{Dwelling, Dwells, optional, pair},
    path::{self, Process},
};
use crate::tasks::noise::Noise;

/// A Markov chain over `states` (`mean_dwell` or `matrix`), or a semi-Markov one (`dwell` or
/// `dwell_range`): there the next state is any other, or by the row of `matrix`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Markov<N = f64> {
    /// Values of the states, 2 to 16.
    pub states: Vec<N>,
    /// Mean of the geometric dwell in a state (ticks); the next state is any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_dwell: Option<N>,
    /// Probabilities of the next state by row: after every tick, or with `dwell` or
    /// `dwell_range` after every dwell (then the diagonal is zero).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matrix: Option<Vec<Vec<f64>>>,
    /// Length of every dwell (ticks).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dwell: Option<N>,
    /// Shortest and longest of uniform dwells (whole ticks).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dwell_range: Option<[N; 2]>,
    /// Index of the first state; any, equally likely, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<usize>,
}

impl Markov {
    pub(super) fn fill(&self, first: u64, noise: Noise, values: &mut [f64]) {
        let stay = 1.0 - 1.0 / self.mean_dwell.unwrap_or(1.0);
        if let Ok(dwells) = Dwells::new(self.dwell, None, self.dwell_range) {
            let mut dwelling = Dwelling::new(dwells, noise.part(0));
            // the state is that of a chain that goes one step with every dwell
            let from = dwelling.number(first);
            let to = dwelling.number(first + values.len() as u64 - 1);
            let mut states = vec![0.0; (to - from + 1) as usize];
            self.walk(0.0, from, noise.part(1), &mut states);
            super::each_tick_mut(first, values, |tick| states[(dwelling.number(tick) - from) as usize]);
        } else {
            self.walk(stay, first, noise, values);
        }
    }

    /// Sets the values to the states of the chain after `first`, `first + 1`, ... steps.
    fn walk(&self, stay: f64, first: u64, noise: Noise, values: &mut [f64]) {
        let n = self.states.len();
        let once = (0..n * n).map(|i| self.step(stay, i / n, i % n)).collect();
        let mut chain = Chain { n, noise, powers: vec![once] };
        let origin = self.first(noise.uniform(0));
        let count = values.len();
        path::walk(&mut chain, origin, (first, count), &mut |i, state| values[i] = self.states[state]);
    }

    fn first(&self, uniform: f64) -> usize {
        self.initial.unwrap_or((uniform * self.states.len() as f64) as usize)
    }

    /// Probability of a transition between two states at one step of the chain.
    fn step(&self, stay: f64, from: usize, to: usize) -> f64 {
        match &self.matrix {
            Some(matrix) => matrix[from][to],
            None if from == to => stay,
            None => (1.0 - stay) / (self.states.len() - 1) as f64,
        }
    }

    /// Returns true if the chain is deterministic.
    pub(super) fn is_certain(&self) -> bool {
        let one_way = |matrix: &Vec<Vec<f64>>| matrix.iter().flatten().all(|p| *p == 0.0 || *p == 1.0);
        let two_in_turn = self.matrix.is_none() && self.mean_dwell.is_none() && self.states.len() == 2;
        let next = self.matrix.as_ref().map_or(two_in_turn, one_way);
        next && self.initial.is_some() && self.dwell_range.is_none()
    }

    pub(super) fn range(&self) -> (f64, f64) {
        let ends = |(low, high): (f64, f64), x: &f64| (low.min(*x), high.max(*x));
        self.states.iter().fold((f64::INFINITY, f64::NEG_INFINITY), ends)
    }

    pub(super) fn defect(&self) -> Option<String> {
        let n = self.states.len();
        if !(2..=16).contains(&n) {
            return Some(format!("`states` has {n} entries; it takes 2 to 16"));
        }
        if self.initial.is_some_and(|initial| initial >= n) {
            return Some(format!("`initial` is the index of a state, 0 to {}", n - 1));
        }
        let semi = self.dwell.is_some() || self.dwell_range.is_some();
        if let Some(matrix) = &self.matrix
            && let Some(problem) = matrix_defect(matrix, n, semi)
        {
            return Some(problem);
        }
        match (&self.matrix, self.mean_dwell) {
            (Some(_), None) if !semi => None,
            (Some(_), Some(_)) => Some("`matrix` and `mean_dwell` exclude each other".into()),
            _ => Dwells::new(self.dwell, self.mean_dwell, self.dwell_range).err(),
        }
    }
}

impl<N> Markov<N> {
    pub(super) fn try_map<M, E>(&self, f: &mut dyn FnMut(&'static str, &N) -> Result<M, E>) -> Result<Markov<M>, E> {
        Ok(Markov {
            states: self.states.iter().map(|state| f("states", state)).collect::<Result<_, E>>()?,
            mean_dwell: optional(&self.mean_dwell, "mean_dwell", f)?,
            matrix: self.matrix.clone(),
            dwell: optional(&self.dwell, "dwell", f)?,
            dwell_range: pair(&self.dwell_range, "dwell_range", f)?,
            initial: self.initial,
        })
    }
}

/// A Markov chain, evaluated coarse to fine.
struct Chain {
    n: usize,
    noise: Noise,
    /// Transition matrices of 1, 2, 4, ... ticks, as far as they were needed.
    powers: Vec<Vec<f64>>,
}

impl Chain {
    /// The transition matrix of `lag` ticks, a power of two.
    fn power(&mut self, lag: u64) -> &[f64] {
        let level = lag.ilog2() as usize;
        while self.powers.len() <= level {
            let next = squared(&self.powers[self.powers.len() - 1], self.n);
            self.powers.push(next);
        }
        &self.powers[level]
    }
}

impl Process for Chain {
    type Value = usize;

    fn forward(&mut self, before: usize, lag: u64, place: u64) -> usize {
        let n = self.n;
        let uniform = self.noise.uniform(place);
        let power = self.power(lag);
        pick(n, uniform, |j| power[before * n + j])
    }

    fn bridge(&mut self, left: usize, right: usize, half: u64, place: u64) -> usize {
        let n = self.n;
        let uniform = self.noise.uniform(place);
        let power = self.power(half);
        pick(n, uniform, |j| power[left * n + j] * power[j * n + right])
    }
}

fn matrix_defect(matrix: &[Vec<f64>], n: usize, no_diagonal: bool) -> Option<String> {
    if matrix.len() != n || matrix.iter().any(|row| row.len() != n) {
        return Some(format!("`matrix` must have {n} rows of {n} numbers, one for each state"));
    }
    for (i, row) in matrix.iter().enumerate() {
        let sum: f64 = row.iter().sum();
        if row.iter().any(|p| !(0.0..=1.0).contains(p)) || (sum - 1.0).abs() > 1e-9 {
            return Some(format!("`matrix` row {i} = {row:?} must be probabilities that sum to 1"));
        }
        if no_diagonal && row[i] != 0.0 {
            return Some(format!("`matrix` row {i} must have 0 on the diagonal: a dwell ends with a change"));
        }
    }
    None
}

/// The index that the uniform number selects, by weights that need not sum to 1.
fn pick(n: usize, uniform: f64, weight: impl Fn(usize) -> f64) -> usize {
    let target = uniform * (0..n).map(&weight).sum::<f64>();
    let mut sum = 0.0;
    let mut last = 0;
    for j in 0..n {
        let share = weight(j);
        sum += share;
        if share > 0.0 {
            last = j;
            if target < sum {
                break;
            }
        }
    }
    last
}

/// The square of a transition matrix, its rows normalised to sum 1.
fn squared(matrix: &[f64], n: usize) -> Vec<f64> {
    let mut square = vec![0.0; n * n];
    for i in 0..n {
        for k in 0..n {
            for j in 0..n {
                square[i * n + j] += matrix[i * n + k] * matrix[k * n + j];
            }
        }
        let sum: f64 = square[i * n..][..n].iter().sum();
        square[i * n..][..n].iter_mut().for_each(|p| *p /= sum);
    }
    square
}
