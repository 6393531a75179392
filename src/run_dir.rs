//! The folder of a run: its name, its files, its manifest, and the lock that keeps a second process out.
//!
//! ```text
//! runs/<preset>/latest -> 2026-11-23_1412-s7-inner_lr=0.3-3fa9
//! runs/<preset>/2026-11-23_1412-s7-inner_lr=0.3-3fa9/     started (UTC), seed, settings, four digits of chance
//!   config.toml  manifest.json  metrics.csv  metrics.jsonl  timing.csv  checkpoints/  eval/
//! runs/tb/<preset>/2026-11-23_1412-s7-inner_lr=0.3-3fa9/  event files for TensorBoard
//! ```
//!
//! A run whose folder the user chose has its event files in its own folder, as `tb/`.

mod error;
mod manifest;
mod own;
mod place;
mod provenance;

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

pub use error::RunDirError;
pub(crate) use manifest::rfc3339;
pub use manifest::{Manifest, RunState};
pub(crate) use own::sha256;
pub use own::{owns, read_own, refuse_links, write_atomic};
pub use place::Place;
pub use provenance::{Build, Machine, command_line, set_command_line, task_digests};
pub(crate) use provenance::{DIGESTED, host};

use error::io_error;
use own::{identity, open_own};

const LOCK: &str = ".lock";

/// The folder of a run that this process trains in. The lock lasts as long as this value, at most as the process.
#[derive(Debug)]
pub struct RunDir {
    /// The path without links, so that a link that changes does not lead elsewhere.
    path: PathBuf,
    /// Event files for TensorBoard.
    tb: PathBuf,
    /// Device and inode of the folder.
    identity: (u64, u64),
    _lock: File,
    warnings: Vec<String>,
}

