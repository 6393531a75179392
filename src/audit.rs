//! The value of adaptation on the tasks of a preset: scores of a random policy, of the best fixed law,
//! of the best law with a short memory, and of an oracle.

use std::fmt::Write as _;

use metadrift_agents::stop;
use metadrift_envs::{EnvKind, Split, Task};
use serde::{Deserialize, Serialize};

use crate::{
    config::{ConfigError, Experiment},
    control::{
        Random,
        episodes::{obs_dim, returns},
        feedback::{Family, Feedback},
        identified::{IdentificationTicks, identification_ticks},
        observer::{Model, spreads},
        privileged,
        search::{Budget, best_fixed, best_windowed},
        windowed::{Windowed, WindowedFamily},
    },
    life::Life,
    memory,
    presets::{self, AUDITS},
    run_dir::sha256,
    stats::{Difference, compare::is_scale, mean},
};

mod text;

/// Measured scores of a preset, in the shape of their stored JSON form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// Name of the configuration.
    pub preset: String,
    /// Digest of the measured tasks, see [`digest`].
    pub digest: String,
    /// Seed of tasks, initial states and search.
    pub seed: u64,
    /// Number of tasks of each split; scores are means over them.
    pub tasks: usize,
    /// Number of lanes per task.
    pub lanes: usize,
    /// The searched family of laws, in words.
    pub family: String,
    /// Effort of the search.
    pub search: Budget,
    /// The scores: mean returns per episode.
    pub splits: Vec<SplitAudit>,
}

/// Scores on the tasks of one split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitAudit {
    /// The split: `train`, `in-dist` or `ood`.
    pub split: Split,
    /// True if anything drifts: each phase of a life is then measured separately, on its own ticks.
    pub moves: bool,
    /// Time that an observer takes to find out how commands act.
    pub identification_ticks: IdentificationTicks,
    /// The phases of a life, from the one before any adaptation; only the first if nothing drifts, since all are then
    /// alike.
    pub phases: Vec<Scores>,
}

/// Mean returns per episode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Return of the random policy, under which every action is equally likely.
    pub random: f64,
    /// Return of the best fixed law found for this phase, on other tasks of the split.
    pub fixed: f64,
    /// Return of the best law found that looks back on the last transitions, found in the same way.
    pub windowed: f64,
    /// Return of the oracle, which knows state and parameters; absent if there is no such controller.
    pub oracle: Option<f64>,
    /// Difference oracle minus fixed, by task.
    pub gap: Option<Difference>,
    /// Share of the tasks on which the oracle beats the random policy by at least half the mean difference.
    pub solvable: Option<f64>,
}

impl SplitAudit {
    /// The scores of phase `k`; `None` if it was not measured.
    pub fn phase(&self, k: usize) -> Option<&Scores> {
        self.phases.get(if self.moves { k } else { 0 })
    }

    /// The scores of the last phase, on which an adapted policy is judged.
    pub fn last(&self) -> &Scores {
        self.phases.last().expect("every life has a phase")
    }
}

impl Scores {
    /// Normalised score: the position of `score` between the best fixed law (0) and the oracle (1); `None` unless the
    /// gap exceeds three of its standard errors, since it is otherwise too uncertain for a scale.
    pub fn normalised(&self, score: f64) -> Option<f64> {
        let gap = self.gap?;
        is_scale(gap.mean, gap.ci95).then(|| (score - self.fixed) / gap.mean)
    }
}

/// Effort of an audit.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Number of tasks per split.
    pub tasks: usize,
    /// Number of lanes per task.
    pub lanes: usize,
    /// Seed of tasks, initial states and search.
    pub seed: u64,
    /// Effort of the search for the best fixed law.
    pub search: Budget,
    /// Number of threads; scores do not depend on it.
    pub threads: usize,
}

/// Share of the gap from which on a preset counts as solved by the last few transitions.
pub const SHORT_MEMORY: f64 = 0.95;

/// Iteration of the task draws for the search of fixed laws; the reported tasks are those of iteration 0.
const SEARCH_DRAWS: u32 = 1;

