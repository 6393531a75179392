//! A checked configuration with everything that follows from it, which cannot fail any more.

mod examples;

use std::{ops::Deref, path::Path, sync::Arc};

use metadrift_agents::{
    keys::{Key, Section},
    layout::{Core, Head},
    learner::{Entry, Learns},
    learners::{self, Kind},
    ranges::{OutOfRange, check},
    settings::{LogStd, Settings},
    source::Demand,
};
use metadrift_envs::{EnvKind, Split, TaskDistribution, channels, obs_dim};
use toml::{Table, Value};

use super::{Config, ConfigError, evaluation::Evaluated, set};
use crate::{
    control::privileged,
    examples::{ExamplesConfig, Family},
    reference::keys,
    registry,
    rollout::GROUP,
};

/// A checked [`Config`] with everything that follows from it. It cannot be changed, so it stays checked.
#[derive(Clone, Debug)]
pub struct Experiment {
    config: Config,
    /// The protocol of evaluation, with every key filled in.
    pub evaluation: Evaluated,
    problem: Problem,
    settings: Settings,
    demand: Demand,
}

/// The world of an experiment.
#[derive(Clone, Debug)]
enum Problem {
    /// An environment, and the tasks of each split.
    Control(EnvKind, Vec<TaskDistribution>),
    /// Tasks of labelled examples.
    Examples(Arc<dyn Family>),
}

impl Experiment {
    /// Parses `text`, applies the overrides `sets` (`key.path=value`), and checks everything.
    ///
    /// # Errors
    /// The first error found; `origin` names the source of `text`.
    pub fn parse(origin: &str, text: &str, sets: &[String]) -> Result<Experiment, ConfigError> {
        let mut config = Config::from_text(origin, text)?;
        let mut table = table_of(text);
        set::check(sets)?;
        let sets = &set::expand(sets)[..];
        if let Some(learner) = set::learner(sets).filter(|learner| *learner != config.learner)
            && let Some(settings) = learner.settings
        {
            adopt(&mut table, learner, settings);
            config = Config::from_table(table.clone()).expect("a learner's settings are legal");
        }
        let in_file = config.examples.as_ref().and_then(|examples| examples.data.clone());
        for set in sets {
            config = set::apply(&mut table, set)?;
        }
        if let Some(data) = config.examples.as_mut().and_then(|examples| examples.data.as_mut()) {
            // a file means its own folder, an argument the caller's
            let folder = Path::new(origin).parent().filter(|_| in_file.as_ref() == Some(data));
            let path = folder.map_or_else(|| data.clone(), |folder| folder.join(&*data));
            *data = std::path::absolute(path).unwrap_or_else(|_| data.clone());
        }
        let read = config.load_traces(origin).and_then(|()| config.load_rule(origin, &table_of(text)));
        read.and_then(|()| Experiment::new(config)).map_err(|error| error.at(origin, text, sets))
    }

    /// Checks every number against its legal range and every task law against its channel's, and fills in missing keys.
    ///
    /// # Errors
    /// The first error found.
    pub fn new(mut config: Config) -> Result<Experiment, ConfigError> {
        if config.examples.is_some() {
            return Self::of_examples(config);
        }
        if config.task.env.is_empty() {
            return Err(ConfigError::NotFound(NO_TASK.into()));
        }
        let env = EnvKind::from_name(&config.task.env)?;
        let horizon = config.task.horizon.unwrap_or(env.spec().horizon);
        config.check_name()?;
        config.check_ranges()?;
        config.settle_sections()?;
        config.check_ignored()?;
        check("learner", config.learner.name, config.learner.learns != Learns::Classes, NO_EPISODES)?;
        let own_obs = obs_dim(env.spec(), &config.task.settings());
        let settings = config.settings(horizon, (own_obs, channels(env.spec()).len()));
        let demand = (config.learner.demand)(&settings);
        let vectors = config.policy.log_std == LogStd::Free || matches!(registry::head(env.spec()), Head::Gaussian(_));
        check("policy.log_std", "state", vectors, "left out or \"free\": actions of this environment are choices")?;
        let known = privileged::controller(env).is_some();
        // the kind of network does not depend on the sizes
        let core = (config.learner.layout)(&settings, settings.obs_dim, Head::Categorical(2)).core();
        check("learner", config.learner.name, known || core != Core::Model, UNKNOWN)?;
        let window = config.policy.window;
        (config.learner.check)(&settings)?;
        check_demand(&config, demand, (horizon, known))?;
        let life = match demand {
            Demand::Lanes { .. } => settings.whole_episodes(),
            Demand::Tasks { .. } | Demand::Lives { .. } | Demand::Examples { .. } => demand.steps(),
        };
        check(
            "policy.window",
            window,
            window <= life,
            "at most the steps of a life: of a phase, or of the episodes of a task",
        )?;
        let evaluation = config.evaluation.resolve(demand, &settings)?;
        let tasks = Split::ALL.iter().map(|split| TaskDistribution::new(env.spec(), &config.task, *split));
        let tasks = tasks.collect::<Result<_, _>>()?;
        check("task.horizon", horizon, (1..=1_000_000).contains(&horizon), "1 to 1000000")?;
        Ok(Experiment { config, evaluation, problem: Problem::Control(env, tasks), settings, demand })
    }

