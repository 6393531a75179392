//! The result of a cell, and its file.

use std::{collections::BTreeMap, fs, path::Path};

use metadrift_envs::Split;
use serde::{Deserialize, Serialize};

use super::{
    lives::{LifeScores, LivesConfig, learning_settings},
    methods::{Length, Made},
    plan::{Cell, Plan},
};
use crate::{
    evaluate::Evaluation,
    failure::{During, Result},
    files,
    run_dir::{read_own, sha256},
};

/// Name of a cell's result in its folder.
pub const FILE: &str = "result.json";
/// Largest result that is read (B).
const MAX_BYTES: u64 = 1 << 30;
/// Version of the form of a result.
const SCHEMA: u32 = 1;
/// Tasks of training in the digest.
const DIGESTED: u32 = 16;

/// The result of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellResult {
    /// Version of this form.
    pub schema: u32,
    /// Every setting that the result depends on, by its key.
    pub settings: BTreeMap<String, String>,
    /// SHA-256 of the tasks of each split: of the evaluated ones, and of the first ones of training.
    pub tasks: BTreeMap<String, String>,
    /// The end of the training: `finished`, `diverged`, `collapsed`, or `none` without one.
    pub ended: String,
    /// Iterations of training of the evaluated policy.
    pub iterations: u64,
    /// Environment steps of the training.
    pub env_steps: u64,
    /// The evaluations.
    pub evaluations: Vec<Evaluated>,
}

/// An evaluation of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Evaluated {
    /// Held-out tasks of a split, after 0, 1, … K adaptation steps.
    HeldOut(HeldOutScores),
    /// Lives in a world that moves.
    Lives(LifeScores),
}

/// Returns on held-out tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldOutScores {
    /// The split.
    pub split: Split,
    /// Digest of each task, `[tasks]`.
    pub fingerprints: Vec<String>,
    /// The phases of a life, between which a policy may adapt.
    #[serde(rename = "curve")]
    pub phases: Vec<Phase>,
}

/// Mean returns per episode in a phase of a life, `[tasks]` each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// The most likely actions of the policy after adaptation, or of one that does not adapt.
    pub returns: Vec<f64>,
    /// The most likely actions of the policy before any adaptation, on the same ticks from the same initial states.
    pub unadapted: Vec<f64>,
    /// Sampled actions of the policy of `returns`.
    pub sampled: Vec<f64>,
    /// The share of all first episodes that succeed with the policy of `returns`, where the environment says what that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<f64>,
}

impl HeldOutScores {
    /// The scores of an evaluation on tasks of these digests; those of the unadapted policy unless the method `adapts`.
    pub fn of(found: &Evaluation, split: Split, fingerprints: Vec<String>, adapts: bool) -> Self {
        let phase = |point: &crate::evaluate::Point| {
            let (likely, sampled) = (&point.deterministic, &point.stochastic);
            let chosen =
                |score: &crate::evaluate::Score| if adapts { &score.returns } else { &score.unadapted }.clone();
            // an evaluation counts the successes of the adapted policy, which is the same at first
            let success = point.success.filter(|_| adapts || point.at.number() == 0);
            Phase { returns: chosen(likely), unadapted: likely.unadapted.clone(), sampled: chosen(sampled), success }
        };
        HeldOutScores { split, fingerprints, phases: found.curve.iter().map(phase).collect() }
    }
}

/// A result with the digest of its text.
#[derive(Serialize, Deserialize)]
struct Sealed {
    digest: String,
    cell: CellResult,
}

/// The state of a cell on the disk.
#[derive(Clone, Debug, PartialEq)]
pub enum Stored {
    /// There is no result.
    Missing,
    /// The result.
    Finished(Box<CellResult>),
    /// There is one that cannot be used, for this reason.
    Damaged(String),
    /// There is one of another study, another version of the preset or another program.
    Foreign(String),
}

impl Plan {
    /// Every setting that the result of a cell depends on, by its key.
    pub fn settings(&self, cell: &Cell) -> BTreeMap<String, String> {
        let silent = |key: &str| {
            ["description", "role", "name"].contains(&key)
                || ["log.", "checkpoint.every", "checkpoint.keep"].iter().any(|start| key.starts_with(start))
        };
        let is_law = cell.training.is_none();
        let of_law = |key: &str| ["task.", "evaluation."].iter().any(|start| key.starts_with(start));
        let flat = |config: &crate::config::Config, before: &str| -> BTreeMap<String, String> {
            let kept = config.flat().into_iter().filter(|(key, _)| !silent(key) && (!is_law || of_law(key)));
            kept.map(|(key, value)| (format!("{before}{key}"), value.to_string())).collect()
        };
        let mut all = flat(&cell.judged, "");
        if let Some((training, length)) = &cell.training {
            if training.task != cell.judged.task {
                let trained =
                    flat(training, "trained.").into_iter().filter(|(key, _)| key.starts_with("trained.task."));
                all.extend(trained);
            }
            all.insert("study.length".into(), format!("{length:?}"));
        }
        let (adapts, law) = match &self.methods[cell.place.0].made {
            Made::Law(law) => (true, format!("{law:?}")),
            Made::Policy(policy) => (policy.adapts, "none".to_owned()),
        };
        all.insert("study.law".into(), law);
        all.extend(self.file.lives.into_iter().flat_map(LivesConfig::settings));
        if let (Made::Policy(policy), Some(_)) = (&self.methods[cell.place.0].made, self.file.lives) {
            all.extend(learning_settings(&policy.learning));
        }
        all.insert("study.adapts".into(), adapts.to_string());
        all.insert("study.evaluation_seed".into(), self.file.evaluation.seed.to_string());
        all
    }

