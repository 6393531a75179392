//! Event files for TensorBoard: scalars, distributions, text, films, hparams, the page of custom scalars. A resumed run rewrites
//! them up to the iteration it resumes from.
//!
//! Only the record writer of tensorboard-rs is used, with the messages of tensorboard-proto. The crate's own file
//! writer panics on a full disk in a separate thread, which ends the process, overwrites a file that another writer
//! opened in the same second, and has no text and no hparams.
//!
//! Each call writes whole records with one write, so a killed run leaves no torn record and loses no iteration. After a
//! failed write the file is cut back and closed, and the next call begins a new one: TensorBoard reads the event files
//! of a directory in the order of their names, which grow with every file, and shows nothing behind a torn record.
//!
//! On a resume all events up to the checkpoint go into one new file, which gets its name when it is complete; then the
//! others are deleted. Every reader finds each step once, and no event is lost if the process dies meanwhile.

mod charts;
mod rewind;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use protobuf::{Message, well_known_types::Value};
use tensorboard_proto::{
    api::Status,
    event::{Event, SessionLog_SessionStatus},
    plugin_hparams::HParamsPluginData,
    summary::{Summary, Summary_Value},
    tensor::TensorProto,
    types::DataType,
};
use tensorboard_rs::record_writer::RecordWriter;

use super::{Hparam, Outcome, Sink, Start, logger::wall_time};
use crate::{files, message, run_dir::host};

/// Writes event files into a directory.
pub struct TensorBoard {
    dir: PathBuf,
    /// Set until the older files are rewritten.
    resume_after: Option<u64>,
    file: Option<File>,
    /// Bytes of whole records in `file` (B).
    len: u64,
    /// Number of files that this writer has begun.
    sequence: u32,
    /// The step of the latest scalars, also used for texts and hparams.
    step: u64,
}

impl TensorBoard {
    /// Event files in `dir`, which is created with the first of them.
    pub fn new(dir: impl Into<PathBuf>, start: Start) -> Self {
        let resume_after = match start {
            Start::New => None,
            Start::After(iteration) => Some(iteration),
        };
        let step = resume_after.unwrap_or(0);
        Self { dir: dir.into(), resume_after, file: None, len: 0, sequence: 0, step }
    }

    fn open(&mut self) -> io::Result<()> {
        if self.file.is_some() {
            return Ok(());
        }
        // parents are not created: a run folder that was moved away must not come back empty
        match fs::create_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
        if let Some(step) = self.resume_after {
            return self.rewind(step);
        }
        let (path, file) = self.create_next()?;
        (self.file, self.len) = (Some(file), 0);
        if let Err(error) = file_version().and_then(|head| self.append(&head)) {
            let _ = fs::remove_file(path);
            return Err(error);
        }
        Ok(())
    }

    /// Replaces all event files by one without the events after `step`, and continues in it.
    fn rewind(&mut self, step: u64) -> io::Result<()> {
        let old = event_files(&self.dir)?;
        remove_leftovers(&self.dir)?;
        let mut new = files::temporary(&self.dir, UNFINISHED)?;
        // an open TensorBoard drops the events it has read, for they come again
        let mut bytes = file_version()?;
        bytes.extend(record(session_start(), 0)?);
        let damaged = if step > 0 { rewind::keep(&old, step, &mut bytes)? } else { Vec::new() };
        new.write_all(&bytes)?;
        new.as_file().sync_all()?;
        let (path, placeholder) = self.create_next()?;
        drop(placeholder);
        let file = new.persist(&path).map_err(|error| error.error)?;
        for path in old {
            if damaged.contains(&path) {
                let name = path.file_name().unwrap_or_default().to_string_lossy().replace("tfevents", "damaged");
                let aside = path.with_file_name(name);
                message::warn(&format!(
                    "a damaged event file is set aside, what could be read is kept: {}",
                    aside.display()
                ));
                fs::rename(&path, aside)?;
            } else {
                fs::remove_file(path)?;
            }
        }
        (self.file, self.len, self.resume_after) = (Some(file), bytes.len() as u64, None);
        Ok(())
    }

