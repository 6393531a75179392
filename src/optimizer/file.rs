//! The file of a learned update rule: its blocks as safetensors, and in the metadata how it was trained.

use std::{
    collections::HashMap,
    fs::{self, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use metadrift_agents::update_rule::{BLOCKS, WEIGHTS};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};

use crate::{
    failure::{Coded, Result, code},
    output,
    run_dir::sha256,
};

/// Version of the rule's inputs and equations: weights of another version mean nothing here.
const VERSION: u64 = 1;
/// Name of the metadata.
const KEY: &str = "metadrift_update_rule";
/// Largest size of a file (B).
const MAX_BYTES: u64 = 1 << 20;

/// A learned rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The weights, `[update_rule::WEIGHTS]`.
    pub weights: Vec<f32>,
    /// The training that made them.
    pub trained: Trained,
}

/// The metadata of a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    version: u64,
    /// Digest of the weights.
    sha256: String,
    trained: Trained,
}

/// The training of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trained {
    /// Tasks whose dynamics the trainings had: a preset or a file.
    pub tasks: String,
    /// Settings of the PPO trainings: a preset or a file.
    pub ppo: String,
    /// Iterations of each PPO training.
    pub iterations: u64,
    /// Members of a generation.
    pub population: u32,
    /// Trainings of each member in a generation.
    pub draws: u32,
    /// Generations done.
    pub generations: u64,
    /// Standard deviation of the perturbations of the weights.
    pub sigma: f64,
    /// Adam's learning rate for the weights.
    pub rate: f64,
    /// Seed of the evolution.
    pub seed: u64,
}

/// An error of reading a rule.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// The file system does not deliver the file.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The file is damaged, or of another kind.
    #[error(
        "{}: {reason}. It is damaged or not a rule that `metadrift optimizer train` wrote; use another file",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Description of the damage.
        reason: String,
    },
    /// The rule does not fit.
    #[error("{0}")]
    Wrong(String),
}

impl Coded for RuleError {
    fn code(&self) -> u8 {
        match self {
            RuleError::Unreadable { .. } | RuleError::Damaged { .. } => code::FILE,
            RuleError::Wrong(_) => code::CONFIG,
        }
    }
}

/// Reads a rule.
///
/// # Errors
/// If the file cannot be read, is damaged, or holds a rule of another version.
pub fn read(path: &Path) -> Result<Rule, RuleError> {
    let bytes = read_regular(path).map_err(|source| RuleError::Unreadable { path: path.to_owned(), source })?;
    let damaged = |reason: String| RuleError::Damaged { path: path.to_owned(), reason };
    let metadata = SafeTensors::read_metadata(&bytes).map_err(|error| damaged(error.to_string()))?.1;
    let about = metadata.metadata().as_ref().and_then(|texts| texts.get(KEY));
    let about = about.ok_or_else(|| damaged(format!("its metadata have no `{KEY}`")))?;
    let version =
        serde_json::from_str::<serde_json::Value>(about).ok().and_then(|about| about.get("version")?.as_u64());
    if let Some(version) = version.filter(|version| *version != VERSION) {
        let reason =
            format!("{}: the rule has version {version}, and this metadrift runs version {VERSION}", path.display());
        return Err(RuleError::Wrong(reason));
    }
    let about: About = serde_json::from_str(about).map_err(|error| damaged(format!("`{KEY}`: {error}")))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
    let weights = weights(&file).map_err(damaged)?;
    if sha256(&to_bytes(&weights)) != about.sha256 {
        return Err(damaged("the weights do not match their checksum".into()));
    }
    Ok(Rule { weights, trained: about.trained })
}

/// Writes a rule whole or not at all.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, rule: &Rule) -> Result<()> {
    let all = to_bytes(&rule.weights);
    let mut rest = &all[..];
    let mut views = Vec::new();
    for (name, dims) in BLOCKS {
        let (block, behind) = rest.split_at(4 * dims[0] * dims[1]);
        let view =
            TensorView::new(Dtype::F32, dims.to_vec(), block).expect("a block has as many bytes as its dimensions");
        views.push((name, view));
        rest = behind;
    }
    // one text, since the order of several would differ from file to file
    let about = About { version: VERSION, sha256: sha256(&all), trained: rule.trained.clone() };
    let metadata = HashMap::from([(KEY.to_owned(), serde_json::to_string(&about)?)]);
    let bytes = safetensors::serialize(views, Some(metadata)).expect("ten tensors have a safetensors form");
    output::write(path, &bytes)
}

fn to_bytes(weights: &[f32]) -> Vec<u8> {
    weights.iter().flat_map(|weight| weight.to_le_bytes()).collect()
}

/// The weights in the order of the blocks.
fn weights(file: &SafeTensors<'_>) -> Result<Vec<f32>, String> {
    if file.len() != BLOCKS.len() {
        return Err(format!("it has {} tensors, should have {}", file.len(), BLOCKS.len()));
    }
    let mut weights = Vec::with_capacity(WEIGHTS);
    for (name, dims) in BLOCKS {
        let view = file.tensor(name).map_err(|error| error.to_string())?;
        if view.dtype() != Dtype::F32 || view.shape() != dims {
            return Err(format!("{name} is {:?} {:?}, should be F32 {dims:?}", view.dtype(), view.shape()));
        }
        weights.extend(view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
    }
    match weights.iter().position(|weight| !weight.is_finite()) {
        Some(at) => Err(format!("weight {at} is {}", weights[at])),
        None => Ok(weights),
    }
}

/// The bytes of a regular file of limited size.
fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let refuse = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    if !fs::metadata(path)?.is_file() {
        return refuse("it is not a regular file");
    }
    // if it has become a pipe meanwhile, opening it does not block
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES { refuse("it is longer than a megabyte") } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> Rule {
        let trained = Trained {
            tasks: "cartpole-physics".into(),
            ppo: "cartpole-ppo".into(),
            iterations: 60,
            population: 64,
            draws: 1,
            generations: 3,
            sigma: 0.03,
            rate: 0.01,
            seed: 7,
        };
        Rule { weights: (0..WEIGHTS).map(|i| i as f32 / 7.0).collect(), trained }
    }

    #[test]
    fn a_rule_comes_back_and_damage_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rule.safetensors");
        write(&path, &rule()).unwrap();
        assert_eq!(read(&path).unwrap(), rule());
        let whole = fs::read(&path).unwrap();
        let with = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = whole.clone();
            change(&mut bytes);
            fs::write(&path, bytes).unwrap();
            let error = read(&path).unwrap_err();
            (error.code(), error.to_string())
        };
        let (code, told) = with(&|bytes| *bytes.last_mut().unwrap() ^= 1);
        assert!(code == 4 && told.contains("do not match their checksum"), "{told}");
        assert_eq!(with(&|bytes| bytes.truncate(1000)).0, 4);
        assert_eq!(with(&|bytes| bytes.clear()).0, 4);
        let other = b"{\\\"version\\\":9";
        let (code, told) = with(&|bytes| {
            let at = bytes.windows(other.len()).position(|word| word.starts_with(&other[..other.len() - 1])).unwrap();
            bytes[at..at + other.len()].copy_from_slice(other);
        });
        assert!(code == 3 && told.contains("version 9"), "{told}");
        assert_eq!(read(&folder.path().join("none")).unwrap_err().code(), 4);
    }
}
