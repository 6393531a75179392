//! The deployed agent: a policy whose memory does the adapting.

use crate::{
    agent::{Adapts, Agent},
    backend::BackendChoice,
    layout::Layout,
    report::Diverged,
    rollout::Rollout,
    source::Policies,
};

/// A recurrent policy, the same for every task. Its memory belongs to the lanes that it acts for.
#[derive(Clone, Debug)]
pub(super) struct Remembering {
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

    fn adapts(&self) -> Adapts {
        Adapts::ByMemory
    }

    fn computes_by(&self) -> BackendChoice {
        BackendChoice::Native
    }

    fn duplicate(&self) -> Box<dyn Agent> {
        Box::new(self.clone())
    }
}
