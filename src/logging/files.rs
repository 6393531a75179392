//! Metrics in the files `metrics.csv` and `metrics.jsonl`, one row per iteration.
//!
//! One call writes a row, whole or not at all: after a failed write the file is cut back to its last whole row.
//! On resume the rows of later iterations and a torn last line are cut off, so the continued file has the bytes of one
//! that was never interrupted.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Seek, SeekFrom, Write},
    path::PathBuf,
};

use super::{Sink, Start};
use crate::message;

/// An append-only file of whole lines, opened at the first use and after an error again.
struct RowFile {
    path: PathBuf,
    start: Start,
    file: Option<File>,
    /// Length of the whole rows (B); bytes beyond it are a torn row.
    len: u64,
    /// True if every iteration has a row.
    dense: bool,
}

impl RowFile {
    fn new(path: PathBuf, start: Start) -> Self {
        Self { path, start, file: None, len: 0, dense: true }
    }

    /// The open file, cut to its whole rows up to the iteration that the run resumes from.
    fn open(&mut self, iteration_of: fn(&[u8]) -> Line) -> io::Result<&mut File> {
        if self.file.is_none() {
            let mut options = OpenOptions::new();
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NOFOLLOW);
            let mut file = options.read(true).write(true).create(true).truncate(false).open(&self.path)?;
            let last = match self.start {
                Start::New => None,
                Start::After(iteration) => Some(iteration),
            };
            let (keep, rows) = whole_rows(&mut file, last, iteration_of)?;
            let missing = last.unwrap_or(0).saturating_sub(rows);
            if self.dense && missing > 0 {
                let path = self.path.display();
                message::warn(&format!("{path}: iterations before this one without a row: {missing}"));
            }
            file.set_len(keep)?;
            file.seek(SeekFrom::Start(keep))?;
            self.len = keep;
            self.file = Some(file);
        }
        self.file.as_mut().ok_or_else(|| io::Error::other("the file is not open"))
    }

    /// Appends whole rows. On an error the file is as before, or is cut back when it is opened next.
    fn append(&mut self, rows: &[u8]) -> io::Result<()> {
        let Some(file) = self.file.as_mut() else {
            return Err(io::Error::other("the file is not open"));
        };
        if let Err(error) = file.write_all(rows) {
            if file.set_len(self.len).and_then(|()| file.seek(SeekFrom::Start(self.len))).is_err() {
                self.file = None;
            }
            return Err(error);
        }
        self.len += rows.len() as u64;
        Ok(())
    }

    fn first_line(&self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        BufReader::new(File::open(&self.path)?).read_until(b'\n', &mut line)?;
        Ok(line)
    }

    /// Rows written from now on belong to this run, and stay if the file is opened again.
    fn keep_up_to(&mut self, iteration: u64) {
        self.start = Start::After(iteration);
    }

    fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), File::sync_data)
    }
}

/// Kinds of lines in a row file.
enum Line {
    Header,
    Row(u64),
    Damaged,
}

/// The length (B) of the part to keep, and its rows: whole lines up to and including `last`, none for a new run. A
/// damaged line before the end is an error, so that no line behind it is lost.
fn whole_rows(file: &mut File, last: Option<u64>, iteration_of: fn(&[u8]) -> Line) -> io::Result<(u64, u64)> {
    let Some(last) = last else { return Ok((0, 0)) };
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    let mut keep = 0;
    let mut previous = None;
    let mut rows = 0;
    for number in 1_u64.. {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        let Some(whole) = line.strip_suffix(b"\n") else { break };
        match iteration_of(whole) {
            Line::Header if number == 1 => {}
            Line::Row(iteration) if iteration > last => break,
            Line::Row(iteration) if previous.is_none_or(|before| before < iteration) => {
                (previous, rows) = (Some(iteration), rows + 1);
            }
            _ => return Err(invalid(format!("line {number} is damaged; repair it or move the file away"))),
        }
        keep += read as u64;
    }
    Ok((keep, rows))
}

