//! The extended Kalman filter of state and unknown channels: least squares with forgetting, and a test for changes.

use metadrift_agents::learners::adaptive_control::AdaptiveControlConfig;
use nalgebra::{DMatrix, DVector, RowDVector};

use super::model::Model;

/// Steps of differences, in units of a channel's spread, and of a state's size.
const STEP: f64 = 1e-4;

/// Belief about one lane, under one delay of its commands: normal, with state and channels in one vector.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Delay of the commands (steps).
    pub delay: usize,
    /// State, then unknown channels.
    pub mean: DVector<f64>,
    /// Its covariance.
    pub covariance: DMatrix<f64>,
    /// Logarithm of the likelihood of everything seen, up to a constant.
    pub likelihood: f64,
}

/// The settings of a filter.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// Factor by which a tick's weight falls with every tick.
    pub forgetting: f64,
    /// Size of a surprise that counts as a change, in standard deviations of a normal variable.
    pub surprise: f64,
}

/// Those of `learner = "adaptive-control"` where nothing is set.
impl Default for Tuning {
    fn default() -> Self {
        let AdaptiveControlConfig { forgetting, surprise, .. } = AdaptiveControlConfig::default();
        Tuning { forgetting, surprise }
    }
}

impl Filter {
    /// A filter that knows nothing but the model; [`Filter::start`] gives it a state.
    pub fn new(model: &Model, delay: usize) -> Filter {
        let (states, unknown) = (model.starts[0].len(), model.unknown.len());
        let size = states + unknown;
        let mut mean = DVector::zeros(size);
        for (place, channel) in mean.rows_mut(states, unknown).iter_mut().zip(&model.unknown) {
            *place = channel.mean;
        }
        let mut filter = Filter { delay, mean, covariance: DMatrix::zeros(size, size), likelihood: 0.0 };
        filter.forget(model);
        filter
    }

    fn states(&self, model: &Model) -> usize {
        self.mean.len() - model.unknown.len()
    }

    /// The estimates of the unknown channels, `[unknown]`.
    pub fn estimates(&self, model: &Model) -> &[f64] {
        &self.mean.as_slice()[self.states(model)..]
    }

    /// The estimated state, `[state_dim]`.
    pub fn state(&self, model: &Model) -> &[f64] {
        &self.mean.as_slice()[..self.states(model)]
    }

    /// Gives the channels the covariance that they have before anything is seen.
    fn forget(&mut self, model: &Model) {
        let states = self.states(model);
        for (k, unknown) in model.unknown.iter().enumerate() {
            self.covariance.row_mut(states + k).fill(0.0);
            self.covariance.column_mut(states + k).fill(0.0);
            self.covariance[(states + k, states + k)] = unknown.sd * unknown.sd;
        }
    }

    /// Begins an episode with these readings; the belief about the channels goes on.
    pub fn start(&mut self, model: &Model, readings: &[f64]) {
        let states = self.states(model);
        for i in 0..self.mean.len() {
            for j in 0..states {
                let entry = if i < states { model.start_spread[(i, j)] } else { 0.0 };
                self.covariance[(i, j)] = entry;
                self.covariance[(j, i)] = entry;
            }
        }
        // readings are curved in the state: the best of several starting points is taken
        let before = self.clone();
        let mut best: Option<Filter> = None;
        for start in &model.starts {
            let mut found = before.clone();
            found.mean.rows_mut(0, states).copy_from_slice(start);
            for _ in 0..3 {
                found.covariance.copy_from(&before.covariance);
                found.likelihood = before.likelihood;
                found.read(model, readings, f64::INFINITY);
            }
            let values = model.values(found.estimates(model), found.delay);
            let miss = |filter: &Filter| -> f64 {
                let seen = model.readings(&values, filter.state(model));
                seen.iter().zip(readings).map(|(a, b)| (a - b).powi(2)).sum()
            };
            if best.as_ref().is_none_or(|best| miss(&found) < miss(best)) {
                best = Some(found);
            }
        }
        *self = best.expect("a model has starts");
    }

    /// Takes in a step under `action`, which the delay let through, and the readings after it; false if these were so
    /// surprising that something must have changed.
    pub fn step(&mut self, model: &Model, tuning: &Tuning, action: Option<&[f64]>, readings: &[f64]) -> bool {
        let states = self.states(model);
        let size = self.mean.len();
        let delay = self.delay;
        for k in states..size {
            let most = model.unknown[k - states].sd;
            let factor = (1.0 / tuning.forgetting.sqrt()).min(most / self.covariance[(k, k)].sqrt());
            self.covariance.row_mut(k).scale_mut(factor);
            self.covariance.column_mut(k).scale_mut(factor);
        }
        let next = |mean: &[f64]| model.next(&model.values(&mean[states..], delay), &mean[..states], action, 0.0);
        let mut by_all = DMatrix::identity(size, size);
        by_all.rows_mut(0, states).copy_from(&self.jacobian(model, &next));
        let values = model.values(self.estimates(model), delay);
        let mut noise = DMatrix::<f64>::zeros(size, size);
        if model.actuator_noise > 0.0 {
            let moved = |extra: f64| model.next(&values, self.state(model), action, extra);
            for (k, (more, less)) in moved(STEP).iter().zip(moved(-STEP)).enumerate() {
                noise[(k, k)] = ((more - less) / (2.0 * STEP) * model.actuator_noise).powi(2);
            }
        }
        let mean = next(self.mean.as_slice());
        let before = self.clone();
        self.mean.rows_mut(0, states).copy_from_slice(&mean);
        self.covariance = &by_all * &self.covariance * by_all.transpose() + &noise;
        let expected = self.read(model, readings, tuning.surprise);
        if !expected {
            // what was known of the channels is worth nothing
            let mut unsure = before;
            unsure.forget(model);
            self.covariance = &by_all * &unsure.covariance * by_all.transpose() + noise;
            self.read(model, readings, f64::INFINITY);
        }
        expected
    }

