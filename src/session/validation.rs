//! Evaluation on held-out tasks during training, and the best checkpoint by it.

use metadrift_agents::{state::State, stop};
use metadrift_envs::Split;
use serde::{Deserialize, Serialize};

use crate::{
    config::Experiment,
    evaluate::{HeldOut, Protocol, VALIDATION, held_out},
    failure::Result,
    ranks,
    train::Trainer,
};

/// The checkpoint with the best return on held-out tasks of the training distribution, after adaptation and with the
/// most likely actions. Its tasks are never those of a report.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Number of iterations done.
    pub step: u64,
    /// Mean return per episode.
    #[serde(rename = "return")]
    pub score: f64,
}

/// Key of [`Best`] in a checkpoint's state.
pub(super) const BEST: &str = "best";

impl Best {
    /// The best checkpoint in a checkpoint's state; `None` if no evaluation came before it.
    pub(super) fn of(state: &serde_json::Value) -> Option<Best> {
        state.get(BEST).and_then(|best| Best::deserialize(best).ok())
    }

    /// Takes the best checkpoint out of a checkpoint's state that stands alone.
    pub fn forget(state: &mut State) {
        state.values.remove(BEST);
    }
}

/// Names and values for the log, and the score of the trained policy.
pub struct Validation {
    /// Names and values for the log, `eval/<split>/...`.
    pub scalars: Vec<(String, f64)>,
    /// Names and returns, one for each task, for the log.
    pub distributions: Vec<(String, Vec<f64>)>,
    /// This iteration as a candidate for the best.
    pub candidate: Best,
}

/// Says whether an evaluation follows iteration `done`. The last iteration is no exception, so that a run extended
/// later equals one that was longer from the beginning.
pub fn is_due(config: &Experiment, done: u64) -> bool {
    let every = config.evaluation.every;
    every > 0 && done.is_multiple_of(every)
}

/// Evaluates the current policy on both held-out splits, with the other ranks if there are any. A signal waits for its end:
/// without it, a checkpoint of this iteration could not be resumed exactly.
///
/// # Errors
/// If an adapted policy is not finite, here or on another rank.
pub fn validate(trainer: &Trainer, actors: usize) -> Result<Validation> {
    let _whole = stop::hold();
    Ok(ranks::together(|| validate_here(trainer, actors))?.expect("every rank holds signals back"))
}

fn validate_here(trainer: &Trainer, actors: usize) -> Result<Validation> {
    let config = trainer.config();
    let agent = trainer.agent();
    let (mut scalars, mut distributions) = (Vec::new(), Vec::new());
    let mut score = f64::NAN;
    for split in [Split::InDist, Split::Ood] {
        let protocol = Protocol { draw: VALIDATION, ..Protocol::of(config, split) };
        let found = held_out(config, (&*agent, trainer.iteration()), actors, &protocol)?;
        scalars.extend(found.scalars());
        distributions.extend(found.distributions());
        if split == Split::InDist {
            score = found.score();
        }
    }
    Ok(Validation { scalars, distributions, candidate: Best { step: trainer.iteration(), score } })
}

/// The split of the evaluation at the end of a training.
pub const LAST: Split = Split::InDist;

/// Evaluates the trained policy on held-out tasks of `split`, with the other ranks if there are any; `tasks` replaces
/// `evaluation.tasks`. Gives the protocol, too.
///
/// # Errors
/// If an adapted policy is not finite.
pub fn judge(trainer: &Trainer, actors: usize, split: Split, tasks: Option<usize>) -> Result<(Protocol, HeldOut)> {
    let config = trainer.config();
    let usual = Protocol::of(config, split);
    let protocol = Protocol { tasks: tasks.unwrap_or(usual.tasks), ..usual };
    let found = held_out(config, (&*trainer.agent(), trainer.iteration()), actors, &protocol)?;
    Ok((protocol, found))
}