fn invalid(problem: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

/// A table: the column `iteration`, then one per tag of the first row. Later rows may leave tags out (empty cells); a
/// tag that the first row did not have gets no column. Numbers are the shortest that read back to the same f64.
pub struct CsvFile {
    rows: RowFile,
    columns: Vec<String>,
}

impl CsvFile {
    /// A table in the file `path`, opened with the first row or flush.
    pub fn new(path: impl Into<PathBuf>, start: Start) -> Self {
        Self { rows: RowFile::new(path.into(), start), columns: Vec::new() }
    }

    /// A table in the file `path` in which not every iteration has a row.
    pub fn sparse(mut self) -> Self {
        self.rows.dense = false;
        self
    }

    fn open(&mut self) -> io::Result<()> {
        if self.rows.file.is_some() {
            return Ok(());
        }
        self.columns.clear();
        self.rows.open(csv_line)?;
        if self.rows.len > 0 {
            let header = self.rows.first_line().and_then(|line| {
                let cells = parse_csv(&line).filter(|cells| cells[0] == "iteration");
                cells.ok_or_else(|| invalid("line 1 is not the header; move the file away".into()))
            });
            // the next row opens it again: a passing error must not leave the rest of the run without columns
            let header = header.inspect_err(|_| self.rows.file = None)?;
            self.columns = header.into_iter().skip(1).collect();
        }
        Ok(())
    }
}

impl Sink for CsvFile {
    fn target(&self) -> String {
        self.rows.path.display().to_string()
    }

    fn scalars(&mut self, step: u64, _wall_time: f64, values: &[(&str, f64)]) -> io::Result<usize> {
        self.open()?;
        if let Some((tag, _)) = values.iter().find(|(tag, _)| tag.contains(['\n', '\r'])) {
            return Err(invalid(format!("the tag {tag:?} contains a line break")));
        }
        let mut bytes = Vec::new();
        let header = self.rows.len == 0;
        if header {
            self.columns = values.iter().map(|(tag, _)| (*tag).to_owned()).collect();
            let columns = self.columns.iter().map(String::as_str);
            write_csv(&mut bytes, std::iter::once("iteration").chain(columns))?;
        }
        let cells = self.columns.iter().map(|column| {
            let value = values.iter().find(|(tag, _)| tag == column);
            value.map_or(String::new(), |(_, value)| format!("{value:?}"))
        });
        write_csv(&mut bytes, std::iter::once(step.to_string()).chain(cells))?;
        self.rows.append(&bytes)?;
        self.rows.keep_up_to(step);
        Ok(values.iter().filter(|(tag, _)| !self.columns.iter().any(|column| column == tag)).count())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.open()?;
        self.rows.sync()
    }
}

fn write_csv<S: AsRef<[u8]>>(bytes: &mut Vec<u8>, cells: impl Iterator<Item = S>) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(bytes);
    writer.write_record(cells)?;
    writer.flush()
}

fn parse_csv(line: &[u8]) -> Option<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line);
    reader.deserialize().next()?.ok().filter(|cells: &Vec<String>| !cells.is_empty())
}

fn csv_line(line: &[u8]) -> Line {
    let first = line.split(|byte| *byte == b',').next().unwrap_or_default();
    match std::str::from_utf8(first) {
        Ok("iteration") => Line::Header,
        Ok(number) => number.parse().map_or(Line::Damaged, Line::Row),
        Err(_) => Line::Damaged,
    }
}

/// One JSON object per line: `{"iteration":1,"return/pre":9.5}`. NaN and infinity, for which JSON has no number, are
/// null.
pub struct JsonLinesFile {
    rows: RowFile,
}

impl JsonLinesFile {
    /// JSON lines in the file `path`, opened with the first row or flush.
    pub fn new(path: impl Into<PathBuf>, start: Start) -> Self {
        Self { rows: RowFile::new(path.into(), start) }
    }
}

impl Sink for JsonLinesFile {
    fn target(&self) -> String {
        self.rows.path.display().to_string()
    }

    fn scalars(&mut self, step: u64, _wall_time: f64, values: &[(&str, f64)]) -> io::Result<usize> {
        self.rows.open(json_line)?;
        let mut line = format!("{{\"iteration\":{step}");
        for (tag, value) in values {
            let number = serde_json::Number::from_f64(*value);
            let value = number.map_or("null".to_owned(), |number| number.to_string());
            line += &format!(",{}:{value}", serde_json::Value::from(*tag));
        }
        line += "}\n";
        self.rows.append(line.as_bytes())?;
        self.rows.keep_up_to(step);
        Ok(0)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.rows.open(json_line)?;
        self.rows.sync()
    }
}

fn json_line(line: &[u8]) -> Line {
    let row: Option<serde_json::Value> = serde_json::from_slice(line).ok();
    row.and_then(|row| row.get("iteration")?.as_u64()).map_or(Line::Damaged, Line::Row)
}
