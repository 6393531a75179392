//! Taking a batch's state out and putting it into another one.

use super::VecEnv;
use crate::{
    engine::words::{Visit, Words},
    physics::env::Env,
};

/// A saved state that is not of such a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a state of {found} words where the batch has {expected}")]
pub struct WrongState {
    /// Words there were.
    pub found: usize,
    /// Words there should have been.
    pub expected: usize,
}

impl<E: Env> VecEnv<E> {
    /// Everything that moves as the batch is stepped: physics, clocks, memories of actuators and sensors, what was
    /// announced. Not the tasks, which [`VecEnv::restore`] must find in place.
    ///
    /// Changes nothing; the batch is borrowed as it is for [`VecEnv::restore`], whose traversal this is.
    pub fn save(&mut self) -> Vec<u32> {
        let mut saved = Vec::new();
        self.words(&mut |word| saved.push(*word));
        saved
    }

    /// Goes on, to the bit, from where another batch of the same tasks, lanes, horizon and streams was saved.
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
