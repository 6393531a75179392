//! Decision problems small enough to enumerate, with their exact meta-gradients.
//!
//! There is one parameter for each state: action 1 is taken with the probability sigma(theta of the state). An outcome is a
//! whole episode. The sums here are written out for these policies and share no code with the learner.

use clap::ValueEnum;

/// A problem with its policy and step size of adaptation.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Parameter of each state, `[states]`.
    pub theta: Vec<f64>,
    /// Step size along the mean over episodes of the sum of score x reward to go.
    pub alpha: f64,
    /// Every possible episode, all of the same length.
    pub outcomes: Vec<Outcome>,
}

/// An episode.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Probability of its noise.
    pub chance: f64,
    /// Its steps, in order.
    pub steps: Vec<Step>,
}

/// A step of an episode.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Index of the state.
    pub state: usize,
    /// The action, 0 or 1.
    pub action: usize,
    /// Rewards from this step to the end.
    pub to_go: f64,
}

/// The problems of the test bed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Name {
    /// Two arms, one of which pays; theta 0.3, step size 2
    P1,
    /// Two states, each action leads to its own state, three steps; theta (0.2, -0.4), step size 0.5
    P2,
    /// Two instruments that pay the same, of which one shows noise of ±2, then two arms; theta (0, 0.5), step size 1. The
    /// choice of the instrument matters to adaptation alone
    P3,
}

/// The probability of action 1 at a parameter.
fn sigma(theta: f64) -> f64 {
    1.0 / (1.0 + (-theta).exp())
}

impl Outcome {
    /// An outcome of steps (state, action, reward).
    fn new(chance: f64, steps: &[(usize, usize, f64)]) -> Self {
        let step = |(t, &(state, action, _)): (usize, &(usize, usize, f64))| {
            let to_go = steps[t..].iter().map(|(_, _, reward)| reward).sum();
            Step { state, action, to_go }
        };
        Outcome { chance, steps: steps.iter().enumerate().map(step).collect() }
    }

    /// Its probability under `theta`.
    pub fn probability(&self, theta: &[f64]) -> f64 {
        self.steps.iter().map(|step| step.log_prob(theta).exp()).product::<f64>() * self.chance
    }

    /// Adds its score x reward to go, times `weight`, to `sum` `[states]`.
    fn add_gradient(&self, theta: &[f64], weight: f64, sum: &mut [f64]) {
        for Step { state, action, to_go } in &self.steps {
            sum[*state] += weight * to_go * (*action as f64 - sigma(theta[*state]));
        }
    }
}

impl Step {
    /// Log-probability of the action.
    pub fn log_prob(&self, theta: &[f64]) -> f64 {
        let up = if self.action == 1 { theta[self.state] } else { -theta[self.state] };
        -(-up).exp().ln_1p()
    }
}

impl Name {
    /// The name as on the command line.
    pub fn text(self) -> &'static str {
        ["p1", "p2", "p3"][self as usize]
    }

    /// The problem.
    pub fn problem(self) -> Problem {
        let arms = |pay: [f64; 2]| [0, 1].map(|action| Outcome::new(1.0, &[(0, action, pay[action])]));
        match self {
            Name::P1 => Problem { theta: vec![0.3], alpha: 2.0, outcomes: arms([0.0, 1.0]).to_vec() },
            Name::P2 => {
                let pay = [[0.0, 1.0], [2.0, 0.0]];
                let outcome = |number: usize| {
                    let [a, b, c] = [number >> 2, number >> 1 & 1, number & 1];
                    Outcome::new(1.0, &[(0, a, pay[0][a]), (a, b, pay[a][b]), (b, c, pay[b][c])])
                };
                Problem { theta: vec![0.2, -0.4], alpha: 0.5, outcomes: (0..8).map(outcome).collect() }
            }
            Name::P3 => {
                let clear = |arm: usize| Outcome::new(1.0, &[(0, 1, 0.0), (1, arm, arm as f64)]);
                let noisy = |arm: usize, noise: f64| Outcome::new(0.5, &[(0, 0, 0.0), (1, arm, arm as f64 + noise)]);
                let outcomes = [0, 1].into_iter().flat_map(|arm| [clear(arm), noisy(arm, -2.0), noisy(arm, 2.0)]);
                Problem { theta: vec![0.0, 0.5], alpha: 1.0, outcomes: outcomes.collect() }
            }
        }
    }
}

impl Problem {
    /// Number of steps of an episode.
    pub fn steps(&self) -> usize {
        self.outcomes[0].steps.len()
    }

    /// Probabilities of the outcomes under `theta`.
    pub fn probabilities(&self, theta: &[f64]) -> Vec<f64> {
        self.outcomes.iter().map(|outcome| outcome.probability(theta)).collect()
    }

    /// Expected return of `theta`.
    pub fn value(&self, theta: &[f64]) -> f64 {
        self.outcomes.iter().map(|outcome| outcome.probability(theta) * outcome.steps[0].to_go).sum()
    }

    /// Parameters after a step along the exact gradient of the return.
    fn exact_step(&self, theta: &[f64]) -> Vec<f64> {
        let mut stepped = theta.to_vec();
        for outcome in &self.outcomes {
            outcome.add_gradient(theta, self.alpha * outcome.probability(theta), &mut stepped);
        }
        stepped
    }

