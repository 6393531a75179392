//! One iteration of a run, which a signal may stop.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use metadrift_agents::{
    stop::{self, Stopped},
    team,
};

use super::Ended;
use crate::{
    failure::{During, Failure, Result},
    ranks::{self, Agreed},
    train::{Report, Trainer},
};

/// Length up to which an iteration counts as short: after a short one, a signal lets the next one end.
const SHORT: Duration = Duration::from_millis(500);

/// Runs one iteration after one that took `last`, and agrees on its end with the other ranks, if there are any; a panic in a
/// worker becomes an error with its message. A stopped iteration leaves the trainer as it was before. A short iteration is
/// not stopped, so that no state has to be kept for it, but for that of another rank.
///
/// # Errors
/// On divergence and panics, here or on another rank; if the ranks have different results.
pub fn iterate(
    trainer: &mut Trainer,
    last: &mut Duration,
    time_up: impl Fn() -> bool,
) -> Result<Result<(Report, Agreed), Stopped>> {
    let before = (*last >= SHORT || team::is_member()).then(|| trainer.checkpoint());
    let _whole = before.is_none().then(stop::hold);
    let began = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let report = trainer.iterate()?;
        let agreed = match team::is_member() {
            true => ranks::agree(trainer, time_up())?,
            false => Agreed { signal: None, time_up: false },
        };
        Ok::<_, Failure>((report, agreed))
    }));
    *last = began.elapsed();
    match outcome {
        Ok(done) => done.map(Ok).during(|| {
            format!("training stopped in iteration {}; earlier checkpoints are valid", trainer.iteration() + 1)
        }),
        Err(payload) => {
            let signal = ranks::departed(payload)?;
            trainer.restore(&before.expect("an iteration for which no state is kept holds stops back"))?;
            Ok(Err(Stopped(signal)))
        }
    }
}

impl Ended {
    /// The reason to stop after an iteration, if there is one.
    pub(crate) fn after(signal: Option<i32>, solved: bool, time_up: bool) -> Option<Ended> {
        match (signal, solved, time_up) {
            (Some(signal), ..) => Some(Ended::Signal(signal)),
            (None, true, _) => Some(Ended::Solved),
            (None, false, true) => Some(Ended::TimeUp),
            (None, false, false) => None,
        }
    }
}
