//! Detectors of a change of the world, by what a controller can see.

use crate::{
    fault::{Fault, check},
    prediction::Prediction,
    prelude::*,
    window::Window,
};

/// The test for a change of a quantity's mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// Cumulative sums (Page 1954): the sum of what exceeds an allowance, never below 0.
    Cusum,
    /// The test of Page and Hinkley (1970): the rise of the sum of deviations from the mean so far above its least value.
    PageHinkley,
}

impl Test {
    /// The name for people and files.
    pub fn name(self) -> &'static str {
        match self {
            Test::Cusum => "cusum",
            Test::PageHinkley => "page-hinkley",
        }
    }
}

/// Usual height of the statistic of returns that is an alarm, in their standard deviations.
pub const THRESHOLD_OF_RETURNS: f64 = 5.0;
/// Usual height of the statistic of prediction errors that is an alarm.
pub const THRESHOLD_OF_PREDICTION: f64 = 40.0;

/// Rise of the mean that a test allows, in standard deviations of the quantity.
const ALLOWANCE: f64 = 0.5;
/// Episodes before the first alarm on returns: their mean and spread have to be known.
const EPISODES: f64 = 3.0;
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

/// Number, mean and sum of squared deviations of the returns since the last alarm (Welford 1962).
#[derive(Clone, Copy, Debug, Default)]
struct Returns {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Returns {
    /// The fall of a return below the mean so far, in standard deviations.
    fn fall(&self, returned: f64) -> f64 {
        let spread = (self.squares / (self.count - 1.0)).sqrt();
        (self.mean - returned) / spread.max(LEAST_SPREAD * self.mean.abs()).max(f64::MIN_POSITIVE)
    }

    fn add(&mut self, returned: f64) {
        self.count += 1.0;
        let apart = returned - self.mean;
        self.mean += apart / self.count;
        self.squares += apart * (returned - self.mean);
    }
}

/// The quantity that a detector watches.
#[derive(Clone, Debug)]
enum Watched {
    Returns(Returns),
    Prediction(Box<(Prediction, Window)>),
}

/// A detector on one machine: tell it every step and every episode. It allocates nothing after it was made.
///
/// An alarm makes it forget the world before, so that it learns the new one; call [`restart`](Self::restart) after an
/// adaptation, too, if it watches returns.
///
/// ```
/// use metadrift_runtime::detector::{Detector, THRESHOLD_OF_RETURNS, Test};
///
/// let mut detector = Detector::of_returns(Test::Cusum, THRESHOLD_OF_RETURNS);
/// for returned in [490.0, 500.0, 480.0, 500.0] {
///     assert!(!detector.episode(returned)?);
/// }
/// assert!(detector.episode(10.0)?);
/// # Ok::<(), metadrift_runtime::Fault>(())
/// ```
#[derive(Clone, Debug)]
pub struct Detector {
    test: Test,
    threshold: f64,
    statistic: Statistic,
    watched: Watched,
}

impl Detector {
    /// A detector of a fall of the returns of episodes: an alarm is a statistic above `threshold`, in standard deviations.
    /// Below three returns there is none.
    pub fn of_returns(test: Test, threshold: f64) -> Detector {
        let watched = Watched::Returns(Returns::default());
        Detector { test, threshold, statistic: Statistic::default(), watched }
    }

    /// A detector of a rise of the errors of a model, which learns to predict the next readings of the machine that
    /// `window` describes ([`Policy::window`](crate::Policy::window)) at every tick.
    pub fn of_prediction(test: Test, threshold: f64, window: Window) -> Detector {
        let watched = Watched::Prediction(Box::new((Prediction::new(window), window)));
        Detector { test, threshold, statistic: Statistic::default(), watched }
    }

    /// Takes in a step: the observation `[at least readings]`, the command that followed, in its own unit, `[act_dim]`, and
    /// the observation after it, never that of a new episode. True if it is an alarm; a detector of returns gives none.
    ///
    /// # Errors
    /// If a length is wrong or a number is not finite. The detector stays as it was.
    pub fn step(&mut self, observation: &[f32], command: &[f32], next: &[f32]) -> Result<bool, Fault> {
        let Watched::Prediction(model) = &mut self.watched else { return Ok(false) };
        let (model, window) = &mut **model;
        let least = observation.len().max(window.readings);
        check("the observation", observation, least)?;
        check("the next observation", next, least)?;
        check("the command", command, window.commands.act_dim())?;
        let surprise = model.surprise(observation, command, next);
        Ok(surprise.is_some_and(|surprise| self.see(surprise)))
    }

    /// Takes in the return of an episode. True if it is an alarm; a detector of prediction errors gives none.
    ///
    /// # Errors
    /// If it is not finite. The detector stays as it was.
    pub fn episode(&mut self, returned: f64) -> Result<bool, Fault> {
        if !returned.is_finite() {
            return Err(Fault::NotFinite("the return"));
        }
        let Watched::Returns(returns) = &mut self.watched else { return Ok(false) };
        let fall = (returns.count >= EPISODES).then(|| returns.fall(returned));
        returns.add(returned);
        Ok(fall.is_some_and(|fall| self.see(fall)))
    }

    fn see(&mut self, value: f64) -> bool {
        let alarm = self.statistic.after(value, self.test) > self.threshold;
        if alarm {
            self.restart();
        }
        alarm
    }

    /// Forgets the world so far.
    pub fn restart(&mut self) {
        self.statistic = Statistic::default();
        match &mut self.watched {
            Watched::Returns(returns) => *returns = Returns::default(),
            Watched::Prediction(model) => model.0.forget(),
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
    fn the_fall_of_a_return_by_hand() {
        let mut returns = Returns::default();
        [2.0, 4.0, 9.0].into_iter().for_each(|value| returns.add(value));
        // mean 5, variance (9 + 1 + 16) / 2 = 13
        assert!((returns.fall(1.0) - 4.0 / 13f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_fall_of_the_returns_is_noticed_and_their_noise_is_not() {
        for test in [Test::Cusum, Test::PageHinkley] {
            let mut detector = Detector::of_returns(test, THRESHOLD_OF_RETURNS);
            let noise = |t: usize| [480.0, 500.0, 490.0, 500.0, 470.0][t % 5];
            assert!(!(0..50).any(|t| detector.episode(noise(t)).unwrap()), "{test:?}");
            assert!((0..3).any(|_| detector.episode(20.0).unwrap()), "{test:?}");
        }
    }

    #[test]
    fn a_mistake_changes_nothing() {
        let window = Window { readings: 2, commands: crate::window::Commands::Choices(2) };
        let mut detector = Detector::of_prediction(Test::Cusum, 40.0, window);
        assert!(matches!(detector.step(&[0.0], &[1.0], &[0.0, 0.0]), Err(Fault::Length { given: 1, wanted: 2, .. })));
        assert!(matches!(detector.step(&[0.0; 2], &[], &[0.0; 2]), Err(Fault::Length { what: "the command", .. })));
        assert!(matches!(detector.step(&[0.0; 2], &[1.0], &[f32::NAN, 0.0]), Err(Fault::NotFinite(_))));
        assert_eq!(detector.step(&[0.0; 2], &[1.0], &[0.0; 2]), Ok(false));
        assert_eq!(detector.episode(f64::NAN), Err(Fault::NotFinite("the return")));
    }
}
