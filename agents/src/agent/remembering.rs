//! Policies that adapt while they act.

use super::{Adapts, Agent};
use crate::{
    backend::BackendChoice,
    deployed::{Deployed, NotDeployed},
    layout::{Core, Layout},
    report::Diverged,
    rollout::Rollout,
    source::Policies,
};

/// A policy that adapts while it acts, the same for every task: by a memory, which belongs to the lanes that it acts for, or
/// by the last transitions, which it sees.
#[derive(Clone, Debug)]
pub struct Remembering {
    layout: Layout,
    /// `[tasks][num_params]`, all equal.
    params: Vec<Vec<f32>>,
    start: Vec<f32>,
}

impl Remembering {
    /// The policy `params` `[num_params]`, without tasks.
    pub fn new(layout: Layout, params: Vec<f32>) -> Self {
        Remembering { layout, params: Vec::new(), start: params }
    }
}

impl Agent for Remembering {
    fn begin(&mut self, tasks: usize) {
        self.params = vec![self.start.clone(); tasks];
    }

    fn policies(&self) -> Policies<'_> {
        Policies { layout: &self.layout, params: &self.params }
    }

    /// Nothing: it has adapted while it acted.
    fn adapt(&mut self, _seen: &Rollout) -> Result<(), Diverged> {
        Ok(())
    }

    fn return_by(&mut self, _share: f32) {}

    fn adapts(&self) -> Adapts {
        Adapts::ByMemory
    }

    fn computes_by(&self) -> BackendChoice {
        BackendChoice::Native
    }

    fn deployed(&self) -> Result<Deployed, NotDeployed> {
        if self.layout.core() == Core::Model {
            return Err(NotDeployed("it is a model of the environment with an observer, not a network"));
        }
        Ok(Deployed { layout: self.layout.clone(), params: self.start.clone(), descent: None })
    }

    fn duplicate(&self) -> Box<dyn Agent> {
        Box::new(self.clone())
    }
}
