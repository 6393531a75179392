//! The files of a run folder. No link in it is followed, for the folder may come from an untrusted place.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    path::Path,
};

use sha2::{Digest, Sha256};

use super::error::{RunDirError, io_error};
use crate::files;

/// Device and inode of a folder: they stay when it is renamed, and differ from those of any other.
pub(super) fn identity(dir: &Path) -> io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let found = fs::metadata(dir)?;
    Ok((found.dev(), found.ino()))
}

/// Refuses a run folder in which a link, or anything else, stands in the place of a file or folder of the run: writes
/// and deletions would go elsewhere.
///
/// # Errors
/// If there is one; the error names the first.
pub fn refuse_links(dir: &Path) -> Result<(), RunDirError> {
    let kind = |name: &str| fs::symlink_metadata(dir.join(name)).ok().map(|there| there.file_type());
    for name in ["checkpoints", "tb", "eval"] {
        if kind(name).is_some_and(|kind| !kind.is_dir()) {
            return Err(RunDirError::NotAFolder { path: dir.join(name) });
        }
    }
    for name in FILES {
        if kind(name).is_some_and(|kind| !kind.is_file()) {
            return Err(RunDirError::NotAFile { path: dir.join(name) });
        }
    }
    Ok(())
}

/// The files of a run, without its folders.
const FILES: [&str; 7] = [
    "config.toml",
    "manifest.json",
    "metrics.csv",
    "metrics.jsonl",
    "timing.csv",
    "evaluations.csv",
    "adaptations.jsonl",
];

/// Says whether a file written at `path` would replace one that a run needs.
pub fn owns(path: &Path) -> bool {
    let file = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let (Some(folder), Some(name)) = (file.parent(), file.file_name().and_then(|name| name.to_str())) else {
        return false;
    };
    let is_run = |dir: &Path| dir.join("config.toml").is_file() && dir.join("checkpoints").is_dir();
    let inside = ["checkpoints", "tb"]
        .iter()
        .any(|inner| folder.ancestors().take(3).any(|dir| dir.ends_with(inner) && dir.parent().is_some_and(is_run)));
    inside || (FILES.contains(&name) && is_run(folder))
}

/// Opens a regular file of a run folder to read and write, created if it is missing, never through a link.
pub(super) fn open_own(path: &Path) -> Result<File, RunDirError> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let link = fs::symlink_metadata(path).is_ok_and(|there| !there.is_file());
    if link {
        return Err(RunDirError::NotAFile { path: path.to_owned() });
    }
    options.open(path).map_err(io_error("open", path))
}

/// Reads a regular file of a run folder of at most `cap` bytes, never through a link.
pub fn read_own(path: &Path, cap: u64) -> Result<Vec<u8>, RunDirError> {
    use std::os::unix::fs::OpenOptionsExt;
    let there = fs::symlink_metadata(path).map_err(io_error("read", path))?;
    if !there.is_file() {
        return Err(RunDirError::NotAFile { path: path.to_owned() });
    }
    if there.len() > cap {
        let size = io::Error::other(format!("{} B are more than {cap} B", there.len()));
        return Err(io_error("read", path)(size));
    }
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path);
    let mut bytes = Vec::new();
    file.and_then(|file| file.take(cap).read_to_end(&mut bytes)).map_err(io_error("read", path))?;
    Ok(bytes)
}

/// SHA-256 of `bytes`, in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a file of a run folder whole or not at all. A link in its place is replaced, too.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), RunDirError> {
    files::replace(path, bytes).map_err(io_error("write", path))
}
