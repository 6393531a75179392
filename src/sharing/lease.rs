//! Processes that work in a folder, and whether they still live.
//!
//! A process has a file below `workers/`: it holds a lock on it, and touches it again and again. On the same machine a free
//! lock says that the process is gone, at once. Another machine may not see the lock, so there the file must also rest for
//! [`GRACE`]; both times are of the clock of the one who looks.

use std::{
    collections::HashMap,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc, Mutex,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use serde_json::{Value, json};

use crate::{
    failure::{During, Result},
    run_dir::{host, rfc3339},
};

/// Time after which a process on another machine, whose file rests, is gone.
pub const GRACE: Duration = Duration::from_secs(120);
/// Time between two touches of a process's file.
const BEAT: Duration = Duration::from_secs(20);

/// This process as it shows itself to others.
pub struct Lease {
    folder: PathBuf,
    name: String,
    started: String,
    /// Ends the thread that touches the file.
    beats: Option<(Sender<()>, JoinHandle<()>)>,
    /// The last change of other processes' files, and when it was seen.
    seen: Mutex<HashMap<String, (Option<SystemTime>, Instant)>>,
    /// The locked file; kept open, since the lock lasts as long.
    _file: Arc<File>,
}

impl Lease {
    /// Makes the file of this process in `folder`.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn take(folder: &Path) -> Result<Lease> {
        let (pid, now) = (process::id(), SystemTime::now());
        let digits = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        let name = format!("{}-{pid}-{digits:x}", tame(&host()));
        let made = fs::create_dir_all(folder).and_then(|()| File::create_new(folder.join(&name)));
        let file = Arc::new(made.during(|| format!("cannot write into {}", folder.display()))?);
        // where there are no locks, the touches remain
        let _ = file.try_lock();
        let (sender, receiver) = channel();
        let beating = file.clone();
        let beat = move || {
            while receiver.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                let _ = beating.set_modified(SystemTime::now());
            }
        };
        let beats = Some((sender, thread::spawn(beat)));
        let (folder, started) = (folder.to_owned(), rfc3339(now));
        Ok(Lease { folder, name, started, beats, seen: Mutex::default(), _file: file })
    }

    /// The name of this process.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// This process as it is named where it takes a piece of work for the `claim`th time; `job` tells its pieces apart.
    pub fn worker(&self, job: &str, claim: u64) -> Value {
        json!({
            "claim": claim, "process": self.name, "job": job, "place": place(), "host": host(), "pid": process::id(),
            "started": self.started,
        })
    }

    /// True if the process that is named so is gone, as far as this machine can know.
    pub fn is_gone(&self, worker: &Value) -> bool {
        let Some(name) = worker["process"].as_str() else { return false };
        let path = self.folder.join(tame(name));
        let is_here = worker["place"].as_str() == Some(&place());
        match held(&path) {
            Held::Yes => return false,
            Held::No if is_here => {
                let _ = fs::remove_file(&path);
                return true;
            }
            Held::No | Held::Unknown => {}
        }
        let change = fs::metadata(&path).and_then(|there| there.modified()).ok();
        let mut seen = self.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let last = seen.entry(name.to_owned()).or_insert((change, Instant::now()));
        if last.0 != change {
            *last = (change, Instant::now());
        }
        last.1.elapsed() > GRACE
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.beats.take() {
            drop(sender);
            let _ = thread.join();
        }
        let _ = fs::remove_file(self.folder.join(&self.name));
    }
}

/// The state of the lock on a file.
enum Held {
    Yes,
    /// It is free, or there is no such file.
    No,
    /// The file system has no locks.
    Unknown,
}

fn held(path: &Path) -> Held {
    match File::options().write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Held::No,
        Err(_) => Held::Unknown,
        Ok(file) => match file.try_lock() {
            Ok(()) => Held::No,
            Err(TryLockError::WouldBlock) => Held::Yes,
            Err(TryLockError::Error(_)) => Held::Unknown,
        },
    }
}

/// The machine, or the container, whose processes see each other: its name, its start, and its numbers of processes.
fn place() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let numbers = fs::read_link("/proc/self/ns/pid").map(|link| link.display().to_string()).unwrap_or_default();
    format!("{} {} {numbers}", host(), boot.trim())
}

/// A name that leads to no other folder.
fn tame(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_gone_when_its_lock_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let (own, other) = (Lease::take(folder.path()).unwrap(), Lease::take(folder.path()).unwrap());
        let worker = other.worker("0", 1);
        assert!(!own.is_gone(&worker) && !own.is_gone(&own.worker("0", 1)));
        // the same process seen from another machine: its lock may be out of sight, its touches are not
        let mut far = worker.clone();
        far["place"] = "elsewhere".into();
        drop(other);
        assert!(own.is_gone(&worker) && !own.is_gone(&far));
        let long_ago = Instant::now().checked_sub(GRACE + Duration::from_secs(1)).unwrap();
        own.seen.lock().unwrap().values_mut().for_each(|seen| seen.1 = long_ago);
        assert!(own.is_gone(&far));
        assert!(!own.is_gone(&json!({ "claim": 2 })), "nobody works on it");
    }
}
