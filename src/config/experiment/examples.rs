//! The parts of an experiment that belong to tasks of examples.

use std::sync::Arc;

use metadrift_agents::{layout::Head, learner::Learns, ranges::check};
use metadrift_envs::Split;

use super::{Experiment, Problem};
use crate::{
    config::{Config, ConfigError},
    examples::{ExamplesConfig, Family},
};

impl Experiment {
    /// The experiment on examples of `config`, checked as in [`Experiment::new`].
    pub(super) fn of_examples(mut config: Config) -> Result<Experiment, ConfigError> {
        let examples = config.examples.clone().expect("asked before");
        if !config.task.env.is_empty() {
            return Err(ConfigError::NotFound("config: [task] and [examples] exclude each other".into()));
        }
        config.check_name()?;
        config.check_ranges()?;
        examples.check()?;
        check("learner", config.learner.name, config.learner.learns.examples(), NO_EXAMPLES)?;
        config.settle_sections()?;
        config.check_ignored()?;
        let family = examples.open()?;
        let classes = matches!(family.head(), Head::Categorical(_));
        check("learner", config.learner.name, classes || config.learner.learns != Learns::Classes, NO_NUMBERS)?;
        let settings = config.settings(1, (family.inputs(), 0));
        (config.learner.check)(&settings)?;
        let demand = (config.learner.demand)(&settings);
        let evaluation = config.evaluation.resolve(demand, &settings)?;
        Ok(Experiment { config, evaluation, problem: Problem::Examples(family), settings, demand })
    }

    /// The family of tasks, if they are of examples.
    pub fn family(&self) -> Option<&Arc<dyn Family>> {
        if let Problem::Examples(family) = &self.problem { Some(family) } else { None }
    }

    /// Refuses an experiment on examples for a command that needs an environment.
    ///
    /// # Errors
    /// If the tasks are of examples.
    pub fn check_control(&self) -> Result<(), ConfigError> {
        match self.problem {
            Problem::Control(..) => Ok(()),
            Problem::Examples(_) => Err(ConfigError::NotFound(format!(
                "{} has tasks of examples, but this needs an environment. Commands for such tasks: train, resume, evaluate",
                self.name
            ))),
        }
    }

    /// Refuses an experiment on examples whose data are not there.
    ///
    /// # Errors
    /// The place where data can be had.
    pub fn check_data(&self) -> Result<(), ConfigError> {
        self.examples.as_ref().map_or(Ok(()), ExamplesConfig::check_data)
    }

    /// Refuses data of examples that are too few for tasks of `split`.
    ///
    /// # Errors
    /// If there are too few; the text names what is missing.
    pub fn check_split(&self, split: Split) -> Result<(), ConfigError> {
        let Some((family, examples)) = self.family().zip(self.examples.as_ref()) else { return Ok(()) };
        family.check(split, examples.shots()).map_err(|missing| examples.lacks(&missing))
    }
}

/// Keys that an experiment on examples does not read, or their beginnings.
pub(super) const UNREAD: &[&str] = &[
    "rollout.num_envs",
    "rollout.num_steps",
    "rollout.episodes_per_env",
    "policy.window",
    "policy.log_std",
    "policy.normalize_obs",
    "policy.init_log_std",
    "maml.estimator",
    "maml.dice_lambda",
    "maml.sampling_term",
    "maml.outer",
    "maml.max_kl",
    "maml.adapt_log_std",
    "maml.baseline",
    "maml.value_hidden",
    "maml.value_lr",
    "maml.value_epochs",
    "ppo.clip_eps",
    "ppo.kl_coef",
    "ppo.ent_coef",
    "ppo.gamma",
    "ppo.gae_lambda",
];

/// The learners of examples.
const NO_EXAMPLES: &str = "one that learns from examples, such as maml";

/// The learners of examples whose labels are numbers.
const NO_NUMBERS: &str =
    "one that learns numbers, such as maml: this one compares classes, but examples.family has none";
