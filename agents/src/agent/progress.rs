//! The point that an adaptation has come to, as a checkpoint holds it.

use crate::{
    inner_rule::{Memory, ROWS},
    state::{Misfit, State},
};

/// Name of the adapted parameters in a checkpoint.
const PARAMS: &str = "adapted.policy";
/// Name of a learned rule's memory.
const MEMORY: &str = "adapted.memory";
/// Name of the number of steps taken.
const TAKEN: &str = "adapted_steps";
/// Name of the number of steps that a learned rule has taken.
const REMEMBERED: &str = "adapted_memory_steps";

/// True if `state` holds a point that an adaptation has come to, see [`Agent::keep`](super::Agent::keep).
pub fn is_adapted(state: &State) -> bool {
    state.find(PARAMS).is_ok()
}

/// The point that the adaptation to one task has come to.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    /// `[num_params]`
    pub params: Vec<f32>,
    /// Memory of a learned rule; `None` with gradient steps.
    pub memory: Option<Memory<f32>>,
    /// Number of steps taken.
    pub taken: usize,
}

impl Progress {
    /// The point before the first step from `start`; `rule` are the weights of a learned rule, or empty.
    pub fn none(start: &[f32], rule: &[f32]) -> Self {
        let memory = (!rule.is_empty()).then(|| Memory::new(start.len()));
        Progress { params: start.to_vec(), memory, taken: 0 }
    }

    /// Puts the point into `state`.
    pub fn save(&self, state: &mut State) {
        state.tensors.retain(|(name, _)| name != PARAMS && name != MEMORY);
        state.put(PARAMS, &self.params);
        state.set(TAKEN, self.taken);
        if let Some(memory) = &self.memory {
            let (rows, steps) = memory.parts();
            state.put(MEMORY, rows);
            state.set(REMEMBERED, steps);
        }
    }

    /// The point in `state`, if there is one, of a policy of `count` parameters; `learned` says that its steps are those of
    /// a learned rule.
    ///
    /// # Errors
    /// If it belongs to another policy.
    pub fn loaded(state: &State, count: usize, learned: bool) -> Result<Option<Self>, Misfit> {
        if !is_adapted(state) {
            return Ok(None);
        }
        let memory = || Ok(Memory::of_parts(state.tensor(MEMORY, ROWS * count)?, state.value(REMEMBERED)?));
        let memory = if learned { Some(memory()?) } else { None };
        Ok(Some(Progress { params: state.tensor(PARAMS, count)?, memory, taken: state.value(TAKEN)? }))
    }
}
