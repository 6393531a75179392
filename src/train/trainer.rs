//! Either learner's training run.

use metadrift_agents::device::Device;
use metadrift_agents::{
    backend::BackendChoice,
    maml::{Diverged, Maml},
};

use super::{MetaTrainer, Misfit, PpoTrainer, Report, TrainerError};
use crate::{
    checkpoint::Checkpoint,
    config::{Config, Learner},
};

/// The training run that a configuration asks for.
pub enum Trainer {
    /// `learner = "maml"`
    Meta(Box<MetaTrainer>),
    /// `learner = "ppo"`
    Ppo(Box<PpoTrainer>),
}

/// Calls the same method of either.
macro_rules! either {
    ($self:expr, $trainer:ident => $call:expr) => {
        match $self {
            Trainer::Meta($trainer) => $call,
            Trainer::Ppo($trainer) => $call,
        }
    };
}

impl Trainer {
    /// A run at its beginning: fresh parameters from the seed.
    ///
    /// # Errors
    /// If the configuration does not hold together, or the backend cannot be had.
    pub fn new(
        config: Config,
        device: Device,
        backend: BackendChoice,
        num_actors: usize,
    ) -> Result<Self, TrainerError> {
        Ok(match config.learner {
            Learner::Maml => Trainer::Meta(Box::new(MetaTrainer::new(config, device, backend, num_actors)?)),
            Learner::Ppo => Trainer::Ppo(Box::new(PpoTrainer::new(config, device, backend, num_actors)?)),
        })
    }

    /// One iteration.
    ///
    /// # Errors
    /// If a loss, gradient or parameter is not finite; no parameter has then taken that value.
    pub fn iterate(&mut self) -> Result<Report, Diverged> {
        either!(self, trainer => trainer.iterate())
    }

    /// Whether the run has reached the return it was to stop at.
    pub fn solved(&self) -> bool {
        match self {
            Trainer::Meta(_) => false,
            Trainer::Ppo(trainer) => trainer.solved(),
        }
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        either!(self, trainer => trainer.config())
    }

    /// The policy and how it adapts, for evaluation.
    pub fn learner(&self) -> Maml {
        match self {
            Trainer::Meta(trainer) => Maml::clone(trainer.learner()),
            Trainer::Ppo(trainer) => trainer.learner(),
        }
    }

    /// Iterations done.
    pub fn iteration(&self) -> u64 {
        either!(self, trainer => trainer.iteration())
    }

    /// Environment steps taken.
    pub fn env_steps(&self) -> u64 {
        either!(self, trainer => trainer.env_steps())
    }

    /// All that is needed to go on from here to the byte.
    pub fn checkpoint(&mut self) -> Checkpoint {
        either!(self, trainer => trainer.checkpoint())
    }

    /// Goes back, or forward, to a checkpoint of a run with the same configuration.
    ///
    /// # Errors
    /// If it is of another policy or learner: says which part does not fit.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), Misfit> {
        either!(self, trainer => trainer.restore(checkpoint))
    }
}
