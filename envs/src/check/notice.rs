//! Check of notifications: misses and false alarms occur at the configured rates.

use crate::{Env, Notify, NotifyLevel, OnBound, Schedule};

use super::{
    Check, STEPS,
    drift::{GAIN, drifting},
    stepped::Stepped,
    verdict,
};

const LANES: usize = 100;

/// The share of flagged ticks, with and without a change, lies within five standard errors of the configured rate.
pub(super) fn flags_err_at_their_rates<E: Env>() -> Check {
    let (miss_prob, false_alarm_prob) = (0.3, 0.1);
    let notify = Notify { level: NotifyLevel::Flag, miss_prob, false_alarm_prob, ..Notify::default() };
    let moving = Schedule::Sinusoid { mean: 1.0, amplitude: 0.5, period: 777.7, phase: 0.1 };
    let cases = [(moving, 1.0 - miss_prob), (Schedule::Constant { value: 1.0 }, false_alarm_prob)];
    let failure = cases.into_iter().find_map(|(schedule, expected)| {
        let Some(found) = share::<E>(schedule, notify) else {
            return Some("the notified task is refused".to_owned());
        };
        let error = (expected * (1.0 - expected) / (LANES as f64 * f64::from(STEPS))).sqrt();
        let good = (found - expected).abs() <= 5.0 * error;
        (!good).then(|| format!("{found:.4} of the ticks are announced, expected {expected} +- {:.4}", 5.0 * error))
    });
    let detail = format!("misses {miss_prob}, false alarms {false_alarm_prob}, {LANES} lanes x {STEPS} ticks");
    verdict("notifications err at their rates", detail, failure)
}

/// Share of lanes and ticks that are flagged while the gain follows `schedule`.
fn share<E: Env>(schedule: Schedule, notify: Notify) -> Option<f64> {
    let mut task = drifting::<E>(GAIN, schedule, [-10.0, 10.0], OnBound::Error)?;
    task.settings.notify = notify;
    let mut batch = Stepped::<E>::plain(&task, LANES);
    let width = batch.env.obs_dim();
    let mut flagged = 0.0;
    for tick in 0..=STEPS {
        let flags = batch.step(tick).next_obs.chunks(width).map(|row| f64::from(row[width - 1]));
        // the first tick has no tick before it to differ from
        flagged += if tick > 0 { flags.sum() } else { 0.0 };
    }
    Some(flagged / (LANES as f64 * f64::from(STEPS)))
}
