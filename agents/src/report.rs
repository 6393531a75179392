//! The report of an iteration, or the reason why there is none.

use std::time::Instant;

/// One iteration's result.
#[derive(Clone, Debug)]
pub struct Report {
    /// Numbers that are the same for every run of this configuration and seed. Every iteration has the same names, with
    /// NaN for no value. `entropy` serves the warnings at the end of a run, `kl/meta` the progress line.
    pub metrics: Metrics,
    /// Seconds and rates, which differ between runs: see [`Stopwatch::timing`].
    pub timing: Metrics,
    /// Mean return per episode over the tasks after adaptation; without adaptation, that of the latest episodes.
    pub return_post: f64,
    /// Mean return of the unadapted policy on the same ticks, from the same initial states; absent without adaptation.
    pub return_unadapted: Option<f64>,
    /// True if an action made a difference on some task; otherwise advantages are 0, and the rewards teach nothing.
    pub informative: bool,
}

/// Names and values for the log.
pub type Metrics = Vec<(&'static str, f64)>;

/// A non-finite value, caught before it reached the parameters.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{what} is not finite ({place}): lower {keys}, or check the rewards")]
pub struct Diverged {
    /// The value: `the meta-loss`, `the meta-gradient`, …
    pub what: &'static str,
    /// The place of the discovery: outer epoch, task.
    pub place: String,
    /// Settings that cause such a value if too large.
    keys: &'static str,
}

impl Diverged {
    /// Succeeds if every value is finite.
    ///
    /// # Errors
    /// [`Diverged`] with `what` and `place` if a value is not finite.
    pub fn check(values: &[f32], what: &'static str, place: impl FnOnce() -> String) -> Result<(), Diverged> {
        // checking all, whatever the first ones are, lets the loop use vectors
        let finite = values.iter().fold(true, |finite, v| finite & v.is_finite());
        if finite { Ok(()) } else { Err(Diverged { what, place: place(), keys: "ppo.outer_lr or maml.inner_lr" }) }
    }

    /// The same error with other settings to lower.
    pub fn advising(self, keys: &'static str) -> Self {
        Diverged { keys, ..self }
    }
}

/// Seconds per kind of work, summed over the phases of an iteration.
#[derive(Debug)]
pub struct Stopwatch {
    began: Instant,
    last: Instant,
    laps: Metrics,
}

impl Stopwatch {
    /// A running watch.
    pub fn start() -> Self {
        Stopwatch { began: Instant::now(), last: Instant::now(), laps: Vec::new() }
    }

    /// The laps, the total time (s) and the rate of `steps` (1/s).
    pub fn timing(mut self, steps: u64) -> Metrics {
        let seconds = self.began.elapsed().as_secs_f64();
        self.laps.push(("time/iteration_s", seconds));
        self.laps.push(("steps_per_second", steps as f64 / seconds));
        self.laps
    }

    /// Adds the time since the last lap to `name`.
    pub fn lap(&mut self, name: &'static str) {
        let now = Instant::now();
        let seconds = (now - std::mem::replace(&mut self.last, now)).as_secs_f64();
        match self.laps.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += seconds,
            None => self.laps.push((name, seconds)),
        }
    }
}
