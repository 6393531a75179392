//! Errors as the shell sees them: one message, one exit code.
//!
//! Every error that a command may return has its own exit code ([`Coded`]); an error without one cannot become a
//! [`Failure`], so the compiler finds it.

use std::{error::Error, fmt};

use metadrift_agents::{backend::NoBackend, ranges::OutOfRange, report::Diverged, state::Misfit};
use metadrift_envs::TaskError;

use crate::guard::Fall;

/// Exit codes, apart from 0 for success.
pub mod code {
    /// An error of another kind.
    pub const OTHER: u8 = 1;
    /// The arguments are wrong.
    pub const USAGE: u8 = 2;
    /// The configuration, or a value in a file to replay, is not valid.
    pub const CONFIG: u8 = 3;
    /// A checkpoint or file cannot be read or is damaged.
    pub const FILE: u8 = 4;
    /// The device or libtorch is not available.
    pub const DEVICE: u8 = 5;
    /// A check of an environment failed.
    pub const CHECK: u8 = 6;
    /// Training diverged.
    pub const DIVERGED: u8 = 7;
    /// No space left, or a quota reached.
    pub const DISK_FULL: u8 = 8;
    /// Training lost for good what it had learned, more often than it may go back.
    pub const COLLAPSED: u8 = 9;
    /// The ranks of a distributed training do not work together: the MPI library, their programs, their results, or one that
    /// hangs.
    pub const RANKS: u8 = 10;
    /// A worker panicked.
    pub const PANIC: u8 = 70;

    /// The exit code 128 plus the number of the signal, as shells count: 129 hung up, 130 interrupted, 143 terminated.
    pub fn of_signal(signal: i32) -> std::process::ExitCode {
        std::process::ExitCode::from(128 + signal as u8)
    }
}

/// Wrong arguments that the command line's parser does not detect.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongUsage(pub String);

/// A worker's panic, with its message.
#[derive(Debug, thiserror::Error)]
#[error("a worker panicked: {0}. This is a mistake in the program; the last checkpoint is valid")]
pub struct WorkerPanic(pub String);

impl WorkerPanic {
    /// The panic whose payload `catch_unwind` caught.
    pub fn new(payload: &(dyn std::any::Any + Send)) -> Self {
        let text = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
        WorkerPanic(text.unwrap_or("no message").to_owned())
    }
}

/// The end of a run whose policy collapsed again and again.
#[derive(Debug, thiserror::Error)]
#[error("{0}, which is saved as the last checkpoint. Training has collapsed {n} times: lower ppo.outer_lr, or raise \
         checkpoint.tries", n = .0.falls)]
pub struct Collapsed(pub Fall);

impl Coded for Collapsed {
    fn code(&self) -> u8 {
        code::COLLAPSED
    }
}

impl Coded for WrongUsage {
    fn code(&self) -> u8 {
        code::USAGE
    }
}

impl Coded for WorkerPanic {
    fn code(&self) -> u8 {
        code::PANIC
    }
}

/// An error with the exit code of the program it ends.
pub trait Coded: Error + Send + Sync + 'static {
    /// The exit code, one of [`code`].
    fn code(&self) -> u8;
}

/// An error on its way to the user.
pub struct Failure {
    code: u8,
    /// Descriptions of the failed attempts, outermost first.
    attempts: Vec<String>,
    error: Box<dyn Error + Send + Sync>,
}

/// The result of anything that may end the program.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// The exit code.
    pub fn code(&self) -> u8 {
        self.code
    }

    /// The attempts and the causes, outermost first.
    pub fn chain(&self) -> Vec<String> {
        self.attempts.iter().cloned().chain(causes(&*self.error).map(ToString::to_string)).collect()
    }

    /// The error of the operating system among the causes, if there is one.
    pub fn io(&self) -> Option<&std::io::Error> {
        io_in(&*self.error)
    }
}

impl<E: Coded> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure { code: error.code(), attempts: Vec::new(), error: Box::new(error) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.chain().join(": "))
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} (exit code {})", self.code)
    }
}

/// Names the attempt in which something failed.
pub trait During<T> {
    /// The same result; its error says that it occurred during the attempt `what`.
    ///
    /// # Errors
    /// As before.
    fn during(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<Failure>> During<T> for std::result::Result<T, E> {
    fn during(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| {
            let mut failure: Failure = error.into();
            failure.attempts.insert(0, what());
            failure
        })
    }
}

/// Problems of a file, one to a line, each with a dash.
pub(crate) fn listed(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("  - {}", problem.replace('\n', "\n    "))).collect::<Vec<_>>().join("\n")
}

/// The first error of the operating system among an error and its causes.
fn io_in<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a std::io::Error> {
    causes(error).find_map(|error| error.downcast_ref())
}

/// An error and its causes.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

/// Implements [`Coded`] for errors of other crates.
macro_rules! coded {
    ($($error:ty => $code:expr),+ $(,)?) => {$(
        impl Coded for $error {
            fn code(&self) -> u8 {
                $code
            }
        }
    )+};
}

coded! {
    OutOfRange => code::CONFIG,
    TaskError => code::CONFIG,
    Misfit => code::CONFIG,
    NoBackend => code::DEVICE,
    Diverged => code::DIVERGED,
}

impl Coded for std::io::Error {
    fn code(&self) -> u8 {
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        if matches!(self.kind(), StorageFull | QuotaExceeded | FileTooLarge) { code::DISK_FULL } else { code::FILE }
    }
}

/// Implements [`Coded`] for errors of writers: the code of the operating system's error behind them, if there is one.
macro_rules! coded_by_cause {
    ($($error:ty),+ $(,)?) => {$(
        impl Coded for $error {
            fn code(&self) -> u8 {
                io_in(self).map_or(code::OTHER, Coded::code)
            }
        }
    )+};
}

coded_by_cause!(
    serde_json::Error,
    csv::Error,
    gif::EncodingError,
    png::DecodingError,
    std::string::FromUtf8Error,
    zip::result::ZipError
);
