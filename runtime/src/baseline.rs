//! A value function linear in simple features, fitted to one task's experience in closed form.

use crate::{batch::Trajectories, prelude::*};

mod equations;
mod features;
mod matrix;
mod sums;

use equations::{Equations, Regression, USUAL_RIDGE};
use features::Features;

/// Number of sweeps; each replaces the values at the ends of episodes by those of the fit. The data reach one episode
/// ahead, and every sweep reaches one more. The limit guards against data too few for the sweeps to converge.
const SWEEPS: usize = 4;

/// A linear value function, V(obs, step) = w · features, after the baseline of Duan et al. 2016 (arXiv 1604.06778). The
/// features are 1, each observation, products of two observations and polynomials of the step, plus products of two
/// squares if these improve the fit.
///
/// A value must not fall at a time limit, so the targets of an episode that was cut off contain the value of its last
/// observation. A separate fit predicts that value from the state alone: a policy does not know the time, so neither
/// does the value of going on. (If polynomials of the step entered it, any multiple of gamma^-step could be added to
/// all values when all episodes end at the same step: their Bellman equations would still hold.) Within the episodes
/// the step is a feature like the others: rewards may follow the clock, and episodes may terminate at a given step.
///
/// ```text
/// v <- values of the ends: one number for all at first
/// repeat: regress discounted rewards + gamma^n v on features of the state; v <- this fit at the ends,
///         all shifted alike so that v holds on average
/// regress discounted rewards + gamma^n v on all features
/// ```
///
/// Cross-validation over episodes chooses the ridge and the use of products of squares. No value leaves the range that
/// the rewards of the data make possible: from the smallest reward for ever to the largest one for ever, and 0 if
/// episodes terminate.
#[derive(Clone, Debug)]
pub struct LinearBaseline {
    features: Features,
    /// Weights of the features, `[features]`.
    weights: Vec<f64>,
    /// Weights of the values at the ends, `[features of the state]`.
    end_weights: Vec<f64>,
    range: Range,
}

impl LinearBaseline {
    /// Fits the value function to the valid steps of `data`, with discount factor `gamma`.
    pub fn fit(data: &Trajectories<'_>, gamma: f64) -> Self {
        Self::fit_own(data, data.obs_dim(), gamma)
    }

    /// [`LinearBaseline::fit`] for observations of which only the first `own_obs` numbers are the environment's own.
    /// The others enter the features linearly: the data are too few for products with numbers that a setting appends.
    pub fn fit_own(data: &Trajectories<'_>, own_obs: usize, gamma: f64) -> Self {
        let features = Features::new(data, own_obs);
        let range = Range::new(data, gamma);
        let equations = Equations::new(data, &features, gamma);
        let fit = || {
            let fixed_point = FixedPoint { equations: &equations, range, gamma };
            let (simple, all) = (features.without_squares(), features.count());
            let rough = fixed_point.weights(&equations.of_state(USUAL_RIDGE)?);
            let (_, ridge) = equations.best(&[simple], &fixed_point.values(&rough));
            let end_weights = fixed_point.weights(&equations.of_state(ridge)?);
            let ends = fixed_point.values(&end_weights);
            let counts = if all > simple { vec![simple, all] } else { vec![simple] };
            let (count, ridge) = equations.best(&counts, &ends);
            let weights = equations.of_first(count, ridge)?.weights(equations.target(count, &ends));
            Some((equations.plain(weights), equations.plain(end_weights)))
        };
        // only non-finite data have no solution; the learner refuses them by name
        let (weights, end_weights) =
            fit().unwrap_or_else(|| (vec![f64::NAN; features.count()], vec![f64::NAN; features.of_state()]));
        let features = features.truncated(weights.len());
        LinearBaseline { features, weights, end_weights, range }
    }

    /// Values before and after every valid step, `[steps, envs]` each; padding stays 0. The value after a terminal step
    /// is 0.
    pub fn values(&self, data: &Trajectories<'_>) -> (Vec<f64>, Vec<f64>) {
        let mut value = vec![0.0; data.reward.len()];
        let mut next_value = vec![0.0; data.reward.len()];
        let mut row = vec![0.0; self.features.count()];
        for (env, start, end) in data.episodes() {
            for t in start..end {
                let at = data.row(t, env);
                self.features.write(data.obs_at(data.obs, at), data.episode_step[at], &mut row);
                value[at] = self.range.clamp(dot(&row, &self.weights));
                if t > start {
                    next_value[data.row(t - 1, env)] = value[at];
                }
            }
            let last = data.row(end - 1, env);
            if !data.terminated[last] {
                let state = &mut row[..self.features.of_state()];
                self.features.write_state(data.obs_at(data.next_obs, last), state);
                next_value[last] = self.range.clamp(dot(state, &self.end_weights));
            }
        }
        (value, next_value)
    }
}