    /// The same experiment with another number of iterations.
    ///
    /// # Errors
    /// If that number is not legal.
    pub fn with_iterations(&self, iterations: u64) -> Result<Experiment, ConfigError> {
        Experiment::new(Config { iterations, ..self.config.clone() })
    }

    /// The environment.
    ///
    /// # Panics
    /// If the tasks are of examples; commands that need an environment call [`Experiment::check_control`] first.
    pub fn env(&self) -> EnvKind {
        let Problem::Control(env, _) = &self.problem else { panic!("examples have no environment") };
        *env
    }

    /// The kind of answers of a policy.
    pub fn head(&self) -> Head {
        match &self.problem {
            Problem::Control(env, _) => registry::head(env.spec()),
            Problem::Examples(family) => family.head(),
        }
    }

    /// Time limit of an episode (steps).
    pub fn horizon(&self) -> u32 {
        self.settings.horizon
    }

    /// The settings as the learner sees them.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The experience that the learner asks for.
    pub fn demand(&self) -> Demand {
        self.demand
    }

    /// The tasks of a split.
    pub fn tasks(&self, split: Split) -> &TaskDistribution {
        let Problem::Control(_, tasks) = &self.problem else { panic!("examples have no channels") };
        let at = Split::ALL.iter().position(|known| *known == split);
        &tasks[at.expect("all splits are in the list of them")]
    }

    /// Notes for the user about tasks that are legal but shared by several splits.
    ///
    /// # Errors
    /// If the laws of a split cannot be compared.
    pub fn warnings(&self) -> Result<Vec<String>, ConfigError> {
        let Problem::Control(env, _) = &self.problem else { return Ok(Vec::new()) };
        let overlaps = self.task.overlaps(env.spec())?;
        Ok(overlaps.iter().map(|overlap| format!("task: {overlap}")).collect())
    }
}

/// Two experiments are the same if their configurations are.
impl PartialEq for Experiment {
    fn eq(&self, other: &Self) -> bool {
        self.config == other.config
    }
}

impl Deref for Experiment {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.config
    }
}

impl Config {
    /// Keeps only the section of the chosen learner, with every key filled in and checked. A section of another learner
    /// may be present if it holds only defaults: earlier versions stored it with every run.
    fn settle_sections(&mut self) -> Result<(), ConfigError> {
        let resolve = |section: &Section, found: Option<Value>| {
            let table = found.and_then(|value| value.try_into::<Table>().ok()).unwrap_or_default();
            (section.resolve)(table).expect("the section was read before")
        };
        let mut settled = Table::new();
        let chosen = self.learner.own.map(|own| own.name);
        for section in learners::sections() {
            let found = resolve(&section, self.own.remove(section.name));
            if Some(section.name) == chosen {
                (section.check)(&found)?;
                settled.insert(section.name.to_owned(), found.into());
            } else if found != resolve(&section, None) {
                let reads = |entry: &&Entry| entry.own.is_some_and(|own| own.name == section.name);
                let learner = learners::all().find(reads).expect("a section has a learner").name;
                return Err(ConfigError::Unread { section: section.name, learner });
            }
        }
        self.own = settled;
        Ok(())
    }

