//! Examples without an environment: episodes of one step whose action is the label.

use super::{Rollout, Shape};
use crate::batch::{Batch, Trajectories};

impl Rollout {
    /// A buffer for `examples` labelled examples of each of `tasks` tasks. An example is an episode of one step: its action
    /// is the label, and its reward minus the loss of the policy that was asked; the time limit cuts off where the most
    /// likely answer was right.
    pub fn of_examples(tasks: usize, examples: usize, obs_dim: usize, act_dim: usize) -> Self {
        let shape = Shape { tasks, steps: 1, envs: examples, obs_dim, act_dim };
        Rollout { labelled: true, ..Rollout::new(shape, 1) }
    }
}

/// Labelled examples as a batch: every label is as good as any other.
pub(super) fn batch(task: &Trajectories<'_>) -> Batch {
    let samples = task.reward.len();
    Batch {
        obs: task.obs.to_vec(),
        action: task.action.to_vec(),
        log_prob: vec![0.0; samples],
        advantage: vec![1.0; samples],
        episodes: vec![1; samples],
        spread: 1.0,
        target: Vec::new(),
        adapted: 0.0,
    }
}
