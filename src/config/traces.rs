//! Recordings that a configuration names: text files of numbers, one per line, or all in one line.
//!
//! A text with two possible readings (a decimal comma, several columns, a gap) is refused, and the message shows a
//! remedy.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use super::{Config, ConfigError};

/// Largest size of a recording (B).
const MAX_BYTES: u64 = 4 << 20;
/// Largest number of values in all recordings together: they become part of the run's configuration.
const MAX_NUMBERS: usize = 400_000;
/// Number of a file's characters that a message shows.
const SHOWN: usize = 12;

impl Config {
    /// Reads the files that traces name; paths are relative to the configuration's folder.
    pub(super) fn load_traces(&mut self, origin: &str) -> Result<(), ConfigError> {
        let folder = Path::new(origin).parent().unwrap_or(Path::new(""));
        let mut total = 0;
        let read = |file: &str| {
            let path = folder.join(file);
            let bytes = read_regular(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            let numbers = text(&bytes).and_then(numbers).map_err(|problem| format!("{}{problem}", path.display()))?;
            total += numbers.len();
            if total > MAX_NUMBERS {
                return Err(format!(
                    "{}: with it, the recordings have {total} numbers; {MAX_NUMBERS} at most",
                    path.display()
                ));
            }
            Ok(numbers)
        };
        Ok(self.task.load_traces(read)?)
    }
}

/// The bytes of a regular file of limited size.
fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let refuse = |why: String| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    if !fs::metadata(path)?.is_file() {
        return refuse("it is not a regular file".into());
    }
    // if it has become a pipe meanwhile, opening it does not block
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return refuse(format!("it is longer than {} MiB", MAX_BYTES >> 20));
    }
    Ok(bytes)
}

/// The text without the byte order mark that some programs write before UTF-8.
fn text(bytes: &[u8]) -> Result<&str, String> {
    let saved = "save it as UTF-8 (\"CSV UTF-8\" in a spreadsheet)";
    if bytes.starts_with(b"\xff\xfe\0\0") || bytes.starts_with(b"\0\0\xfe\xff") {
        return Err(format!(": its byte order mark says UTF-32; {saved}"));
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(format!(": its byte order mark says UTF-16; {saved}"));
    }
    if bytes.contains(&0) {
        return Err(format!(
            ": it has null bytes, so it is not text, or it is UTF-16 without a byte order mark; {saved}"
        ));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|_| format!(": it is not UTF-8; {saved}"))
}

/// The numbers of a text; an error begins with its line.
fn numbers(text: &str) -> Result<Vec<f64>, String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = text.trim_ascii_end().split('\n').collect();
    let mut numbers = Vec::with_capacity(lines.len());
    for (i, line) in lines.iter().enumerate() {
        let of_line = numbers_of(line).map_err(|problem| format!(", line {}: {problem}", i + 1))?;
        if lines.len() > 1 && of_line.len() > 1 {
            let count = of_line.len();
            let problem =
                "in a file of several lines each has one, since these may be columns; write one number per line";
            return Err(format!(", line {}: {count} numbers, but {problem}", i + 1));
        }
        numbers.extend(of_line);
    }
    Ok(numbers)
}

/// The numbers of a line, between blanks, or between commas and blanks.
fn numbers_of(line: &str) -> Result<Vec<f64>, String> {
    if line.trim_ascii().is_empty() {
        return Err("there is no number; write the missing number, or remove the line".into());
    }
    if line.contains(';') {
        return Err(
            "`;` separates columns, and a recording has one; write one number per line, with a point: 9.81".into()
        );
    }
    decimal_comma(line)?;
    let between_commas = line.split(',').map(str::trim_ascii);
    let mut numbers = Vec::new();
    for part in between_commas {
        if part.is_empty() {
            return Err("a comma has no number before or after it; write the missing number".into());
        }
        for word in part.split_ascii_whitespace() {
            let number = word.parse::<f64>().ok().filter(|number| number.is_finite());
            numbers.push(number.ok_or_else(|| format!("`{}` is not a finite number", excerpt(word)))?);
        }
    }
    Ok(numbers)
}

/// Refuses `9,81`: a comma between two digits may separate two numbers or the digits of one, unless both numbers have a
/// point.
fn decimal_comma(line: &str) -> Result<(), String> {
    for word in line.split_ascii_whitespace() {
        let parts: Vec<&str> = word.split(',').collect();
        for pair in parts.windows(2) {
            let joined =
                pair[0].ends_with(|c: char| c.is_ascii_digit()) && pair[1].starts_with(|c: char| c.is_ascii_digit());
            if joined && !pair.iter().all(|part| part.contains('.')) {
                let instead = "with a point (9.81) if it is one number, one per line if they are two";
                return Err(format!("`{}` is one number or two; write {instead}", excerpt(word)));
            }
        }
    }
    Ok(())
}

