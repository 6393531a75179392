//! Atomic replacement of files, and durable names.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

/// Size of one write (B), small enough that a full disk is noticed early.
const PIECE: usize = 1 << 16;

/// Replaces the file at `path` by one with these bytes: it is written under a temporary name, synced and renamed, and
/// the folder is synced. The permissions of an existing file stay.
///
/// # Errors
/// If any step fails; an existing file is then unchanged.
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
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666)); // the system subtracts the umask
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

/// The folder of a path.
pub(crate) fn folder(path: &Path) -> PathBuf {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// The error without the temporary path that tempfile adds.
pub(crate) fn plain(error: io::Error) -> io::Error {
    error.raw_os_error().map_or(error, io::Error::from_raw_os_error)
}
