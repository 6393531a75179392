//! The folder of a run: its name, its files, its manifest, and the lock that keeps a second process out.
//!
//! ```text
//! runs/<preset>/latest -> 2026-11-23_1412-s7-3fa9
//! runs/<preset>/2026-11-23_1412-s7-3fa9/       started (UTC), seed, four digits of chance
//!   config.toml  manifest.json  metrics.csv  metrics.jsonl  timing.csv  tb/  checkpoints/  eval/
//! ```

mod manifest;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

pub use manifest::{Manifest, RunState};

use crate::message::quoted;

const LOCK: &str = ".lock";

/// Why a run folder could not be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    /// There is something in the folder already.
    #[error(
        "run folder {} is not empty. To go on with the run in it: `metadrift resume {}`. To start a new one: choose \
         another --run-dir", dir.display(), quoted(dir)
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
    /// The preset's name cannot name a folder.
    #[error("preset name {0:?} cannot name a folder: use letters, digits, `-`, `_` and `.`, or give --run-dir")]
    BadPreset(String),
    /// The manifest cannot be read.
    #[error("{}: {reason}. The run's manifest is damaged; restore it from a copy or delete it", path.display())]
    BadManifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file system said no.
    #[error("run folder: cannot {action} {}: {source}. Check that it may be written and has space", path.display())]
    Io {
        /// What was tried, such as `create`.
        action: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl RunDirError {
    /// Whether there is no space left, or a quota is reached.
    pub fn is_disk_full(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        matches!(self, Self::Io { source, .. }
            if matches!(source.kind(), StorageFull | QuotaExceeded | FileTooLarge))
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RunDirError {
    let path = path.to_owned();
    move |source| RunDirError::Io { action, path, source }
}

/// The folder of a run that this process trains in. The lock lasts as long as this value, at most as the process.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
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

    /// Makes the folder `dir` for a new run; it may be there if it is empty.
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
            fs::create_dir(&dir).map_err(io_error("create", &dir))?;
        }
        Ok(run)
    }

    fn locked(path: PathBuf) -> Result<Self, RunDirError> {
        let file = path.join(LOCK);
        let mut options = OpenOptions::new();
        let mut lock =
            options.read(true).write(true).create(true).truncate(false).open(&file).map_err(io_error("open", &file))?;
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
                warnings.push(format!("{} cannot be locked ({error}): start no second process there", path.display()));
            }
        }
        let _ = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| write!(lock, "{}", std::process::id()));
        Ok(Self { path, _lock: lock, warnings })
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

fn refuse_full(dir: &Path) -> Result<(), RunDirError> {
    for entry in fs::read_dir(dir).map_err(io_error("list", dir))? {
        if entry.map_err(io_error("list", dir))?.file_name() != LOCK {
            return Err(RunDirError::NotEmpty { dir: dir.to_owned() });
        }
    }
    Ok(())
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

/// Writes a file whole or not at all: under a temporary name, synced, renamed, the directory synced.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), RunDirError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.tmp-{}", std::process::id()));
    let written = File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        let _ = fs::remove_file(&temporary);
        return Err(io_error("write", path)(error));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|dir| dir.sync_all()).map_err(io_error("sync", parent))
}
