//! Saving and restoring the state of a batch.

use super::VecEnv;
use crate::{
    engine::words::{Visit, Words},
    physics::env::Env,
};

/// A saved state that belongs to a batch of another size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a state of {found} words where the batch has {expected}")]
pub struct WrongState {
    /// Number of words in the state.
    pub found: usize,
    /// Number of words of the batch.
    pub expected: usize,
}

impl<E: Env> VecEnv<E> {
    /// The state of the batch: physics, clocks, memories of actuators and sensors, announcements. The tasks are no part
    /// of it: [`VecEnv::restore`] must find them in place.
    ///
    /// The call changes nothing; the borrow is mutable because [`VecEnv::restore`] uses the same traversal.
    pub fn save(&mut self) -> Vec<u32> {
        let mut saved = Vec::new();
        self.words(&mut |word| saved.push(*word));
        saved
    }

    /// Continues, to the bit, from the saved state of another batch of the same tasks, lanes, horizon and streams.
    ///
    /// # Errors
    /// If the state is of another size; the batch is then as it was.
    pub fn restore(&mut self, saved: &[u32]) -> Result<(), WrongState> {
        let expected = self.save().len();
        if saved.len() != expected {
            return Err(WrongState { found: saved.len(), expected });
        }
        let mut rest = saved.iter();
        self.words(&mut |word| *word = *rest.next().expect("as many as were counted"));
        Ok(())
    }

    fn words(&mut self, visit: &mut Visit<'_>) {
        self.ticks.words(visit);
        self.born.words(visit);
        self.episodes.words(visit);
        self.corrections.words(visit);
        self.channels.words(visit);
        self.state.words(visit);
        self.episode_step.words(visit);
        self.obs.words(visit);
        self.ended.words(visit);
        self.actuators.words(visit);
        self.sensors.words(visit);
        self.appendix.words(visit);
    }
}
