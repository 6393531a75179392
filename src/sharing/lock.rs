//! The lock of a file as Optuna makes that of its journal: a link beside it, which exists while somebody writes.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, symlink},
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use metadrift_agents::stop;

use crate::message;

/// Time after which a lock whose file does not change was left by a process that died: that of Optuna.
const GRACE: Duration = Duration::from_secs(30);
/// Longest pause between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// A lock that is held.
#[derive(Debug)]
pub struct Lock {
    link: PathBuf,
}

impl Lock {
    /// Waits for the lock of the file at `path`.
    ///
    /// # Errors
    /// If no link can be made there.
    pub fn take(path: &Path) -> io::Result<Lock> {
        let link = beside(path, ".lock");
        let target = path.file_name().unwrap_or_default();
        let (mut pause, mut seen, mut since) = (Duration::from_millis(1), None, Instant::now());
        loop {
            match symlink(target, &link) {
                Ok(()) => return Ok(Lock { link }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            let mark = mark(path, &link);
            if mark != seen {
                (seen, since) = (mark, Instant::now());
            } else if since.elapsed() > GRACE {
                message::warn(&format!("{} was left by a process that died, and is removed", link.display()));
                remove(&link);
                since = Instant::now();
            }
            stop::check();
            sleep(pause);
            pause = (2 * pause).min(PAUSE);
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        remove(&self.link);
    }
}

/// Removes a lock in the way of Optuna: of two that try, one does.
fn remove(link: &Path) {
    let aside = beside(link, &format!("{}-{:?}.rename", std::process::id(), std::thread::current().id()));
    if fs::rename(link, &aside).is_ok() {
        let _ = fs::remove_file(&aside);
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The link, and the last change of the file; both move on while others work.
fn mark(path: &Path, link: &Path) -> Option<(u64, i64, i64, i64)> {
    let link = fs::symlink_metadata(link).ok()?;
    let file = fs::metadata(path).ok()?;
    Some((link.ino(), link.mtime_nsec(), file.mtime(), file.mtime_nsec()))
}
