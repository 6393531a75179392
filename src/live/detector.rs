//! Detectors of a change of the world, by what a controller can see.

use metadrift_agents::batch::Trajectories;
use metadrift_envs::{EnvSpec, NotifyLevel, TaskSettings};
use serde::Serialize;

use super::prediction::Prediction;

/// The quantity that a detector watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Watch {
    /// The returns of episodes.
    Returns,
    /// The errors of a model that predicts the next readings, at every tick.
    Prediction,
    /// Notifications, where the preset gives them (task.notify).
    Notified,
}

/// The test for a change of a quantity's mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Test {
    /// Cumulative sums (Page 1954): the sum of what exceeds an allowance, never below 0.
    Cusum,
    /// The test of Page and Hinkley (1970): the rise of the sum of deviations from the mean so far above its least value.
    PageHinkley,
}

/// The settings of a detector.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Detection {
    /// The quantity.
    pub watch: Watch,
    /// The test.
    pub test: Test,
    /// Height of the statistic that is an alarm, in standard deviations of the quantity.
    pub threshold: f64,
}

impl Detection {
    /// The usual detector of `watch`.
    pub fn of(watch: Watch) -> Detection {
        Detection { watch, test: Test::Cusum, threshold: if watch == Watch::Prediction { 40.0 } else { 5.0 } }
    }
}

/// Rise of the mean that a test allows, in standard deviations of the quantity.
const ALLOWANCE: f64 = 0.5;
/// Episodes before the first alarm on returns: their mean and spread have to be known.
const EPISODES: usize = 3;
/// Least standard deviation of returns, as a share of their size.
const LEAST_SPREAD: f64 = 0.05;

/// The statistic of a test.
#[derive(Clone, Copy, Debug, Default)]
struct Statistic {
    /// Cumulative sum.
    sum: f64,
    /// Its least value (Page and Hinkley).
    least: f64,
    /// Mean of the values so far (Page and Hinkley).
    mean: f64,
    values: f64,
}

impl Statistic {
    /// The height of the statistic after `value`, whose mean is 0 while nothing changes, and grows with a change.
    fn after(&mut self, value: f64, test: Test) -> f64 {
        match test {
            Test::Cusum => {
                self.sum = (self.sum + value - ALLOWANCE).max(0.0);
                self.sum
            }
            Test::PageHinkley => {
                self.values += 1.0;
                self.mean += (value - self.mean) / self.values;
                self.sum += value - self.mean - ALLOWANCE;
                self.least = self.least.min(self.sum);
                self.sum - self.least
            }
        }
    }
}

/// A detector on one life.
#[derive(Clone, Debug)]
pub struct Detector {
    detection: Detection,
    statistic: Statistic,
    /// Returns since the last alarm.
    returns: Vec<f64>,
    prediction: Prediction,
    notices: Notices,
}

impl Detector {
    /// A detector on the environment `spec` with tasks of these settings.
    pub fn new(detection: Detection, spec: &EnvSpec, settings: &TaskSettings) -> Detector {
        Detector {
            detection,
            statistic: Statistic::default(),
            returns: Vec::new(),
            prediction: Prediction::new(spec),
            notices: Notices::new(spec, settings),
        }
    }

    /// Takes in the steps of one lane; gives the first step after which there is an alarm.
    pub fn steps(&mut self, data: &Trajectories<'_>) -> Option<usize> {
        let rows: Vec<usize> = data.rows().collect();
        let alarm = rows.iter().position(|row| match self.detection.watch {
            Watch::Returns => false,
            Watch::Notified => self.notices.at(data.obs_at(data.obs, *row), data.episode_step[*row] == 0),
            Watch::Prediction => {
                let action = &data.action[row * data.act_dim()..(row + 1) * data.act_dim()];
                let seen = (data.obs_at(data.obs, *row), action, data.obs_at(data.next_obs, *row));
                self.prediction.surprise(seen).is_some_and(|surprise| self.is_alarm(surprise))
            }
        })?;
        self.restart();
        Some(alarm)
    }

    /// Takes in the return of an episode; true if it is an alarm.
    pub fn episode(&mut self, returned: f64) -> bool {
        if self.detection.watch != Watch::Returns {
            return false;
        }
        let known = self.returns.len() >= EPISODES;
        let mean = self.returns.iter().sum::<f64>() / self.returns.len() as f64;
        let variance = self.returns.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (self.returns.len() as f64 - 1.0);
        let spread = variance.sqrt().max(LEAST_SPREAD * mean.abs()).max(f64::MIN_POSITIVE);
        let alarm = known && self.is_alarm((mean - returned) / spread);
        self.returns.push(returned);
        if alarm {
            self.restart();
        }
        alarm
    }

    fn is_alarm(&mut self, value: f64) -> bool {
        self.statistic.after(value, self.detection.test) > self.detection.threshold
    }

    /// Forgets the world before an alarm.
    fn restart(&mut self) {
        self.statistic = Statistic::default();
        self.returns.clear();
        self.prediction.forget();
    }
}

/// The columns of an observation that announce changes.
#[derive(Clone, Debug)]
struct Notices {
    level: NotifyLevel,
    first: usize,
    width: usize,
    /// The values that were told last.
    told: Vec<f32>,
}

impl Notices {
    fn new(spec: &EnvSpec, settings: &TaskSettings) -> Notices {
        let first = spec.obs_dim() + settings.observe_actions as usize * spec.act_dim();
        let width = metadrift_envs::obs_dim(spec, settings) - first;
        Notices { level: settings.notify.level, first, width, told: Vec::new() }
    }

    /// True if `obs` announces a change; the values at the beginning of an episode are no news.
    fn at(&mut self, obs: &[f32], begins: bool) -> bool {
        let columns = &obs[self.first..self.first + self.width];
        match self.level {
            NotifyLevel::None => false,
            NotifyLevel::Flag => columns[0] > 0.5,
            NotifyLevel::Delta => columns.iter().any(|change| *change != 0.0),
            NotifyLevel::Value => {
                let news = !begins && !self.told.is_empty() && self.told != columns;
                self.told = columns.to_vec();
                news
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_by_hand() {
        let mut cusum = Statistic::default();
        let heights = [0.0, 2.0, 2.0, 0.0].map(|value| cusum.after(value, Test::Cusum));
        assert_eq!(heights, [0.0, 1.5, 3.0, 2.5]);
        // means 0, 1, 4/3: sums -0.5, -0.5 + 2 - 1 - 0.5 = 0, then 2 - 4/3 - 0.5 = 1/6 more
        let mut page = Statistic::default();
        let heights = [0.0, 2.0, 2.0].map(|value| page.after(value, Test::PageHinkley));
        assert!(heights[0] == 0.0 && heights[1] == 0.5 && (heights[2] - 2.0 / 3.0).abs() < 1e-12, "{heights:?}");
    }

    #[test]
    fn a_fall_of_the_returns_is_noticed_and_their_noise_is_not() {
        let spec = metadrift_envs::EnvKind::CartPole.spec();
        for test in [Test::Cusum, Test::PageHinkley] {
            let detection = Detection { watch: Watch::Returns, test, threshold: 5.0 };
            let mut detector = Detector::new(detection, spec, &TaskSettings::default());
            let noise = |t: usize| [480.0, 500.0, 490.0, 500.0, 470.0][t % 5];
            assert!(!(0..50).any(|t| detector.episode(noise(t))), "{test:?}");
            assert!((0..3).any(|_| detector.episode(20.0)), "{test:?}");
        }
    }
}