    /// Digests of the tasks of a cell.
    pub fn task_digests(&self, cell: &Cell) -> BTreeMap<String, String> {
        let digests = Split::ALL.map(|split| {
            let (count, seed) = match split {
                Split::Train => (DIGESTED, cell.seed),
                _ => (self.file.evaluation.tasks as u32, self.file.evaluation.seed),
            };
            let spec = cell.judged.env().spec();
            let digest = |index| cell.judged.tasks(split).sample(seed, 0, index).digest(spec).to_le_bytes();
            (split.to_string(), sha256(&(0..count).flat_map(digest).collect::<Vec<u8>>()))
        });
        digests.into_iter().collect()
    }

    /// The stored result of a cell in the folder of the study.
    pub fn stored(&self, cell: &Cell, out: &Path) -> Stored {
        let path = cell.folder(out).join(FILE);
        if fs::symlink_metadata(&path).is_err() {
            return Stored::Missing;
        }
        let read = read_own(&path, MAX_BYTES).map_err(|error| error.to_string());
        let sealed = read.and_then(|bytes| serde_json::from_slice::<Sealed>(&bytes).map_err(|error| error.to_string()));
        let Sealed { digest, cell: found } = match sealed {
            Ok(sealed) => sealed,
            Err(reason) => return Stored::Damaged(reason),
        };
        if digest != digest_of(&found) {
            return Stored::Damaged("its digest is not that of its content".into());
        }
        match self.foreign(cell, &found) {
            Some(reason) => Stored::Foreign(reason),
            None => Stored::Finished(Box::new(found)),
        }
    }

    /// The reason why a result is not one of this study, if it is not.
    fn foreign(&self, cell: &Cell, found: &CellResult) -> Option<String> {
        let preset = &self.presets[cell.place.1].name;
        if found.schema != SCHEMA {
            return Some("it has the form of another version of the program".into());
        }
        let settings = self.settings(cell);
        let keys = settings.keys().chain(found.settings.keys());
        let mut differing: Vec<&String> = keys.filter(|key| settings.get(*key) != found.settings.get(*key)).collect();
        differing.sort();
        differing.dedup();
        let named: Vec<&str> = differing.iter().take(3).map(|key| key.as_str()).collect();
        let more = if differing.len() > 3 { format!(" and {} more", differing.len() - 3) } else { String::new() };
        let named = named.join(", ") + &more;
        if differing.iter().any(|key| key.starts_with("task.") || key.starts_with("trained.task.")) {
            return Some(format!("it was made with another version of the preset {preset}: {named}"));
        }
        if !differing.is_empty() {
            return Some(format!("it was made with other settings: {named}"));
        }
        let same = found.tasks == self.task_digests(cell);
        (!same).then(|| format!("it was made with another version of the preset {preset}: its tasks differ"))
    }
}

impl CellResult {
    /// Writes the result into its cell's folder, whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn store(self, cell: &Cell, out: &Path) -> Result<()> {
        let sealed = Sealed { digest: digest_of(&self), cell: self };
        let path = cell.folder(out).join(FILE);
        let text = serde_json::to_string(&sealed)? + "\n";
        files::replace(&path, text.as_bytes()).during(|| format!("cannot write {}", path.display()))
    }

    /// A result of this version's form.
    pub fn new(
        (settings, tasks): (BTreeMap<String, String>, BTreeMap<String, String>),
        (ended, iterations, env_steps): (&str, u64, u64),
        evaluations: Vec<Evaluated>,
    ) -> Self {
        CellResult { schema: SCHEMA, settings, tasks, ended: ended.to_owned(), iterations, env_steps, evaluations }
    }

    /// The scores on a split.
    pub fn held_out(&self, split: Split) -> Option<&HeldOutScores> {
        self.evaluations.iter().find_map(|evaluated| match evaluated {
            Evaluated::HeldOut(scores) if scores.split == split => Some(scores),
            Evaluated::HeldOut(_) | Evaluated::Lives(_) => None,
        })
    }
}

fn digest_of(result: &CellResult) -> String {
    sha256(serde_json::to_string(result).expect("a result has a JSON form").as_bytes())
}

/// True if the training of a cell leaves one run.
pub(super) fn leaves_a_run(cell: &Cell) -> bool {
    cell.training.as_ref().is_some_and(|(_, length)| !matches!(length, Length::None | Length::Each))
}
