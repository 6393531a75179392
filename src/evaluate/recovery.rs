//! The policy's performance around changes of the world: rewards per tick before and after, and ticks until it recovers.

use std::ops::Range;

use metadrift_agents::{batch::Trajectories, team::portable::Portable};
use metadrift_envs::{Clocks, Task};
use serde::Serialize;

use crate::stats::Censored;

/// Ticks over which rewards are averaged.
const WINDOW: usize = 20;
/// Largest loss of a policy that has recovered, as a share of the spread of the rewards.
const TOLERANCE: f64 = 0.05;

/// Performance in a life in a world that moves, with the most likely actions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LifeScore {
    /// Mean reward of a tick, over all ticks that were lived through. Where every tick earns the same, as in CartPole, it says
    /// nothing: returns of episodes do.
    pub reward_per_tick: f64,
    /// Number of sudden changes with 20 ticks before and after, over all lanes.
    pub changes: usize,
    /// Mean reward per tick in the window before a change; absent if nothing changes suddenly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before_change: Option<f64>,
    /// Mean reward per tick in the window after a change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_change: Option<f64>,
    /// Ticks from a change until the policy has recovered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_ticks: Option<Censored>,
}

/// Sums over the phases that were seen.
#[derive(Default)]
pub(super) struct Recoveries {
    reward: f64,
    ticks: usize,
    before: f64,
    after: f64,
    /// Ticks from each change to recovery, or to the end of the time it had, and true if it recovered.
    times: Vec<(usize, bool)>,
}

/// The lanes of a task in one phase.
#[derive(Default)]
pub(super) struct Seen {
    reward: f64,
    ticks: usize,
    /// Mean rewards per tick before and after each change, ticks to recovery or to the end of the time it had, and true if
    /// it recovered.
    changes: Vec<((f64, f64), (usize, bool))>,
}

impl Seen {
    /// The lanes of `task` in a phase that began with `start`.
    pub fn of(task: &Task, start: Clocks, data: &Trajectories<'_>) -> Self {
        let rewards = || data.rows().map(|row| f64::from(data.reward[row]));
        let (low, high) = rewards().fold((f64::MAX, f64::MIN), |(low, high), r| (low.min(r), high.max(r)));
        let mut seen = Seen { reward: rewards().sum(), ticks: data.rows().count(), changes: Vec::new() };
        for lane in 0..data.envs {
            let valid = data.valid_steps[lane] as usize;
            let rows: Vec<usize> = (0..valid).map(|t| data.row(t, lane)).collect();
            let reward: Vec<f64> = rows.iter().map(|row| f64::from(data.reward[*row])).collect();
            let failed: Vec<bool> = rows.iter().map(|row| data.terminated[*row]).collect();
            let over: Vec<bool> = rows.iter().map(|row| data.terminated[*row] || data.truncated[*row]).collect();
            let changes = jumps(&values(task, start, &over));
            seen.lane(&reward, &failed, &changes, TOLERANCE * (high - low));
        }
        seen
    }

    /// Adds a lane with sudden changes before the ticks `changes`.
    fn lane(&mut self, reward: &[f64], failed: &[bool], changes: &[usize], tolerance: f64) {
        for change in recoveries(reward, failed, changes, tolerance) {
            let means = (mean(reward, change.at - WINDOW), mean(reward, change.at));
            self.changes.push((means, change.time()));
        }
    }
}

impl Portable for Seen {
    fn put(&self, to: &mut Vec<u8>) {
        (self.reward, self.ticks).put(to);
        self.changes.put(to);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        let (reward, ticks) = Portable::take(from)?;
        Some(Seen { reward, ticks, changes: Portable::take(from)? })
    }
}

impl Recoveries {
    /// Adds a task in one phase.
    pub fn add(&mut self, seen: &Seen) {
        self.reward += seen.reward;
        self.ticks += seen.ticks;
        for ((before, after), time) in &seen.changes {
            self.before += before;
            self.after += after;
            self.times.push(*time);
        }
    }

    /// The scores.
    pub fn score(&self) -> LifeScore {
        let changes = self.times.len();
        let per_change = |sum: f64| (changes > 0).then(|| sum / changes as f64);
        LifeScore {
            reward_per_tick: self.reward / self.ticks as f64,
            changes,
            before_change: per_change(self.before),
            after_change: per_change(self.after),
            recovery_ticks: (changes > 0).then(|| Censored::of(&self.times)),
        }
    }
}

/// A sudden change in the life of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The first tick with the new value.
    pub at: usize,
    /// The tick from which on rewards are as before; none if the next change, or the end, came first.
    pub recovered: Option<usize>,
    /// The tick of the next change, or of the end.
    next: usize,
}

impl Change {
    /// Ticks to recovery, and true; or to the next change or the end, and false.
    fn time(&self) -> (usize, bool) {
        (self.recovered.unwrap_or(self.next) - self.at, self.recovered.is_some())
    }

    /// The change as counted from the beginning of `ticks`, if it lies within them.
    pub fn within(&self, ticks: &Range<usize>) -> Option<Change> {
        let Change { at, recovered, next } = *self;
        ticks.contains(&at).then(|| {
            let seen = recovered.filter(|tick| *tick < ticks.end).map(|tick| tick - ticks.start);
            Change { at: at - ticks.start, recovered: seen, next: next - ticks.start }
        })
    }
}

