//! The optimisers of a network: Adam, or a learned rule.

use std::{ops::Range, sync::Arc};

use crate::{
    adam::Adam,
    layout::Layout,
    state::{Misfit, State},
    update_rule::{self, Coordinates, MEMORY, SHARED},
};

/// An optimiser with its state.
#[derive(Clone, Debug, PartialEq)]
pub enum Optimizer {
    /// Adam.
    Adam(Adam),
    /// A learned update rule.
    Learned(Learned),
}

/// A learned update rule with what it keeps of every parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Learned {
    /// Weights of the rule, `[update_rule::WEIGHTS]`.
    rule: Arc<Vec<f32>>,
    /// Coordinates of each block, with the inputs that they share; the first is the share of training that is done.
    blocks: Vec<(Range<usize>, [f32; SHARED])>,
    adam: Adam,
    /// The memories, `[MEMORY, num_params]`.
    memory: Vec<f32>,
}

impl Learned {
    /// The rule of the weights `rule` at the beginning of the training of a network of shape `layout`, which answers with
    /// values or is a policy.
    pub fn new(rule: Arc<Vec<f32>>, layout: &Layout, values: bool) -> Self {
        let last = layout.num_layers().max(2) - 1;
        let depth = |block: usize| (block / 2).min(last) as f32 / last as f32;
        let inputs = |block: usize| [0.0, depth(block), f32::from(u8::from(values))];
        let blocks = layout.blocks().iter().enumerate().map(|(at, block)| (block.range.clone(), inputs(at))).collect();
        let count = layout.num_params();
        Learned { rule, blocks, adam: Adam::new(count), memory: vec![0.0; MEMORY * count] }
    }
}

impl Optimizer {
    /// Steps taken.
    pub fn steps(&self) -> u64 {
        match self {
            Optimizer::Adam(adam) | Optimizer::Learned(Learned { adam, .. }) => adam.step,
        }
    }

    /// Takes one step downhill along the gradient of a minibatch, with learning rate `lr`, when the share `done` of training
    /// lies behind; both vectors are `[num_params]`.
    pub fn step(&mut self, params: &mut [f32], gradient: &[f32], lr: f64, done: f64) {
        match self {
            Optimizer::Adam(adam) => adam.step_with(params, gradient, lr, Adam::MINIBATCH_EPSILON),
            Optimizer::Learned(Learned { rule, blocks, adam, memory }) => {
                blocks.iter_mut().for_each(|(_, shared)| shared[0] = done as f32);
                update_rule::step(rule, blocks, Coordinates { params, gradient, adam, memory }, lr);
            }
        }
    }

    /// Puts the state into `state`: Adam's as `NAME_m`, `NAME_v` and `NAME_step`, a rule's memories as `NAME_memory`.
    pub fn save(&self, state: &mut State, name: &str) {
        match self {
            Optimizer::Adam(adam) => adam.save(state, name),
            Optimizer::Learned(Learned { adam, memory, .. }) => {
                adam.save(state, name);
                state.put(&format!("{name}_memory"), memory);
            }
        }
    }

    /// The same optimiser as [`Optimizer::save`] stored it under `name`.
    ///
    /// # Errors
    /// If it is missing, or belongs to another number of parameters.
    pub fn loaded(&self, state: &State, name: &str) -> Result<Self, Misfit> {
        match self {
            Optimizer::Adam(adam) => Ok(Optimizer::Adam(Adam::load(state, name, adam.m.len())?)),
            Optimizer::Learned(learned) => {
                let adam = Adam::load(state, name, learned.adam.m.len())?;
                let memory = state.tensor(&format!("{name}_memory"), learned.memory.len())?;
                Ok(Optimizer::Learned(Learned { adam, memory, ..learned.clone() }))
            }
        }
    }
}
