//! The options of a run, and the reasons why one stops.

use std::{path::PathBuf, time::Duration};

use metadrift_agents::backend::BackendChoice;

use crate::device::DeviceChoice;

/// Options of a run that do not change its results (but for the device, in the last digits).
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The device of the gradients.
    pub device: DeviceChoice,
    /// Backend of the learner; `None` leaves it to the program, or to the choice at the start of the run.
    pub backend: Option<BackendChoice>,
    /// Number of threads that step environments and compute gradients.
    pub actors: usize,
    /// Training time after which the run saves and stops, at the end of an iteration.
    pub max_time: Option<Duration>,
    /// Iteration after which the run saves and stops, with the rest of its plan ahead.
    pub until: Option<u64>,
    /// Folder of the data of examples, if they are no longer where the run had them.
    pub data: Option<PathBuf>,
    /// True if only warnings and errors are printed.
    pub quiet: bool,
}

/// The reason why a run stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All iterations, or environment steps, are done.
    Finished,
    /// The mean return at which the run stops is reached.
    Solved,
    /// `--max-time` is over; the run is saved.
    TimeUp,
    /// The iteration at which this process was to stop is done; the run is saved.
    Paused,
    /// This signal came; the run is saved.
    Signal(i32),
}