/// Measures every split of `config`, and tells `done` of each. Ranks that call it together share the search, and all have
/// the result.
///
/// # Errors
/// If the configuration is inconsistent.
pub fn audit(config: &Experiment, effort: &Effort, done: &dyn Fn(Split)) -> Result<Audit, ConfigError> {
    memory::audit(config, effort.tasks, effort.lanes).check()?;
    let measured = Split::ALL.map(|split| {
        let measured = audit_split(config, config.env(), split, effort);
        done(split);
        measured
    });
    Ok(Audit {
        preset: config.name.clone(),
        digest: digest(config, effort.seed)?,
        seed: effort.seed,
        tasks: effort.tasks,
        lanes: effort.lanes,
        family: Family::of(config.env(), 0).describe().to_owned(),
        search: effort.search,
        splits: measured.into_iter().collect::<Result<_, _>>()?,
    })
}

fn audit_split(config: &Experiment, env: EnvKind, split: Split, effort: &Effort) -> Result<SplitAudit, ConfigError> {
    let distribution = config.tasks(split);
    let draw = |iteration, count: usize| -> Vec<Task> {
        let sample = |index| {
            stop::check();
            distribution.sample(effort.seed, iteration, index as u32)
        };
        (0..count).map(sample).collect()
    };
    let life = Life::of(config, split);
    let (tasks, others) = (draw(0, effort.tasks), draw(SEARCH_DRAWS, effort.search.tasks));
    let moves = tasks.iter().any(|task| !task.drifts.is_empty());
    let (training, trained) = (config.tasks(Split::Train), &Life::training(config));
    let model = Model::new(env, &spreads(training, effort.seed, trained));
    let identification_ticks = identification_ticks(&model, (&tasks, effort.lanes), life, effort.seed);
    let phases = (0..if moves { life.phases } else { 1 }).map(|k| scores(&model, &tasks, &others, (life, k), effort));
    Ok(SplitAudit { split, moves, identification_ticks, phases: phases.collect() })
}

/// The scores on `tasks` in one phase of their life; `others` are the tasks of the search for the fixed law.
fn scores(model: &Model, tasks: &[Task], others: &[Task], phase: (Life, usize), effort: &Effort) -> Scores {
    let env = model.env;
    let Effort { lanes, seed, ref search, threads, .. } = *effort;
    let family = Family::of(env, obs_dim(env, &tasks[0]));
    let law = best_fixed(env, family, others, phase, (search, threads), seed);
    let fixed = returns(env, tasks, lanes, phase, seed, |_, _| Feedback::new(family, &law));
    let windowed_family = WindowedFamily::new(family, env.spec());
    let windowed = best_windowed(model, windowed_family, (&law, others), phase, (search, threads), seed);
    let windowed = returns(env, tasks, lanes, phase, seed, |_, _| Windowed::new(windowed_family, &windowed));
    let space = env.spec().action;
    let random = returns(env, tasks, lanes, phase, seed, |task, _| Random::new(space, seed, task as u32));
    let oracle = privileged::controller(env).map(|known| returns(env, tasks, lanes, phase, seed, |_, _| known.clone()));
    let gap = oracle.as_ref().map(|oracle| Difference::paired(oracle, &fixed, seed));
    let solvable = oracle.as_ref().map(|oracle| {
        let half = 0.5 * (mean(oracle) + mean(&random));
        oracle.iter().filter(|score| **score >= half).count() as f64 / oracle.len() as f64
    });
    let oracle = oracle.as_deref().map(mean);
    Scores { random: mean(&random), fixed: mean(&fixed), windowed: mean(&windowed), oracle, gap, solvable }
}

/// The stored scores of preset `name`.
pub fn stored(name: &str) -> Option<Audit> {
    let (_, text) = AUDITS.iter().find(|(known, _)| *known == name)?;
    Some(serde_json::from_str(text).expect("checked by a test"))
}

/// The stored scores of the held-out tasks that `config` describes: those of the preset of its name, unless its tasks or
/// their lives in an evaluation were changed. The learner and its training do not matter.
pub fn of(config: &Experiment) -> Option<Audit> {
    let preset = presets::load(&config.name, &[]).ok()?;
    let life = |config| {
        let Life { horizon, phase_steps, episodes, .. } = Life::evaluation(config);
        (horizon, phase_steps, episodes)
    };
    (preset.task == config.task && life(&preset) == life(config)).then(|| stored(&config.name))?
}

