//! The best fixed law of a family: the cross-entropy method with common random numbers.

use metadrift_agents::{team, threads::run_jobs};
use metadrift_envs::{EnvKind, Purpose, Stream, Task};
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::{
    episodes::returns,
    feedback::{Family, Feedback},
    observer::Model,
    windowed::{Windowed, WindowedFamily},
};
use crate::{life::Life, stats::mean};

/// Effort of a search.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Number of laws tried in each round, from each start.
    pub population: usize,
    /// Number of best laws, from which the next round is drawn.
    pub elites: usize,
    /// Number of rounds from each start.
    pub rounds: usize,
    /// Number of tasks that every law is tried on: of the same split, but never the reported ones.
    pub tasks: usize,
    /// Number of lanes per task.
    pub lanes: usize,
}

impl Budget {
    /// The effort of `tasks audit`.
    pub const AUDIT: Budget = Budget { population: 64, elites: 10, rounds: 20, tasks: 48, lanes: 2 };
}

/// The numbers of the law with the highest mean return on `tasks` in one phase of their life. The same tasks, initial
/// states and noise are used for every law.
pub fn best_fixed(
    env: EnvKind,
    family: Family,
    tasks: &[Task],
    phase: (Life, usize),
    (budget, threads): (&Budget, usize),
    seed: u64,
) -> Vec<f64> {
    let score =
        |numbers: &[f64]| mean(&returns(env, tasks, budget.lanes, phase, seed, |_, _| Feedback::new(family, numbers)));
    best(family.starts(env.spec()), score, (budget, threads), Stream::new(seed, Purpose::Search))
}

/// The same among laws with a short memory; it is looked for around the fixed law `fixed`, too.
pub fn best_windowed(
    model: &Model,
    family: WindowedFamily,
    (fixed, tasks): (&[f64], &[Task]),
    phase: (Life, usize),
    (budget, threads): (&Budget, usize),
    seed: u64,
) -> Vec<f64> {
    let score = |numbers: &[f64]| {
        mean(&returns(model.env, tasks, budget.lanes, phase, seed, |_, _| Windowed::new(family, numbers)))
    };
    let starts = family.starts(model.env.spec(), fixed, &model.reading_effects());
    best(starts, score, (budget, threads), Stream::new(seed, Purpose::Search).phase(1))
}

/// The numbers of the law with the highest `score` that the cross-entropy method finds from `starts`, each with the spread
/// of every number. Threads and ranks share the laws of a round.
fn best(
    starts: Vec<(Vec<f64>, Vec<f64>)>,
    score: impl Fn(&[f64]) -> f64 + Sync,
    (budget, threads): (&Budget, usize),
    stream: Stream,
) -> Vec<f64> {
    let mut best: Option<(f64, Vec<f64>)> = None;
    for (start, (mut center, mut spread)) in starts.into_iter().enumerate() {
        let floor: Vec<f64> = spread.iter().map(|s| 0.02 * s).collect();
        for round in 0..budget.rounds {
            let stream = stream.iteration(round as u32).task(start as u32);
            let laws: Vec<_> = (0..budget.population).map(|index| candidate(&center, &spread, index, stream)).collect();
            let mut scores = vec![0.0; laws.len()];
            let block = team::block(laws.len());
            let jobs = scores[block.clone()].iter_mut().zip(&laws[block]).collect();
            run_jobs(jobs, threads, |(found, law): (&mut f64, &Vec<f64>)| *found = score(law));
            team::share(&mut scores);
            let mut tried: Vec<(f64, Vec<f64>)> = scores.into_iter().zip(laws).collect();
            tried.sort_by(|a, b| b.0.total_cmp(&a.0));
            if best.as_ref().is_none_or(|(score, _)| tried[0].0 > *score) {
                best = Some(tried[0].clone());
            }
            let elites = &tried[..budget.elites];
            if elites[0].0 == elites[budget.elites - 1].0 {
                break; // all are equal, so there is no direction to follow
            }
            for k in 0..center.len() {
                let column: Vec<f64> = elites.iter().map(|(_, numbers)| numbers[k]).collect();
                center[k] = mean(&column);
                let variance = column.iter().map(|x| (x - center[k]).powi(2)).sum::<f64>() / column.len() as f64;
                spread[k] = variance.sqrt().max(floor[k]);
            }
        }
    }
    best.expect("every family has a start and every budget a round").1
}

/// The center itself for index 0, otherwise a normal draw around it.
fn candidate(center: &[f64], spread: &[f64], index: usize, stream: Stream) -> Vec<f64> {
    if index == 0 {
        return center.to_vec();
    }
    let mut rng = stream.env(index as u32).rng();
    let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
    center.iter().zip(spread).map(|(c, s)| c + s * normal()).collect()
}
