//! The regression: normal equations in standardised features, summed separately for each fold of the data.

use super::{
    features::Features,
    matrix::{Cholesky, Matrix, add, dot, plus},
    sums::Sums,
};
use crate::{batch::Trajectories, prelude::*};

/// Number of folds; each is left out in turn.
const FOLDS: usize = 4;
/// Ridges that are tried, in units of a feature's variance: nearly none for noiseless data, strong ones for few data.
const RIDGES: [f64; 4] = [1e-8, 1e-3, 1e-2, 1e-1];
/// The ridge if the data are too few to leave a fold out.
pub(super) const USUAL_RIDGE: f64 = 1e-2;

/// One task's regression of discounted rewards, without the values at the ends of its episodes: those are added later,
/// as `ends` `[episodes]`, 0 for an episode that terminated.
pub(super) struct Equations {
    standard: Standard,
    all: Sum,
    folds: Vec<Sum>,
    episodes: Vec<Episode>,
    of_state: usize,
}

/// Sums over samples.
#[derive(Clone)]
struct Sum {
    /// Sum of the products of any two features, `[features, features]`.
    gram: Matrix,
    /// Sum of features times discounted rewards, `[features]`.
    target: Vec<f64>,
    samples: f64,
}

/// The part of the sums that depends on the value at an episode's end.
struct Episode {
    fold: usize,
    /// Sum of features times the discount from the step to the end, `[features]`.
    tail: Vec<f64>,
    /// Features of the state at the end, `[of_state]`; `None` if the episode terminated.
    end: Option<Vec<f64>>,
}

impl Equations {
    pub(super) fn new(data: &Trajectories<'_>, features: &Features, gamma: f64) -> Self {
        let (count, of_state) = (features.count(), features.of_state());
        let samples = data.rows().count();
        let mut sums = Sums::new(count + 1, FOLDS);
        let mut episodes = Vec::new();
        let mut before = 0;
        for (env, start, end) in data.episodes() {
            // a fold takes whole episodes: their steps are too alike to be divided
            let fold = before * FOLDS / samples;
            before += end - start;
            let mut tail = vec![0.0; count];
            let mut rewards = 0.0;
            let mut discount = 1.0;
            for t in (start..end).rev() {
                let at = data.row(t, env);
                rewards = f64::from(data.reward[at]) + gamma * rewards;
                discount *= gamma;
                let row = sums.row(fold);
                features.write(data.obs_at(data.obs, at), data.episode_step[at], &mut row[..count]);
                row[count] = rewards;
                tail.iter_mut().zip(row).for_each(|(sum, feature)| *sum += *feature * discount);
            }
            let last = data.row(end - 1, env);
            let end = (!data.terminated[last]).then(|| {
                let mut end = vec![0.0; of_state];
                features.write_state(data.obs_at(data.next_obs, last), &mut end);
                end
            });
            episodes.push(Episode { fold, tail, end });
        }
        Equations::standardised(sums.finish(), episodes, of_state)
    }

    fn standardised(products: Vec<Matrix>, mut episodes: Vec<Episode>, of_state: usize) -> Self {
        let count = products[0].size() - 1;
        let sum = products[1..].iter().fold(products[0].clone(), |sum, products| sum.plus(products, 1.0));
        let standard = Standard::new(&sum, count);
        let folds: Vec<Sum> = products.into_iter().map(|products| standard.sum(products)).collect();
        for Episode { tail, end, .. } in &mut episodes {
            standard.apply(tail);
            end.iter_mut().for_each(|end| standard.apply(end));
        }
        let all = folds[1..].iter().fold(folds[0].clone(), |all, fold| all.plus(fold, 1.0));
        Equations { standard, all, folds, episodes, of_state }
    }

    /// States at which episodes were cut off, as standardised features; `None` for terminated episodes.
    pub(super) fn ends(&self) -> impl Iterator<Item = Option<&[f64]>> {
        self.episodes.iter().map(|episode| episode.end.as_deref())
    }

    /// Number of features of the state.
    pub(super) fn of_state_count(&self) -> usize {
        self.of_state
    }

    /// The regression on features of the state alone.
    pub(super) fn of_state(&self, ridge: f64) -> Option<Regression> {
        self.of_first(self.of_state, ridge)
    }

    /// The regression on the first `count` features.
    pub(super) fn of_first(&self, count: usize, ridge: f64) -> Option<Regression> {
        self.all.regression(count, ridge)
    }

    /// Sum of the first `count` features times targets, `[count]`, if the episodes end with the values `ends`
    /// `[episodes]`.
    pub(super) fn target(&self, count: usize, ends: &[f64]) -> Vec<f64> {
        let mut target = self.all.target[..count].to_vec();
        for (episode, value) in self.episodes.iter().zip(ends) {
            add(&mut target, *value, &episode.tail);
        }
        target
    }

