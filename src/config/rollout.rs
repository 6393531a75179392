//! How much experience: the `[rollout]` table, and what follows from it.

use metadrift_envs::Clocks;
use serde::{Deserialize, Serialize};

use super::{Config, ConfigError};
use crate::rollout::Episodes;

/// Experience per meta-iteration and phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RolloutConfig {
    /// Tasks drawn for each meta-iteration.
    pub num_tasks: usize,
    /// Lanes per task: with one episode per lane, the episodes of an adaptation step.
    pub num_envs: usize,
    /// Steps of each lane per phase; 0 is the time limit of an episode.
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
    /// Steps of a lane in one phase.
    pub fn num_steps(&self) -> Result<usize, ConfigError> {
        Ok(if self.rollout.num_steps == 0 { self.horizon()? as usize } else { self.rollout.num_steps })
    }

    /// Where the lanes of an iteration's first task stand when phase `k` begins. Lanes that run on from episode to
    /// episode count as many per phase as a lane has that never ends one early; in an evaluation the iteration is 0.
    ///
    /// # Errors
    /// If the environment does not exist.
    pub fn phase_start(&self, iteration: u32, k: usize) -> Result<Clocks, ConfigError> {
        let (steps, k) = (self.num_steps()? as u64, k as u64);
        let episodes = match self.episodes() {
            Episodes::Count(count) => u64::from(count),
            Episodes::Endless => steps.div_ceil(u64::from(self.horizon()?)),
        };
        Ok(Clocks {
            episode_step: 0,
            lifetime_step: k * steps,
            episode: k * episodes,
            task: u64::from(iteration) * self.rollout.num_tasks as u64,
            adapt_round: k,
        })
    }

    /// How long a lane runs in one phase.
    pub fn episodes(&self) -> Episodes {
        match self.rollout.episodes_per_env {
            0 => Episodes::Endless,
            n => Episodes::Count(n),
        }
    }
}
