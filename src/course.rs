//! The course of a task's channels over its life.

use metadrift_envs::Task;

use crate::life::Life;

/// A part of a task's life, seen from a lane whose episodes last to the time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Course {
    /// The life.
    pub life: Life,
    /// Length of the part (ticks), from the first.
    pub ticks: u64,
    /// Ticks from one point to the next.
    pub stride: u64,
}

/// Least change within a tick that counts as a switch, as a share of the channel's range.
const SWITCH: f64 = 0.1;

impl Course {
    /// Every tick of `life`.
    pub fn of(life: Life) -> Self {
        Course { life, ticks: life.ticks(), stride: 1 }
    }

    /// The sampled ticks.
    pub fn points(&self) -> impl Iterator<Item = u64> + use<> {
        (0..self.ticks).step_by(self.stride as usize)
    }

    /// The values of `channel` at each point.
    pub fn values(&self, task: &Task, channel: usize) -> Vec<f64> {
        self.points().map(|tick| self.at(task, tick, channel)).collect()
    }

    fn at(&self, task: &Task, tick: u64, channel: usize) -> f64 {
        let clocks = self.life.clocks(u64::from(task.id.index), tick);
        let base = task.values[channel];
        task.drifts.iter().find(|drift| drift.channel == channel).map_or(base, |drift| drift.value(base, &clocks))
    }
}

/// Total variation of a quantity: the sum of its absolute changes.
pub fn budget(values: &[f64]) -> f64 {
    values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).sum()
}

/// Smallest and largest of the values.
pub fn range(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    values.into_iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)))
}

/// Indices of the points at which the value jumps: the switches of a schedule.
pub fn switches(values: &[f64]) -> Vec<usize> {
    let (low, high) = range(values.iter().copied());
    let large = SWITCH * (high - low);
    (1..values.len()).filter(|at| high > low && (values[*at] - values[at - 1]).abs() >= large).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use metadrift_agents::settings::Episodes;
    use metadrift_envs::{CartPole, Env, Schedule};

    #[test]
    fn a_step_switches_once_and_a_ramp_never() {
        let spec = &CartPole::SPEC;
        let gain = metadrift_envs::channel_index(spec, "actuator_gain").unwrap();
        let with = |schedule| Task::nominal(spec).with_drift(spec, "actuator_gain", schedule).unwrap();
        let course = Course::of(Life { horizon: 50, phase_steps: 200, episodes: Episodes::Endless, phases: 1 });
        let step = course.values(&with(Schedule::Step { at: 120.0, from: 1.0, to: -1.0 }), gain);
        assert_eq!((switches(&step), budget(&step), step.len()), (vec![120], 2.0, 200));
        let ramp = Schedule::Linear { from: 1.0, to: 0.5, start: 10.0, over: 100.0, returns: false };
        let ramp = course.values(&with(ramp), gain);
        assert!(switches(&ramp).is_empty() && (budget(&ramp) - 0.5).abs() < 1e-12);
        let still = course.values(&Task::nominal(spec), gain);
        assert_eq!((switches(&still), budget(&still), range(still)), (vec![], 0.0, (1.0, 1.0)));
    }
}
