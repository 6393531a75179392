//! The learner's view of rollouts.

pub use metadrift_runtime::batch::{Batch, Trajectories};

use crate::team;

/// Experience for one meta-update. Batches of tasks that another rank holds are empty.
#[derive(Clone, Debug, Default)]
pub struct MetaBatch<T = f32> {
    /// Batches collected before inner step k by the policy adapted k times, `[inner_steps, tasks]`.
    pub supports: Vec<Vec<Batch<T>>>,
    /// Batches collected by the adapted policies, `[tasks]`.
    pub query: Vec<Batch<T>>,
    /// Weight of each task's outer loss, `[tasks]`; empty if every task has weight 1.
    pub weight: Vec<f64>,
    /// Credit of each task's support data for the return after adaptation, in units of the outer loss, `[tasks]`: the
    /// factor of the sampling term. Empty without that term.
    pub credit: Vec<f64>,
}

impl<T> MetaBatch<T> {
    /// The batches of all phases and tasks.
    pub fn batches(&self) -> impl Iterator<Item = &Batch<T>> {
        self.supports.iter().flatten().chain(&self.query)
    }

    /// True if a task of any rank has something to learn from: an advantage, or a credit, that differs from 0.
    pub fn tells(&self) -> bool
    where
        T: PartialEq + Default,
    {
        team::any(self.query.iter().any(Batch::tells) || self.credit.iter().any(|credit| *credit != 0.0))
    }
}

/// Whole lives of some lanes under a recurrent policy, rows by step and then by lane.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lives {
    /// Number of lanes.
    pub lanes: usize,
    /// Inputs of the network, `[steps * lanes, inputs]`.
    pub inputs: Vec<f32>,
    /// Actions, their log-probabilities and advantages; no observations.
    pub batch: Batch,
    /// Targets of the value, `[steps * lanes]`.
    pub target: Vec<f32>,
}

impl Lives {
    /// Steps of each lane.
    pub fn steps(&self) -> usize {
        self.batch.len() / self.lanes
    }
}
