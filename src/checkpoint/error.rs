//! Errors of checkpoints, each with its remedy.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use crate::failure::{Coded, code};

/// An error of saving or loading a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file system returned an error.
    #[error("checkpoint: cannot {action} {}: {source}. {}", path.display(), hint(source))]
    Io {
        /// The operation, such as `write`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// A value to be saved is NaN or infinite: training diverged.
    #[error(
        "checkpoint: {name}[{index}] is {value}: training diverged, and nothing was saved. The checkpoints before are \
         good; resume from one with a smaller learning rate or tighter clipping"
    )]
    NonFinite {
        /// The tensor.
        name: String,
        /// Index of the first non-finite value.
        index: usize,
        /// The first non-finite value.
        value: f32,
    },
    /// A checkpoint that could not be loaded again: a wrong name, too much data.
    #[error("checkpoint: not saved, because it could not be loaded again: {0}. This is a mistake in the program")]
    Refused(String),
    /// The state has no JSON form.
    #[error("checkpoint: the state cannot be written as JSON: {0}. This is a mistake in the program")]
    State(#[from] serde_json::Error),
    /// The checkpoint is damaged.
    #[error("checkpoint {}: {reason}. It is damaged or not a checkpoint; use another one of the run", path.display())]
    Damaged {
        /// The checkpoint.
        path: PathBuf,
        /// Description of the damage.
        reason: String,
    },
    /// A newer version of the program saved it.
    #[error(
        "checkpoint {}: it was saved by a newer metadrift (format {schema}); use that version, or another checkpoint of \
         the run", path.display()
    )]
    Newer {
        /// The checkpoint.
        path: PathBuf,
        /// Its format.
        schema: u64,
    },
    /// There is no checkpoint of that step.
    #[error("no checkpoint of iteration {step} in {}; there are those of {there:?}", dir.display())]
    NoStep {
        /// The directory searched.
        dir: PathBuf,
        /// The iteration.
        step: u64,
        /// The iterations that have one.
        there: Vec<u64>,
    },
    /// The run never asked which checkpoint is best.
    #[error(
        "no best checkpoint in {}: the run made no evaluation while it trained (evaluation.every). Choose `last` or an \
         iteration", dir.display()
    )]
    NoBest {
        /// The directory searched.
        dir: PathBuf,
    },
    /// No checkpoint in the directory can be used.
    #[error("{}", none_valid(dir, skipped))]
    NoneValid {
        /// The directory searched.
        dir: PathBuf,
        /// The damaged checkpoints, each with its damage.
        skipped: Vec<Skipped>,
    },
}

impl Coded for CheckpointError {
    fn code(&self) -> u8 {
        match self {
            CheckpointError::NonFinite { .. } => code::DIVERGED,
            full if full.is_disk_full() => code::DISK_FULL,
            _ => code::FILE,
        }
    }
}

impl CheckpointError {
    /// Says whether there is no space left, or a quota or a size limit is reached.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_full(source))
    }
}

/// A checkpoint that was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its path.
    pub path: PathBuf,
    /// Description of the damage.
    pub reason: String,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

/// Makes a function for `map_err` that adds the operation and the path.
pub(super) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CheckpointError {
    let path = path.to_owned();
    move |source| CheckpointError::Io { action, path, source }
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

fn hint(error: &io::Error) -> &'static str {
    if is_full(error) {
        "Earlier checkpoints are valid; free some space and resume the run"
    } else {
        "Check that the directory exists and may be written"
    }
}

fn none_valid(dir: &Path, skipped: &[Skipped]) -> String {
    let dir = dir.display();
    if skipped.is_empty() {
        return format!(
            "no checkpoint in {dir}: the run stopped before its first one, or they were removed; start it anew in another folder"
        );
    }
    let reasons: String = skipped.iter().map(|skipped| format!("\n  {skipped}")).collect();
    format!("no usable checkpoint in {dir}; restore one from a copy or start the run again. Found:{reasons}")
}
