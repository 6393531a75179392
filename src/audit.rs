//! What adaptation is worth on the tasks of a preset: a random policy, the best fixed one, and full knowledge.

use std::fmt::Write as _;

use metadrift_envs::{EnvKind, Split, Task};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    config::{Config, ConfigError},
    control::{
        Random,
        episodes::{Life, obs_dim, returns},
        feedback::{Family, Feedback},
        privileged,
        search::{Budget, best_fixed},
    },
    presets::AUDITS,
    stats::{Summary, mean},
};

/// Measured scores of a preset, in the shape of the JSON form that is stored with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// Name of the configuration.
    pub preset: String,
    /// Of the tasks that were measured: see [`digest`].
    pub digest: String,
    /// Seed of tasks, initial states and search.
    pub seed: u64,
    /// Tasks of each split that the scores are means over.
    pub tasks: usize,
    /// Lanes on each.
    pub lanes: usize,
    /// The laws that were searched, in words.
    pub family: String,
    /// How they were searched.
    pub search: Budget,
    /// The scores: mean returns per episode.
    pub splits: Vec<SplitAudit>,
}

/// Mean returns per episode on the tasks of one split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitAudit {
    /// `train`, `in-dist` or `ood`.
    pub split: Split,
    /// Every action equally likely.
    pub random: f64,
    /// The best fixed law that was found on other tasks of the split.
    pub fixed: f64,
    /// Full knowledge of state and parameters; absent where there is no such controller.
    pub oracle: Option<f64>,
    /// Oracle minus fixed, by task.
    pub gap: Option<Gap>,
    /// Share of the tasks on which full knowledge beats a random policy by half or more of the mean difference.
    pub solvable: Option<f64>,
}

/// What knowing the task is worth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// Mean over tasks.
    pub mean: f64,
    /// 95 % percentile bootstrap interval, resampling tasks.
    pub ci95: [f64; 2],
}

impl SplitAudit {
    /// Where `score` lies between the best fixed law (0) and full knowledge (1); `None` unless the gap exceeds three
    /// of its standard errors, for then there is nothing to measure by.
    pub fn normalised(&self, score: f64) -> Option<f64> {
        let gap = self.gap?;
        // a 95 % interval is 2 * 1.96 standard errors wide
        let standard_error = (gap.ci95[1] - gap.ci95[0]) / 3.92;
        (gap.mean > 3.0 * standard_error).then(|| (score - self.fixed) / gap.mean)
    }
}

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Tasks of each split.
    pub tasks: usize,
    /// Lanes on each.
    pub lanes: usize,
    /// Seed of everything.
    pub seed: u64,
    /// For the best fixed law.
    pub search: Budget,
}

/// Iteration of the task draws that fixed laws are searched on; the reported tasks are those of iteration 0.
const SEARCH_DRAWS: u32 = 1;

/// Measures every split of `config`, each on a thread of its own.
///
/// # Errors
/// If the configuration does not hold together.
pub fn audit(config: &Config, effort: &Effort) -> Result<Audit, ConfigError> {
    let env = config.env()?;
    let measured: Vec<Result<SplitAudit, ConfigError>> = std::thread::scope(|scope| {
        let threads = Split::ALL.map(|split| scope.spawn(move || audit_split(config, env, split, effort)));
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload))
        };
        threads.into_iter().map(join).collect()
    });
    Ok(Audit {
        preset: config.name.clone(),
        digest: digest(config, effort.seed)?,
        seed: effort.seed,
        tasks: effort.tasks,
        lanes: effort.lanes,
        family: Family::of(env, 0).describe().to_owned(),
        search: effort.search,
        splits: measured.into_iter().collect::<Result<_, _>>()?,
    })
}

fn audit_split(config: &Config, env: EnvKind, split: Split, effort: &Effort) -> Result<SplitAudit, ConfigError> {
    let Effort { tasks, lanes, seed, ref search } = *effort;
    let distribution = config.tasks(split)?;
    let draw = |iteration, count: usize| -> Vec<Task> {
        (0..count).map(|index| distribution.sample(seed, iteration, index as u32)).collect()
    };
    let life = Life::of(config)?;
    let tasks = draw(0, tasks);
    let family = Family::of(env, obs_dim(env, &tasks[0]));
    let law = best_fixed(env, family, &draw(SEARCH_DRAWS, search.tasks), life, search, seed);
    let fixed = returns(env, &tasks, lanes, life, seed, |_, _| Feedback::new(family, &law));
    let space = env.spec().action;
    let random = returns(env, &tasks, lanes, life, seed, |task, _| Random::new(space, seed, task as u32));
    let oracle = privileged::controller(env).map(|known| returns(env, &tasks, lanes, life, seed, |_, _| known.clone()));
    let gap = oracle.as_ref().map(|oracle| {
        let gaps: Vec<f64> = oracle.iter().zip(&fixed).map(|(oracle, fixed)| oracle - fixed).collect();
        let summary = Summary::of(&gaps, seed);
        Gap { mean: summary.mean, ci95: summary.ci95 }
    });
    let solvable = oracle.as_ref().map(|oracle| {
        let half = 0.5 * (mean(oracle) + mean(&random));
        oracle.iter().filter(|score| **score >= half).count() as f64 / oracle.len() as f64
    });
    let oracle = oracle.as_deref().map(mean);
    Ok(SplitAudit { split, random: mean(&random), fixed: mean(&fixed), oracle, gap, solvable })
}

