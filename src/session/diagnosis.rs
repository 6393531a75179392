//! Warnings at the end of a run, about adaptation without gain and about collapse without NaN.

use std::collections::VecDeque;

use metadrift_agents::layout::Head;

use crate::{
    guard::WINDOW,
    stats::{mean, variance},
    train::Report,
};

/// Number of iterations in the mean gain.
const GAINS: usize = 20;
/// Share of the first returns' size by which the return of a collapsed run has fallen.
const FALL: f64 = 0.2;
/// Share of its first value below which the entropy of a categorical policy counts as gone.
const GONE: f64 = 0.05;
/// Factor by which a continuous action's spread has shrunk when its entropy counts as gone.
const SHRUNK: f64 = 100.0;

/// The course of a run, as the warnings at its end need it.
pub(super) struct Diagnosis {
    head: Head,
    /// Gain of adaptation over the unadapted policy in the last [`GAINS`] iterations.
    gains: VecDeque<f64>,
    returns: Series,
    entropies: Series,
}

/// Some means of a series.
#[derive(Default)]
struct Series {
    /// The first [`WINDOW`] values.
    first: Vec<f64>,
    /// The last [`WINDOW`] values.
    last: VecDeque<f64>,
    /// The highest mean of [`WINDOW`] values in a row.
    best: Option<f64>,
    count: usize,
}

impl Series {
    fn add(&mut self, value: f64) {
        if !value.is_finite() {
            return; // for example the mean return before the first episode has ended
        }
        self.count += 1;
        if self.first.len() < WINDOW {
            self.first.push(value);
        }
        push(&mut self.last, value, WINDOW);
        if self.last.len() == WINDOW {
            let mean = mean(self.last.make_contiguous());
            self.best = Some(self.best.map_or(mean, |best| best.max(mean)));
        }
    }

    /// Means of beginning and end, once these do not overlap, and the scatter of a single value around them.
    fn ends(&self) -> Option<(f64, f64, f64)> {
        let last: Vec<f64> = self.last.iter().copied().collect();
        let scatter = (variance(&self.first) + variance(&last)).sqrt();
        (self.count >= 2 * WINDOW).then(|| (mean(&self.first), mean(&last), scatter))
    }
}

impl Diagnosis {
    /// The diagnosis at the start of a run; `head` is the policy's.
    pub fn new(head: Head) -> Self {
        Diagnosis { head, gains: VecDeque::new(), returns: Series::default(), entropies: Series::default() }
    }

    /// Adds an iteration.
    pub fn add(&mut self, report: &Report) {
        if let Some(unadapted) = report.return_unadapted {
            push(&mut self.gains, report.return_post - unadapted, GAINS);
        }
        let entropy = report.metrics.iter().find(|(name, _)| *name == "entropy").map(|(_, entropy)| *entropy);
        self.take(report.return_post, entropy.unwrap_or(f64::NAN));
    }

    fn take(&mut self, mean_return: f64, entropy: f64) {
        self.returns.add(mean_return);
        self.entropies.add(entropy);
    }

    /// The warnings for the user.
    pub fn warnings(&self) -> Vec<String> {
        let gains: Vec<f64> = self.gains.iter().copied().collect();
        [no_gain(&gains), self.fallen(), self.frozen()].into_iter().flatten().collect()
    }

    /// The warning that the return is far below the first ones, or that the run has lost most of its progress.
    fn fallen(&self) -> Option<String> {
        let (first, last, scatter) = self.returns.ends()?;
        let advice = "lower ppo.outer_lr, or resume from an earlier checkpoint";
        if first - last > (2.0 * scatter).max(FALL * first.abs()) {
            return Some(format!(
                "the return has collapsed: {last:.1} over the last {WINDOW} iterations, {first:.1} over the first; {advice}"
            ));
        }
        let best = self.returns.best?;
        let lost = best - last > 2.0 * scatter && best - last > FALL * best.abs() && last < 0.5 * (first + best);
        lost.then(|| {
            format!(
                "the run has lost most of what it had learned: its return was {best:.1} over the best {WINDOW} iterations \
                 and is {last:.1} over the last; {advice}"
            )
        })
    }

