//! Adaptive control as an actor.

use std::sync::Arc;

use metadrift_agents::{report::Diverged, rollout::Row};
use metadrift_envs::{Batch, EnvKind, EnvSpec};

use super::steps::{Actor, Memories};
use crate::control::{
    Controller, Seen,
    adaptive::AdaptiveControl,
    observer::{Model, Observer, Spread, Tuning},
};

/// Adaptive control over the lanes of a batch, each with an observer of its own.
pub struct Identifying {
    lanes: Vec<AdaptiveControl>,
    /// `[lanes, act_dim]`
    commands: Vec<f32>,
}

impl Identifying {
    /// Adaptive control with the knowledge `params` (see `Layout::model`) of `envs` lanes of the environment `spec`, going
    /// on from `memories`.
    ///
    /// # Panics
    /// If no controller is known for the environment; the configuration was then refused.
    pub fn new(params: &[f32], (spec, envs): (&EnvSpec, usize), memories: &Memories) -> Self {
        let env = EnvKind::from_name(spec.name).expect("an environment that runs is known");
        let (observer, channels) = params.split_at(2);
        let spreads: Vec<Spread> = channels.chunks_exact(4).map(Spread::of_numbers).collect();
        let tuning = Tuning { forgetting: observer[0].into(), surprise: observer[1].into() };
        let model = Arc::new(Model::new(env, &spreads));
        let lane = AdaptiveControl::new(Observer::new(model, tuning)).expect("the configuration was checked");
        let mut lanes = vec![lane; envs];
        lanes.iter_mut().zip(memories).for_each(|(lane, memory)| lane.observer.recall(memory));
        Identifying { lanes, commands: vec![0.0; envs * spec.act_dim()] }
    }
}

impl Actor for Identifying {
    fn act(&mut self, t: usize, _env: &dyn Batch, live: &[usize], row: &mut Row<'_>) -> Result<(), Diverged> {
        let obs_dim = row.obs.len() / row.reward.len();
        let act_dim = self.commands.len() / self.lanes.len();
        for &at in live {
            let seen = Seen {
                obs: &row.obs[at * obs_dim..(at + 1) * obs_dim],
                state: &[],
                values: &[],
                episode_step: row.episode_step[at],
                place: (at as u32, t as u32),
            };
            self.lanes[at].act(&seen, &mut self.commands[at * act_dim..(at + 1) * act_dim]);
        }
        row.action.copy_from_slice(&self.commands);
        Diverged::check(&self.commands, "an action", || "adaptive control".to_owned())
    }

    fn commands(&self) -> &[f32] {
        &self.commands
    }

    fn memories(self: Box<Self>) -> Memories {
        self.lanes.iter().map(|lane| lane.observer.memory()).collect()
    }
}
