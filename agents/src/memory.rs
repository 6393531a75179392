//! Sizes that estimates of memory are made of; all in bytes, as `u128`, so that no product of legal settings wraps.

/// The size of a network's parameters is taken this many times, whatever the data: optimiser, checkpoint, its text.
const COPIES: u128 = 20;
/// The same for each thread: networks made ready, gradients, work space.
const COPIES_PER_THREAD: u128 = 10;
/// The same for each task: as it was collected with, adapted, its gradients.
const COPIES_PER_TASK: u128 = 4;
/// Per sample of the task in hand, what the estimate of its advantages takes (B).
pub const ADVANTAGE: u128 = 200;

/// Sizes that the settings of a run and its backend lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// A row of a rollout: two observations, action, log-probability, reward, step in the episode, two flags (B).
    pub row: u128,
    /// The learner's copy of a sample: observation, action, log-probability, advantage (B).
    pub sample: u128,
    /// Activations of the hidden layers for one sample (B).
    pub hidden: u128,
    /// The policy's parameters (B).
    pub params: u128,
    /// Values in one observation.
    pub obs_dim: usize,
    /// Whether gradients go through a graph, by libtorch, which keeps the activations of every pass.
    pub graph: bool,
    /// Whether the graph lies in a GPU's memory.
    pub on_gpu: bool,
    /// Threads for gradients and estimates.
    pub threads: u128,
}

impl Sizes {
    /// Networks of `params` bytes in all that adapt to `tasks` tasks (B).
    pub fn networks(&self, params: u128, tasks: u128) -> u128 {
        params * (COPIES + COPIES_PER_THREAD * self.threads + COPIES_PER_TASK * tasks)
    }
}

/// Memory that a learner takes at its peak, beside its source (B).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Copies of the data, and the work in hand.
    pub data: u128,
    /// Networks, which stay while the run is evaluated.
    pub networks: u128,
    /// Settings of which smaller values take less.
    pub keys: &'static str,
}
