//! How much experience: the `[rollout]` table, and what follows from it.

use serde::{Deserialize, Serialize};

use super::{Config, ConfigError, Learner};
use crate::rollout::Episodes;

/// Experience per meta-iteration and phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RolloutConfig {
    /// Tasks drawn for each meta-iteration.
    pub num_tasks: usize,
    /// Lanes per task: with one episode per lane, the episodes of an adaptation step.
    pub num_envs: usize,
    /// Steps of each lane per phase; 0 lets `episodes_per_env` episodes last to the time limit.
    pub num_steps: usize,
    /// Episodes after which a lane stops; 0 runs from episode to episode until `num_steps`.
    pub episodes_per_env: u32,
}

impl Default for RolloutConfig {
    fn default() -> Self {
        RolloutConfig { num_tasks: 20, num_envs: 20, num_steps: 0, episodes_per_env: 1 }
    }
}

impl Config {
    /// Steps of a lane in one phase of training: as many as a lane can use.
    ///
    /// # Errors
    /// If the environment does not exist.
    pub fn num_steps(&self) -> Result<usize, ConfigError> {
        let asked = self.rollout.num_steps;
        Ok(match (self.learner, self.episodes()) {
            (Learner::Maml, Episodes::Count(_)) if asked == 0 => self.whole_episodes()?,
            (Learner::Maml, Episodes::Count(_)) => asked.min(self.whole_episodes()?),
            _ if asked == 0 => self.horizon()? as usize,
            _ => asked,
        })
    }

    /// Steps of `episodes_per_env` episodes, at least one, that all last to the time limit.
    ///
    /// # Errors
    /// If the environment does not exist.
    pub fn whole_episodes(&self) -> Result<usize, ConfigError> {
        Ok((self.horizon()? as usize).saturating_mul(self.rollout.episodes_per_env.max(1) as usize))
    }

    /// How long a lane runs in one phase; with plain PPO, how long it keeps a task.
    pub fn episodes(&self) -> Episodes {
        match self.rollout.episodes_per_env {
            0 => Episodes::Endless,
            n => Episodes::Count(n),
        }
    }
}
