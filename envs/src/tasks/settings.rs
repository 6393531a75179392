//! Settings of a task that are not channels: the same for all tasks of a distribution.

use serde::{Deserialize, Serialize};

use crate::{
    physics::{
        spec::EnvSpec,
        version::{IntegratorKind, RewardKind},
    },
    tasks::{channel::MAX_DELAY, error::TaskError},
};

/// Settings that the tasks of a distribution have in common, besides their laws.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TaskSettings {
    /// Number of the last actions that are appended to the observation, newest first.
    pub observe_actions: u32,
    /// Integrator of the state; the environment's own if absent.
    pub integrator: Option<IntegratorKind>,
    /// Reward of a step; the environment's own if absent.
    pub reward: Option<RewardKind>,
    /// Reading that a sensor shows in place of a dropped one.
    pub sensor_fill: SensorFill,
    /// Notifications of changes to the agent.
    pub notify: Notify,
}

impl TaskSettings {
    /// Refuses settings out of their ranges.
    pub(crate) fn check(&self, spec: &EnvSpec) -> Result<(), TaskError> {
        let invalid = |key: &str, problem: String| Err(TaskError::Invalid { path: format!("task.{key}"), problem });
        if let Some(integrator) = self.integrator {
            spec.check_integrator(integrator).or_else(|problem| invalid("integrator", problem))?;
        }
        if let Some(reward) = self.reward {
            spec.check_reward(reward).or_else(|problem| invalid("reward", problem))?;
        }
        if self.observe_actions > 64 {
            return invalid("observe_actions", format!("{} must be 0 to 64; the nearest is 64", self.observe_actions));
        }
        let Notify { delay, noise_std, miss_prob, false_alarm_prob, .. } = self.notify;
        if delay > MAX_DELAY as u32 {
            return invalid(
                "notify.delay",
                format!("{delay} must be 0 to {MAX_DELAY} ticks; the nearest is {MAX_DELAY}"),
            );
        }
        if !(0.0..=1e6).contains(&noise_std) {
            return invalid("notify.noise_std", format!("{noise_std} must be 0 to 1e6"));
        }
        for (key, value) in [("miss_prob", miss_prob), ("false_alarm_prob", false_alarm_prob)] {
            if !(0.0..=1.0).contains(&value) {
                return invalid(&format!("notify.{key}"), format!("{value} must be 0 to 1"));
            }
        }
        match self.notify.unread() {
            Some((key, why)) => invalid(&format!("notify.{key}"), format!("has no effect, because {why}")),
            None => Ok(()),
        }
    }

    /// Integrator and reward for the compiled physics of the environment.
    pub(crate) fn variant(&self, spec: &EnvSpec) -> (IntegratorKind, RewardKind) {
        let of_task = if spec.variants { (self.integrator, self.reward) } else { (None, None) };
        (of_task.0.unwrap_or_default(), of_task.1.unwrap_or_default())
    }
}

/// The reading that a sensor shows in place of a dropped one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SensorFill {
    /// Zero.
    #[default]
    Zero,
    /// The last reading that passed.
    Last,
}

/// Notifications of changes of the drifting channels to the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notify {
    /// Content of a notification.
    pub level: NotifyLevel,
    /// Ticks between a change and its notification.
    pub delay: u32,
    /// Standard deviation of the noise on a delta or value (units of the channel).
    pub noise_std: f64,
    /// Probability that a change goes unnoticed.
    pub miss_prob: f64,
    /// Probability of a false alarm per tick without a change.
    pub false_alarm_prob: f64,
}

impl Notify {
    /// A field that is set and not read, and why.
    fn unread(&self) -> Option<(&'static str, &'static str)> {
        let Notify { level, delay, noise_std, miss_prob, false_alarm_prob } = *self;
        let set = [
            ("noise_std", noise_std != 0.0),
            ("delay", delay != 0),
            ("miss_prob", miss_prob != 0.0),
            ("false_alarm_prob", false_alarm_prob != 0.0),
        ];
        let first = |count: usize| set[..count].iter().find(|(_, set)| *set).map(|(key, _)| *key);
        match level {
            NotifyLevel::None => first(4).map(|key| (key, "notify.level is \"none\"")),
            NotifyLevel::Flag => first(1).map(|key| (key, "notify.level = \"flag\" tells no number")),
            NotifyLevel::Delta | NotifyLevel::Value => None,
        }
    }
}

/// The content of a notification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotifyLevel {
    /// No notification.
    #[default]
    None,
    /// A flag that something changed.
    Flag,
    /// The change of each drifting channel.
    Delta,
    /// The value of each drifting channel.
    Value,
}
