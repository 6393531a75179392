//! 95 % percentile bootstrap intervals. A resample is a pure function of the seed and its number.

use metadrift_envs::{Purpose, Stream};
use rand::Rng;

use super::aggregate::Matrix;

/// Resamples behind an interval.
pub const RESAMPLES: u32 = 2_000;

/// One resample of a matrix of scores: the rows (seeds) and columns (tasks) that were drawn, each as many as there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resample {
    /// Drawn rows.
    pub seeds: Vec<usize>,
    /// Drawn columns.
    pub tasks: Vec<usize>,
}

impl Resample {
    /// Resample number `index` of those of `seed`, for matrix number `group`.
    pub fn draw(seed: u64, (index, group): (u32, u32), (seeds, tasks): (usize, usize)) -> Self {
        let mut rng = Stream::new(seed, Purpose::Bootstrap).iteration(index).task(group).rng();
        let mut draw = |count: usize| (0..count).map(|_| below(&mut rng, count)).collect();
        Resample { seeds: draw(seeds), tasks: draw(tasks) }
    }

    /// The drawn rows and columns of `scores`.
    pub fn of(&self, scores: &Matrix) -> Matrix {
        let row = |seed: &usize| self.tasks.iter().map(|task| scores[*seed][*task]).collect();
        self.seeds.iter().map(row).collect()
    }
}

/// The intervals of several statistics of matrices of so many seeds and tasks, `[statistics]`. Each resample redraws whole
/// seeds, for one trained policy meets all tasks, and tasks, the same for all seeds and methods, since all of them meet the
/// same tasks (the pigeonhole bootstrap, Owen 2007, arXiv 0712.1111). Statistics of one resample may compare several matrices:
/// these stay paired. A statistic that is NaN in some resamples has the interval of the others.
pub fn crossed(seed: u64, size: (usize, usize), mut statistics: impl FnMut(&Resample) -> Vec<f64>) -> Vec<[f64; 2]> {
    crossed_groups(seed, 1, size, |drawn| statistics(&drawn[0]))
}

/// [`crossed`] for statistics of several groups of matrices, such as of several presets, each group redrawn on its own.
pub fn crossed_groups(
    seed: u64,
    groups: usize,
    size: (usize, usize),
    mut statistics: impl FnMut(&[Resample]) -> Vec<f64>,
) -> Vec<[f64; 2]> {
    let mut seen: Vec<Vec<f64>> = Vec::new();
    for index in 0..RESAMPLES {
        metadrift_agents::stop::check();
        let drawn: Vec<Resample> = (0..groups).map(|group| Resample::draw(seed, (index, group as u32), size)).collect();
        let values = statistics(&drawn);
        seen.resize_with(values.len(), Vec::new);
        seen.iter_mut().zip(values).for_each(|(seen, value)| seen.push(value));
    }
    seen.into_iter().map(interval).collect()
}

/// The interval of a statistic of all scores of `groups`, resampled within each: rliable's stratified bootstrap, with a group
/// for each task. It takes the runs of different tasks for independent, which those of one trained policy are not.
pub fn stratified(groups: &[Vec<f64>], seed: u64, statistic: fn(Vec<f64>) -> f64) -> [f64; 2] {
    let resample = |index| {
        let mut rng = Stream::new(seed, Purpose::Bootstrap).iteration(index).rng();
        let mut drawn = Vec::with_capacity(groups.iter().map(Vec::len).sum());
        for group in groups {
            drawn.extend((0..group.len()).map(|_| group[below(&mut rng, group.len())]));
        }
        statistic(drawn)
    };
    interval((0..RESAMPLES).map(resample).collect())
}

/// The columns of a matrix, as groups for [`stratified`].
pub fn by_task(scores: &Matrix) -> Vec<Vec<f64>> {
    (0..scores.first().map_or(0, Vec::len)).map(|task| scores.iter().map(|row| row[task]).collect()).collect()
}

/// A number below `count`.
fn below(rng: &mut impl Rng, count: usize) -> usize {
    ((u64::from(rng.next_u32()) * count as u64) >> 32) as usize
}

/// The middle 95 % of `values`, without those that are NaN; NaN if none is left.
fn interval(mut values: Vec<f64>) -> [f64; 2] {
    values.retain(|value| !value.is_nan());
    if values.is_empty() {
        return [f64::NAN; 2];
    }
    values.sort_by(f64::total_cmp);
    [percentile(&values, 0.025), percentile(&values, 0.975)]
}

/// Linear interpolation between the nearest ranks, as NumPy does it.
pub(super) fn percentile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}
