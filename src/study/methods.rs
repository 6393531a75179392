//! The methods that a study compares.

use std::collections::BTreeMap;

use metadrift_agents::learners::{self, Kind, recipes};

use super::{file::OwnMethod, plan::PresetPlan};
use crate::{config::nearest, live::Learning, message::quoted};

/// A method of a study.
#[derive(Clone, Debug, PartialEq)]
pub struct Method {
    /// Its name in the tables.
    pub name: String,
    /// One line on what it is.
    pub about: String,
    /// Its making.
    pub made: Made,
}

/// The making of a method.
#[derive(Clone, Debug, PartialEq)]
pub enum Made {
    /// A law that needs no training.
    Law(Law),
    /// A policy.
    Policy(Policy),
}

/// A law that needs no training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// Every action is equally likely.
    Random,
    /// The controller that knows state and parameters.
    Controller,
}

/// A policy that a learner trains.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The learner or recipe.
    pub learner: String,
    /// Its settings.
    pub sets: Vec<String>,
    /// Further settings by the name of an environment or a preset.
    pub on: BTreeMap<String, Vec<String>>,
    /// The tasks of its training.
    pub tasks: Tasks,
    /// The length of its training.
    pub length: Length,
    /// True if it is scored after adaptation; else the policy as it was trained is scored on the same ticks.
    pub adapts: bool,
    /// Its way of learning in lives, but for the guard, which the study decides.
    pub learning: Learning,
}

/// The tasks of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tasks {
    /// Those of the preset.
    Preset,
    /// One: the preset's without anything that varies, drifts or is broken.
    Base,
}

/// The length of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// The study's budget of environment steps.
    Budget,
    /// The learner's own number of iterations, for one that learns nothing.
    Own,
    /// The study's budget for each held-out task, on which a policy of its own is trained.
    Each,
    /// None: the first weights.
    None,
}

/// A row of the table of built-in methods.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// Its name.
    pub name: &'static str,
    /// One line on what it is.
    pub about: &'static str,
    /// Its making: none for plain laws.
    learner: Option<&'static str>,
    law: Law,
    sets: &'static [&'static str],
    tasks: Tasks,
    length: Length,
    adapts: bool,
    anchor: f32,
}

/// A method by plain PPO that does not adapt.
const fn ppo(name: &'static str, about: &'static str) -> BuiltIn {
    BuiltIn {
        name,
        about,
        learner: Some("ppo"),
        law: Law::Random,
        sets: &[],
        tasks: Tasks::Preset,
        length: Length::Budget,
        adapts: false,
        anchor: 0.0,
    }
}

/// The methods that are no learner or recipe: what those are measured against. A study may name learners and recipes, too.
pub const BUILT_IN: &[BuiltIn] = &[
    BuiltIn { learner: None, ..ppo("random", "Every action is equally likely") },
    BuiltIn {
        learner: None,
        law: Law::Controller,
        ..ppo("controller", "The controller that knows state and parameters, as in `tasks audit`: no training")
    },
    BuiltIn { tasks: Tasks::Base, ..ppo("nominal", "Plain PPO trained on the unperturbed task alone, not adapted") },
    ppo("ppo", "Plain PPO trained on all tasks (domain randomisation), not adapted"),
    BuiltIn {
        length: Length::Each,
        ..ppo("specialist", "A policy by plain PPO for each held-out task, trained on it alone, not adapted")
    },
    BuiltIn {
        sets: &["task.notify.level=value"],
        ..ppo("oracle", "Plain PPO that observes the true values of all channels, not adapted")
    },
    BuiltIn {
        sets: &["policy.window=4"],
        ..ppo("windowed", "Plain PPO that sees the last 4 transitions, not adapted")
    },
    BuiltIn {
        adapts: true,
        anchor: 1.0,
        ..ppo("fine-tune", "The policy of `ppo`, adapted by gradient steps; in lives from itself each time")
    },
    BuiltIn {
        adapts: true,
        ..ppo("tracking", "The same, but that in lives it goes on from its last adaptation, as PPO that never ends")
    },
    BuiltIn {
        adapts: true,
        length: Length::None,
        ..ppo("scratch", "The untrained network of `ppo`, adapted by gradient steps")
    },
    BuiltIn {
        learner: Some("adaptive-control"),
        length: Length::Own,
        adapts: true,
        ..ppo("adaptive-control", "A filter that estimates the task, and the controller on its estimates: no training")
    },
];

