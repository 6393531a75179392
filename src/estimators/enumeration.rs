//! Means of estimators over all data sets, without sampling.

use metadrift_agents::stop;

use super::{
    Bed, Estimator, Spread,
    bed::{Replication, Sampling},
    problem::{DataSets, chance},
};

/// Replications that are differentiated at a time.
const CHUNK: usize = 4096;

/// Number of data sets of `steps` steps with `episodes` episodes each.
pub fn leaves(bed: &Bed, steps: usize, episodes: u32) -> f64 {
    DataSets::count(episodes, bed.problem.outcomes.len()).powi(steps as i32)
}

/// Sums over the data sets seen so far.
struct Walk<'a> {
    bed: &'a Bed,
    estimator: Estimator,
    sets: &'a DataSets,
    steps: usize,
    /// Baseline of the sampling term: the mean of infinitely many other replications.
    baseline: f64,
    waiting: Vec<Replication>,
    chances: Vec<f64>,
    sum: Vec<f64>,
    squares: Vec<f64>,
}

/// Mean and variance of `estimator` over all data sets of `sets`, of `steps` steps each.
pub fn means(bed: &Bed, estimator: Estimator, steps: usize, sets: &DataSets) -> Spread {
    let problem = &bed.problem;
    let baseline = match estimator.sampling {
        Sampling::LeaveOneOut => problem.expected(&problem.theta, steps, sets),
        Sampling::Absent | Sampling::Plain => 0.0,
    };
    let none = vec![0.0; problem.theta.len()];
    let mut walk = Walk {
        bed,
        estimator,
        sets,
        steps,
        baseline,
        waiting: Vec::with_capacity(CHUNK),
        chances: Vec::with_capacity(CHUNK),
        sum: none.clone(),
        squares: none,
    };
    walk.descend(&problem.theta, 1.0, &[]);
    walk.settle();
    Spread::of_sums(1.0, &walk.sum, &walk.squares)
}

impl Walk<'_> {
    /// Visits all data sets that follow `path`, of probability `probability`, which has led to `theta`.
    fn descend(&mut self, theta: &[f64], probability: f64, path: &[metadrift_agents::batch::Batch<f64>]) {
        stop::check();
        if path.len() == self.steps {
            self.waiting.push(Replication { supports: path.to_vec(), adapted: theta.to_vec() });
            self.chances.push(probability);
            if self.waiting.len() == CHUNK {
                self.settle();
            }
            return;
        }
        let outcomes = &self.bed.problem.outcomes;
        let probabilities = self.bed.problem.probabilities(theta);
        let repeated = |counts: &Vec<u32>| {
            let all = outcomes.iter().zip(counts.clone());
            let all = all.flat_map(|(outcome, count)| std::iter::repeat_n((outcome, 1.0), count as usize));
            self.bed.batch(theta, all)
        };
        let batches: Vec<_> = self.sets.all.iter().map(|(_, counts)| repeated(counts)).collect();
        let adapted = self.bed.adapt(self.estimator.inner, &vec![theta.to_vec(); batches.len()], &batches);
        let sets = self.sets;
        for (((ways, counts), batch), theta) in sets.all.iter().zip(batches).zip(&adapted) {
            let mut longer = path.to_vec();
            longer.push(batch);
            self.descend(theta, probability * chance(*ways, counts, &probabilities), &longer);
        }
    }

    /// Adds the estimates of the waiting replications.
    fn settle(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let baseline = vec![self.baseline; waiting.len()];
        let estimates = self.bed.estimates(self.estimator, waiting, &baseline);
        for (estimate, chance) in estimates.iter().zip(self.chances.drain(..)) {
            for ((sum, square), g) in self.sum.iter_mut().zip(&mut self.squares).zip(estimate) {
                *sum += chance * g;
                *square += chance * g * g;
            }
        }
    }
}
