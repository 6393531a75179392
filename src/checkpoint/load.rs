//! Loading of checkpoints that may be damaged or malicious.

use std::{
    fs::{File, OpenOptions},
    io::Read,
    path::Path,
};

use safetensors::{Dtype, SafeTensors};

use super::{
    Checkpoint, CheckpointError, FileEntry, MANIFEST, MAX_HEADER_BYTES, MAX_MANIFEST_BYTES, MAX_PARAMS_BYTES,
    MAX_STATE_BYTES, Manifest, PARAMS, SCHEMA, STATE, Skipped, TensorEntry, check_names, error::io_error, sha256,
    step_of, steps,
};

/// Loads one checkpoint, or says why it cannot be used. It reads only the three files, none through a symlink, and no
/// more than the manifest says; a checksum covers every byte.
///
/// The checksums find damage, not forgery: anyone who can write to the directory can write a valid checkpoint. A forged
/// one can only hold data: finite numbers and JSON within the limits.
pub fn load(path: &Path) -> Result<Checkpoint, CheckpointError> {
    let damaged = |reason: String| CheckpointError::Damaged { path: path.to_owned(), reason };
    let kind = path.symlink_metadata().map_err(io_error("read", path))?.file_type();
    if !kind.is_dir() {
        return Err(damaged("it is not a directory".into()));
    }
    let text = read_file(path, MANIFEST, MAX_MANIFEST_BYTES).map_err(|trouble| trouble.at(path))?;
    if let Some(schema) = newer_schema(&text) {
        return Err(CheckpointError::Newer { path: path.to_owned(), schema });
    }
    let manifest = parse_manifest(&text).map_err(|reason| damaged(format!("{MANIFEST}: {reason}")))?;
    let named = path.file_name().and_then(|name| step_of(name.to_str()?));
    if named.is_some_and(|step| step != manifest.step) {
        return Err(damaged(format!("it holds step {}, not the one of its name", manifest.step)));
    }
    let [params, state] = manifest.files.as_slice() else {
        return Err(damaged(format!("{MANIFEST} names other files than {PARAMS} and {STATE}")));
    };
    let params = verified_file(path, PARAMS, params, MAX_PARAMS_BYTES).map_err(|trouble| trouble.at(path))?;
    let state = verified_file(path, STATE, state, MAX_STATE_BYTES).map_err(|trouble| trouble.at(path))?;
    let tensors = parse_tensors(&params, &manifest.tensors).map_err(|reason| damaged(format!("{PARAMS}: {reason}")))?;
    let state = serde_json::from_slice(&state).map_err(|error| damaged(format!("{STATE}: {error}")))?;
    Ok(Checkpoint { step: manifest.step, tensors, state })
}

/// The newest valid checkpoint in `dir`, and the newer ones that are damaged, for a warning. Nothing is changed;
/// leftovers of interrupted saves are ignored ([`super::remove_leftovers`] deletes them).
///
/// # Errors
/// If none can be used, or one cannot be read or is of a newer version: an older one in its place would lose what it
/// holds.
pub fn newest(dir: &Path) -> Result<(Checkpoint, Vec<Skipped>), CheckpointError> {
    let mut skipped = Vec::new();
    // a run that trains meanwhile deletes old checkpoints and adds new ones, so that the listing may be out of date
    for _ in 0..LISTINGS {
        skipped.clear();
        let mut vanished = false;
        for (_, path) in steps(dir)?.into_iter().rev() {
            match load(&path) {
                Ok(checkpoint) => return Ok((checkpoint, skipped)),
                Err(_) if !path.exists() => vanished = true,
                Err(CheckpointError::Damaged { path, reason }) => skipped.push(Skipped { path, reason }),
                Err(error) => return Err(error),
            }
        }
        if !vanished {
            break;
        }
    }
    Err(CheckpointError::NoneValid { dir: dir.to_owned(), skipped })
}

/// Largest number of listings of a directory whose entries vanish before they are read.
pub(super) const LISTINGS: usize = 20;

/// The checkpoint of `step` in `dir`.
///
/// # Errors
/// If there is none; the error names those there are.
pub fn at(dir: &Path, step: u64) -> Result<Checkpoint, CheckpointError> {
    let all = steps(dir)?;
    match all.iter().find(|(there, _)| *there == step) {
        Some((_, path)) => load(path),
        None => {
            Err(CheckpointError::NoStep { dir: dir.to_owned(), step, there: all.iter().map(|(n, _)| *n).collect() })
        }
    }
}