    /// Refuses keys that the learner does not read, because they would have no effect. Keys at their defaults are
    /// accepted, because these are stored with each run.
    fn check_ignored(&self) -> Result<(), ConfigError> {
        let fresh = Config {
            rollout: Default::default(),
            policy: Default::default(),
            maml: Default::default(),
            ppo: Default::default(),
            ..self.clone()
        };
        for (key, value, _) in self.differences(&fresh) {
            let unread = self.examples.is_some() && examples::UNREAD.iter().any(|unread| key.starts_with(unread));
            if (unread || self.learner.ignores(&key))
                && let Some(Key { key, .. }) = keys::all().find(|known| known.key == key)
            {
                let who = if unread { "[examples]".to_owned() } else { format!("learner = \"{}\"", self.learner.name) };
                let legal = format!("left out or at its default: {who} does not read it").into();
                return Err(OutOfRange { key, value, legal }.into());
            }
        }
        Ok(())
    }

    fn settings(&self, horizon: u32, (obs_dim, channels): (usize, usize)) -> Settings {
        let own = self.own.values().next().and_then(Value::as_table);
        Settings {
            seed: self.seed,
            iterations: self.iterations,
            max_env_steps: self.max_env_steps,
            horizon,
            obs_dim,
            channels,
            examples: self.examples.as_ref().map(ExamplesConfig::shots),
            rollout: self.rollout.clone(),
            policy: self.policy.clone(),
            maml: self.maml.clone(),
            ppo: self.ppo.clone(),
            own: own.cloned().unwrap_or_default(),
        }
    }
}

/// The table of a text that was read before.
fn table_of(text: &str) -> Table {
    toml::from_str(text).expect("the text was read before")
}

/// Leaves of `table` the tasks and the protocol of evaluation, and takes the settings of `learner` for the rest, which was
/// chosen for another learner.
fn adopt(table: &mut Table, learner: Kind, settings: &str) {
    // part of the protocol: a lane rests after that many episodes of a phase
    let episodes = table.get("rollout").and_then(|rollout| rollout.get("episodes_per_env")).cloned();
    let own = learners::sections().map(|own| own.name);
    ["iterations", "rollout", "policy", "maml", "ppo"].into_iter().chain(own).for_each(|key| drop(table.remove(key)));
    table.extend(toml::from_str::<Table>(settings).expect("a learner's settings are TOML"));
    table.insert("learner".into(), learner.name.into());
    if let Some(episodes) = episodes {
        let rollout = table.entry("rollout").or_insert_with(|| Value::Table(Table::new()));
        rollout.as_table_mut().expect("it is a section").insert("episodes_per_env".into(), episodes);
    }
}

/// Refuses a demand that a source cannot meet.
fn check_demand(config: &Config, demand: Demand, (horizon, known): (u32, bool)) -> Result<(), OutOfRange> {
    match demand {
        Demand::Tasks { steps, .. } => {
            check("rollout.num_steps", config.rollout.num_steps, steps >= horizon as usize, SHORT)
        }
        Demand::Lives { steps, taught, .. } => {
            check("learner", config.learner.name, taught == 0 || known, UNKNOWN)?;
            check("rollout.num_steps", config.rollout.num_steps, steps >= horizon as usize, SHORT)
        }
        Demand::Examples { .. } => Ok(()),
        Demand::Lanes { lanes, .. } => {
            let whole = lanes <= GROUP || lanes.is_multiple_of(GROUP);
            let legal = format!("at most 32 or a multiple of 32 with learner = \"{}\"", config.learner.name);
            let refused = OutOfRange { key: "rollout.num_envs", value: lanes.to_string(), legal: legal.into() };
            if whole { Ok(()) } else { Err(refused) }
        }
    }
}

/// The error of a configuration without tasks.
const NO_TASK: &str = "config: tasks are missing: write [task] with `env`, or [examples] with `family`";

/// The learners of environments for which there is no privileged controller.
const UNKNOWN: &str = "one that needs no controller of its environment, such as rl2: no controller with full knowledge is known for task.env";

/// The learners of episodes.
const NO_EPISODES: &str =
    "one that learns from episodes, such as maml: this one is for [examples] with classes, such as omniglot";

/// The range of steps: returns are means over whole episodes, so a phase of the meta-learner holds at least one.
const SHORT: &str =
    "0, or at least task.horizon, so that a phase holds a whole episode; for shorter ones set task.horizon";