    /// Takes in readings, unless they are more than `surprise` from what is expected; false if they are.
    fn read(&mut self, model: &Model, readings: &[f64], surprise: f64) -> bool {
        let states = self.states(model);
        let delay = self.delay;
        let read = |mean: &[f64]| model.readings(&model.values(&mean[states..], delay), &mean[..states]);
        let by_all = self.jacobian(model, &read);
        let expected = read(self.mean.as_slice());
        let innovation = DVector::from_fn(readings.len(), |k, _| readings[k] - expected[k]);
        let mut variance = &by_all * &self.covariance * by_all.transpose();
        for (k, error) in model.errors.iter().enumerate() {
            variance[(k, k)] += error * error;
        }
        let Some(factor) = variance.cholesky() else { return true };
        let distance = innovation.dot(&factor.solve(&innovation));
        if distance > quantile(readings.len() as f64, surprise) {
            return false;
        }
        let gain = factor.solve(&(&by_all * &self.covariance)).transpose();
        self.mean += &gain * innovation;
        self.covariance -= &gain * by_all * &self.covariance;
        self.covariance = 0.5 * (&self.covariance + self.covariance.transpose());
        for (k, unknown) in model.unknown.iter().enumerate() {
            let [low, high] = unknown.range;
            self.mean[states + k] = self.mean[states + k].clamp(low, high);
        }
        self.likelihood -= 0.5 * distance + factor.l().diagonal().map(f64::ln).sum();
        true
    }

    /// Derivatives of `of` by the mean, from central differences.
    fn jacobian(&self, model: &Model, of: &dyn Fn(&[f64]) -> Vec<f64>) -> DMatrix<f64> {
        let states = self.states(model);
        let columns: Vec<DVector<f64>> = (0..self.mean.len())
            .map(|k| {
                let step = STEP * if k < states { 1.0 } else { model.unknown[k - states].sd };
                let moved = |by: f64| {
                    let mut at = self.mean.as_slice().to_vec();
                    at[k] += by;
                    DVector::from_vec(of(&at))
                };
                (moved(step) - moved(-step)) / (2.0 * step)
            })
            .collect();
        DMatrix::from_columns(&columns)
    }

    /// Says whether the observer is 95 % sure how commands act: that share of draws from its belief agrees with their mean
    /// on the direction of every effect (see [`Model::effects`]), or on its being small.
    pub fn knows_effects(&self, model: &Model) -> bool {
        let (states, unknown) = (self.states(model), model.unknown.len());
        let known = DMatrix::from_fn(unknown, unknown, |i, j| {
            let ridge = if i == j { 1e-12 * model.unknown[i].sd.powi(2) } else { 0.0 };
            self.covariance[(states + i, states + j)] + ridge
        });
        let Some(factor) = known.cholesky() else { return false };
        let center = DVector::from_column_slice(self.estimates(model));
        let draw = |row: RowDVector<f64>| {
            let estimates = &center + factor.l() * row.transpose();
            model.effects(self.state(model), &model.values(estimates.as_slice(), self.delay))
        };
        let drawn: Vec<Vec<DVector<f64>>> = model.beliefs.row_iter().map(|row| draw(row.into_owned())).collect();
        (0..drawn[0].len()).all(|part| {
            let mean = drawn.iter().map(|effects| &effects[part]).sum::<DVector<f64>>() / drawn.len() as f64;
            let agrees =
                |effect: &DVector<f64>| effect.dot(&mean) > 0.0 || (effect - &mean).norm() <= 0.1 * model.typical[part];
            let agree = drawn.iter().filter(|effects| agrees(&effects[part])).count();
            agree as f64 >= 0.95 * drawn.len() as f64
        })
    }
}

/// The value that the sum of `count` squared standard normal variables exceeds as rarely as one of them exceeds
/// `surprise` (Wilson and Hilferty 1931).
fn quantile(count: f64, surprise: f64) -> f64 {
    let part = 2.0 / (9.0 * count);
    count * (1.0 - part + surprise * part.sqrt()).powi(3)
}

