//! Trainings of studies and searches: each goes on where its folder stands, and is begun anew where that is damaged.

use std::{fs, panic::resume_unwind, path::Path};

use metadrift_agents::{backend::BackendChoice, device::Device, stop::Stopped};

use super::{Ended, RunOptions, Session, read_config};
use crate::{
    checkpoint::Which,
    config::Experiment,
    device::DeviceChoice,
    failure::{During, Failure, Result, code},
    message,
    run_dir::{Manifest, Place, RunDir, RunState},
    trained::Trained,
};

/// The end of a training, which left a policy in each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All that was planned is done, or the return at which the run stops is reached.
    Finished,
    /// The iteration to stop at is done.
    Paused,
    /// A number was not finite.
    Diverged,
    /// The policy lost for good what it had learned.
    Collapsed,
}

impl End {
    /// The end in a word.
    pub fn word(self) -> &'static str {
        match self {
            End::Finished => "finished",
            End::Paused => "paused",
            End::Diverged => "diverged",
            End::Collapsed => "collapsed",
        }
    }
}

/// Trains in folder `dir`, or goes on with the training there, up to iteration `until` or to the end.
///
/// # Errors
/// A full disk, a folder that cannot be written or that another process trains in.
///
/// # Panics
/// With [`Stopped`] at a signal; the run is saved.
pub fn go_on(dir: &Path, config: &Experiment, actors: usize, until: Option<u64>) -> Result<End> {
    if collapsed_before(dir) {
        return Ok(End::Collapsed);
    }
    let options = RunOptions {
        device: DeviceChoice::Cpu,
        backend: Some(BackendChoice::Native),
        actors,
        max_time: None,
        until,
        data: None,
        quiet: true,
    };
    match open(config, dir, &options)?.run() {
        Ok(Ended::Signal(signal)) => resume_unwind(Box::new(Stopped(signal))),
        Ok(Ended::Paused | Ended::TimeUp) => Ok(End::Paused),
        Ok(Ended::Finished | Ended::Solved) => Ok(End::Finished),
        Err(error) if error.code() == code::DIVERGED => Ok(End::Diverged),
        Err(error) if error.code() == code::COLLAPSED => Ok(End::Collapsed),
        Err(error) => Err(error).during(|| dir.display().to_string()),
    }
}

/// The reason why the run in folder `dir`, if there is one, is not the training that is asked for.
pub fn foreign(dir: &Path, asked: &Experiment) -> Option<String> {
    if !RunDir::is_run(dir) {
        return None;
    }
    let stored = read_config(dir).ok()?; // one that cannot be read is damaged, and made anew
    let differing = stored.differences(asked);
    let (key, there, now) = differing.first()?;
    Some(format!("{}: the run there has other settings: {key} is {there} there, and {now} is asked for", dir.display()))
}

/// The policy of the last checkpoint in folder `dir`.
///
/// # Errors
/// If there is none that can be used.
pub fn policy(dir: &Path, actors: usize) -> Result<Trained> {
    Trained::open(dir, Which::Last, Device::Cpu, Some(BackendChoice::Native), actors)
}

/// True if the run in `dir` ended by a collapse: it would go on if it was resumed.
fn collapsed_before(dir: &Path) -> bool {
    let state = Manifest::read(dir).map(|manifest| manifest.state);
    matches!(state, Ok(RunState::Failed { message }) if message.contains("Training has collapsed"))
}

/// The session of a training, new or resumed. A run that is damaged beyond use is set aside, said, and begun anew.
fn open(config: &Experiment, dir: &Path, options: &RunOptions) -> Result<Session> {
    let begin = || Session::begin(config.clone(), &Place::Folder(dir.to_owned()), options.clone());
    if RunDir::is_run(dir) {
        // one that another process trains in is not damaged
        RunDir::open(dir)?;
        match Session::resume(dir, Which::Last, None, options.clone()) {
            Ok(session) => return Ok(session),
            Err(error) if error.code() == code::FILE || error.code() == code::CONFIG => {
                set_aside(dir, &error)?;
            }
            Err(error) => return Err(error),
        }
    }
    match begin() {
        // the folder is not empty, and holds no run
        Err(error) if error.code() == code::USAGE => {
            set_aside(dir, &error)?;
            begin()
        }
        begun => begun,
    }
}

/// Renames a damaged run to the first free name.
fn set_aside(dir: &Path, error: &Failure) -> Result<()> {
    let free = (1..).map(|n| dir.with_file_name(format!("damaged-{n}"))).find(|aside| !aside.exists());
    let aside = free.expect("numbers do not end");
    let reason = message::of_error(error);
    message::warn(&format!("its run is damaged and is made anew; the old one is {} ({reason})", aside.display()));
    fs::rename(dir, &aside).during(|| format!("cannot rename {}", dir.display()))
}
