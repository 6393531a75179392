//! Which learner, and the keys that only one of them reads.

use metadrift_agents::{
    maml::{MamlConfig, PpoConfig},
    ppo::PpoLearnerConfig,
};
use serde::{Deserialize, Serialize};

use super::{Config, ConfigError, RolloutConfig, check};
use crate::rollout::GROUP;

/// How parameters are learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Learner {
    /// A meta-policy that adapts to each task by gradient steps.
    #[default]
    Maml,
    /// Plain PPO: one policy for all tasks, each lane drawing a new one from time to time.
    Ppo,
}

impl Config {
    /// Every key of `[ppo_learner]` against its legal range, and none given to a learner that does not read it.
    pub(super) fn check_learner(&self) -> Result<(), ConfigError> {
        match self.learner {
            Learner::Maml => {
                let plain = self.ppo_learner == PpoLearnerConfig::default();
                if plain { Ok(()) } else { Err(ConfigError::Unread) }
            }
            Learner::Ppo => self.check_ppo_learner(),
        }
    }

    fn check_ppo_learner(&self) -> Result<(), ConfigError> {
        let (r, p) = (&self.rollout, &self.ppo_learner);
        let lanes = r.num_envs <= GROUP || r.num_envs.is_multiple_of(GROUP);
        check("rollout.num_envs", r.num_envs, lanes, "at most 32 or a multiple of 32 with learner = \"ppo\"")?;
        let stop = p.stop_at_return.unwrap_or(0.0);
        check("ppo_learner.stop_at_return", stop, stop.is_finite(), "a finite number")?;

        // what only the meta-learner reads must not look as if it did something; defaults are written out with each run
        let (maml, defaults) = (&self.maml, MamlConfig::default());
        let without = "left out with learner = \"ppo\": only the meta-learner reads it";
        check("rollout.num_tasks", r.num_tasks, r.num_tasks == RolloutConfig::default().num_tasks, without)?;
        check("maml.inner_steps", maml.inner_steps, maml.inner_steps == defaults.inner_steps, without)?;
        check("maml.first_order", maml.first_order, maml.first_order == defaults.first_order, without)?;
        check("maml.learn_inner_lr", maml.learn_inner_lr, maml.learn_inner_lr == defaults.learn_inner_lr, without)?;
        let chunk = maml.tasks_per_chunk;
        check("maml.tasks_per_chunk", chunk, chunk == defaults.tasks_per_chunk, without)?;
        check("ppo.kl_coef", self.ppo.kl_coef, self.ppo.kl_coef == PpoConfig::default().kl_coef, without)
    }
}
