//! The experience of a phase, and the report of an iteration.

use crate::{
    advantage::Estimate,
    agent::Adaptive,
    batch::Batch,
    inputs::Moments,
    report::{Metrics, Report, Stopwatch},
    rollout::Rollout,
};

/// One phase's batches, the tasks' returns, and a summary.
pub(in crate::learners) struct Experience {
    pub batches: Vec<Batch>,
    pub returns: Vec<f64>,
    pub summary: Summary,
}

/// Statistics of one phase, averaged over tasks.
#[derive(Clone, Copy)]
pub(in crate::learners) struct Summary {
    pub mean_return: f64,
    worst_return: f64,
    /// The baselines' summary; labels have none.
    estimate: Option<Estimate>,
}

impl Experience {
    /// Prepares the data of a phase that `rollout` has just collected, as `agent` sees them, and adds its observations to
    /// `seen`, if statistics are kept.
    pub fn new(rollout: &Rollout, agent: &Adaptive, seen: &mut Option<Moments>, watch: &mut Stopwatch) -> Self {
        watch.lap("time/rollout_s");
        if let Some(seen) = seen {
            seen.add(rollout);
        }
        Experience::of(rollout, agent.prepare(rollout), watch)
    }

    /// The experience of `rollout`, whose batches and summary are `prepared`.
    pub fn of(rollout: &Rollout, prepared: (Vec<Batch>, Option<Estimate>), watch: &mut Stopwatch) -> Self {
        let (batches, estimate) = prepared;
        let returns = rollout.returns();
        let worst_return = returns.iter().copied().fold(f64::INFINITY, f64::min);
        watch.lap("time/advantage_s");
        Experience { batches, summary: Summary { mean_return: mean(&returns), worst_return, estimate }, returns }
    }
}

/// The report of an iteration; `control` is the return of the unadapted policy on the query phase, if measured.
pub(in crate::learners) fn report(
    before: Summary,
    after: Summary,
    control: Option<f64>,
    (env_steps, tasks): (u64, usize),
    learned: Metrics,
    timing: Metrics,
) -> Report {
    let unadapted = control.unwrap_or(after.mean_return);
    let mut metrics = vec![
        ("return/pre", before.mean_return),
        ("return/unadapted", unadapted),
        ("return/post", after.mean_return),
        ("return/gain", after.mean_return - unadapted),
        ("return/post_worst_task", after.worst_return),
    ];
    if let (Some(before), Some(after)) = (before.estimate, after.estimate) {
        metrics.extend([
            ("explained_variance/pre", before.explained_variance),
            ("explained_variance/post", after.explained_variance),
            ("value_mean/pre", before.value_mean),
            ("value_mean/post", after.value_mean),
            ("uninformative_tasks", after.uninformative as f64),
        ]);
    }
    metrics.push(("env_steps", env_steps as f64));
    metrics.extend(learned);
    let informative = after.estimate.is_none_or(|estimate| estimate.uninformative < tasks);
    Report { metrics, timing, return_post: after.mean_return, return_unadapted: control, informative }
}

pub(in crate::learners) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