/// Sudden changes in a stretch of a lane's life on `task` that began with `start`. Of every tick there are the reward, and
/// whether the episode failed and whether it ended with it.
pub fn changes(task: &Task, start: Clocks, ticks: &[(f64, bool, bool)]) -> Vec<Change> {
    let reward: Vec<f64> = ticks.iter().map(|tick| tick.0).collect();
    let failed: Vec<bool> = ticks.iter().map(|tick| tick.1).collect();
    let over: Vec<bool> = ticks.iter().map(|tick| tick.2).collect();
    let (low, high) = reward.iter().fold((f64::MAX, f64::MIN), |(low, high), r| (low.min(*r), high.max(*r)));
    recoveries(&reward, &failed, &jumps(&values(task, start, &over)), TOLERANCE * (high - low))
}

/// Ticks from each of `changes` with enough ticks before and after to recovery, and true, or to the next change or the end,
/// and false.
pub fn recovered(reward: &[f64], failed: &[bool], changes: &[usize]) -> Vec<(usize, bool)> {
    let (low, high) = reward.iter().fold((f64::MAX, f64::MIN), |(low, high), r| (low.min(*r), high.max(*r)));
    recoveries(reward, failed, changes, TOLERANCE * (high - low)).iter().map(Change::time).collect()
}

/// Those of `changes` with enough ticks before and after, and the recoveries from them.
fn recoveries(reward: &[f64], failed: &[bool], changes: &[usize], tolerance: f64) -> Vec<Change> {
    let recovery = |(index, &at): (usize, &usize)| {
        let next = changes.get(index + 1).copied().unwrap_or(reward.len());
        if at < WINDOW || at + WINDOW > next {
            return None;
        }
        let usual = mean(reward, at - WINDOW);
        let well = |from: &usize| {
            !failed[*from..*from + WINDOW].contains(&true) && mean(reward, *from) >= usual - tolerance - 1e-9
        };
        Some(Change { at, recovered: (at..=next - WINDOW).find(well), next })
    };
    changes.iter().enumerate().filter_map(recovery).collect()
}

/// Mean of the window that begins at `from`.
fn mean(reward: &[f64], from: usize) -> f64 {
    reward[from..from + WINDOW].iter().sum::<f64>() / WINDOW as f64
}

/// The values of the drifting channels of a lane whose episodes end where `over` is true, `[ticks][drifts]`.
fn values(task: &Task, start: Clocks, over: &[bool]) -> Vec<Vec<f64>> {
    let mut clocks = start;
    let mut all = Vec::with_capacity(over.len());
    for over in over {
        let values = task.values_on(&clocks);
        all.push(task.drifts.iter().map(|drift| values[drift.channel]).collect());
        clocks.lifetime_step += 1;
        clocks.episode_step += 1;
        if *over {
            (clocks.episode_step, clocks.episode) = (0, clocks.episode + 1);
        }
    }
    all
}

/// The ticks before which a value changed that stood still until then, and stands still after: drifts that move all the time
/// have none.
pub fn jumps(values: &[Vec<f64>]) -> Vec<usize> {
    let jumped = |&t: &usize| {
        let drift = |k: usize| {
            let [a, b, c, d] = [t - 2, t - 1, t, t + 1].map(|t| values[t][k]);
            a == b && b != c && c == d
        };
        (0..values[t].len()).any(drift)
    };
    (2..values.len().saturating_sub(1)).filter(jumped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_is_the_time_to_a_window_as_good_as_before() {
        // 50 ticks at 1; after the change ten at -9, the last of which fails, then 1 again
        let reward: Vec<f64> = (0..100).map(|t| if (50..60).contains(&t) { -9.0 } else { 1.0 }).collect();
        let failed: Vec<bool> = (0..100).map(|t| t == 59).collect();
        let times = |seen: &Seen| seen.changes.iter().map(|change| change.1).collect::<Vec<_>>();
        let mut seen = Seen::default();
        seen.lane(&reward, &failed, &[50], 0.5);
        assert_eq!(seen.changes, [((1.0, -4.0), (10, true))]);
        // without failure and with a tolerance of half a tick's loss it may begin one tick earlier: (19 - 9) / 20 = 0.5
        let mut seen = Seen::default();
        seen.lane(&reward, &[false; 100], &[50], 0.5);
        assert_eq!(times(&seen), [(9, true)]);
        // the next change comes before a window is good
        let mut seen = Seen::default();
        seen.lane(&reward, &failed, &[50, 75], 0.5);
        assert_eq!(times(&seen), [(25, false), (0, true)]);
        // too little time before or after
        let mut seen = Seen::default();
        seen.lane(&reward, &failed, &[5, 90], 0.5);
        let mut all = Recoveries::default();
        all.add(&seen);
        assert!(seen.changes.is_empty() && all.score().recovery_ticks.is_none());
    }

    #[test]
    fn a_jump_stands_still_before_and_after() {
        let column = |values: &[f64]| values.iter().map(|value| vec![*value]).collect::<Vec<_>>();
        assert_eq!(jumps(&column(&[1.0, 1.0, 1.0, -1.0, -1.0, -1.0])), [3]);
        assert!(jumps(&column(&[0.0, 0.1, 0.2, 0.3, 0.4])).is_empty());
        assert!(jumps(&column(&[1.0])).is_empty());
    }
}