/// The scores that were measured of preset `name`.
pub fn stored(name: &str) -> Option<Audit> {
    let (_, text) = AUDITS.iter().find(|(known, _)| *known == name)?;
    Some(serde_json::from_str(text).expect("checked by a test"))
}

/// The scores that were measured of the very tasks that `config` describes: those of the preset of its name, unless
/// they were changed.
pub fn of(config: &Config) -> Option<Audit> {
    let audit = stored(&config.name)?;
    (digest(config, audit.seed).ok()? == audit.digest).then_some(audit)
}

/// SHA-256 of what the scores depend on: the `[task]` table, how long a lane lives, and the first tasks that `seed`
/// draws of each split.
///
/// # Errors
/// If the configuration does not hold together.
pub fn digest(config: &Config, seed: u64) -> Result<String, ConfigError> {
    let Life { horizon, ticks, episodes, .. } = Life::of(config)?;
    let task = toml::to_string(&config.task).expect("a configuration always has a TOML form");
    let mut text = format!("{task}\n{horizon} {ticks} {episodes:?}");
    let spec = config.env()?.spec();
    for split in Split::ALL {
        let distribution = config.tasks(split)?;
        for index in 0..DIGESTED {
            let _ = write!(text, " {:016x}", distribution.sample(seed, 0, index).digest(spec));
        }
    }
    Ok(Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Tasks of each split that [`digest`] looks at.
const DIGESTED: u32 = 16;

impl Audit {
    /// The figures of a split.
    pub fn split(&self, split: Split) -> Option<&SplitAudit> {
        self.splits.iter().find(|audit| audit.split == split)
    }

    /// A table for people.
    pub fn to_text(&self) -> String {
        let Budget { population, rounds, tasks, lanes, .. } = self.search;
        let mut text = format!(
            "{}: mean return per episode over {} tasks, {} lanes each, seed {}\n",
            self.preset, self.tasks, self.lanes, self.seed
        );
        let _ = writeln!(
            text,
            "best fixed: {}; {population} laws x {rounds} rounds from each start, each on {tasks} other tasks, {lanes} \
             lanes\n",
            self.family
        );
        let _ = writeln!(
            text,
            "{:<8} {:>10} {:>10} {:>10} {:>10} {:>20}",
            "split", "random", "fixed", "oracle", "gap", "95 % interval"
        );
        for SplitAudit { split, random, fixed, oracle, gap, .. } in &self.splits {
            let _ = write!(text, "{split:<8} {random:>10.1} {fixed:>10.1}");
            let _ = match (oracle, gap) {
                (Some(oracle), Some(Gap { mean, ci95: [low, high] })) => {
                    writeln!(text, " {oracle:>10.1} {mean:>10.1} {:>20}", format!("[{low:.1}, {high:.1}]"))
                }
                _ => writeln!(text, " {:>10} {:>10} {:>20}", "none", "-", "-"),
            };
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Role, presets};

    #[test]
    fn every_preset_has_figures_of_its_tasks_on_every_split() {
        let mut stale = Vec::new();
        for (name, _) in presets::PRESETS {
            let audit = stored(name).unwrap();
            let now = digest(&presets::load(name, &[]).unwrap(), audit.seed).unwrap();
            stale.extend((audit.digest != now).then(|| format!("{name} is {now}")));
            assert_eq!(audit.preset, *name);
            for split in Split::ALL {
                let split = audit.split(split).unwrap();
                assert!(split.random.is_finite() && split.fixed.is_finite(), "{name}");
                assert!(
                    split.gap.is_some_and(|gap| gap.mean.is_finite()),
                    "{name} has no controller with full knowledge"
                );
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
                let Gap { mean, ci95: [low, high] } = split.gap.unwrap();
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
                // in training: more than nothing, and more than a fiftieth of what there is to gain over random actions
                let train = audit.split(Split::Train).unwrap();
                let (gap, range) = (train.gap.unwrap(), train.oracle.unwrap() - train.random);
                assert!(gap.ci95[0] > 0.0 && gap.mean > 0.02 * range, "{name}: a control, {gap:?} of {range}");
            }
        }
    }

    #[test]
    fn figures_are_used_only_for_the_tasks_they_were_measured_on() {
        let changed = |set: &str| presets::load("cartpole-flip", &[set.to_owned()]).unwrap();
        assert!(of(&changed("maml.inner_lr=0.2")).is_some());
        assert!(of(&changed("task.horizon=400")).is_none());
        assert!(of(&changed("rollout.num_steps=400")).is_none());
        assert!(of(&changed("task.observe_actions=1")).is_none());
        assert!(of(&changed("name=\"mine\"")).is_none());
    }

    #[test]
    fn a_score_is_normalised_only_where_there_is_something_between() {
        let with = |mean, ci95| SplitAudit {
            split: Split::Ood,
            random: 20.0,
            fixed: 250.0,
            oracle: Some(250.0 + mean),
            gap: Some(Gap { mean, ci95 }),
            solvable: Some(1.0),
        };
        assert_eq!(with(200.0, [150.0, 250.0]).normalised(350.0), Some(0.5));
        // half a width of 1.96 standard errors: 3 of them are 1.53 of it
        assert_eq!(with(15.0, [5.0, 25.0]).normalised(255.0), None);
        assert_eq!(with(0.0, [0.0, 0.0]).normalised(250.0), None);
    }
}
