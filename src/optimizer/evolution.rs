//! Evolution strategies on the weights of a rule (Salimans et al. 2017, arXiv 1703.03864): antithetic pairs, centred ranks,
//! the same trainings for all members of a generation, Adam on the mean.

use metadrift_agents::{
    adam::Adam,
    state::{Misfit, State},
    update_rule::{WEIGHTS, initial},
};
use metadrift_envs::{Purpose, Split, Stream};
use rand_distr::{Distribution, StandardNormal};

use super::{Choice, Problem, Rule, Trained, Within};
use crate::stats::mean;

/// A rule under way.
#[derive(Clone, Debug)]
pub struct Evolution {
    problem: Problem,
    /// The mean of the population, and the settings with the generations done.
    rule: Rule,
    adam: Adam,
}

impl Evolution {
    /// A population around a fresh rule; `trained` has the settings, with no generation done.
    pub fn new(problem: Problem, trained: Trained) -> Self {
        let weights = initial(&mut Stream::new(trained.seed, Purpose::Init).rng());
        Evolution { problem, rule: Rule { weights, trained }, adam: Adam::new(WEIGHTS) }
    }

    /// The mean of the population.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Generations done.
    pub fn generation(&self) -> u64 {
        self.rule.trained.generations
    }

    /// Runs one generation and returns the mean of its scores:
    ///
    /// ```text
    /// draw tasks and seeds of trainings, the same for all members
    /// for each pair of members: noise ~ N(0, 1); one trains with mean + sigma noise, one with mean - sigma noise
    /// ranks of the mean returns over the training budget, from -1/2 to 1/2
    /// mean <- Adam step along the sum of rank * noise of all members / (members sigma)
    /// ```
    ///
    /// The result is the same for any number of threads. If it unwinds, the population is as it was.
    pub fn advance(&mut self, threads: usize) -> f64 {
        let Trained { population, draws, sigma, rate, seed, generations, .. } = self.rule.trained;
        let round = generations as u32;
        let draws = self.problem.draws(Split::Train, Within { seed, round }, draws);
        let noises: Vec<Vec<f32>> = (0..population / 2).map(|pair| noise(seed, round, pair)).collect();
        let member = |noise: &Vec<f32>, sign: f64| {
            let moved = |(mean, noise): (&f32, &f32)| mean + (sign * sigma) as f32 * noise;
            Choice::Rule(self.rule.weights.iter().zip(noise).map(moved).collect())
        };
        let members: Vec<Choice> =
            noises.iter().flat_map(|noise| [1.0, -1.0].map(|sign| member(noise, sign))).collect();
        let scores = self.problem.scores(&members, &draws, threads);
        let scores: Vec<f64> = scores.iter().map(|of_member| mean(of_member)).collect();
        let gradient = ascent(&centred_ranks(&scores), &noises, sigma);
        let downhill: Vec<f32> = gradient.iter().map(|g| -*g as f32).collect();
        self.adam.step(&mut self.rule.weights, &downhill, rate);
        self.rule.trained.generations += 1;
        mean(&scores)
    }

    /// The state from which the evolution can be resumed exactly.
    pub fn save(&self) -> State {
        let mut state = State::default();
        state.put("mean", &self.rule.weights);
        self.adam.save(&mut state, "adam");
        state.set("trained", &self.rule.trained);
        state
    }

    /// Resumes from the state of an evolution with the same settings.
    ///
    /// # Errors
    /// If it belongs to other settings; the evolution is then unchanged.
    pub fn load(&mut self, state: &State) -> Result<(), Misfit> {
        let trained: Trained = state.value("trained")?;
        let before = Trained { generations: self.rule.trained.generations, ..trained.clone() };
        if before != self.rule.trained {
            let (of, asked) = (serde_json::json!(before), serde_json::json!(self.rule.trained));
            return Err(Misfit(format!("it is of {of}, not of {asked}")));
        }
        let weights = state.tensor("mean", WEIGHTS)?;
        self.adam = Adam::load(state, "adam", WEIGHTS)?;
        self.rule = Rule { weights, trained };
        Ok(())
    }
}

/// The noise of a pair of members, `[WEIGHTS]`.
fn noise(seed: u64, round: u32, pair: u32) -> Vec<f32> {
    let mut rng = Stream::new(seed, Purpose::Evolution).part(1).iteration(round).task(pair).rng();
    (0..WEIGHTS).map(|_| StandardNormal.sample(&mut rng)).collect()
}

/// The estimate of the gradient of the expected rank: sum of rank * noise over members / (members sigma); `ranks`
/// `[members]` are of pairs, the one with the positive noise first.
fn ascent(ranks: &[f64], noises: &[Vec<f32>], sigma: f64) -> Vec<f64> {
    let mut sum = vec![0.0; noises[0].len()];
    for (pair, noise) in ranks.chunks_exact(2).zip(noises) {
        let weight = (pair[0] - pair[1]) / (ranks.len() as f64 * sigma);
        sum.iter_mut().zip(noise).for_each(|(sum, noise)| *sum += weight * f64::from(*noise));
    }
    sum
}

/// Ranks of `scores` from -1/2 for the lowest to 1/2 for the highest; equal ones share the mean of their ranks.
pub fn centred_ranks(scores: &[f64]) -> Vec<f64> {
    let below = |score: f64| scores.iter().filter(|other| other.total_cmp(&score).is_lt()).count() as f64;
    let equal = |score: f64| scores.iter().filter(|other| other.total_cmp(&score).is_eq()).count() as f64;
    let last = (scores.len() - 1) as f64;
    scores.iter().map(|score| (below(*score) + (equal(*score) - 1.0) / 2.0) / last - 0.5).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_by_hand() {
        assert_eq!(centred_ranks(&[3.0, -7.0, 100.0]), [0.0, -0.5, 0.5]);
        // 2 and 2 have the ranks 1 and 2 of 0 to 4
        assert_eq!(centred_ranks(&[2.0, 9.0, 2.0, 1.0, 3.0]), [-0.125, 0.5, -0.125, -0.5, 0.25]);
        assert_eq!(centred_ranks(&[f64::NEG_INFINITY, 0.0]), [-0.5, 0.5]);
    }

    #[test]
    fn the_estimate_points_along_the_gradient() {
        // scores that are linear in the noise, s = noise . (1, -2, 0): ranks grow with s, and with many pairs the estimate is
        // parallel to (1, -2, 0)
        let noises: Vec<Vec<f32>> = (0..4000).map(|pair| noise(1, 0, pair)[..3].to_vec()).collect();
        let score = |noise: &Vec<f32>| f64::from(noise[0]) - 2.0 * f64::from(noise[1]);
        let scores: Vec<f64> = noises.iter().flat_map(|noise| [score(noise), -score(noise)]).collect();
        let along = ascent(&centred_ranks(&scores), &noises, 0.5);
        // E[(Phi(s / |s|) - 1/2) noise] / sigma = direction / (2 sqrt(pi) sigma), for a unit direction
        let unit = 1.0 / (2.0 * std::f64::consts::PI.sqrt() * 0.5);
        let expected = [unit / 5f64.sqrt(), -2.0 * unit / 5f64.sqrt(), 0.0];
        for (along, expected) in along.iter().zip(expected) {
            assert!((along - expected).abs() < 0.02, "{along} {expected}");
        }
    }
}
