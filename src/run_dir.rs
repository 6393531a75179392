//! The folder of a run: its name, its files, its manifest, and the lock that keeps a second process out.
//!
//! ```text
//! runs/<preset>/latest -> 2026-11-23_1412-s7-3fa9
//! runs/<preset>/2026-11-23_1412-s7-3fa9/       started (UTC), seed, four digits of chance
//!   config.toml  manifest.json  metrics.csv  metrics.jsonl  timing.csv  tb/  checkpoints/  eval/
//! ```

mod error;
mod manifest;
mod own;
mod provenance;

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

pub use error::RunDirError;
pub use manifest::{Manifest, RunState};
pub(crate) use own::sha256;
pub use own::{read_own, refuse_links, write_atomic};
pub(crate) use provenance::host;
pub use provenance::{Build, Machine, command_line, task_digests};

use error::io_error;
use own::{identity, open_own};

const LOCK: &str = ".lock";

/// The folder of a run that this process trains in. The lock lasts as long as this value, at most as the process.
#[derive(Debug)]
pub struct RunDir {
    /// Without links, so that a link that moves on leads nowhere else.
    path: PathBuf,
    /// Device and number of the folder itself.
    identity: (u64, u64),
    _lock: File,
    warnings: Vec<String>,
}

impl RunDir {
    /// Makes `root/<preset>/<name>` for a new run, and points `root/<preset>/latest` to it. A link that cannot be made
    /// is only a warning.
    pub fn create(root: &Path, preset: &str, seed: u64) -> Result<Self, RunDirError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if preset.is_empty() || preset.starts_with('.') || !preset.chars().all(allowed) {
            return Err(RunDirError::BadPreset(preset.to_owned()));
        }
        let parent = root.join(preset);
        fs::create_dir_all(&parent).map_err(io_error("create", &parent))?;
        let (now, mut attempt) = (SystemTime::now(), 0);
        let path = loop {
            let path = parent.join(run_name(now, seed, attempt));
            match fs::create_dir(&path) {
                Ok(()) => break path,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 1_000 => attempt += 1,
                Err(error) => return Err(io_error("create", &path)(error)),
            }
        };
        let mut run = Self::set_up(path)?;
        if let Err(error) = link_latest(&run.path) {
            run.warnings.push(format!("{} still points to an earlier run: {error}", parent.join("latest").display()));
        }
        Ok(run)
    }

    /// Makes the folder `dir` for a new run; it may be there if it is empty, or holds a run that was stopped before its
    /// first checkpoint.
    pub fn create_at(dir: &Path) -> Result<Self, RunDirError> {
        fs::create_dir_all(dir).map_err(io_error("create", dir))?;
        refuse_full(dir)?;
        Self::set_up(dir.to_owned())
    }

    /// Opens the folder of a run to go on with it.
    pub fn open(dir: &Path) -> Result<Self, RunDirError> {
        for missing in ["config.toml", "checkpoints"] {
            if !dir.join(missing).exists() {
                return Err(RunDirError::NotARun { dir: dir.to_owned(), missing });
            }
        }
        Self::locked(dir.to_owned())
    }

    fn set_up(path: PathBuf) -> Result<Self, RunDirError> {
        let run = Self::locked(path)?;
        refuse_full(&run.path)?; // again, now that nobody else can fill it
        for dir in [run.tb(), run.checkpoints(), run.eval()] {
            match fs::create_dir(&dir) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {} // of a run without a checkpoint
                made => made.map_err(io_error("create", &dir))?,
            }
        }
        Ok(run)
    }

    fn locked(path: PathBuf) -> Result<Self, RunDirError> {
        let path = fs::canonicalize(&path).map_err(io_error("open", &path))?;
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
            // some network file systems have no locks: no reason not to train there
            Err(TryLockError::Error(error)) => {
                warnings.push(format!(
                    "{} cannot be locked ({error}); do not start a second process in this folder",
                    path.display()
                ));
            }
        }
        let _ = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| write!(lock, "{}", std::process::id()));
        Ok(Self { path, identity, _lock: lock, warnings })
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

    /// The folder as people write it: from where they are, if it lies below.
    pub fn shown(&self) -> PathBuf {
        let here = std::env::current_dir().and_then(fs::canonicalize);
        let below = here.ok().and_then(|here| self.path.strip_prefix(here).ok().map(Path::to_owned));
        below.filter(|path| !path.as_os_str().is_empty()).unwrap_or_else(|| self.path.clone())
    }

    /// What did not work but stops nothing.
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
    pub fn tb(&self) -> PathBuf {
        self.path.join("tb")
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

/// Refuses a folder in which there is anything but what a run makes before its first checkpoint.
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

/// `2026-11-23_1412-s7-3fa9`: the minute (UTC), the seed, and four digits from the clock, the process and the attempt.
fn run_name(now: SystemTime, seed: u64, attempt: u32) -> String {
    let time = manifest::rfc3339(now);
    let nanoseconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    let mixed = (nanoseconds ^ u64::from(std::process::id()) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    let digits = (mixed as u32 + attempt) & 0xffff;
    format!("{}_{}{}-s{seed}-{digits:04x}", &time[..10], &time[11..13], &time[14..16])
}

/// Points `latest` next to the run to it, in one step: a reader finds the old run or the new one.
fn link_latest(run: &Path) -> io::Result<()> {
    let name = run.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let temporary = run.with_file_name(format!(".latest-{}", std::process::id()));
    let _ = fs::remove_file(&temporary);
    #[cfg(unix)]
    std::os::unix::fs::symlink(name, &temporary)?;
    #[cfg(not(unix))]
    fs::write(&temporary, name.to_string_lossy().as_bytes())?;
    fs::rename(&temporary, run.with_file_name("latest")).inspect_err(|_| drop(fs::remove_file(&temporary)))
}
