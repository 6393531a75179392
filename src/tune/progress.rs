//! The display of a search's progress: how far it is, the best so far, the time left.

use super::{order::best_first, plan::Plan, trial::Trial};
use crate::{failure::Result, logging::pieces::Pieces};

/// The progress of a search on stderr. The work of other processes counts, too.
pub struct Progress<'a> {
    plan: &'a Plan,
    /// Work of a trial on its way to each rung.
    work: Vec<u64>,
    /// Work that was done before this process began.
    before: u64,
    shown: Pieces,
}

impl<'a> Progress<'a> {
    /// The progress from `trials` on.
    ///
    /// # Errors
    /// If the backend is not available.
    pub fn new(plan: &'a Plan, trials: &[Trial], quiet: bool) -> Result<Self> {
        let work: Vec<u64> = plan.work()?.into_iter().map(|[all, _]| all).collect();
        let (_, before) = done(&work, trials);
        let expected = plan.expected();
        let total: u64 = expected.iter().zip(&work).map(|(count, work)| *count as u64 * work).sum();
        let shown = Pieces::new("step", expected.iter().sum(), total.saturating_sub(before), quiet);
        Ok(Progress { plan, work, before, shown })
    }

    /// Shows the trial of this number, which was judged.
    pub fn show(&self, trials: &[Trial], number: u64) {
        let (steps, work) = done(&self.work, trials);
        let trial = trials.iter().find(|trial| trial.number == number);
        let told = trial.map_or(String::new(), |trial| match (trial.scores.last(), &trial.failure) {
            (_, Some(_)) => format!("trial {number} failed"),
            (Some(values), None) => format!("trial {number}: {}", numbers(values)),
            (None, None) => format!("trial {number}"),
        });
        let best = best(self.plan, trials).map_or(String::new(), |best| {
            let values = best.scores.last().map_or(String::new(), |values| numbers(values));
            format!("  best {values} (trial {})", best.number)
        });
        self.shown.show((steps, work.saturating_sub(self.before)), &(told + &best));
    }

    /// Ends the bar and leaves it on the screen as it is.
    pub fn finish(&self) {
        self.shown.finish();
    }
}

/// Steps from rung to rung that are done, and their work; a failure is one, too.
fn done(work: &[u64], trials: &[Trial]) -> (usize, u64) {
    let own = trials.iter().filter(|trial| trial.is_own);
    own.fold((0, 0), |(steps, all), trial| {
        let reached = trial.scores.len();
        (steps + reached + usize::from(trial.failure.is_some()), all + work[..reached].iter().sum::<u64>())
    })
}

/// The best trial among those that went furthest.
pub fn best<'t>(plan: &Plan, trials: &'t [Trial]) -> Option<&'t Trial> {
    let with_scores = || trials.iter().filter(|trial| trial.failure.is_none() && !trial.scores.is_empty());
    let furthest = with_scores().map(|trial| trial.reached(plan)).max()?;
    let there: Vec<&Trial> = with_scores().filter(|trial| trial.reached(plan) == furthest).collect();
    let costs: Vec<Vec<f64>> = there.iter().filter_map(|trial| trial.costs(plan)).collect();
    best_first(&costs).first().map(|at| there[*at])
}

/// Values for people.
pub fn numbers(values: &[f64]) -> String {
    let number = |value: &f64| match value.abs() {
        0.0 => "0".to_owned(),
        0.01..1e6 => format!("{value:.*}", if value.abs() < 10.0 { 3 } else { 1 }),
        _ => format!("{value:.2e}"),
    };
    values.iter().map(number).collect::<Vec<_>>().join(", ")
}
