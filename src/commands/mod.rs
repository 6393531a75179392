//! What each command does: from arguments to output.

pub mod bench;
pub mod doctor;
pub mod env;
pub mod evaluate;
pub mod presets;
pub mod tasks;
pub mod train;

use std::io::{self, Write};

/// Prints to standard output. A reader that has seen enough (`| head`) is no error.
///
/// # Errors
/// If the output cannot be written for another reason, such as a full disk.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