impl RunDir {
    /// Makes the folder of a new run. One under `root/<preset>` becomes its `latest`; if the link cannot be made, that
    /// is only a warning. A chosen folder may exist if it is empty or holds a run that was stopped before its first
    /// checkpoint.
    pub fn create(root: &Path, preset: &str, place: &Place, seed: u64) -> Result<Self, RunDirError> {
        let path = place.make(root, preset, seed)?;
        refuse_full(&path)?;
        let tb = place.events(root, preset, &path);
        fs::create_dir_all(&tb).map_err(io_error("create", &tb))?;
        if !names(&tb)?.is_empty() {
            return Err(RunDirError::OldEvents { dir: tb });
        }
        let mut run = Self::locked(&path, tb)?;
        refuse_full(&run.path)?; // again under the lock, where nobody else can fill it
        for dir in [run.checkpoints(), run.eval()] {
            match fs::create_dir(&dir) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {} // left by a run without a checkpoint
                made => made.map_err(io_error("create", &dir))?,
            }
        }
        if !matches!(place, Place::Folder(_))
            && let Err(error) = place::link_latest(&path)
        {
            let latest = path.with_file_name("latest");
            run.warnings.push(format!("{} still points to an earlier run: {error}", latest.display()));
        }
        Ok(run)
    }

    /// Says whether `dir` holds a run that can be resumed: one with a checkpoint.
    pub fn is_run(dir: &Path) -> bool {
        let kept = |names: Vec<String>| names.iter().any(|name| !name.starts_with(".tmp-"));
        dir.join("config.toml").exists() && names(&dir.join("checkpoints")).is_ok_and(kept)
    }

    /// Opens the folder of a run to resume it.
    pub fn open(dir: &Path) -> Result<Self, RunDirError> {
        for missing in ["config.toml", "checkpoints"] {
            if !dir.join(missing).exists() {
                return Err(RunDirError::NotARun { dir: dir.to_owned(), missing });
            }
        }
        let path = fs::canonicalize(dir).map_err(io_error("open", dir))?;
        Self::locked(&path, place::find_events(&path))
    }

    fn locked(path: &Path, tb: PathBuf) -> Result<Self, RunDirError> {
        let path = fs::canonicalize(path).map_err(io_error("open", path))?;
        let tb = if tb.exists() { fs::canonicalize(&tb).map_err(io_error("open", &tb))? } else { tb };
        let identity = identity(&path).map_err(io_error("open", &path))?;
        refuse_links(&path)?;
        let file = path.join(LOCK);
        let mut lock = open_own(&file)?;
        let mut warnings = Vec::new();
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut process = String::new();
                let _ = lock.take(20).read_to_string(&mut process);
                let known = !process.is_empty() && process.bytes().all(|byte| byte.is_ascii_digit());
                let holder = if known { format!(" (process {process})") } else { String::new() };
                return Err(RunDirError::Locked { dir: path, holder });
            }
            // some network file systems have no locks; training there is allowed
            Err(TryLockError::Error(error)) => {
                warnings.push(format!(
                    "{} cannot be locked ({error}); do not start a second process in this folder",
                    path.display()
                ));
            }
        }
        let _ = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| write!(lock, "{}", std::process::id()));
        Ok(Self { path, tb, identity, _lock: lock, warnings })
    }

    /// Refuses to write into another folder than the one that was opened.
    ///
    /// # Errors
    /// If the folder was moved, deleted or replaced meanwhile.
    pub fn check(&self) -> Result<(), RunDirError> {
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            return Ok(());
        }
        Err(RunDirError::Moved { dir: self.path.clone() })
    }

    /// The folder, as a path to show.
    pub fn shown(&self) -> PathBuf {
        shown(&self.path)
    }

    /// The folder to give to TensorBoard, as a path to show: that of all runs, or the run's own.
    pub fn logdir(&self) -> PathBuf {
        let all = self.tb.ancestors().nth(2).unwrap_or(&self.tb);
        shown(if self.tb.starts_with(&self.path) { &self.path } else { all })
    }

    /// Failures that do not stop the run.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The resolved configuration.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// The manifest, see [`Manifest`].
    pub fn manifest(&self) -> PathBuf {
        self.path.join(manifest::FILE)
    }

    /// Metrics as a table.
    pub fn metrics_csv(&self) -> PathBuf {
        self.path.join("metrics.csv")
    }

    /// Metrics as JSON lines.
    pub fn metrics_jsonl(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// Durations and rates as a table.
    pub fn timing_csv(&self) -> PathBuf {
        self.path.join("timing.csv")
    }

    /// Event files for TensorBoard.
    pub fn tb(&self) -> &Path {
        &self.tb
    }

    /// Checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// Results of evaluations.
    pub fn eval(&self) -> PathBuf {
        self.path.join("eval")
    }
}

/// A path relative to the current folder, if it lies below it.
fn shown(path: &Path) -> PathBuf {
    let here = std::env::current_dir().and_then(fs::canonicalize);
    let below = here.ok().and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    below.filter(|path| !path.as_os_str().is_empty()).unwrap_or_else(|| path.to_owned())
}

/// Refuses a folder with anything in it but the files that a run makes before its first checkpoint.
fn refuse_full(dir: &Path) -> Result<(), RunDirError> {
    let full = || Err(RunDirError::NotEmpty { dir: dir.to_owned() });
    for name in names(dir)? {
        let path = dir.join(&name);
        let folder = fs::symlink_metadata(&path).map_err(io_error("read", &path))?.is_dir();
        let unborn = match (name.as_str(), folder) {
            (LOCK | "config.toml" | manifest::FILE, false) => true,
            ("tb" | "eval", true) => names(&path)?.is_empty(),
            ("checkpoints", true) => names(&path)?.iter().all(|name| name.starts_with(".tmp-")),
            (temporary, false) => temporary.starts_with('.') && temporary.contains(".tmp-"),
            _ => false,
        };
        if !unborn {
            return full();
        }
    }
    Ok(())
}

/// The names in a folder.
fn names(dir: &Path) -> Result<Vec<String>, RunDirError> {
    let list = fs::read_dir(dir).and_then(|entries| {
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<io::Result<Vec<_>>>()
    });
    list.map_err(io_error("list", dir))
}