    /// J_inf: the return after `steps` steps along the exact gradient.
    fn limit(&self, theta: &[f64], steps: usize) -> f64 {
        let last = (0..steps).fold(theta.to_vec(), |theta, _| self.exact_step(&theta));
        self.value(&last)
    }

    /// J_N: the expected return after `steps` steps on `sets.episodes` new episodes each.
    pub fn expected(&self, theta: &[f64], steps: usize, sets: &DataSets) -> f64 {
        if steps == 0 {
            return self.value(theta);
        }
        let probabilities = self.probabilities(theta);
        let mut gradients = vec![vec![0.0; theta.len()]; self.outcomes.len()];
        for (outcome, gradient) in self.outcomes.iter().zip(&mut gradients) {
            outcome.add_gradient(theta, self.alpha / f64::from(sets.episodes), gradient);
        }
        let after = |counts: &Vec<u32>| {
            let mut stepped = theta.to_vec();
            for (count, gradient) in counts.iter().zip(&gradients) {
                stepped.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += f64::from(*count) * g);
            }
            self.expected(&stepped, steps - 1, sets)
        };
        sets.all.iter().map(|(ways, counts)| chance(*ways, counts, &probabilities) * after(counts)).sum()
    }

    /// The exact gradient of J_N, `[states]`.
    pub fn gradient(&self, steps: usize, sets: &DataSets) -> Vec<f64> {
        let by = |i| self.derivative(i, |theta| self.expected(theta, steps, sets));
        (0..self.theta.len()).map(by).collect()
    }

    /// The exact gradient of J_inf, `[states]`.
    pub fn limit_gradient(&self, steps: usize) -> Vec<f64> {
        (0..self.theta.len()).map(|i| self.derivative(i, |theta| self.limit(theta, steps))).collect()
    }

    /// The derivative by parameter `i`, from five points: exact to about 1e-12 for the smooth functions here.
    fn derivative(&self, i: usize, function: impl Fn(&[f64]) -> f64) -> f64 {
        const H: f64 = 1e-3;
        let at = |shift: f64| {
            let mut theta = self.theta.clone();
            theta[i] += shift * H;
            function(&theta)
        };
        (8.0 * (at(1.0) - at(-1.0)) - (at(2.0) - at(-2.0))) / (12.0 * H)
    }
}

/// All sets of some episodes without their order: each as its number of orders, and as counts of the outcomes.
#[derive(Clone, Debug)]
pub struct DataSets {
    /// Episodes in a set.
    pub episodes: u32,
    /// The sets.
    pub all: Vec<(f64, Vec<u32>)>,
}

impl DataSets {
    /// All sets of `episodes` out of `outcomes` outcomes.
    pub fn new(episodes: u32, outcomes: usize) -> Self {
        let mut all = vec![(1.0, Vec::new(), episodes)];
        for outcome in 0..outcomes {
            let last = outcome + 1 == outcomes;
            let longer = |(ways, counts, left): &(f64, Vec<u32>, u32)| {
                let counts = counts.clone();
                let (ways, left) = (*ways, *left);
                (if last { left } else { 0 }..=left).map(move |count| {
                    let counts = counts.iter().copied().chain([count]).collect();
                    (ways * choose(left, count), counts, left - count)
                })
            };
            all = all.iter().flat_map(longer).collect();
        }
        DataSets { episodes, all: all.into_iter().map(|(ways, counts, _)| (ways, counts)).collect() }
    }

    /// Number of sets of `episodes` out of `outcomes` outcomes.
    pub fn count(episodes: u32, outcomes: usize) -> f64 {
        choose(episodes + outcomes as u32 - 1, episodes)
    }
}

/// Probability of a set if those of the outcomes are `probabilities`.
pub fn chance(ways: f64, counts: &[u32], probabilities: &[f64]) -> f64 {
    counts.iter().zip(probabilities).map(|(count, p)| p.powi(*count as i32)).product::<f64>() * ways
}

/// The binomial coefficient.
fn choose(n: u32, k: u32) -> f64 {
    (1..=k).map(|i| f64::from(n - k + i) / f64::from(i)).product::<f64>().round()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_all_sets_and_their_orders_all_orders() {
        let sets = DataSets::new(4, 8);
        assert_eq!((sets.all.len() as f64, DataSets::count(4, 8)), (330.0, 330.0));
        assert!((sets.all.iter().map(|(ways, _)| ways).sum::<f64>() - 4096.0).abs() < 1e-9);
        assert!(sets.all.iter().all(|(_, counts)| counts.iter().sum::<u32>() == 4 && counts.len() == 8));
    }

    /// The return, its gradient and its Hessian as published with the problem's table.
    #[test]
    fn the_return_of_p2_and_its_derivatives_are_the_known_ones() {
        let problem = Name::P2.problem();
        assert!((problem.value(&problem.theta) - 2.308_703).abs() < 5e-7);
        let gradient: Vec<f64> = (0..2).map(|i| problem.derivative(i, |theta| problem.value(theta))).collect();
        assert!((gradient[0] - 0.699_200).abs() < 5e-7 && (gradient[1] + 0.403_631).abs() < 5e-7, "{gradient:?}");
        let stepped = problem.exact_step(&problem.theta);
        assert!((stepped[0] - 0.2 - 0.5 * gradient[0]).abs() < 1e-11);
    }
}
