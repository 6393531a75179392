//! A model that predicts the next readings from the last, learned while the plant runs.

use crate::{prelude::*, window::Window};

/// Factor by which a tick's weight falls with every tick.
const FORGETTING: f64 = 0.999;
/// Variance of the unknown coefficients before anything is seen.
const PRIOR: f64 = 100.0;
/// Share of a new error in the running variance of the errors.
const SHARE: f64 = 0.02;
/// Largest squared error, in units of its variance: one tick is no proof.
const MOST: f64 = 9.0;
/// Size of an error that counts, as a share of a reading's usual change: a plant without noise makes errors, too, where it is
/// not as the model's form, and they are no news.
const COUNTS: f64 = 0.1;

/// Recursive least squares (Plackett 1950) of the changes of all readings, on readings, command and the products of any
/// two: a sign that flips shows in a product with the command. A coefficient that becomes as unknown as in the beginning,
/// since nothing moves its feature, is not forgotten further, so that no number grows without end.
#[derive(Clone, Debug)]
pub(crate) struct Prediction {
    window: Window,
    /// The last tick's features, `[features]`.
    features: Vec<f64>,
    /// Covariance times features, `[features]`.
    gain: Vec<f64>,
    /// `[readings, features]`
    coefficients: Vec<f64>,
    /// Covariance of the coefficients, in units of the errors' variance, `[features, features]`.
    covariance: Vec<f64>,
    /// Running variance of each reading's error.
    variance: Vec<f64>,
    /// Mean square of each reading's change.
    changes: Vec<f64>,
    /// Ticks since the last change.
    ticks: usize,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Prediction {
    /// A model that knows nothing of the machine whose readings and commands `window` describes.
    pub fn new(window: Window) -> Prediction {
        let inputs = window.readings + window.commands.act_dim();
        let count = 1 + inputs + inputs * (inputs + 1) / 2;
        let mut model = Prediction {
            window,
            features: vec![0.0; count],
            gain: vec![0.0; count],
            coefficients: vec![0.0; window.readings * count],
            covariance: vec![0.0; count * count],
            variance: vec![0.0; window.readings],
            changes: vec![0.0; window.readings],
            ticks: 0,
        };
        model.forget();
        model
    }

    /// Makes the features of readings and command.
    fn look(&mut self, obs: &[f32], command: &[f32]) {
        let commands = self.window.commands;
        let readings = obs[..self.window.readings].iter().copied();
        let inputs = readings.chain(command.iter().map(|c| commands.unit(*c))).map(f64::from);
        self.features[0] = 1.0;
        self.features[1..].iter_mut().zip(inputs).for_each(|(place, input)| *place = input);
        let count = self.window.readings + command.len();
        let (inputs, products) = self.features[1..].split_at_mut(count);
        let pairs = (0..count).flat_map(|k| (k..count).map(move |other| (k, other)));
        products.iter_mut().zip(pairs).for_each(|(place, (a, b))| *place = inputs[a] * inputs[b]);
    }

    /// Learns from observation, command and next observation, and says by how much they surprised: the mean over readings of
    /// the squared error in units of its variance, which is taken to be no less than that of an error that [`COUNTS`], less
    /// its mean. Nothing is said until the model has seen enough.
    pub fn surprise(&mut self, obs: &[f32], command: &[f32], next: &[f32]) -> Option<f64> {
        self.look(obs, command);
        let count = self.features.len();
        for (gain, row) in self.gain.iter_mut().zip(self.covariance.chunks_exact(count)) {
            *gain = dot(row, &self.features);
        }
        let doubt = dot(&self.features, &self.gain);
        let weight = 1.0 / (FORGETTING + doubt);
        self.ticks += 1;
        let knows = self.ticks > self.learning();
        let mut surprise = 0.0;
        for (k, row) in self.coefficients.chunks_exact_mut(count).enumerate() {
            let change = f64::from(next[k]) - f64::from(obs[k]);
            let error = change - dot(row, &self.features);
            row.iter_mut().zip(&self.gain).for_each(|(c, gain)| *c += error * weight * gain);
            let squared = error * error / (1.0 + doubt);
            let (variance, changes) = (&mut self.variance[k], &mut self.changes[k]);
            *changes += (change * change - *changes) / self.ticks as f64;
            let unit = *variance + COUNTS * COUNTS * *changes;
            if unit > 0.0 {
                surprise += (squared / unit).min(MOST) - *variance / unit;
            }
            // before there are as many ticks as coefficients, errors are those of a model that knows nothing
            if let Some(after) = self.ticks.checked_sub(count).filter(|after| *after > 0) {
                let bounded = if knows { squared.min(MOST * *variance) } else { squared };
                *variance += SHARE.max(1.0 / after as f64) * (bounded - *variance);
            }
        }
        self.know_more(weight);
        knows.then(|| surprise / self.variance.len() as f64)
    }

    /// The covariance after a tick: less by what was seen, and more by what is forgotten. It stays symmetric to the bit, since
    /// a difference between its halves would grow.
    fn know_more(&mut self, weight: f64) {
        let count = self.features.len();
        let (gain, covariance) = (&self.gain, &mut self.covariance);
        // the features are done with: their place has the factor of each coefficient
        for (k, factor) in self.features.iter_mut().enumerate() {
            let left = covariance[k * count + k] - weight * gain[k] * gain[k];
            *factor = if left < FORGETTING * PRIOR { 1.0 / FORGETTING.sqrt() } else { 1.0 };
        }
        for k in 0..count {
            for other in k..count {
                let left = covariance[k * count + other] - weight * gain[k] * gain[other];
                let after = left * self.features[k] * self.features[other];
                (covariance[k * count + other], covariance[other * count + k]) = (after, after);
            }
        }
    }

    /// Ticks without a surprise at the beginning.
    fn learning(&self) -> usize {
        3 * self.features.len()
    }

    /// Makes everything uncertain again.
    pub fn forget(&mut self) {
        let count = self.features.len();
        self.covariance.fill(0.0);
        self.covariance.iter_mut().step_by(count + 1).for_each(|p| *p = PRIOR);
        self.variance.fill(0.0);
        self.changes.fill(0.0);
        self.ticks = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{uniforms, window::Commands};

    #[test]
    fn a_model_that_nothing_moves_stays_finite_and_still_notices() {
        // a reading x that follows 0.9 x + 0.1 u + noise, and another that is always 0
        let mut model = Prediction::new(Window { readings: 2, commands: Commands::Choices(2) });
        let mut x = 0.0_f32;
        let mut live = |model: &mut Prediction, gain: f32, ticks: core::ops::Range<u64>| -> f64 {
            let count = (ticks.end - ticks.start) as f64;
            let told = ticks.map(|tick| {
                let [a, b, c, _] = uniforms(3, tick);
                let command = if a < 0.5 { 0.0 } else { 1.0 };
                let next = 0.9 * x + gain * (2.0 * command - 1.0) + 0.01 * (b + c - 1.0);
                let surprise = model.surprise(&[x, 0.0], &[command], &[next, 0.0]);
                x = next;
                surprise.unwrap_or(0.0)
            });
            told.sum::<f64>() / count
        };
        // 0.999^-200,000 = 8e86 would be the covariance of what is never seen, and its rounding errors
        let usual = live(&mut model, 0.1, 0..200_000);
        assert!(usual.abs() < 0.1, "{usual}");
        let largest = model.covariance.iter().fold(0.0_f64, |most, p| most.max(p.abs()));
        assert!(largest < 1.01 * PRIOR, "{largest}");
        let after = live(&mut model, -0.1, 200_000..200_010);
        // an error is 20 times the usual one, so it counts 9 in the first reading; the other one has none
        assert!(after > 4.0, "{after}");
    }

    #[test]
    fn a_line_is_learned_to_its_rounding() {
        // the change is 0.5 - 0.25 x + 0.125 u, and x u is a feature, too
        let mut model = Prediction::new(Window { readings: 1, commands: Commands::Vector { dim: 1, bound: 2.0 } });
        for tick in 0..2000 {
            let [a, b, ..] = uniforms(5, tick);
            let (x, u) = (4.0 * a - 2.0, 4.0 * b - 2.0);
            model.surprise(&[x], &[u], &[x + 0.5 - 0.25 * x + 0.0625 * u]);
        }
        let expected = [0.5, -0.25, 0.125, 0.0, 0.0, 0.0];
        let near = |(found, expected): (&f64, &f64)| (found - expected).abs() < 1e-4;
        assert!(model.coefficients.iter().zip(&expected).all(near), "{:?}", model.coefficients);
    }
}
