//! A recurrent policy as an actor.

use metadrift_agents::{layout::Layout, recurrent::RecurrentPolicy, report::Diverged, rollout::Row};
use metadrift_envs::{Batch, EnvSpec, LaneStreams, Stream};

use super::{
    network::{Actions, scale},
    steps::{Actor, Memories},
};

/// A recurrent policy over the lanes of a batch. The memory of a lane begins with the first step of the actor and goes on
/// from episode to episode; lanes that rest are asked along with the others.
pub struct Remembering<'a> {
    policy: RecurrentPolicy,
    actions: Actions,
    /// The place for messages.
    place: &'a (dyn Fn() -> String + Sync),
    streams: LaneStreams,
    /// Factor from the policy's unit actions to the environment's.
    scale: f32,
    action: Vec<f32>,
    log_prob: Vec<f32>,
    commands: Vec<f32>,
    /// Memories of the lanes that rest, as they were when these came to rest, `[lanes]`.
    resting: Vec<Option<Vec<f32>>>,
}

impl<'a> Remembering<'a> {
    /// The policy `params` `[num_params]` for `envs` lanes of the environment `spec`; `stream` names its draws and `place`
    /// the task in messages.
    pub fn new(
        (layout, params): (&Layout, &[f32]),
        (spec, envs): (&EnvSpec, usize),
        actions: Actions,
        stream: Stream,
        place: &'a (dyn Fn() -> String + Sync),
    ) -> Self {
        Remembering {
            policy: RecurrentPolicy::new(layout, params, envs),
            actions,
            place,
            streams: LaneStreams::new(stream, envs),
            scale: scale(spec),
            action: vec![0.0; envs * spec.act_dim()],
            log_prob: vec![0.0; envs],
            commands: vec![0.0; envs * spec.act_dim()],
            resting: vec![None; envs],
        }
    }

    /// Takes `memories` for those of the lanes.
    pub fn recall(&mut self, memories: &Memories) {
        memories.iter().enumerate().for_each(|(lane, memory)| self.policy.recall(lane, memory));
    }

    /// Keeps the memories of lanes that rest from now on.
    fn rest(&mut self, live: &[usize]) {
        let mut live = live.iter().peekable();
        for (lane, resting) in self.resting.iter_mut().enumerate() {
            if live.next_if_eq(&&lane).is_none() && resting.is_none() {
                *resting = Some(self.policy.memory(lane));
            }
        }
    }
}

impl Actor for Remembering<'_> {
    fn act(&mut self, t: usize, env: &dyn Batch, live: &[usize], row: &mut Row<'_>) -> Result<(), Diverged> {
        if live.len() < self.resting.len() {
            self.rest(live);
        }
        self.policy.observe(env.obs());
        match self.actions {
            Actions::Sampled => {
                self.streams.draw(t as u32);
                self.policy.sample(|lane| self.streams.uniforms(lane), &mut self.action, &mut self.log_prob);
            }
            Actions::Deterministic => {
                self.policy.mode(&mut self.action);
                self.log_prob.fill(0.0);
            }
        }
        let dim = self.action.len() / self.log_prob.len();
        for &lane in live {
            let action = &self.action[lane * dim..(lane + 1) * dim];
            row.action[lane * dim..(lane + 1) * dim].copy_from_slice(action);
            row.log_prob[lane] = self.log_prob[lane];
        }
        self.commands.iter_mut().zip(&self.action).for_each(|(command, action)| *command = action * self.scale);
        Diverged::check(self.policy.out(), "an output of the policy", self.place)?;
        Diverged::check(&self.commands, "an action", self.place)
    }

    fn commands(&self) -> &[f32] {
        &self.commands
    }

    fn outcome(&mut self, row: &Row<'_>) {
        self.policy.outcome(row.action, row.reward, |lane| row.terminated[lane] || row.truncated[lane]);
    }

    fn memories(self: Box<Self>) -> Memories {
        let Remembering { policy, resting, .. } = *self;
        resting.into_iter().enumerate().map(|(lane, kept)| kept.unwrap_or_else(|| policy.memory(lane))).collect()
    }
}
