//! A rank that trains along and touches no file.

use std::time::Duration;

use metadrift_agents::stop::Stopped;

use super::{Agreed, receive};
use crate::{
    failure::{Collapsed, Result},
    session::{Ended, RunOptions, iterate},
};

/// Trains along with rank 0, which hands out configuration and state, to the end of the run.
///
/// # Errors
/// As `Session::run`, but for files.
pub fn follow(options: &RunOptions) -> Result<Ended> {
    let mut trainer = receive(options)?;
    let mut last = Duration::MAX;
    while !trainer.is_over() && !trainer.solved() {
        let (report, agreed) = match iterate(&mut trainer, &mut last, || false)? {
            Ok(done) => done,
            Err(Stopped(signal)) => return Ok(Ended::Signal(signal)),
        };
        if let Some(fall) = trainer.watch(&report).filter(|fall| fall.is_last()) {
            return Err(Collapsed(fall).into());
        }
        let Agreed { signal, time_up } = agreed;
        if let Some(ended) = Ended::after(signal, trainer.solved(), time_up) {
            return Ok(ended);
        }
    }
    Ok(if trainer.solved() { Ended::Solved } else { Ended::Finished })
}
