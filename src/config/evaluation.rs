//! The protocol of evaluation: the `[evaluation]` table. It belongs to the tasks and is the same for every learner.

use serde::{Deserialize, Serialize};

use super::{
    Config, ConfigError, Learner, check,
    ranges::{MAX_ADAPT_STEPS, MAX_STEPS, MAX_WIDTH},
};

/// Tasks, data and adaptation of an evaluation. Keys that are left out are resolved once, when the configuration is
/// read, and stored with the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationConfig {
    /// Held-out tasks.
    pub tasks: usize,
    /// Lanes per task, each an episode of the data for an adaptation step; left out: as in training, 20 for plain PPO.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub episodes: Option<usize>,
    /// Ticks of a lane before each adaptation step and after the last, 0 for the length of one episode; left out: as
    /// in training, 0 for plain PPO.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
    /// Adaptation steps; left out: as in training, at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapt_steps: Option<usize>,
    /// Iterations between two evaluations during training; 0 evaluates only when training is over.
    pub every: u64,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        EvaluationConfig { tasks: 100, episodes: None, steps: None, adapt_steps: None, every: 0 }
    }
}

/// Why a resolved key has a value.
const RESOLVED: &str = "resolved when the configuration was read";

impl EvaluationConfig {
    /// Lanes per task.
    pub fn episodes(&self) -> usize {
        self.episodes.expect(RESOLVED)
    }

    /// Ticks of a lane in one phase; 0 for the length of one episode.
    pub fn steps(&self) -> usize {
        self.steps.expect(RESOLVED)
    }

    /// Adaptation steps.
    pub fn adapt_steps(&self) -> usize {
        self.adapt_steps.expect(RESOLVED)
    }
}

impl Config {
    /// Fills in what `[evaluation]` leaves open.
    pub(super) fn resolve_evaluation(&mut self) -> Result<(), ConfigError> {
        let (episodes, steps) = match (self.learner, self.rollout.episodes_per_env) {
            (Learner::Ppo, _) => (20, 0),
            (Learner::Maml, 1) => (self.rollout.num_envs, 0),
            // the same lanes on the same ticks, also where a lane has several episodes
            (Learner::Maml, _) => (self.rollout.num_envs, self.num_steps()?),
        };
        let adapt_steps = self.maml.inner_steps.max(1);
        let evaluation = &mut self.evaluation;
        evaluation.episodes.get_or_insert(episodes);
        evaluation.steps.get_or_insert(steps);
        evaluation.adapt_steps.get_or_insert(adapt_steps);
        Ok(())
    }

    /// Every key of `[evaluation]` against its legal range, and whole episodes in every phase that is scored.
    pub(super) fn check_evaluation(&self) -> Result<(), ConfigError> {
        let (e, horizon, steps) = (&self.evaluation, self.horizon()? as usize, self.rollout.num_steps);
        let whole = self.learner == Learner::Ppo || steps == 0 || steps >= horizon;
        check("rollout.num_steps", steps, whole, SHORT)?;
        check("evaluation.tasks", e.tasks, (1..=1_000_000).contains(&e.tasks), "1 to 1000000")?;
        check("evaluation.episodes", e.episodes(), (1..=MAX_WIDTH as usize).contains(&e.episodes()), "1 to 100000")?;
        let steps = e.steps();
        let whole = steps == 0 || (horizon..=MAX_STEPS as usize).contains(&steps);
        check("evaluation.steps", steps, whole, "0 (one episode), or from task.horizon to 1000000")?;
        check("evaluation.adapt_steps", e.adapt_steps(), e.adapt_steps() <= MAX_ADAPT_STEPS as usize, "0 to 100")
    }
}

/// Returns are means over whole episodes, so a phase of the meta-learner holds one at least.
const SHORT: &str =
    "0, or at least task.horizon, so that a phase holds a whole episode; for shorter ones set task.horizon";
