//! Errors as the shell sees them: one message, one exit code.

use metadrift_agents::{backend::NoBackend, learner::Diverged, state::Misfit};
use metadrift_envs::TaskError;

use crate::{
    checkpoint::CheckpointError,
    commands::{
        doctor::Unusable,
        env::{CheckFailed, Fault, ReplayError},
    },
    config::ConfigError,
    device::DeviceError,
    run_dir::RunDirError,
};

/// Exit codes, apart from 0 (done), 1 (anything else) and 2 (wrong usage).
pub mod code {
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
    /// A worker panicked.
    pub const PANIC: u8 = 70;

    /// 128 and the number of the signal, as shells count: 129 hung up, 130 interrupted, 143 terminated.
    pub fn of_signal(signal: i32) -> std::process::ExitCode {
        std::process::ExitCode::from(128 + signal as u8)
    }
}

/// Arguments that make no sense, found where the command line's own parser cannot see it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongUsage(pub String);

/// A worker's panic, with its message.
#[derive(Debug, thiserror::Error)]
#[error("a worker panicked: {0}. This is a mistake in the program, not yours; the last checkpoint is good")]
pub struct WorkerPanic(pub String);

impl WorkerPanic {
    /// From what `catch_unwind` caught.
    pub fn new(payload: &(dyn std::any::Any + Send)) -> Self {
        let text = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
        WorkerPanic(text.unwrap_or("no message").to_owned())
    }
}

/// The exit code for an error: that of the first cause that has one.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    error.chain().find_map(code_of).unwrap_or(1)
}

fn code_of(cause: &(dyn std::error::Error + 'static)) -> Option<u8> {
    if let Some(error) = cause.downcast_ref::<ConfigError>() {
        return Some(if matches!(error, ConfigError::Unreadable { .. }) { code::FILE } else { code::CONFIG });
    }
    if cause.is::<Misfit>() || cause.is::<TaskError>() {
        return Some(code::CONFIG);
    }
    if cause.is::<WrongUsage>() {
        return Some(2);
    }
    if cause.is::<Diverged>() {
        return Some(code::DIVERGED);
    }
    if cause.is::<DeviceError>() || cause.is::<NoBackend>() || cause.is::<Unusable>() {
        return Some(code::DEVICE);
    }
    if cause.is::<CheckFailed>() {
        return Some(code::CHECK);
    }
    if cause.is::<WorkerPanic>() {
        return Some(code::PANIC);
    }
    if let Some(error) = cause.downcast_ref::<ReplayError>() {
        return Some(match error {
            ReplayError::Line { fault: Fault::BadValue(_), .. } => code::CONFIG,
            _ => code::FILE,
        });
    }
    if let Some(error) = cause.downcast_ref::<CheckpointError>() {
        return Some(match error {
            CheckpointError::NonFinite { .. } => code::DIVERGED,
            full if full.is_disk_full() => code::DISK_FULL,
            _ => code::FILE,
        });
    }
    if let Some(error) = cause.downcast_ref::<RunDirError>() {
        return Some(match error {
            full if full.is_disk_full() => code::DISK_FULL,
            RunDirError::NotEmpty { .. } | RunDirError::BadName { .. } | RunDirError::OldEvents { .. } => 2,
            _ => code::FILE,
        });
    }
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    let io = cause.downcast_ref::<std::io::Error>()?;
    Some(if matches!(io.kind(), StorageFull | QuotaExceeded | FileTooLarge) { code::DISK_FULL } else { code::FILE })
}
