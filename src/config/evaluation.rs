//! The protocol of evaluation: the `[evaluation]` table. It belongs to the tasks and is the same for every learner.

use metadrift_agents::{
    ranges::{OutOfRange, check},
    settings::{Episodes, MAX_ADAPT_STEPS, Settings},
    source::Demand,
};

use serde::{Deserialize, Serialize};

use super::ranges::{MAX_STEPS, MAX_WIDTH};

/// Tasks, data and adaptation of an evaluation. Missing keys are filled in once, when the configuration is read, and
/// stored with the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationConfig {
    /// Number of held-out tasks.
    pub tasks: usize,
    /// Number of lanes per task, each an episode of the data for an adaptation step; if missing, as in training, or 20
    /// where lanes live on or each has a task of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub episodes: Option<usize>,
    /// Ticks of a lane before each adaptation step and after the last, 0 for the length of one episode; if missing, as
    /// in training, 0 where lanes live on or have tasks of their own, for these two episodes if they have no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
    /// Number of adaptation steps; if missing, as in training, but at least 1.
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

/// The protocol with every key filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evaluated {
    /// Number of held-out tasks.
    pub tasks: usize,
    /// Number of lanes per task.
    pub episodes: usize,
    /// Ticks of a lane in one phase; 0 for the length of one episode.
    pub steps: usize,
    /// Number of adaptation steps.
    pub adapt_steps: usize,
    /// Iterations between two evaluations during training; 0 evaluates only at the end.
    pub every: u64,
}

/// The values of keys that an experiment on examples does not read.
const UNREAD: &str = "left out with [examples]";

impl EvaluationConfig {
    /// Fills in missing keys, and checks every key against its legal range.
    pub(super) fn resolve(&mut self, demand: Demand, settings: &Settings) -> Result<Evaluated, OutOfRange> {
        let horizon = settings.horizon;
        let (episodes, steps) = match demand {
            Demand::Lives { .. } if settings.episodes() == Episodes::Endless => (20, 2 * horizon as usize),
            Demand::Lives { .. } | Demand::Lanes { .. } => (20, 0),
            Demand::Examples { shots, .. } => (shots.query, 0),
            Demand::Tasks { lanes, episodes: Episodes::Count(1), .. } => (lanes, 0),
            // the same number of lanes and ticks, also if a lane has several episodes
            Demand::Tasks { lanes, steps, .. } => (lanes, steps),
        };
        if settings.examples.is_some() {
            let none = |given: Option<usize>, filled| given.is_none_or(|given| given == filled);
            check("evaluation.episodes", self.episodes.unwrap_or(0), none(self.episodes, episodes), UNREAD)?;
            check("evaluation.steps", self.steps.unwrap_or(0), none(self.steps, steps), UNREAD)?;
        }
        let adapt_steps = settings.maml.inner_steps.max(1);
        let evaluated = Evaluated {
            tasks: self.tasks,
            episodes: *self.episodes.get_or_insert(episodes),
            steps: *self.steps.get_or_insert(steps),
            adapt_steps: *self.adapt_steps.get_or_insert(adapt_steps),
            every: self.every,
        };
        let Evaluated { tasks, episodes, steps, adapt_steps, .. } = evaluated;
        check("evaluation.tasks", tasks, (1..=1_000_000).contains(&tasks), "1 to 1000000")?;
        check("evaluation.episodes", episodes, (1..=MAX_WIDTH as usize).contains(&episodes), "1 to 100000")?;
        let whole = steps == 0 || (horizon as usize..=MAX_STEPS as usize).contains(&steps);
        check("evaluation.steps", steps, whole, "0 (one episode), or from task.horizon to 1000000")?;
        check("evaluation.adapt_steps", adapt_steps, adapt_steps <= MAX_ADAPT_STEPS as usize, "0 to 100")?;
        Ok(evaluated)
    }
}
