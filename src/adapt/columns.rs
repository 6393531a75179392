//! The columns of a log of episodes.

use metadrift_envs::{ActionSpace, EnvSpec, NotifyLevel, TaskSettings, channels};

use crate::{config::Experiment, rollout::scale};

/// Value of column `end` where the physics ended an episode, so that nothing is earned after it.
pub const TERMINATED: &str = "terminated";
/// Value of column `end` where an episode was cut off, by a time limit or for another reason.
pub const TRUNCATED: &str = "truncated";

/// The form of the logs of an experiment: a row for each step, and one for the end of each episode, with its last
/// observation and without action and reward.
#[derive(Clone, Debug)]
pub struct Columns {
    /// Names of all columns, in order: `episode,time`, the observations, the actions, `reward,end`.
    pub names: Vec<String>,
    /// Number of values of an observation.
    pub obs_dim: usize,
    /// Number of values of an action.
    pub act_dim: usize,
    /// The actions of the environment.
    pub space: ActionSpace,
    /// Factor from the policy's actions to those in the log, which are in the environment's unit.
    pub scale: f64,
}

impl Columns {
    /// The columns for the policies of `config`.
    pub fn of(config: &Experiment) -> Columns {
        let spec = config.env().spec();
        let observations = observations(spec, &config.task.settings());
        let actions = (0..spec.act_dim()).map(|k| format!("action_{k}"));
        let first = ["episode", "time"].map(String::from).into_iter();
        let last = ["reward", "end"].map(String::from);
        Columns {
            obs_dim: observations.len(),
            act_dim: spec.act_dim(),
            space: spec.action,
            scale: scale(spec).into(),
            names: first.chain(observations).chain(actions).chain(last).collect(),
        }
    }

    /// The name of the column of observation `k`.
    pub fn observation(&self, k: usize) -> &str {
        &self.names[2 + k]
    }

    /// The name of the column of action `k`.
    pub fn action(&self, k: usize) -> &str {
        &self.names[2 + self.obs_dim + k]
    }
}

/// Names of the values of an observation: those of the sensors, then those that settings append (the last commands, newest
/// first, and notifications).
fn observations(spec: &EnvSpec, settings: &TaskSettings) -> Vec<String> {
    let mut names: Vec<String> = spec.observations.iter().map(|name| format!("obs_{name}")).collect();
    for lag in 1..=settings.observe_actions {
        names.extend((0..spec.act_dim()).map(|k| format!("obs_action_{k}_before_{lag}")));
    }
    match settings.notify.level {
        NotifyLevel::None => {}
        NotifyLevel::Flag => names.push("obs_notified".into()),
        NotifyLevel::Delta | NotifyLevel::Value => {
            names.extend(channels(spec).into_iter().map(|channel| format!("obs_notified_{}", channel.name)));
        }
    }
    names
}

/// The channel with the time of one step; none in an environment without one.
pub fn period_channel(spec: &EnvSpec) -> Option<usize> {
    spec.params.iter().position(|param| param.unit == "s" && ["dt", "tau"].contains(&param.name))
}

/// The time of one step on a task with the channel values `values` `[channels]` (s); 1, a count of steps, for environments
/// without one.
pub fn period(spec: &EnvSpec, values: &[f64]) -> f64 {
    period_channel(spec).map_or(1.0, |at| values[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets;

    #[test]
    fn there_is_a_name_for_every_number_of_an_observation() {
        for (name, file) in presets::PRESETS {
            let Ok(config) = Experiment::parse(name, file, &[]) else { continue };
            if config.family().is_none() {
                let columns = Columns::of(&config);
                assert_eq!(columns.obs_dim, crate::registry::own_obs_dim(&config), "{name}");
                assert_eq!(columns.names.len(), 4 + columns.obs_dim + columns.act_dim);
            }
        }
        let sets = ["task.observe_actions=2", "task.notify.level=\"value\""].map(String::from);
        let config = Experiment::parse("x", "name = \"x\"\ntask.env = \"pendulum\"\n", &sets).unwrap();
        let columns = Columns::of(&config);
        assert_eq!(columns.obs_dim, crate::registry::own_obs_dim(&config));
        let first =
            "episode,time,obs_cos_theta,obs_sin_theta,obs_theta_dot,obs_action_0_before_1,obs_action_0_before_2";
        assert_eq!(columns.names[..7].join(","), first);
        assert_eq!(columns.names[7], "obs_notified_gravity");
    }
}
