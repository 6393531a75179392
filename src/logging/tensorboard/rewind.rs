//! Selection of the events that a resumed run keeps.

use std::{
    collections::HashSet,
    fs,
    io::{self, Write},
    path::PathBuf,
};

use protobuf::Message;
use sha2::{Digest, Sha256};
use tensorboard_proto::event::Event;
use tensorboard_rs::record_writer::RecordWriter;

/// The framing of a record besides its message: length, its checksum, the message's checksum (B).
const LENGTH: usize = 8;
const CHECKSUM: usize = 4;

/// Writes the records of `files` whose step is not after `after` to `out`, each once: a rewind that was interrupted
/// after its last rename leaves its input beside its output. A file is read up to its first damaged record, as
/// TensorBoard reads it. Returns the files that could not be read to their end.
pub(super) fn keep(files: &[PathBuf], after: u64, out: &mut impl Write) -> io::Result<Vec<PathBuf>> {
    let mut seen = HashSet::new();
    let mut damaged = Vec::new();
    for file in files {
        let bytes = fs::read(file)?;
        let mut rest = &bytes[..];
        while let Some((record, message)) = next(&mut rest) {
            let Ok(event) = Event::parse_from_bytes(message) else { break };
            let is_head = event.has_file_version() || event.has_session_log();
            let step = u64::try_from(event.get_step()).unwrap_or(0);
            if !is_head && step <= after && seen.insert(<[u8; 32]>::from(Sha256::digest(record))) {
                out.write_all(record)?;
            }
        }
        if !rest.is_empty() {
            damaged.push(file.clone());
        }
    }
    Ok(damaged)
}

/// The next whole record, and the message in it; `None` at the end and where the checksums are wrong.
fn next<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let length = u64::from_le_bytes(rest.get(..LENGTH)?.try_into().ok()?);
    let length = usize::try_from(length).ok()?;
    let begin = LENGTH + CHECKSUM;
    let message = rest.get(begin..begin.checked_add(length)?)?;
    let record = rest.get(..begin + length + CHECKSUM)?;
    let mut again = Vec::with_capacity(record.len());
    RecordWriter::new(&mut again).write(message).ok()?;
    if again != record {
        return None;
    }
    *rest = &rest[record.len()..];
    Some((record, message))
}