    /// A new file, whose name sorts behind those of all event files in the directory.
    fn create_next(&mut self) -> io::Result<(PathBuf, File)> {
        let seconds = (wall_time() as u64).max(newest_seconds(&self.dir)? + 1);
        let host = host_name();
        let process = std::process::id();
        loop {
            let name = format!("events.out.tfevents.{seconds:010}.{host}.{process}.{}", self.sequence);
            let path = self.dir.join(name);
            self.sequence += 1;
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok((path, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes whole records. After an error the file ends at its last whole record and is closed.
    fn append(&mut self, records: &[u8]) -> io::Result<()> {
        let Some(mut file) = self.file.take() else {
            return Err(io::Error::other("no event file is open"));
        };
        if let Err(error) = file.write_all(records) {
            let _ = file.set_len(self.len);
            return Err(error);
        }
        self.len += records.len() as u64;
        self.file = Some(file);
        Ok(())
    }

    fn write(&mut self, value: Summary_Value) -> io::Result<()> {
        self.open()?;
        let mut summary = Summary::new();
        summary.mut_value().push(value);
        let mut event = Event::new();
        event.set_summary(summary);
        let bytes = record(event, self.step)?;
        self.append(&bytes)
    }
}

impl Sink for TensorBoard {
    fn target(&self) -> String {
        self.dir.display().to_string()
    }

    /// TensorBoard keeps scalars as f32.
    fn scalars(&mut self, step: u64, wall_time: f64, values: &[(&str, f64)]) -> io::Result<usize> {
        self.open()?;
        let mut summary = Summary::new();
        for (tag, number) in values {
            let mut value = Summary_Value::new();
            value.set_tag((*tag).to_owned());
            value.set_simple_value(*number as f32);
            summary.mut_value().push(value);
        }
        let mut event = Event::new();
        event.set_summary(summary);
        let bytes = record_at(event, step, wall_time)?;
        self.append(&bytes)?;
        self.step = step;
        Ok(0)
    }

    fn text(&mut self, tag: &str, markdown: &str) -> io::Result<()> {
        let mut tensor = TensorProto::new();
        tensor.set_dtype(DataType::DT_STRING);
        tensor.mut_tensor_shape();
        tensor.mut_string_val().push(markdown.as_bytes().to_vec());
        self.write(plugin_value(tag, "text", Vec::new(), tensor))
    }

    /// Writes no `_hparams_/experiment`: TensorBoard takes one run's for all runs it shows, and hides every setting and
    /// metric that is not in it. Without any it collects them from all runs.
    fn hparams(&mut self, values: &[(String, Hparam)]) -> io::Result<()> {
        let mut session = HParamsPluginData::new();
        let start = session.mut_session_start_info();
        start.set_start_time_secs(wall_time());
        start.hparams = values.iter().map(|(name, value)| (name.clone(), proto_value(value))).collect();
        self.write(hparams_value("_hparams_/session_start_info", &session)?)
    }

    fn distribution(&mut self, step: u64, tag: &str, values: &[f64]) -> io::Result<()> {
        self.step = step;
        self.write(charts::histogram(tag, values))
    }

    fn charts(&mut self) -> io::Result<()> {
        self.write(charts::layout().map_err(io::Error::other)?)
    }

    /// TensorBoard hands the bytes of an image to the browser as they are, which plays a GIF.
    fn film(&mut self, tag: &str, gif: &[u8], size: (u16, u16)) -> io::Result<()> {
        let mut value = Summary_Value::new();
        value.set_tag(tag.to_owned());
        let image = value.mut_image();
        image.set_width(size.0.into());
        image.set_height(size.1.into());
        image.set_colorspace(RGB);
        image.set_encoded_image_string(gif.to_vec());
        self.write(value)
    }

    /// Only a finished run gets an end: TensorBoard keeps the first it reads, and any other run may be resumed.
    fn end(&mut self, outcome: Outcome) -> io::Result<()> {
        if outcome != Outcome::Finished {
            return Ok(());
        }
        let mut session = HParamsPluginData::new();
        let end = session.mut_session_end_info();
        end.set_end_time_secs(wall_time());
        end.set_status(Status::STATUS_SUCCESS);
        self.write(hparams_value("_hparams_/session_end_info", &session)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.open()?;
        self.file.as_ref().map_or(Ok(()), File::sync_data)
    }
}

/// The colour space of pictures: red, green, blue.
const RGB: i32 = 3;

/// The first record of every event file.
fn file_version() -> io::Result<Vec<u8>> {
    let mut first = Event::new();
    first.set_file_version("brain.Event:2".into());
    record(first, 0)
}

/// The event files in `dir`, in the order TensorBoard reads them.
fn event_files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let named = entry.file_name().to_str().is_some_and(|name| name.starts_with("events.out.tfevents."));
        if named && entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// Prefix of the name of an unfinished rewind's file.
const UNFINISHED: &str = ".rewind-";

/// Removes the leftovers of killed rewinds.
fn remove_leftovers(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// An event at which TensorBoard drops what it has read of its step and later ones.
fn session_start() -> Event {
    let mut event = Event::new();
    event.mut_session_log().set_status(SessionLog_SessionStatus::START);
    event
}

fn record(event: Event, step: u64) -> io::Result<Vec<u8>> {
    record_at(event, step, wall_time())
}

/// The event in the framing of an event file: length, its checksum, message, its checksum.
fn record_at(mut event: Event, step: u64, wall_time: f64) -> io::Result<Vec<u8>> {
    event.set_wall_time(wall_time);
    event.set_step(i64::try_from(step).map_err(io::Error::other)?);
    let mut bytes = Vec::new();
    RecordWriter::new(&mut bytes).write(&encode(&event)?)?;
    Ok(bytes)
}

fn encode(message: &impl Message) -> io::Result<Vec<u8>> {
    message.write_to_bytes().map_err(io::Error::other)
}

fn proto_value(value: &Hparam) -> Value {
    let mut proto = Value::new();
    match value {
        Hparam::Number(number) => proto.set_number_value(*number),
        Hparam::Text(text) => proto.set_string_value(text.clone()),
        Hparam::Bool(flag) => proto.set_bool_value(*flag),
    }
    proto
}

/// TensorBoard ignores a hparams value without a tensor, whatever is in it.
fn hparams_value(tag: &str, data: &HParamsPluginData) -> io::Result<Summary_Value> {
    let mut tensor = TensorProto::new();
    tensor.set_dtype(DataType::DT_FLOAT);
    tensor.mut_tensor_shape();
    tensor.mut_float_val().push(0.0);
    Ok(plugin_value(tag, "hparams", encode(data)?, tensor))
}

fn plugin_value(tag: &str, plugin: &str, content: Vec<u8>, tensor: TensorProto) -> Summary_Value {
    let mut value = Summary_Value::new();
    value.set_tag(tag.to_owned());
    let data = value.mut_metadata().mut_plugin_data();
    data.set_plugin_name(plugin.to_owned());
    data.set_content(content);
    value.set_tensor(tensor);
    value
}

/// The time in the name of the newest event file (s since 1970), 0 without one.
fn newest_seconds(dir: &Path) -> io::Result<u64> {
    let mut newest = 0;
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let rest = name.to_str().and_then(|name| name.strip_prefix("events.out.tfevents."));
        let seconds = rest.and_then(|rest| rest.get(..10)?.parse().ok());
        newest = newest.max(seconds.unwrap_or(0));
    }
    Ok(newest)
}

/// The machine's name, reduced to characters that a file name may have.
fn host_name() -> String {
    let name: String = host().chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
    if name.is_empty() { "host".into() } else { name }
}
