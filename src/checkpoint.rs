//! Checkpoints that are complete or absent, whenever the process dies.
//!
//! ```text
//! checkpoints/step-00000120/
//!   params.safetensors    flat f32 vectors
//!   state.json            counters and other state of the trainer
//!   MANIFEST.json         step; name, size, SHA-256 of each file; name and length of each tensor; SHA-256 of itself
//! ```
//!
//! [`save`] writes under a temporary name, the manifest last, syncs every file and the directory, renames, and syncs the
//! parent: after a crash at any point the new checkpoint is complete or invisible. [`prune`] renames before it deletes,
//! so that no half-deleted directory looks like a checkpoint. [`load`] believes nothing it reads.
//!
//! One process writes at a time (the run folder's lock sees to that); any number may read meanwhile.

mod error;
mod load;
mod which;

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use metadrift_agents::state::State;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

pub use error::{CheckpointError, Skipped};
pub use load::{at, load, newest};
pub use which::{Which, choose};

use error::io_error;

use crate::{files, run_dir::sha256};

const SCHEMA: u32 = 1;
const PARAMS: &str = "params.safetensors";
const STATE: &str = "state.json";
const MANIFEST: &str = "MANIFEST.json";

// Limits that hold when saving and when loading.
const MAX_TENSORS: usize = 10_000;
const MAX_NAME: usize = 100;
const MAX_HEADER_BYTES: u64 = 1 << 20;
const MAX_PARAMS_BYTES: u64 = 4 << 30;
const MAX_STATE_BYTES: u64 = 16 << 20;
const MAX_MANIFEST_BYTES: u64 = 4 << 20;

/// The state of a run after `step` iterations.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Iterations done.
    pub step: u64,
    /// Flat vectors by name, such as the meta-parameters and the moments of the optimiser. Names are made of `a-z`,
    /// `0-9`, `_` and `.`; values are finite. They come back bit by bit, in this order.
    pub tensors: Vec<(String, Vec<f32>)>,
    /// The other state: counters, positions. Finite f64 come back bit by bit; JSON has no other ones.
    pub state: serde_json::Value,
}

impl Checkpoint {
    /// `state` after `step` iterations.
    pub fn of(step: u64, state: State) -> Self {
        Checkpoint { step, tensors: state.tensors, state: state.values.into() }
    }

