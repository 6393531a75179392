//! The choice of a run's checkpoint.

use std::{fmt, io::ErrorKind::NotFound, path::Path, str::FromStr};

use super::{Checkpoint, CheckpointError, Skipped, at, load::LISTINGS, newest};

/// One checkpoint of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// The newest.
    #[default]
    Last,
    /// The one that did best on held-out tasks, by the state of the newest: `"best": {"step": n, "return": x}`.
    Best,
    /// The checkpoint after this number of iterations.
    Step(u64),
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "last" => Ok(Which::Last),
            "best" => Ok(Which::Best),
            step => step.parse().map(Which::Step).map_err(|_| "neither an iteration nor `best` nor `last`".into()),
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Which::Last => f.write_str("last"),
            Which::Best => f.write_str("best"),
            Which::Step(step) => write!(f, "{step}"),
        }
    }
}

/// The checkpoint `which` in `dir`, and the newer ones that are damaged, for a warning.
///
/// # Errors
/// If there is no such checkpoint, or it cannot be used.
pub fn choose(dir: &Path, which: Which) -> Result<(Checkpoint, Vec<Skipped>), CheckpointError> {
    match which {
        Which::Last => newest(dir),
        Which::Step(step) => Ok((at(dir, step)?, Vec::new())),
        Which::Best => best(dir),
    }
}

/// The best checkpoint. A run that trains meanwhile deletes it when there is a better one: then the newest is asked again.
fn best(dir: &Path) -> Result<(Checkpoint, Vec<Skipped>), CheckpointError> {
    let mut tries = 1;
    loop {
        let (last, skipped) = newest(dir)?;
        let step = last.state.get("best").and_then(|best| best.get("step")?.as_u64());
        let step = step.ok_or_else(|| CheckpointError::NoBest { dir: dir.to_owned() })?;
        match at(dir, step) {
            Ok(checkpoint) => return Ok((checkpoint, skipped)),
            Err(error) if tries == LISTINGS || !vanished(&error) => return Err(error),
            Err(_) => tries += 1,
        }
    }
}

fn vanished(error: &CheckpointError) -> bool {
    match error {
        CheckpointError::NoStep { .. } => true,
        CheckpointError::Damaged { path, .. } => !path.exists(),
        CheckpointError::Io { source, .. } => source.kind() == NotFound,
        _ => false,
    }
}
