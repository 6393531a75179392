//! Specialists: for each held-out task a policy that is trained on it alone, which bounds what one policy for all can reach.

use std::path::{Path, PathBuf};

use metadrift_envs::{Split, Task, channels};

use super::{
    cell::{Evaluated, HeldOutScores, Phase},
    methods::Length,
    plan::{Cell, Plan},
    run::{Policy, Summary, trained_in},
    scores::{self, SPLITS},
};
use crate::{
    config::{Config, ConfigError, Experiment},
    failure::Result,
};

/// The training of one specialist.
pub(super) struct Training {
    split: Split,
    /// Its folder.
    pub dir: PathBuf,
    /// The experiment, whose only task is the held-out one.
    pub config: Experiment,
}

/// Trainings of a cell's specialists, in the order of splits and tasks; none for a cell of another method.
///
/// # Errors
/// If the only task of one cannot be written as a configuration.
pub(super) fn trainings(plan: &Plan, cell: &Cell, out: &Path) -> Result<Vec<Training>, ConfigError> {
    let Some((config, Length::Each)) = &cell.training else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for split in SPLITS {
        for (index, task) in scores::tasks(plan, cell, split).iter().enumerate() {
            let dir = cell.folder(out).join(format!("run-{split}-{index}"));
            all.push(Training { split, dir, config: alone(config, task)? });
        }
    }
    Ok(all)
}

/// The experiment whose only task is `task`.
fn alone(of: &Experiment, task: &Task) -> Result<Experiment, ConfigError> {
    let channels = channels(of.env().spec());
    let differing = channels.iter().zip(&task.values).filter(|(channel, value)| channel.default != **value);
    let mut config = Config::clone(of);
    (config.task.vary, config.task.actuator, config.task.sensor) = Default::default();
    (config.task.correlated, config.task.list, config.task.split, config.task.filter) = Default::default();
    config.task.base = differing.map(|(channel, value)| (channel.name.clone(), *value)).collect();
    Experiment::new(config)
}

/// The reason why a cell can have no specialists, if there is one.
pub(super) fn problem(plan: &Plan, cell: &Cell) -> Option<String> {
    if !matches!(cell.training, Some((_, Length::Each))) {
        return None;
    }
    let drifts = |split| scores::tasks(plan, cell, split).iter().any(|task| !task.drifts.is_empty());
    if plan.file.lives.is_some() {
        return Some("specialists live no lives; leave out the table `lives`, or the method".to_owned());
    }
    SPLITS.into_iter().any(drifts).then(|| "its tasks drift, so that no policy is one for a single task".to_owned())
}

/// Trains the specialists of a cell and evaluates each on its own task.
///
/// # Errors
/// If a training cannot be made, or an output of a policy is not finite.
pub(super) fn evaluated(plan: &Plan, cell: &Cell, out: &Path, actors: usize) -> Result<(Summary, Vec<Evaluated>)> {
    let mut all: Vec<HeldOutScores> = Vec::new();
    let mut summed = ("finished", 0, 0);
    for Training { split, dir, config } in trainings(plan, cell, out)? {
        let Policy { agent, ended, iterations, env_steps } = trained_in(&dir, &cell.name, &config, actors)?;
        summed = (if ended == "finished" { summed.0 } else { ended }, summed.1 + iterations, summed.2 + env_steps);
        // every specialist meets all tasks, so that its own comes with the ticks and states that other methods have
        let found = scores::of_agent_on(plan, cell, &*agent, (split, false), actors)?;
        match all.iter_mut().find(|scores| scores.split == split) {
            None => all.push(HeldOutScores { phases: found.phases.iter().map(first).collect(), ..found }),
            Some(scores) => scores.phases.iter_mut().zip(&found.phases).for_each(|(own, new)| add(own, new)),
        }
    }
    Ok((summed, all.into_iter().map(Evaluated::HeldOut).collect()))
}

/// The returns on the first task.
fn first(phase: &Phase) -> Phase {
    let mut none = Phase { returns: Vec::new(), unadapted: Vec::new(), sampled: Vec::new(), success: None };
    add(&mut none, phase);
    none
}

/// Adds the returns on the next task.
fn add(own: &mut Phase, new: &Phase) {
    let at = own.returns.len();
    own.returns.push(new.returns[at]);
    own.unadapted.push(new.unadapted[at]);
    own.sampled.push(new.sampled[at]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(preset: &str, more: &str) -> String {
        format!(
            "name = \"x\"\nseeds = [5]\npresets = [\"{preset}\"]\nmethods = [\"specialist\"]\n[budget]\nenv_steps = 1\n\
             [evaluation]\ntasks = 4\nepisodes = 2\nseed = 7\n{more}"
        )
    }

    #[test]
    fn the_only_task_of_a_specialist_is_the_held_out_one() {
        for preset in ["cartpole-flip-delay", "cartpole-rwrl-hard", "pendulum-sensor", "cartpole-physics"] {
            let plan = Plan::parse("x", &text(preset, "")).unwrap_or_else(|error| panic!("{error}"));
            let cell = &plan.cells[0];
            let spec = cell.judged.env().spec();
            let held = SPLITS.map(|split| scores::tasks(&plan, cell, split)).concat();
            let all = trainings(&plan, cell, Path::new("out")).unwrap();
            assert_eq!(all.len(), 8);
            for (training, task) in all.iter().zip(&held) {
                for index in 0..3 {
                    let met = training.config.tasks(Split::Train).sample(5, 1, index);
                    assert_eq!(met.digest(spec), task.digest(spec), "{preset}");
                }
            }
        }
    }

    #[test]
    fn lives_and_worlds_that_move_have_no_specialists() {
        let refused = |preset: &str, more: &str| Plan::parse("x", &text(preset, more)).unwrap_err().problems;
        let drifting = refused("cartpole-switch", "");
        assert_eq!(drifting.len(), 1);
        assert!(drifting[0].starts_with("method `specialist` on cartpole-switch: its tasks drift"), "{drifting:?}");
        let living = refused("cartpole-flip", "[lives]\nlives = 1\nepisodes = 2\n");
        assert!(living.len() == 1 && living[0].contains("specialists live no lives"), "{living:?}");
    }

    #[test]
    fn each_specialist_is_scored_on_its_own_task() {
        let phase = |returns: [f64; 3]| Phase {
            returns: returns.to_vec(),
            unadapted: returns.map(|x| x + 10.0).to_vec(),
            sampled: returns.map(|x| x + 20.0).to_vec(),
            success: Some(1.0),
        };
        let mut own = first(&phase([1.0, 2.0, 3.0]));
        add(&mut own, &phase([4.0, 5.0, 6.0]));
        add(&mut own, &phase([7.0, 8.0, 9.0]));
        assert_eq!(own, Phase { success: None, ..phase([1.0, 5.0, 9.0]) });
    }
}