    /// The warning that the policy has stopped exploring without having learned anything.
    fn frozen(&self) -> Option<String> {
        let (before, now, _) = self.entropies.ends()?;
        let (first, last, scatter) = self.returns.ends()?;
        let gone = match self.head {
            Head::Categorical(_) => now < GONE * before,
            Head::Gaussian(dim) | Head::StateGaussian(dim) => now < before - SHRUNK.ln() * dim as f64,
        };
        (gone && last - first <= 2.0 * scatter).then(|| {
            format!(
                "the policy has stopped exploring without having learned: its entropy fell from {before:.3} to {now:.3}, \
                 its return went from {first:.1} to {last:.1}; raise ppo.ent_coef or lower ppo.outer_lr"
            )
        })
    }
}

fn push(queue: &mut VecDeque<f64>, value: f64, limit: usize) {
    queue.push_back(value);
    if queue.len() > limit {
        queue.pop_front();
    }
}

/// The warning that the last iterations show harm, or no gain from adaptation beyond two standard errors.
fn no_gain(last: &[f64]) -> Option<String> {
    if last.len() < 5 {
        return None;
    }
    let average = mean(last);
    let error = (variance(last) / last.len() as f64).sqrt();
    let figure = format!("({average:+.1} ± {error:.1} over the last {} iterations)", last.len());
    if average < -2.0 * error {
        return Some(format!("adaptation does harm {figure}: try a smaller maml.inner_lr"));
    }
    (average <= 2.0 * error).then(|| {
        format!(
            "no significant gain from adaptation {figure}. Either these tasks need no adaptation, or the meta-policy is \
             stuck in one that ignores some of them: try another maml.inner_lr or a longer run"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The warnings of a run of 60 iterations with this return and entropy at iteration `i`.
    fn warnings(head: Head, course: impl Fn(f64) -> (f64, f64)) -> String {
        let mut diagnosis = Diagnosis::new(head);
        for i in 0..60 {
            let (mean_return, entropy) = course(f64::from(i));
            // a scatter of about one, the same in every test
            diagnosis.take(mean_return + (f64::from(i) * 2.4).sin(), entropy);
        }
        diagnosis.warnings().join("\n")
    }

    const CHOICE: Head = Head::Categorical(2);
    const TORQUE: Head = Head::Gaussian(1);

    #[test]
    fn runs_that_learn_or_stay_end_without_a_warning() {
        assert_eq!(warnings(CHOICE, |i| (20.0 + 8.0 * i, 0.69 - 0.011 * i)), "");
        assert_eq!(warnings(CHOICE, |_| (22.0, 0.69)), "");
        assert_eq!(
            warnings(TORQUE, |i| (-1200.0 + 18.0 * i, 1.4 - 0.09 * i)),
            "",
            "a good policy may be sure of itself"
        );
        // a run that continues after convergence
        assert_eq!(warnings(CHOICE, |_| (499.0, 0.01)), "");
        assert_eq!(warnings(CHOICE, |i| if i < 3.0 { (f64::NAN, 0.69) } else { (30.0, 0.6) }), "");
    }

    #[test]
    fn collapse_that_is_no_nan_is_told() {
        let worse = warnings(TORQUE, |i| (-853.0 - 300.0 * i, 1.4));
        assert!(worse.contains("the return has collapsed: -17"), "{worse}");
        let stuck = warnings(CHOICE, |i| if i < 20.0 { (22.0, 0.69) } else { (9.4, 0.001) });
        assert!(stuck.contains("collapsed: 9.") && stuck.contains("stopped exploring"), "{stuck}");
        let frozen = warnings(TORQUE, |i| (-1200.0, 1.4 - 0.1 * i));
        assert!(frozen.contains("its entropy fell from 0.950 to -4.050"), "{frozen}");
        let lost = warnings(CHOICE, |i| (if (20.0..40.0).contains(&i) { 480.0 } else { 24.0 }, 0.4));
        assert!(lost.contains("lost most of what it had learned: its return was 480"), "{lost}");
    }

    #[test]
    fn short_runs_are_not_judged() {
        let mut diagnosis = Diagnosis::new(CHOICE);
        (0..2 * WINDOW - 1).for_each(|i| diagnosis.take(-(i as f64) * 1e3, 0.0));
        assert_eq!(diagnosis.warnings(), Vec::<String>::new());
    }
}
