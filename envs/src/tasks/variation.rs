//! The variation budget of a task: the total change of its channels.

use crate::{
    physics::spec::EnvSpec,
    tasks::{channel::channels, clock::Clocks, drift::Drift, task::Task},
};

/// The variation of one channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Variation {
    /// Name of the channel.
    pub channel: String,
    /// Sum of the absolute changes from tick to tick, in units of the channel.
    pub total: f64,
    /// The [`Variation::total`] over the scale of the channel: its default value, or 1 if that is 0.
    pub relative: f64,
    /// Number of ticks at which the channel changes.
    pub changes: u64,
}

/// The variation of each drifting channel over the first `ticks` ticks of a task's life, in
/// episodes of full length `horizon`.
///
/// The variation budget of the task (Besbes, Gur and Zeevi, 2014, for parameters in place of
/// rewards) is the sum of [`Variation::relative`].
pub fn variation(spec: &EnvSpec, task: &Task, ticks: u64, horizon: u32) -> Vec<Variation> {
    let channels = channels(spec);
    let horizon = u64::from(horizon.max(1));
    let clocks = |tick: u64| Clocks {
        episode_step: tick % horizon,
        lifetime_step: tick,
        episode: tick / horizon,
        task: u64::from(task.id.index),
        ..Clocks::default()
    };
    let of_drift = |drift: &Drift| {
        let channel = &channels[drift.channel];
        let base = task.values[drift.channel];
        let mut total = 0.0;
        let mut changes = 0;
        let mut last = drift.value(base, &clocks(0));
        for tick in 1..=ticks {
            let value = drift.value(base, &clocks(tick));
            total += (value - last).abs();
            changes += u64::from(value != last);
            last = value;
        }
        let scale = if channel.default == 0.0 { 1.0 } else { channel.default.abs() };
        Variation { channel: channel.name.clone(), total, relative: total / scale, changes }
    };
    task.drifts.iter().map(of_drift).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Apply, Clock, Env, Noise, Pendulum, Schedule, Timing};

    #[test]
    fn a_budget_adds_up_what_changes() {
        let spec = &Pendulum::SPEC;
        // gravity goes from 10 to 12 and back, mass doubles and halves in every episode of 50 steps
        let ramp = Schedule::Linear { from: 10.0, to: 12.0, start: 0.0, over: 100.0, returns: true };
        let switch = Schedule::Step { at: 25.0, from: 1.0, to: 2.0 };
        let timing = Timing { clock: Clock::EpisodeStep, apply: Apply::Scale, ..Timing::default() };
        let task = Task::nominal(spec).with_drift(spec, "gravity", ramp).unwrap();
        let task = task.with_timed_drift(spec, "mass", switch, timing, Noise::default()).unwrap();
        let found = variation(spec, &task, 200, 50);
        assert!((found[0].total - 4.0).abs() < 1e-9 && (found[0].relative - 0.4).abs() < 1e-10);
        assert_eq!((found[0].changes, found[1].total, found[1].changes), (200, 8.0, 8));
        assert_eq!(found[1].channel, "mass");
    }
}