/// Reason for which a file of a checkpoint cannot be used.
enum Trouble {
    /// The file is damaged.
    Damage(String),
    /// The file system did not deliver it; the file may be intact.
    Unreadable(&'static str, std::io::Error),
}

impl Trouble {
    fn at(self, checkpoint: &Path) -> CheckpointError {
        match self {
            Trouble::Damage(reason) => CheckpointError::Damaged { path: checkpoint.to_owned(), reason },
            Trouble::Unreadable(name, error) => io_error("read", &checkpoint.join(name))(error),
        }
    }
}

/// Classifies an error at opening or reading `name`: a missing file, a link or a directory is damage.
fn trouble(name: &'static str) -> impl Fn(std::io::Error) -> Trouble {
    move |error| {
        let ours = error.raw_os_error().is_none(); // a link or no regular file, by `open`
        if ours || error.kind() == std::io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ELOOP) {
            return Trouble::Damage(format!("{name}: {error}"));
        }
        Trouble::Unreadable(name, error)
    }
}

/// The schema of a manifest that a newer version wrote, whatever else is in it.
fn newer_schema(text: &[u8]) -> Option<u64> {
    let schema = serde_json::from_slice::<serde_json::Value>(text).ok()?.get("schema")?.as_u64()?;
    (schema > u64::from(SCHEMA)).then_some(schema)
}

/// A regular file of at most `cap` bytes.
fn read_file(dir: &Path, name: &'static str, cap: u64) -> Result<Vec<u8>, Trouble> {
    let (file, size) = open(&dir.join(name)).map_err(trouble(name))?;
    if size > cap {
        return Err(Trouble::Damage(format!("{name}: {size} B are more than {cap} B")));
    }
    let mut bytes = Vec::new();
    file.take(cap).read_to_end(&mut bytes).map_err(trouble(name))?;
    Ok(bytes)
}

fn verified_file(dir: &Path, name: &'static str, entry: &FileEntry, cap: u64) -> Result<Vec<u8>, Trouble> {
    if entry.name != name {
        return Err(Trouble::Damage(format!("{MANIFEST} names {:?} in place of {name}", entry.name)));
    }
    let (_, size) = open(&dir.join(name)).map_err(trouble(name))?;
    if size != entry.size {
        return Err(Trouble::Damage(format!("{name}: {size} B, should be {} B", entry.size)));
    }
    let bytes = read_file(dir, name, cap)?;
    if sha256(&bytes) != entry.sha256 {
        return Err(Trouble::Damage(format!("{name}: the content does not match its checksum")));
    }
    Ok(bytes)
}

/// Opens a regular file, not through a symlink, and without waiting for what is none (a pipe).
fn open(path: &Path) -> std::io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NOFOLLOW | libc::O_NONBLOCK);
    if path.symlink_metadata()?.is_symlink() {
        return Err(std::io::Error::other("it is a symlink"));
    }
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    Ok((file, metadata.len()))
}

/// The manifest, if the text is the very one that was written.
fn parse_manifest(text: &[u8]) -> Result<Manifest, String> {
    let manifest: Manifest = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    if manifest.schema != SCHEMA {
        return Err(format!("schema {} is not {SCHEMA}, the one this version reads", manifest.schema));
    }
    // sealed anew it has the same text only if its checksum was right, and nothing else is in the file
    let manifest = manifest.seal().map_err(|error| error.to_string())?;
    if manifest.to_text().map_err(|error| error.to_string())?.as_bytes() != text {
        return Err("the content does not match its checksum".into());
    }
    check_names(manifest.tensors.iter().map(|tensor| tensor.name.as_str()))?;
    Ok(manifest)
}

/// The tensors in the order of the manifest, each of the length it says.
fn parse_tensors(bytes: &[u8], entries: &[TensorEntry]) -> Result<Vec<(String, Vec<f32>)>, String> {
    let header = bytes.first_chunk::<8>().map_or(u64::MAX, |size| u64::from_le_bytes(*size));
    if header > MAX_HEADER_BYTES {
        return Err(format!("a header of {header} B is more than {MAX_HEADER_BYTES} B"));
    }
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    if file.len() != entries.len() {
        return Err(format!("{} tensors, should be {}", file.len(), entries.len()));
    }
    entries.iter().map(|entry| Ok((entry.name.clone(), parse_tensor(&file, entry)?))).collect()
}

fn parse_tensor(file: &SafeTensors<'_>, TensorEntry { name, len }: &TensorEntry) -> Result<Vec<f32>, String> {
    let view = file.tensor(name).map_err(|error| error.to_string())?;
    if view.dtype() != Dtype::F32 || view.shape() != [*len] {
        return Err(format!("{name} is {:?} {:?}, should be F32 [{len}]", view.dtype(), view.shape()));
    }
    let (values, rest) = view.data().as_chunks::<4>();
    let values: Vec<f32> = values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    if !rest.is_empty() || values.len() != *len {
        return Err(format!("{name} has {} B, should have {}", view.data().len(), 4 * len));
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(format!("{name}[{index}] is {}", values[index])),
        None => Ok(values),
    }
}
