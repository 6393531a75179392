//! Evaluations on episodes or on examples, as the experiment asks for.

use metadrift_agents::{agent::Agent, report::Diverged};
use serde::Serialize;

use super::{Evaluation, Protocol, evaluate};
use crate::{
    config::Experiment,
    examples::{self, ExamplesEvaluation},
};

/// The result of an evaluation, on episodes or on examples.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum HeldOut {
    /// Returns.
    Episodes(Box<Evaluation>),
    /// Losses.
    Examples(ExamplesEvaluation),
}

/// Evaluates `agent` on the held-out tasks of the protocol; `iteration` is that of its training.
///
/// # Errors
/// If an adapted policy is not finite.
pub fn held_out(
    config: &Experiment,
    (agent, iteration): (&dyn Agent, u64),
    actors: usize,
    protocol: &Protocol,
) -> Result<HeldOut, Diverged> {
    Ok(match config.family() {
        Some(_) => {
            let found = examples::evaluate(config, agent, protocol)?;
            HeldOut::Examples(ExamplesEvaluation { iteration: Some(iteration), ..found })
        }
        None => {
            let found = evaluate(config, agent, actors, protocol)?;
            HeldOut::Episodes(Box::new(Evaluation { iteration: Some(iteration), ..found }))
        }
    })
}

impl HeldOut {
    /// The result for people.
    pub fn to_text(&self) -> String {
        match self {
            HeldOut::Episodes(found) => found.to_text(),
            HeldOut::Examples(found) => found.to_text(),
        }
    }

    /// The result as CSV: a row for each task, or for each number of steps on examples.
    pub fn to_csv(&self) -> String {
        match self {
            HeldOut::Episodes(found) => found.to_csv(),
            HeldOut::Examples(found) => found.to_csv(),
        }
    }

    /// Names and values for the log.
    pub fn scalars(&self) -> Vec<(String, f64)> {
        match self {
            HeldOut::Episodes(found) => found.scalars(),
            HeldOut::Examples(found) => found.scalars(),
        }
    }

    /// Names and returns, one for each task, for the log; none on examples.
    pub fn distributions(&self) -> Vec<(String, Vec<f64>)> {
        match self {
            HeldOut::Episodes(found) => found.distributions(),
            HeldOut::Examples(_) => Vec::new(),
        }
    }

    /// The figure by which checkpoints are compared, after the last step: the mean return, or minus the mean loss.
    pub fn score(&self) -> f64 {
        match self {
            HeldOut::Episodes(found) => found.curve.last().map_or(f64::NAN, |point| point.deterministic.summary.mean),
            HeldOut::Examples(found) => found.curve.last().map_or(f64::NAN, |point| -point.loss.mean),
        }
    }
}
