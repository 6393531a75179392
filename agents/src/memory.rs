//! Sizes from which the memory estimate is made, all in bytes, as `u128`, so that no product of legal settings wraps.

/// Copies of a network's parameters, whatever the data: optimiser, checkpoint and its text.
const COPIES: u128 = 20;
/// Copies of the parameters per thread: prepared networks, gradients, work space.
const COPIES_PER_THREAD: u128 = 13;
/// Copies of the parameters per task: the collecting policy, the adapted one, its gradients.
const COPIES_PER_TASK: u128 = 4;
/// Memory of the advantage estimate per sample of the task in progress (B).
pub const ADVANTAGE: u128 = 200;

/// Sizes that follow from the settings of a run and its backend.
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
    /// Number of values in one observation.
    pub obs_dim: usize,
    /// True if libtorch computes gradients through a graph, which keeps the activations of every pass.
    pub graph: bool,
    /// True if the graph lies in a GPU's memory.
    pub on_gpu: bool,
    /// Number of threads for gradients and estimates.
    pub threads: u128,
}

impl Sizes {
    /// Memory of networks of `params` bytes in total that adapt to `tasks` tasks (B).
    pub fn networks(&self, params: u128, tasks: u128) -> u128 {
        params * (COPIES + COPIES_PER_THREAD * self.threads + COPIES_PER_TASK * tasks)
    }
}

/// Peak memory of a learner, without its source (B).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Copies of the data, and work space (B).
    pub data: u128,
    /// Networks, which stay in memory during evaluations (B).
    pub networks: u128,
    /// Settings that reduce the memory when made smaller.
    pub keys: &'static str,
}