/// The range of possible values.
#[derive(Clone, Copy, Debug)]
struct Range {
    low: f64,
    high: f64,
}

impl Range {
    fn new(data: &Trajectories<'_>, gamma: f64) -> Self {
        let rewards = || data.rows().map(|row| f64::from(data.reward[row]));
        let (mut low, mut high) = (rewards().fold(f64::INFINITY, f64::min), rewards().fold(-f64::INFINITY, f64::max));
        low /= 1.0 - gamma;
        high /= 1.0 - gamma;
        if data.rows().any(|row| data.terminated[row]) {
            (low, high) = (low.min(0.0), high.max(0.0));
        }
        Range { low, high }
    }

    /// `value` within the range; NaN stays NaN.
    fn clamp(self, value: f64) -> f64 {
        if value < self.low {
            self.low
        } else if value > self.high {
            self.high
        } else {
            value
        }
    }
}

/// Values at the ends of episodes that agree with the values before them.
struct FixedPoint<'a> {
    equations: &'a Equations,
    range: Range,
    gamma: f64,
}

impl FixedPoint<'_> {
    /// Values at the ends, `[episodes]`, from weights of standardised features of the state; 0 for terminated episodes.
    fn values(&self, weights: &[f64]) -> Vec<f64> {
        let value = |end: Option<&[f64]>| end.map_or(0.0, |end| self.range.clamp(matrix::dot(end, weights)));
        self.equations.ends().map(value).collect()
    }

    /// Weights of the features of the state, by sweeps of `regression` towards the fixed point.
    fn weights(&self, regression: &Regression) -> Vec<f64> {
        let sweep = |ends: &[f64]| {
            let count = self.equations.of_state_count();
            regression.weights(self.equations.target(count, ends))
        };
        let mut weights = sweep(&vec![0.0; self.equations.ends().count()]);
        let cut: Vec<&[f64]> = self.equations.ends().flatten().collect();
        if cut.is_empty() {
            return weights;
        }
        let mean = |weights: &[f64]| cut.iter().map(|end| matrix::dot(end, weights)).sum::<f64>() / cut.len() as f64;
        // the rise of the fitted values at the ends when all end values rise by one
        let ones: Vec<f64> = self.equations.ends().map(|end| f64::from(u8::from(end.is_some()))).collect();
        let raised: f64 = mean(&matrix::plus(&sweep(&ones), &weights, -1.0));
        let kept = (1.0 - raised).max(1.0 - self.gamma);
        for round in 0..=SWEEPS {
            weights = if round == 0 { vec![0.0; weights.len()] } else { sweep(&self.values(&weights)) };
            let values = self.values(&weights);
            let now = values.iter().sum::<f64>() / cut.len() as f64;
            weights[0] += (mean(&sweep(&values)) - now) / kept;
        }
        weights
    }
}

/// The inner product, as four sums, so that an addition need not wait for the one before.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    let mut sums = [0.0; 4];
    for (a, b) in a.iter().zip(b) {
        (0..4).for_each(|k| sums[k] += a[k] * b[k]);
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_products_of_two_observations_or_squares_is_found_exactly() {
        // episodes have one step, so the value is the reward
        let steps = 600;
        // a mix in which no two observations of a step are nearly functions of each other
        let mix = |i: u64| (i ^ i >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // each step appears once more with the other sign: squares are deviations from the mean, which is then 0
        let number = |i: usize| {
            let (step, part) = (i / 3, i % 3);
            let x = (mix(mix((step / 2 * 3 + part) as u64 + 1)) >> 40) as f32 / (1 << 23) as f32 - 1.0;
            if step.is_multiple_of(2) { x } else { -x }
        };
        let obs: Vec<f32> = (0..3 * steps).map(number).collect();
        let squares = |x: &[f32]| x[0] * x[0] * x[2] * x[2] - 2.0 * x[1].powi(4);
        let products = |x: &[f32]| x[0] - 2.0 * x[0] * x[1] + 3.0 * x[0] * x[2] - 4.0 * x[1] * x[2] + 5.0 * x[2] * x[2];
        let worth = |x: &[f32]| 1.0 + products(x) + squares(x);
        let reward: Vec<f32> = obs.chunks(3).map(worth).collect();
        let ended = vec![true; steps];
        let first = vec![0; steps];
        let zeros = vec![0.0; steps];
        let data = Trajectories {
            envs: 1,
            obs: &obs,
            next_obs: &obs,
            action: &zeros,
            log_prob: &zeros,
            reward: &reward,
            terminated: &ended,
            truncated: &ended,
            episode_step: &first,
            valid_steps: &[steps as u32],
        };
        let (value, _) = LinearBaseline::fit(&data, 0.9).values(&data);
        for (value, reward) in value.iter().zip(&reward) {
            assert!((value - f64::from(*reward)).abs() < 1e-5, "{value} {reward}");
        }
    }
}
