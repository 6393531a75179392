//! The search for Adam's best settings, by successive halving (Jamieson and Talwalkar 2016, arXiv 1502.07943).

use metadrift_envs::{Purpose, Split, Stream};
use serde::Serialize;

use super::{AdamSettings, Choice, Problem, Within};
use crate::stats::mean;

/// Settings with their score.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Candidate {
    /// The settings.
    pub adam: AdamSettings,
    /// Mean return over the training budget.
    pub score: f64,
    /// Trainings behind that mean.
    pub trainings: u32,
}

/// The survivors of the last round, best first, and the number of all trainings. The candidates are the given settings
/// and, up to `count`, ones whose factors are drawn log-uniformly from 1/10 to 10, half of them annealed. In every round
/// each is trained on `draws` tasks of training; the best quarter goes on to a round with four times the draws, all new,
/// until four or fewer are left.
pub fn tune(
    problem: &Problem,
    (count, draws): (u32, u32),
    seed: u64,
    threads: usize,
    mut told: impl FnMut(&[Candidate]),
) -> (Vec<Candidate>, u64) {
    let mut left: Vec<AdamSettings> = (0..count).map(|index| candidate(seed, index)).collect();
    let (mut draws, mut all) = (draws, 0);
    for round in 0.. {
        let drawn = problem.draws(Split::Train, Within { seed, round }, draws);
        let choices: Vec<Choice> = left.iter().copied().map(Choice::Adam).collect();
        let scores = problem.scores(&choices, &drawn, threads);
        all += (left.len() * drawn.len()) as u64;
        let scored = left.iter().zip(&scores).map(|(adam, scores)| Candidate {
            adam: *adam,
            score: mean(scores),
            trainings: draws,
        });
        let mut scored: Vec<Candidate> = scored.collect();
        scored.sort_by(|a, b| b.score.total_cmp(&a.score));
        told(&scored);
        if scored.len() <= 4 {
            return (scored, all);
        }
        left = scored.iter().take(scored.len().div_ceil(4)).map(|candidate| candidate.adam).collect();
        draws *= 4;
    }
    unreachable!("every round has fewer candidates")
}

fn candidate(seed: u64, index: u32) -> AdamSettings {
    if index == 0 {
        return AdamSettings::GIVEN;
    }
    let [policy, value, anneal, _] = Stream::new(seed, Purpose::Search).task(index).uniforms(0);
    let factor = |share: f32| 10f64.powf(2.0 * f64::from(share) - 1.0);
    AdamSettings { policy: factor(policy), value: factor(value), anneal: Some(anneal < 0.5) }
}
