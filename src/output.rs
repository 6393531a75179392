//! Files that are complete or absent: those that a user asks for with `--out`, and those of a run folder.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use crate::{failure::{During, Result, WrongUsage}, run_dir};

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

/// The error without the temporary path that tempfile names in it.
fn plain(error: io::Error) -> io::Error {
    error.raw_os_error().map_or(error, io::Error::from_raw_os_error)
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

/// Bytes of one write, small enough to notice early that a disk fills up.
const PIECE: usize = 1 << 16;

/// Replaces the file at `path` by one with these bytes: written under a temporary name, synced, renamed, the folder
/// synced. The permissions of an older file stay.
///
/// # Errors
/// If any step fails; an older file is then unchanged.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder(path);
    let name: String = path.file_name().unwrap_or_default().to_string_lossy().chars().take(32).collect();
    let mut file = temporary(&folder, &format!(".{name}.tmp-"))?;
    if let Some(old) = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file) {
        file.as_file().set_permissions(old.permissions())?;
    }
    bytes.chunks(PIECE).try_for_each(|piece| file.as_file_mut().write_all(piece))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(&folder)
}

/// A new file in `folder` with the usual permissions, deleted unless it is renamed into place.
///
/// # Errors
/// If it cannot be created.
pub(crate) fn temporary(folder: &Path, prefix: &str) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666)); // less the umask
    builder.prefix(prefix).tempfile_in(folder).map_err(plain)
}

/// Makes the names in a folder durable. Some network file systems cannot, and return one of these errors, which are
/// ignored; a crash of the server may then lose the newest name.
pub(crate) fn sync_folder(dir: &Path) -> io::Result<()> {
    match File::open(dir).and_then(|dir| dir.sync_all()) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOTSUP | libc::ENOSYS)) => Ok(()),
        synced => synced,
    }
}

fn folder(path: &Path) -> PathBuf {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
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
