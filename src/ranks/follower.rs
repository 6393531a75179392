//! A rank that trains and evaluates along and touches no file.

use std::time::Duration;

use metadrift_agents::stop::Stopped;

use super::{Agreed, receive, together};
use crate::{
    failure::{Collapsed, Result},
    session::{Ended, LAST, RunOptions, is_due, iterate, judge, validate},
    train::Trainer,
};

/// Trains along with rank 0, which hands out configuration and state, to the end of the run. Then evaluates along, if rank 0
/// `evaluates`.
///
/// # Errors
/// As `Session::run` and [`judge`], but for files.
pub fn follow(options: &RunOptions, evaluates: bool) -> Result<Ended> {
    let mut trainer = receive(options)?;
    let ended = train(&mut trainer, options)?;
    if matches!(ended, Ended::Signal(_)) || !evaluates {
        return Ok(ended);
    }
    let judged = together(|| judge(&trainer, options.actors, LAST, None))?;
    Ok(judged.map_or_else(|Stopped(signal)| Ended::Signal(signal), |_| ended))
}

fn train(trainer: &mut Trainer, options: &RunOptions) -> Result<Ended> {
    let mut last = Duration::MAX;
    while !trainer.is_over() && !trainer.solved() {
        let (report, agreed) = match iterate(trainer, &mut last, || false)? {
            Ok(done) => done,
            Err(Stopped(signal)) => return Ok(Ended::Signal(signal)),
        };
        if let Some(fall) = trainer.watch(&report).filter(|fall| fall.is_last()) {
            return Err(Collapsed(fall).into());
        }
        if is_due(trainer.config(), trainer.iteration()) {
            validate(trainer, options.actors)?;
        }
        let Agreed { signal, time_up } = agreed;
        if let Some(ended) = Ended::after(signal, trainer.solved(), time_up) {
            return Ok(ended);
        }
    }
    Ok(if trainer.solved() { Ended::Solved } else { Ended::Finished })
}
