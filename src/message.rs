//! Messages to people. Control characters are escaped, and a failed write does not stop the program.

use std::{
    borrow::Cow,
    cell::RefCell,
    ffi::OsStr,
    fmt::Write as _,
    io::{self, Write},
    os::unix::ffi::OsStrExt,
};

use crate::failure::Failure;

thread_local! {
    /// The words before every line that this thread says.
    static PREFIX: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Puts these words before every line that this thread says from now on; none if they are empty.
pub fn set_prefix(words: &str) {
    PREFIX.with_borrow_mut(|prefix| words.clone_into(prefix));
}

/// Writes a line to standard error. If the reader is gone or the disk full, the line is dropped.
pub fn say(line: &str) {
    let line = PREFIX.with_borrow(|prefix| format!("{prefix}{line}"));
    let _ = io::stderr().lock().write_all((shown(&line) + "\n").as_bytes());
}

/// Writes a warning to standard error, as [`say`].
pub fn warn(warning: &str) {
    say(&format!("warning: {warning}"));
}

/// Prints to standard output. A reader that has seen enough (`| head`) is no error.
///
/// # Errors
/// If the output cannot be written for another reason, such as a full disk.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(shown(text).as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// The text made safe for a terminal: control characters, and those that turn the direction of writing, become escapes
/// such as `\u001b`. In a string of JSON or TOML these mean the same character, so machine-readable output stays valid.
pub fn shown(text: &str) -> Cow<'_, str> {
    if !text.contains(is_dangerous) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_dangerous(c) {
            let _ = write!(shown, "\\u{:04x}", c as u32);
        } else {
            shown.push(c);
        }
    }
    shown.into()
}

fn is_dangerous(c: char) -> bool {
    let turns = matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (c.is_control() && c != '\n' && c != '\t')
}

/// The path, or other argument that is no option, as a shell and the program read it back, see [`quoted_word`].
pub fn quoted(argument: impl AsRef<OsStr>) -> String {
    match argument.as_ref().to_str() {
        // a name that looks like an option
        Some(text) if text.starts_with('-') && !text.contains(is_dangerous) => quoted_word(format!("./{text}")),
        _ => quoted_word(argument),
    }
}

/// The argument as a shell reads it back: bare if it needs no quotes, in `'...'`, or in `$'...'` if it holds control
/// characters or is no UTF-8.
pub fn quoted_word(argument: impl AsRef<OsStr>) -> String {
    let bytes = argument.as_ref().as_bytes();
    match std::str::from_utf8(bytes) {
        Ok(text) if text.contains(is_dangerous) || text.contains(['\n', '\t']) => ansi_c(bytes),
        Ok(text) if !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "-_./=:,+@%".contains(c)) => {
            text.to_owned()
        }
        Ok(text) => format!("'{}'", text.replace('\'', r"'\''")),
        Err(_) => ansi_c(bytes),
    }
}

fn ansi_c(bytes: &[u8]) -> String {
    let mut text = String::from("$'");
    for &byte in bytes {
        match byte {
            b'\'' | b'\\' => text.extend(['\\', char::from(byte)]),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => {
                let _ = write!(text, "\\{byte:03o}");
            }
        }
    }
    text + "'"
}

/// The error and its causes in one line. Errors often repeat the text of their cause; each text appears once.
pub fn of_error(error: &Failure) -> String {
    let causes = error.chain();
    let is_told_elsewhere = |at: usize| {
        let others = causes.iter().enumerate().filter(|(other, _)| *other != at);
        // the first of two equal texts stays
        others.clone().any(|(other, text)| text.contains(&causes[at]) && (other < at || *text != causes[at]))
    };
    let told: Vec<&str> =
        (0..causes.len()).filter(|at| !is_told_elsewhere(*at)).map(|at| causes[at].as_str()).collect();
    told.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::During;

    #[test]
    fn no_control_character_gets_through() {
        assert_eq!(shown("a\tb\nc ä µ → 500"), "a\tb\nc ä µ → 500");
        assert_eq!(shown("\u{1b}]0;x\u{7}\r\u{9b}\u{202e}\0"), r"\u001b]0;x\u0007\u000d\u009b\u202e\u0000");
        let json = shown("{\"a\":\"\u{9f}\"}").into_owned();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["a"], "\u{9f}");
    }

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        let raw = OsStr::from_bytes(b"a\xff'b");
        for argument in
            ["runs/a b", "it's", "", "$HOME;`ls`", "a\nb\u{1b}[2J", "plain-1.0/x", "~x", "#", "ä"].map(OsStr::new)
        {
            assert_eq!(read_back(argument), argument.as_bytes(), "{}", quoted(argument));
        }
        assert_eq!(read_back(raw), raw.as_bytes());
        assert_eq!((quoted("runs/x/latest"), quoted("a b")), ("runs/x/latest".into(), "'a b'".into()));
    }

    fn read_back(argument: &OsStr) -> Vec<u8> {
        let script = format!("printf %s {}", quoted(argument));
        std::process::Command::new("bash").args(["-c", &script]).output().unwrap().stdout
    }

    #[test]
    fn every_cause_is_told_once() {
        let io = || io::Error::from(io::ErrorKind::NotFound);
        let failed = |attempts: &[String]| {
            let error: crate::failure::Result<()> = Err(io().into());
            attempts.iter().fold(error, |error, attempt| error.during(|| attempt.clone())).unwrap_err()
        };
        let twice = failed(&[format!("cannot write x: {}", io()), "cannot write x".to_owned()]);
        assert_eq!(of_error(&twice), format!("cannot write x: {}", io()));
        let plain = failed(&["cannot read y".to_owned()]);
        assert_eq!(of_error(&plain), format!("cannot read y: {}", io()));
        assert_eq!(of_error(&failed(&[io().to_string()])), io().to_string());
    }
}