    /// The number of leading features, one of `counts`, and the ridge with the smallest error on left-out folds.
    pub(super) fn best(&self, counts: &[usize], ends: &[f64]) -> (usize, f64) {
        let mut folds = self.folds.clone();
        for (episode, value) in self.episodes.iter().zip(ends) {
            add(&mut folds[episode.fold].target, *value, &episode.tail);
        }
        folds.retain(|fold| fold.samples > 0.0);
        if folds.len() < 2 {
            return (counts[0], USUAL_RIDGE);
        }
        let all = folds[1..].iter().fold(folds[0].clone(), |all, fold| all.plus(fold, 1.0));
        let rests: Vec<Sum> = folds.iter().map(|fold| all.plus(fold, -1.0)).collect();
        let loss = |count: usize, ridge: f64| {
            let of_fold = |(fold, rest): (&Sum, &Sum)| {
                let weights = rest.regression(count, ridge)?.weights(rest.target[..count].to_vec());
                Some(fold.loss(&weights))
            };
            folds.iter().zip(&rests).map(of_fold).sum::<Option<f64>>().unwrap_or(f64::INFINITY)
        };
        let choices = counts.iter().flat_map(|count| RIDGES.map(|ridge| (*count, ridge)));
        let tried = choices.map(|(count, ridge)| (loss(count, ridge), (count, ridge)));
        let best = tried.min_by(|(a, _), (b, _)| a.total_cmp(b)).filter(|(loss, _)| loss.is_finite());
        best.map_or((counts[0], USUAL_RIDGE), |(_, choice)| choice)
    }

    /// Weights of the unstandardised features, from weights of the standardised ones.
    pub(super) fn plain(&self, weights: Vec<f64>) -> Vec<f64> {
        self.standard.plain(weights)
    }
}

impl Sum {
    fn plus(&self, other: &Sum, times: f64) -> Sum {
        Sum {
            gram: self.gram.plus(&other.gram, times),
            target: plus(&self.target, &other.target, times),
            samples: self.samples + other.samples * times,
        }
    }

    /// The regression on the first `count` features; `None` if the matrix is not finite, or too nearly singular for the
    /// ridge.
    fn regression(&self, count: usize, ridge: f64) -> Option<Regression> {
        let mut gram = self.gram.leading(count);
        // the constant is not penalised
        (1..count).for_each(|i| gram.add_at(i, i, ridge * self.samples));
        Cholesky::new(gram).map(Regression)
    }

    /// Sum of squared errors with these weights of the first features, up to a constant.
    fn loss(&self, weights: &[f64]) -> f64 {
        dot(weights, &self.gram.leading_times(weights)) - 2.0 * dot(weights, &self.target[..weights.len()])
    }
}

/// A factorised regression that solves for any targets.
pub(super) struct Regression(Cholesky);

impl Regression {
    /// Weights for `target`, the sum of features times targets.
    pub(super) fn weights(&self, target: Vec<f64>) -> Vec<f64> {
        self.0.solve(target)
    }
}

/// Mean and scale of features: standardised ones have mean 0 and variance 1, except the first, which is the constant.
struct Standard {
    mean: Vec<f64>,
    /// One over the standard deviation; 0 for a feature that is constant.
    scale: Vec<f64>,
}

impl Standard {
    fn new(products: &Matrix, count: usize) -> Self {
        let samples = products.at(0, 0);
        let mean: Vec<f64> = (0..count).map(|i| if i == 0 { 0.0 } else { products.at(0, i) / samples }).collect();
        let scale = |i: usize| {
            let square = products.at(i, i) / samples;
            let variance = square - mean[i] * mean[i];
            if variance > 1e-12 * square { 1.0 / variance.sqrt() } else { 0.0 }
        };
        let scale = (0..count).map(|i| if i == 0 { 1.0 } else { scale(i) }).collect();
        Standard { mean, scale }
    }

    /// Standardises features, or weighted sums of them.
    fn apply(&self, features: &mut [f64]) {
        let weight = features[0];
        for ((x, mean), scale) in features.iter_mut().zip(&self.mean).zip(&self.scale) {
            *x = (*x - mean * weight) * scale;
        }
    }

    fn sum(&self, products: Matrix) -> Sum {
        let count = self.mean.len();
        let samples = products.at(0, 0);
        let mut target: Vec<f64> = (0..count).map(|row| products.at(row, count)).collect();
        self.apply(&mut target);
        let mut gram = products.leading(count);
        for _ in 0..2 {
            gram.columns_mut().for_each(|column| self.apply(column));
            gram.transpose();
        }
        Sum { gram, target, samples }
    }

    fn plain(&self, weights: Vec<f64>) -> Vec<f64> {
        let mut plain: Vec<f64> = weights.iter().zip(&self.scale).map(|(weight, scale)| weight * scale).collect();
        plain[0] -= plain.iter().zip(&self.mean).map(|(weight, mean)| weight * mean).sum::<f64>();
        plain
    }
}
