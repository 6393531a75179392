//! Files that are complete or absent: those that a user asks for with `--out`, and those of a run folder.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
};

use crate::{
    failure::{During, Result, WrongUsage},
    files::{folder, plain, replace},
    run_dir,
};

/// Refuses a path that cannot be written. Called before the work whose result goes there; creates no file.
///
/// # Errors
/// If its folder does not exist or takes no files, a folder stands in the file's place, or the file belongs to a run.
pub fn check(path: &Path) -> Result<()> {
    if run_dir::owns(path) {
        let reason = format!("cannot write {}: it is a file of a run; choose another name or folder", path.display());
        return Err(WrongUsage(reason).into());
    }
    let tried = match fs::metadata(path) {
        Ok(there) if there.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(there) if !there.is_file() => Ok(()), // a pipe or a device
        _ => tempfile::tempfile_in(folder(path)).map(drop),
    };
    tried.map_err(plain).during(|| format!("cannot write {}", path.display()))
}

/// Writes `bytes` to `path`: under a temporary name beside it, synced, renamed. On an error an older file is as it was.
/// A pipe or a device is written directly; a link stays, and its target is replaced.
///
/// # Errors
/// If any step fails.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let written = match fs::metadata(path) {
        Ok(there) if !there.is_file() && !there.is_dir() => {
            OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(bytes))
        }
        Ok(_) => fs::canonicalize(path).and_then(|path| replace(&path, bytes)),
        Err(_) => replace(path, bytes),
    };
    written.during(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_a_device_is_not_replaced_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        for text in ["first", "second"] {
            write(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write(&link, b"third").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "third");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        write(Path::new("/dev/null"), b"gone").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left");
    }

    #[test]
    fn a_place_that_takes_no_file_is_named_once_before_the_work() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check(&folder.path().join("new")).is_ok());
        for wrong in [folder.path().to_owned(), folder.path().join("no/such/file")] {
            let told = check(&wrong).unwrap_err().to_string();
            assert_eq!(told.matches("cannot write").count(), 1, "{told}");
        }
        let full = write(Path::new("/dev/full"), b"x").unwrap_err();
        assert_eq!(full.code(), crate::failure::code::DISK_FULL);
    }
}
