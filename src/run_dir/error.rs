//! Errors of run folders, each with its remedy.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    failure::{Coded, code},
    message::quoted,
};

/// An error of making or opening a run folder.
#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    /// The folder is not empty.
    #[error(
        "run folder {} is not empty. To resume the run in it: `metadrift resume {}`. To start a new one: choose \
         another --run-dir or --name", dir.display(), quoted(dir)
    )]
    NotEmpty {
        /// The folder.
        dir: PathBuf,
    },
    /// Another process has the run open.
    #[error(
        "run folder {}: another process{holder} is training in it. Wait until it ends, or stop it, or choose another \
         --run-dir", dir.display()
    )]
    Locked {
        /// The folder.
        dir: PathBuf,
        /// ` (process 123)` if known.
        holder: String,
    },
    /// There is no run in the folder.
    #[error("{} is not a run folder: it has no {missing}. Runs are in runs/<preset>/<name>", dir.display())]
    NotARun {
        /// The folder.
        dir: PathBuf,
        /// The file that is missing.
        missing: &'static str,
    },
    /// The name of the preset or the run cannot name a folder.
    #[error(
        "runs/{preset}/{name} cannot be the folder of a run: use at most 200 letters, digits and `-_.=,+`, none of `-.` first, \
         and neither `latest` nor, for the preset, `tb`; or give --run-dir"
    )]
    BadName {
        /// Name of the preset.
        preset: String,
        /// Name of the run.
        name: String,
    },
    /// There are event files of an earlier run of that name.
    #[error("{} holds the curves of an earlier run of this name; delete them or choose another --name", dir.display())]
    OldEvents {
        /// Their folder.
        dir: PathBuf,
    },
    /// The folder was moved or replaced while the run trained in it.
    #[error(
        "run folder {} is no longer the one that the run began in: it was moved, deleted or replaced. Nothing was \
         written there; resume the run where its folder is now", dir.display()
    )]
    Moved {
        /// Its former path.
        dir: PathBuf,
    },
    /// A link or a folder stands where a file of the run should be.
    #[error("{} is not a regular file; a run folder has no links in it. Remove it", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// A link or a file stands where a folder of the run should be.
    #[error("{} is not a folder; a run folder has no links in it. Put the folder itself in its place", path.display())]
    NotAFolder {
        /// The place.
        path: PathBuf,
    },
    /// A newer version wrote the manifest.
    #[error("{}: it was written by a newer metadrift (format {schema}); use that version for this run", path.display())]
    NewerManifest {
        /// The file.
        path: PathBuf,
        /// Its format.
        schema: u64,
    },
    /// The manifest cannot be read.
    #[error(
        "{}: {reason}. The run's manifest is damaged; restore it from a copy, or delete it: the run continues without",
        path.display()
    )]
    BadManifest {
        /// The file.
        path: PathBuf,
        /// Description of the damage.
        reason: String,
    },
    /// The file system returned an error.
    #[error("run folder: cannot {action} {}: {source}{}", path.display(), advice(source))]
    Io {
        /// The operation, such as `create`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
}

impl Coded for RunDirError {
    fn code(&self) -> u8 {
        match self {
            full if full.is_disk_full() => code::DISK_FULL,
            RunDirError::NotEmpty { .. } | RunDirError::BadName { .. } | RunDirError::OldEvents { .. } => code::USAGE,
            _ => code::FILE,
        }
    }
}

impl RunDirError {
    /// Says whether there is no space left, or a quota is reached.
    pub fn is_disk_full(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        matches!(self, Self::Io { source, .. }
            if matches!(source.kind(), StorageFull | QuotaExceeded | FileTooLarge))
    }
}

/// The usual cause of an error, unless the system names it.
fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::NotFound => "",
        _ => ". Check permissions and free disk space",
    }
}

pub(super) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RunDirError {
    let path = path.to_owned();
    move |source| RunDirError::Io { action, path, source }
}