impl Filter {
    /// Likelihood, mean and covariance in one vector.
    pub fn to_numbers(&self) -> impl Iterator<Item = f64> {
        std::iter::once(self.likelihood).chain(self.mean.iter().copied()).chain(self.covariance.iter().copied())
    }

    /// Takes the numbers of [`Filter::to_numbers`] from `numbers`.
    pub fn take(&mut self, numbers: &mut impl Iterator<Item = f64>) {
        let places = std::iter::once(&mut self.likelihood).chain(&mut self.mean).chain(&mut self.covariance);
        places.zip(numbers).for_each(|(place, number)| *place = number);
    }
}

#[cfg(test)]
mod tests {
    use metadrift_envs::{EnvKind, channels};

    use super::*;
    use crate::control::observer::Spread;

    /// The model of `env` with these channels unknown: name, mean and standard deviation.
    fn model(env: EnvKind, unknown: &[(&str, f64, f64)]) -> Model {
        let spread = |channel: &metadrift_envs::Channel| {
            let found = unknown.iter().find(|(name, ..)| *name == channel.name);
            let (mean, sd) = found.map_or((channel.default, 0.0), |(_, mean, sd)| (*mean, *sd));
            Spread { mean, sd, least: mean - sd, most: mean + sd }
        };
        Model::new(env, &channels(env.spec()).iter().map(spread).collect::<Vec<_>>())
    }

    const TUNING: Tuning = Tuning { forgetting: 1.0, surprise: 5.0 };

    #[test]
    fn a_linear_channel_is_estimated_as_kalman_does() {
        // x' = x + 0.01 c0 re, c0 ~ N(2, 3^2), readings with an error of 0.001: after a full action the innovation has the
        // variance 1e-6 + 1e-6 + (0.01 * 3)^2, and the gain is 0.01 * 9 over that
        let model = model(EnvKind::ComplexOde, &[("c0", 2.0, 3.0)]);
        let mut filter = Filter::new(&model, 0);
        filter.start(&model, &[0.5]);
        assert!(filter.step(&model, &TUNING, Some(&[1.0, 0.0]), &[0.45]));
        let variance = 2e-6 + 9e-4;
        let expected = 2.0 + 0.09 / variance * (0.45 - 0.52);
        assert!((filter.estimates(&model)[0] - expected).abs() < 1e-3, "{:?} {expected}", filter.estimates(&model));
        let left = 9.0 * 2e-6 / variance;
        assert!((filter.covariance[(1, 1)] - left).abs() < 1e-4 * left + 1e-6, "{} {left}", filter.covariance[(1, 1)]);
    }

    #[test]
    fn an_inverted_actuator_is_seen_by_one_push_and_a_change_by_the_next() {
        let model = model(EnvKind::CartPole, &[("actuator_gain", 0.0, 1.0)]);
        let mut filter = Filter::new(&model, 0);
        let mut state = vec![0.01, -0.02, 0.03, 0.04];
        let read = |state: &[f64]| state.to_vec();
        filter.start(&model, &read(&state));
        assert!(!filter.knows_effects(&model));
        let mut push = |filter: &mut Filter, gain: f64| {
            let mut values = model.values(&[gain], 0);
            values.truncate(channels(EnvKind::CartPole.spec()).len());
            state = model.next(&values, &state, Some(&[1.0]), 0.0);
            filter.step(&model, &TUNING, Some(&[1.0]), &read(&state))
        };
        assert!(push(&mut filter, -0.8));
        assert!((filter.estimates(&model)[0] + 0.8).abs() < 0.01 && filter.knows_effects(&model));
        assert!(push(&mut filter, -0.8));
        // from one tick to the next it is healthy: that is no noise
        assert!(!push(&mut filter, 0.9));
        assert!((filter.estimates(&model)[0] - 0.9).abs() < 0.02, "{:?}", filter.estimates(&model));
    }

    #[test]
    fn hidden_speeds_are_estimated_from_positions() {
        let masks = [("sensor_theta_dot_mask", 1.0, 0.0)];
        let model = model(EnvKind::Pendulum, &masks);
        let mut filter = Filter::new(&model, 0);
        let mut state = vec![2.5, -0.7];
        let values = model.values(&[], 0);
        filter.start(&model, &model.readings(&values, &state));
        for torque in [1.0, -2.0, 0.5, 2.0] {
            state = model.next(&values, &state, Some(&[torque]), 0.0);
            filter.step(&model, &TUNING, Some(&[torque]), &model.readings(&values, &state));
        }
        assert!((filter.state(&model)[1] - state[1]).abs() < 0.05, "{:?} {state:?}", filter.state(&model));
    }

    #[test]
    fn the_quantiles_are_those_of_the_chi_square_distribution() {
        // tables: 3.841, 9.488 and 18.307 at 95 % for 1, 4 and 10, 15.086 at 99 % for 5
        for (count, z, expected) in
            [(1.0, 1.645, 3.841), (4.0, 1.645, 9.488), (10.0, 1.645, 18.307), (5.0, 2.326, 15.086)]
        {
            let found = quantile(count, z);
            assert!((found / expected - 1.0).abs() < 0.03, "{count} {z}: {found}");
        }
    }
}