/// The beginning of a word, with unusual characters escaped.
fn excerpt(word: &str) -> String {
    let shown: String = word.chars().take(SHOWN).flat_map(char::escape_default).collect();
    if word.chars().count() > SHOWN { shown + "..." } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<f64>, String> {
        text(bytes).and_then(numbers)
    }

    #[test]
    fn texts_with_one_reading_are_read() {
        let right = [9.81, 9.9, 10.1];
        for text in [
            "9.81\r\n9.90\r\n10.10\r\n",
            "\u{feff}9.81\r\n9.90\r\n10.10\r\n",
            "9.81\r9.90\r10.10",
            " 9.81\n\t9.90 \n10.10\n\n\n",
            "9.81, 9.90, 10.10",
            "9.81 9.90\t10.10\n",
            "9.81,9.90,10.10\n",
            "+9.81\n.99e1\n1.01E+1",
        ] {
            assert_eq!(read(text.as_bytes()).as_deref(), Ok(&right[..]), "{text:?}");
        }
    }

    #[test]
    fn texts_with_two_readings_are_refused_with_what_to_write() {
        for (text, line, what) in [
            ("9,81\r\n9,90\r\n10,10\r\n", "line 1", "with a point (9.81)"),
            ("9.81\n9,9\n", "line 2", "with a point (9.81)"),
            ("9,81", "line 1", "one number or two"),
            ("1,234,567.8", "line 1", "one number or two"),
            ("1.234,56", "line 1", "one number or two"),
            ("1e3,2e3", "line 1", "one number or two"),
            ("0, 9.81\n1, 9.9\n", "line 1", "one number per line"),
            ("9.81\n1 234\n", "line 2", "one number per line"),
            ("0\t9.81\n1\t9.9\n", "line 1", "one number per line"),
            ("9,81;9,90;10,10", "line 1", "one number per line, with a point"),
            ("9.81;\n9.9;\n", "line 1", "one number per line, with a point"),
            ("9.81, , 9.9", "line 1", "the missing number"),
            ("9.81,\n9.9,\n", "line 1", "the missing number"),
            ("9.81\n\n9.9\n", "line 2", "the missing number"),
            ("gravity\n9.81\n", "line 1", "`gravity` is not a finite number"),
            ("9.81\n# wind\n", "line 2", "`#` is not a finite number"),
            ("9.81\nnan\n", "line 2", "`nan` is not a finite number"),
            ("9.81\n1e999\n", "line 2", "`1e999` is not a finite number"),
            ("\u{2212}9.81\n", "line 1", "`\\u{2212}9.81` is not a finite number"),
            ("1\u{a0}234\n", "line 1", "`1\\u{a0}234` is not a finite number"),
            ("\"9.81\"\n", "line 1", "is not a finite number"),
            ("", "line 1", "there is no number"),
        ] {
            let told = read(text.as_bytes()).expect_err(text);
            assert!(told.starts_with(&format!(", {line}: ")) && told.contains(what), "{text:?}: {told}");
        }
    }

    #[test]
    fn other_encodings_are_refused_by_name() {
        let utf16: Vec<u8> = "9.81\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(read(&[b"\xff\xfe", &utf16[..]].concat()).unwrap_err().contains("UTF-16"));
        assert!(read(&[b"\xfe\xff\0", &utf16[..]].concat()).unwrap_err().contains("UTF-16"));
        assert!(read(&utf16).unwrap_err().contains("UTF-16 without a byte order mark"));
        assert!(read(b"\xff\xfe\0\x009\0\0\0").unwrap_err().contains("UTF-32"));
        assert!(read(b"9\xb781").unwrap_err().contains("not UTF-8"));
    }

    #[test]
    fn only_a_short_escaped_piece_of_a_file_is_shown() {
        let told = read(b"\x1b[2JSECRET=hunter2\n").unwrap_err();
        assert!(told.contains("\\u{1b}[2JSECRET=h...") && !told.contains("hunter2"), "{told}");
    }

    #[test]
    fn only_regular_files_of_limited_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let error = |path: &Path| read_regular(path).unwrap_err().to_string();
        assert!(error(folder.path()).contains("not a regular file"));
        assert!(error(Path::new("/dev/zero")).contains("not a regular file"));
        let pipe = folder.path().join("pipe");
        let name = std::ffi::CString::new(pipe.to_str().unwrap()).unwrap();
        // SAFETY: the name is a C string that outlives the call.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        assert!(error(&pipe).contains("not a regular file"));
        let long = folder.path().join("long.csv");
        std::fs::File::create(&long).unwrap().set_len(MAX_BYTES + 1).unwrap();
        assert!(error(&long).contains("longer than 4 MiB"));
    }
}