/// SHA-256 of everything the scores depend on: the `[task]` table, the phases of a life, and the first tasks that
/// `seed` draws of each split.
///
/// # Errors
/// If the configuration is inconsistent.
pub fn digest(config: &Experiment, seed: u64) -> Result<String, ConfigError> {
    let mut text = toml::to_string(&config.task).expect("a configuration always has a TOML form");
    let spec = config.env().spec();
    for split in Split::ALL {
        let Life { horizon, phase_steps, episodes, .. } = Life::of(config, split);
        let _ = write!(text, "\n{split} {horizon} {phase_steps} {episodes:?}");
        let distribution = config.tasks(split);
        for index in 0..DIGESTED {
            let _ = write!(text, " {:016x}", distribution.sample(seed, 0, index).digest(spec));
        }
    }
    Ok(sha256(text.as_bytes()))
}

/// Number of tasks per split in [`digest`].
const DIGESTED: u32 = 16;

impl Audit {
    /// The scores on `split`.
    pub fn split(&self, split: Split) -> Option<&SplitAudit> {
        self.splits.iter().find(|audit| audit.split == split)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Role;

    #[test]
    fn every_preset_has_figures_of_its_tasks_on_every_split() {
        let mut stale = Vec::new();
        for (name, _) in presets::PRESETS {
            let audit = stored(name).unwrap();
            let now = digest(&presets::load(name, &[]).unwrap(), audit.seed).unwrap();
            stale.extend((audit.digest != now).then(|| format!("{name} is {now}")));
            assert_eq!(audit.preset, *name);
            for split in Split::ALL {
                for scores in &audit.split(split).unwrap().phases {
                    assert!(scores.random.is_finite() && scores.fixed.is_finite(), "{name}");
                    let measured = scores.gap.is_some_and(|gap| gap.mean.is_finite());
                    assert!(measured, "{name} has no controller with full knowledge");
                }
            }
        }
        assert!(
            stale.is_empty(),
            "other tasks than those measured (tasks audit NAME --out presets/audit/NAME.json): {stale:?}"
        );
    }

    #[test]
    fn the_documentation_shows_the_stored_figures() {
        let page = include_str!("../docs/tasks.md");
        for (name, _) in presets::PRESETS {
            let cells = stored(name).unwrap().splits.into_iter().map(|split| {
                let Difference { mean, ci95: [low, high] } = split.last().gap.unwrap();
                format!("{mean:.1} [{low:.1}, {high:.1}]")
            });
            let role = serde_json::to_value(presets::load(name, &[]).unwrap().role).unwrap();
            let row = format!("| {name} | {} | {} |", role.as_str().unwrap(), cells.collect::<Vec<_>>().join(" | "));
            assert!(page.contains(&row), "docs/tasks.md is to have {row}");
        }
    }

    #[test]
    fn presets_are_labelled_by_what_was_measured() {
        for (name, _) in presets::PRESETS {
            let audit = stored(name).unwrap();
            if presets::load(name, &[]).unwrap().role == Role::Adaptation {
                // in training the gap must exceed noise, and a fiftieth of the gain over random actions
                let train = audit.split(Split::Train).unwrap().last();
                let gap = train.gap.unwrap();
                let range = train.oracle.unwrap() - train.random;
                assert!(gap.ci95[0] > 0.0 && gap.mean > 0.02 * range, "{name}: a control, {gap:?} of {range}");
            }
        }
    }

    #[test]
    fn figures_are_used_only_for_the_tasks_they_were_measured_on() {
        let changed = |set: &str| presets::load("cartpole-flip", &[set.to_owned()]).unwrap();
        assert!(of(&changed("maml.inner_lr=0.2")).is_some());
        assert!(of(&changed("task.horizon=400")).is_none());
        assert!(of(&changed("evaluation.steps=600")).is_none());
        assert!(of(&changed("evaluation.adapt_steps=3")).is_some());
        assert!(of(&changed("task.observe_actions=1")).is_none());
        assert!(of(&changed("name=\"mine\"")).is_none());
    }

    #[test]
    fn a_score_is_normalised_only_where_there_is_something_between() {
        let with = |mean, ci95| Scores {
            random: 20.0,
            fixed: 250.0,
            windowed: 300.0,
            oracle: Some(250.0 + mean),
            gap: Some(Difference { mean, ci95 }),
            solvable: Some(1.0),
        };
        assert_eq!(with(200.0, [150.0, 250.0]).normalised(350.0), Some(0.5));
        // the interval's half width is 1.96 standard errors: 3 of them are 1.53 of it
        assert_eq!(with(15.0, [5.0, 25.0]).normalised(255.0), None);
        assert_eq!(with(0.0, [0.0, 0.0]).normalised(250.0), None);
    }
}