    /// Its content, by name.
    pub fn state(&self) -> State {
        let values = self.state.as_object().cloned().unwrap_or_default();
        State { tensors: self.tensors.clone(), values }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    schema: u32,
    step: u64,
    files: Vec<FileEntry>,
    tensors: Vec<TensorEntry>,
    /// Digest of this manifest with an empty string in this field.
    sha256: String,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEntry {
    name: String,
    size: u64,
    sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TensorEntry {
    name: String,
    len: usize,
}

impl Manifest {
    /// The canonical text of this manifest; a file with another text is damaged.
    fn to_text(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    fn seal(mut self) -> Result<Self, serde_json::Error> {
        self.sha256.clear();
        self.sha256 = sha256(self.to_text()?.as_bytes());
        Ok(self)
    }
}

/// Saves a checkpoint in `dir` (created if missing) as `step-NNNNNNNN` and returns its path.
///
/// An existing checkpoint of that step, as after a resume, stays if it is valid and has the same content. Otherwise the
/// new one replaces it in one atomic exchange (Linux; elsewhere, and on file systems without exchange, in two renames,
/// between which the step is missing). On an error no partial checkpoint is left and those in `dir` are as before.
pub fn save(dir: &Path, checkpoint: &Checkpoint) -> Result<PathBuf, CheckpointError> {
    let (params, state, manifest) = encode(checkpoint)?;
    fs::create_dir_all(dir).map_err(io_error("create the directory", dir))?;
    let path = dir.join(step_name(checkpoint.step));
    if fs::read(path.join(MANIFEST)).is_ok_and(|there| there == manifest.as_bytes()) && load(&path).is_ok() {
        return Ok(path);
    }
    let temporary = dir.join(format!(".tmp-{:08}", checkpoint.step));
    remove(&temporary)?;
    let saved = write_files(&temporary, &params, &state, manifest.as_bytes())
        .and_then(|()| put_in_place(&temporary, &path))
        .and_then(|()| sync_dir(dir));
    // the old checkpoint after an exchange, the new one after a failure
    let cleaned = remove(&temporary);
    saved?;
    cleaned?;
    Ok(path)
}

/// Deletes old checkpoints and returns their paths. The newest `keep` up to `current`, the one just saved, stay, and so
/// does `best`. Later ones date from before a resume: they do not count and are not touched.
pub fn prune(dir: &Path, keep: usize, current: u64, best: Option<u64>) -> Result<Vec<PathBuf>, CheckpointError> {
    let old = steps(dir)?.into_iter().filter(|(step, _)| *step <= current).rev();
    let old = old.skip(keep.max(1)).filter(|(step, _)| best != Some(*step));
    delete(dir, old.map(|(_, path)| path))
}

/// Renames the checkpoints of steps after `step` to `aside-step-NNNNNNNN`, and returns the new paths. A resume from a
/// checkpoint that is not the newest needs this: the metrics after it are dropped, and the next resume must not find
/// the abandoned steps. They are not deleted, for inspection.
pub fn set_aside_after(dir: &Path, step: u64) -> Result<Vec<PathBuf>, CheckpointError> {
    let mut moved = Vec::new();
    for (there, path) in steps(dir)?.into_iter().filter(|(there, _)| *there > step).rev() {
        let name = |attempt: u32| {
            let suffix = if attempt == 0 { String::new() } else { format!("-{attempt}") };
            dir.join(format!("aside-{}{suffix}", step_name(there)))
        };
        let free = (0..).map(name).find(|path| fs::symlink_metadata(path).is_err());
        let aside = free.expect("one of all numbers is free");
        fs::rename(&path, &aside).map_err(io_error("rename", &path))?;
        sync_dir(dir)?;
        moved.push(aside);
    }
    Ok(moved)
}

/// Deletes the leftovers of an interrupted save or prune in `dir` and returns their number. Only the process that holds
/// the run's lock may call it: a reader would delete the files of a save in progress.
pub fn remove_leftovers(dir: &Path) -> Result<usize, CheckpointError> {
    let mut removed = 0;
    for (name, path) in entries(dir)? {
        if name.starts_with(".tmp-") {
            remove(&path)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// The checkpoints in `dir` by step, ascending, none of them verified.
pub fn steps(dir: &Path) -> Result<Vec<(u64, PathBuf)>, CheckpointError> {
    let named = entries(dir)?.into_iter().filter_map(|(name, path)| Some((step_of(&name)?, path)));
    let mut steps: Vec<_> = named.collect();
    steps.sort();
    Ok(steps)
}

/// Name and path of every entry of `dir`; none if there is no such directory.
fn entries(dir: &Path) -> Result<Vec<(String, PathBuf)>, CheckpointError> {
    let listing = match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        listing => listing.map_err(io_error("list", dir))?,
    };
    let mut entries = Vec::new();
    for entry in listing {
        let entry = entry.map_err(io_error("list", dir))?;
        if let Ok(name) = entry.file_name().into_string() {
            entries.push((name, entry.path()));
        }
    }
    Ok(entries)
}

fn step_name(step: u64) -> String {
    format!("step-{step:08}")
}

/// The step in the name of a checkpoint; none if the name is not spelt as [`step_name`] does.
fn step_of(name: &str) -> Option<u64> {
    let step = name.strip_prefix("step-")?.parse().ok()?;
    (step_name(step) == name).then_some(step)
}

/// The bytes of the two files and the text of the manifest. Refuses a checkpoint that [`load`] would refuse.
fn encode(checkpoint: &Checkpoint) -> Result<(Vec<u8>, Vec<u8>, String), CheckpointError> {
    check(checkpoint)?;
    let tensors = &checkpoint.tensors;
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, values)| values.iter().flat_map(|value| value.to_le_bytes()).collect()).collect();
    let mut views = Vec::new();
    for ((name, values), bytes) in tensors.iter().zip(&bytes) {
        let view = TensorView::new(Dtype::F32, vec![values.len()], bytes);
        views.push((name.as_str(), view.map_err(|error| CheckpointError::Refused(error.to_string()))?));
    }
    let params = safetensors::serialize(views, None).map_err(|error| CheckpointError::Refused(error.to_string()))?;
    let header = u64::from_le_bytes(params[..8].try_into().unwrap_or([0xff; 8]));
    let state = serde_json::to_vec_pretty(&checkpoint.state)?;
    if header > MAX_HEADER_BYTES || params.len() as u64 > MAX_PARAMS_BYTES || state.len() as u64 > MAX_STATE_BYTES {
        let what = format!("{} B of tensors ({header} B of names) and {} B of state", params.len(), state.len());
        return Err(CheckpointError::Refused(format!("{what} are more than a checkpoint holds")));
    }
    let manifest = Manifest {
        schema: SCHEMA,
        step: checkpoint.step,
        files: vec![entry(PARAMS, &params), entry(STATE, &state)],
        tensors: tensors.iter().map(|(name, values)| TensorEntry { name: name.clone(), len: values.len() }).collect(),
        sha256: String::new(),
    };
    Ok((params, state, manifest.seal()?.to_text()?))
}

fn check(checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
    let tensors = &checkpoint.tensors;
    check_names(tensors.iter().map(|(name, _)| name.as_str())).map_err(CheckpointError::Refused)?;
    for (name, values) in tensors {
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(CheckpointError::NonFinite { name: name.clone(), index, value: values[index] });
        }
    }
    Ok(())
}

/// Checks the names of the tensors: their number, length and characters, and that each occurs once.
fn check_names<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> Result<(), String> {
    if names.len() > MAX_TENSORS {
        return Err(format!("{} tensors are more than {MAX_TENSORS}", names.len()));
    }
    let mut seen = std::collections::HashSet::new();
    for name in names {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.".contains(&byte);
        if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(allowed) {
            return Err(format!("the tensor name {name:?} is not 1 to {MAX_NAME} of a-z, 0-9, `_` and `.`"));
        }
        if !seen.insert(name) {
            return Err(format!("the tensor name {name:?} occurs twice"));
        }
    }
    Ok(())
}

fn entry(name: &str, bytes: &[u8]) -> FileEntry {
    FileEntry { name: name.to_owned(), size: bytes.len() as u64, sha256: sha256(bytes) }
}

fn write_files(dir: &Path, params: &[u8], state: &[u8], manifest: &[u8]) -> Result<(), CheckpointError> {
    fs::create_dir(dir).map_err(io_error("create the directory", dir))?;
    for (name, bytes) in [(PARAMS, params), (STATE, state), (MANIFEST, manifest)] {
        let path = dir.join(name);
        let mut file =
            OpenOptions::new().write(true).create_new(true).open(&path).map_err(io_error("create", &path))?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io_error("write", &path))?;
    }
    sync_dir(dir)
}

/// Renames `temporary` to `path`; if `path` exists, the two are exchanged.
fn put_in_place(temporary: &Path, path: &Path) -> Result<(), CheckpointError> {
    if fs::symlink_metadata(path).is_err() {
        return fs::rename(temporary, path).map_err(io_error("rename to", path));
    }
    if exchange(temporary, path).is_ok() {
        return Ok(());
    }
    let old = set_aside(path)?;
    fs::rename(temporary, path).map_err(io_error("rename to", path))?;
    remove(&old)
}

#[cfg(target_os = "linux")]
fn exchange(a: &Path, b: &Path) -> std::io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let a = std::ffi::CString::new(a.as_os_str().as_bytes())?;
    let b = std::ffi::CString::new(b.as_os_str().as_bytes())?;
    // SAFETY: both are valid strings that end in a zero byte and live until the call returns.
    let done =
        unsafe { libc::renameat2(libc::AT_FDCWD, a.as_ptr(), libc::AT_FDCWD, b.as_ptr(), libc::RENAME_EXCHANGE) };
    if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

#[cfg(not(target_os = "linux"))]
fn exchange(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// Renames a checkpoint to a name that readers ignore.
fn set_aside(path: &Path) -> Result<PathBuf, CheckpointError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(format!(".tmp-del-{name}"));
    remove(&aside)?;
    fs::rename(path, &aside).map_err(io_error("rename", path))?;
    Ok(aside)
}

fn delete(dir: &Path, paths: impl Iterator<Item = PathBuf>) -> Result<Vec<PathBuf>, CheckpointError> {
    let paths: Vec<PathBuf> = paths.collect();
    for path in &paths {
        let aside = set_aside(path)?;
        sync_dir(dir)?;
        remove(&aside)?;
    }
    Ok(paths)
}

/// Deletes a file, a directory with its contents, or a symlink but not its target. A missing path is no error.
fn remove(path: &Path) -> Result<(), CheckpointError> {
    let removed = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => Err(error),
        Ok(there) if there.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.map_err(io_error("delete", path))
}

fn sync_dir(dir: &Path) -> Result<(), CheckpointError> {
    files::sync_folder(dir).map_err(io_error("sync", dir))
}