/// Settings of plain PPO on pendulums, those of the preset pendulum-dr.
const PENDULUM: &[&str] = &[
    "ppo.gamma=0.95",
    "ppo.gae_lambda=0.95",
    "ppo.outer_epochs=8",
    "ppo_learner.minibatch=512",
    "ppo_learner.anneal=true",
];

/// Settings of plain PPO on CartPole, those that MAML has there: without them it takes several times as long.
const CARTPOLE: &[&str] = &["policy.normalize_obs=true"];

impl BuiltIn {
    fn method(&self) -> Method {
        let of_ppo = [("pendulum", PENDULUM), ("cartpole", CARTPOLE)];
        let places = of_ppo.into_iter().filter(|_| self.learner == Some("ppo"));
        let made = match self.learner {
            None => Made::Law(self.law),
            Some(learner) => Made::Policy(Policy {
                learner: learner.to_owned(),
                sets: owned(self.sets),
                on: places.map(|(place, sets)| (place.to_owned(), owned(sets))).collect(),
                tasks: self.tasks,
                length: self.length,
                adapts: self.adapts,
                learning: Learning { anchor: self.anchor, ..Learning::default() },
            }),
        };
        Method { name: self.name.to_owned(), about: self.about.to_owned(), made }
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The method of that name: a built-in one, a learner or a recipe.
///
/// # Errors
/// If there is none; the message names the nearest.
pub fn find(name: &str) -> Result<Method, String> {
    if let Some(row) = BUILT_IN.iter().find(|row| row.name == name) {
        return Ok(row.method());
    }
    let about = recipes::find(name).map(|recipe| recipe.about).or(Kind::from_name(name).map(|kind| kind.about));
    let Some(about) = about else {
        let built_in = BUILT_IN.iter().map(|row| row.name);
        let names =
            built_in.chain(learners::all().map(|entry| entry.name)).chain(recipes::ALL.iter().map(|it| it.name));
        let near = nearest(name, names).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        return Err(format!("unknown method `{name}`{near}"));
    };
    let policy = Policy {
        learner: name.to_owned(),
        sets: Vec::new(),
        on: BTreeMap::new(),
        tasks: Tasks::Preset,
        length: Length::Budget,
        adapts: true,
        learning: Learning::default(),
    };
    Ok(Method { name: name.to_owned(), about: about.to_owned(), made: Made::Policy(policy) })
}

/// Parts of a configuration that the study decides, so that no method's settings may.
const OF_STUDY: &[&str] = &["name", "seed", "learner", "iterations", "max_env_steps", "evaluation", "task", "examples"];
/// Keys below those that a method may set: they change what it sees, not what it does.
pub(crate) const SEEN: &[&str] = &["task.notify.level", "task.observe_actions"];

/// The method that a study describes.
///
/// # Errors
/// The problems, all of them.
pub fn own(asked: &OwnMethod) -> Result<Method, Vec<String>> {
    let mut problems = Vec::new();
    let base = find(&asked.from).map_err(|problem| vec![format!("method `{}`: {problem}", asked.name)])?;
    let Made::Policy(mut policy) = base.made else {
        return Err(vec![format!("method `{}`: `{}` is no learner and has no settings", asked.name, asked.from)]);
    };
    for set in asked.set.iter().chain(asked.on.values().flatten()) {
        let key = key(set);
        let of_study = OF_STUDY.contains(&key.split('.').next().unwrap_or_default()) && !SEEN.contains(&key);
        if of_study {
            problems.push(format!("method `{}`: {key} belongs to the study, or to the preset's tasks", asked.name));
        }
    }
    policy.sets = laid_over(&policy.sets, &asked.set);
    policy.learning = asked.live.over(policy.learning);
    problems.extend(asked.live.problems().into_iter().map(|problem| format!("method `{}`: {problem}", asked.name)));
    for (place, sets) in &asked.on {
        let before = policy.on.entry(place.clone()).or_default();
        *before = laid_over(before, sets);
    }
    let settings = if asked.set.is_empty() { String::new() } else { format!(" with {}", asked.set.join(", ")) };
    let about = format!("{}{settings}", asked.from);
    if problems.is_empty() {
        Ok(Method { name: asked.name.clone(), about, made: Made::Policy(policy) })
    } else {
        Err(problems)
    }
}

impl Policy {
    /// The command that makes its training, if one does: the tasks of `nominal` have no short form.
    pub fn command(&self, on: &PresetPlan, seed: u64) -> Option<String> {
        if self.tasks == Tasks::Base || matches!(self.length, Length::None | Length::Each) {
            return None;
        }
        let limit =
            [format!("max_env_steps={}", on.env_steps), format!("iterations={}", metadrift_envs::rng::MAX_INDEX)];
        let limit = limit.into_iter().filter(|_| self.length == Length::Budget);
        let sets = limit.chain(self.sets_on(&on.experiment.task.env, &on.name));
        let sets: String = sets.map(|set| format!(" --set {}", quoted(set))).collect();
        Some(format!("metadrift train {} --learner {} --seed {seed}{sets}", quoted(&on.source), self.learner))
    }

    /// Its settings on a preset of an environment, the later ones in place of earlier ones of the same key.
    pub fn sets_on(&self, env: &str, preset: &str) -> Vec<String> {
        let none = Vec::new();
        let on = |place: &str| self.on.get(place).unwrap_or(&none).clone();
        laid_over(&laid_over(&self.sets, &on(env)), &on(preset))
    }
}

/// The key of `KEY=VALUE`.
fn key(set: &str) -> &str {
    set.split('=').next().unwrap_or_default().trim()
}

/// The settings `below` without those whose keys are also `above`, and those.
fn laid_over(below: &[String], above: &[String]) -> Vec<String> {
    let kept = below.iter().filter(|set| !above.iter().any(|other| key(other) == key(set)));
    kept.chain(above).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::lives::LifeLearning;

    #[test]
    fn names_are_those_of_methods_learners_and_recipes() {
        for name in ["ppo", "oracle", "maml", "promp", "rl2", "adaptive-control"] {
            assert_eq!(find(name).unwrap().name, name);
        }
        assert_eq!(find("oracel").unwrap_err(), "unknown method `oracel`; did you mean `oracle`?");
        // the built-in `ppo` is the policy as it was trained, `fine-tune` the same one adapted
        let policy = |name| if let Made::Policy(policy) = find(name).unwrap().made { policy } else { panic!() };
        assert_eq!(Policy { adapts: true, ..policy("ppo") }, policy("tracking"));
        assert_eq!((policy("tracking").learning.anchor, policy("fine-tune").learning.anchor), (0.0, 1.0));
    }

    #[test]
    fn settings_are_laid_over_those_of_the_method_that_they_start_from() {
        let on = BTreeMap::from([("pendulum".to_owned(), vec!["ppo.gamma=0.9".to_owned()])]);
        let live = LifeLearning { window: Some(4), ..LifeLearning::default() };
        let asked = OwnMethod { name: "mine".into(), from: "ppo".into(), set: vec!["ppo.outer_lr=1".into()], on, live };
        let Made::Policy(policy) = own(&asked).unwrap().made else { panic!() };
        let sets = policy.sets_on("pendulum", "pendulum-flip");
        assert!(sets.contains(&"ppo.gamma=0.9".to_owned()) && !sets.contains(&"ppo.gamma=0.95".to_owned()), "{sets:?}");
        assert_eq!(policy.sets_on("cartpole", "x"), ["ppo.outer_lr=1", "policy.normalize_obs=true"]);
        assert_eq!(policy.learning, Learning { window: 4, ..Learning::default() });
        let wrong = OwnMethod {
            set: vec!["seed=1".into(), "task.horizon=9".into(), "task.notify.level=value".into()],
            live: LifeLearning { anchor: Some(2.0), window: Some(0), ..live },
            ..asked
        };
        assert_eq!(own(&wrong).unwrap_err().len(), 4);
    }
}
