//! The journal of a search: a file of JSON lines in the form of Optuna's `JournalFileBackend`, to which several processes
//! append under one lock.
//!
//! A record is written whole with one call and synced. A torn last line, which nobody has read, is cut off before the next
//! record; a line that is no record, or is of a newer Optuna, stays as it is and stops the search.

pub mod record;
mod replay;

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Mutex,
};

use serde_json::Value;

use crate::{
    failure::{Coded, Result, code},
    files,
    sharing::Lock,
};
use replay::Unread;
pub use replay::{Replay, State, Study, Trial, WORKER};

/// A journal that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system refuses.
    #[error("cannot {attempt} {}: {source}", path.display())]
    Io {
        /// The attempted operation.
        attempt: &'static str,
        /// The journal.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A line is no record.
    #[error("{}, line {line}: this is no record ({why}); nothing was changed. Repair the line, or choose another --out", path.display())]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The reason.
        why: String,
    },
    /// A record is of a newer Optuna.
    #[error(
        "{}, line {line}: a record of kind {kind}, but this version knows those up to {last}: a newer Optuna wrote it. \
         Nothing was changed; go on with that Optuna, or choose another --out",
        path.display()
    )]
    Newer {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The record's kind.
        kind: u64,
        /// The last kind that is known.
        last: u64,
    },
}

impl Coded for JournalError {
    fn code(&self) -> u8 {
        match self {
            JournalError::Io { source, .. } => source.code(),
            JournalError::Damaged { .. } | JournalError::Newer { .. } => code::FILE,
        }
    }
}

/// A journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// The name under which this process writes.
    worker: String,
    /// Keeps threads of this process from waiting for each other's locks by turns.
    turn: Mutex<()>,
}

impl Journal {
    /// The journal at `path`, made if it is missing; this process writes as `worker`.
    ///
    /// # Errors
    /// If it can be neither read nor made.
    pub fn open(path: &Path, worker: &str) -> Result<Journal, JournalError> {
        let made = OpenOptions::new().append(true).create(true).open(path);
        made.map_err(|source| JournalError::Io { attempt: "open", path: path.to_owned(), source })?;
        Ok(Journal { path: path.to_owned(), worker: worker.to_owned(), turn: Mutex::default() })
    }

    /// The state of the journal now.
    ///
    /// # Errors
    /// If it cannot be read, or a line is no record that this version knows.
    pub fn read(&self) -> Result<Replay, JournalError> {
        read(&self.path).map(|(replay, _)| replay)
    }

    /// Shows the state to `decide` and appends the records that it gives, while no other process writes.
    ///
    /// # Errors
    /// As [`Journal::read`]; if `decide` refuses, or the records cannot be written: there are then none of them.
    pub fn change<T>(&self, decide: impl FnOnce(&Replay) -> Result<(Vec<Value>, T)>) -> Result<T> {
        let _turn = self.turn.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let _lock = Lock::take(&self.path).map_err(|source| self.io("lock", source))?;
        let (replay, whole) = read(&self.path)?;
        let (records, result) = decide(&replay)?;
        if !records.is_empty() {
            self.append(records, whole).map_err(|source| self.io("write", source))?;
        }
        Ok(result)
    }

    fn io(&self, attempt: &'static str, source: io::Error) -> JournalError {
        JournalError::Io { attempt, path: self.path.clone(), source }
    }

    /// Appends records behind the first `whole` bytes; after an error the file has these alone.
    fn append(&self, records: Vec<Value>, whole: u64) -> io::Result<()> {
        let mut text = String::new();
        for mut record in records {
            record["worker_id"] = self.worker.clone().into();
            text += &(record.to_string() + "\n");
        }
        let mut file = OpenOptions::new().append(true).open(&self.path)?;
        if file.metadata()?.len() > whole {
            file.set_len(whole)?;
        }
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).inspect_err(|_| drop(file.set_len(whole)))?;
        files::sync_folder(&files::folder(&self.path))
    }
}

/// The state in a journal, and the length of its whole lines (B).
fn read(path: &Path) -> Result<(Replay, u64), JournalError> {
    let mut text = Vec::new();
    let found = File::open(path).and_then(|mut file| file.read_to_end(&mut text));
    found.map_err(|source| JournalError::Io { attempt: "read", path: path.to_owned(), source })?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let mut replay = Replay::default();
    for (at, line) in text[..whole].split_inclusive(|byte| *byte == b'\n').enumerate() {
        let (path, line_number) = (path.to_owned(), at + 1);
        let record = json(line).map_err(|why| JournalError::Damaged { path: path.clone(), line: line_number, why })?;
        replay.apply(&record).map_err(|unread| match unread {
            Unread::Unknown(kind, last) => JournalError::Newer { path, line: line_number, kind, last },
            Unread::Damaged(why) => JournalError::Damaged { path, line: line_number, why: why.to_owned() },
        })?;
    }
    Ok((replay, whole as u64))
}

/// A line as JSON. Python writes numbers that are not finite as words, which are read as null.
fn json(line: &[u8]) -> Result<Value, String> {
    let first = serde_json::from_slice(line);
    first.or_else(|error| {
        let text = std::str::from_utf8(line).map_err(|error| error.to_string())?;
        serde_json::from_str(&without_words(text)).map_err(|_| error.to_string())
    })
}

/// The text with null in place of `NaN`, `Infinity` and `-Infinity` outside strings.
fn without_words(text: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    let (mut quoted, mut escaped, mut part) = (false, false, String::new());
    for c in text.chars() {
        part.push(c);
        if c == '"' && !escaped {
            if quoted {
                parts.push(std::mem::take(&mut part));
            } else {
                part.pop();
                parts.push(bare(&std::mem::take(&mut part)));
                part.push('"');
            }
            quoted = !quoted;
        }
        escaped = quoted && c == '\\' && !escaped;
    }
    parts.push(bare(&part));
    parts.concat()
}

fn bare(text: &str) -> String {
    text.replace("-Infinity", "null").replace("Infinity", "null").replace("NaN", "null")
}

#[cfg(test)]
mod tests;
