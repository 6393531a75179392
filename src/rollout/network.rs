//! A policy network as an actor.

use metadrift_agents::{
    host_policy::{HostPolicy, Scratch},
    layout::Layout,
    report::Diverged,
    rollout::Row,
};
use metadrift_envs::{Batch, EnvSpec, LaneStreams, Stream};

use super::{steps::Actor, window};

/// The choice of actions from a policy's distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actions {
    /// The action is drawn from the distribution.
    Sampled,
    /// The action is the most likely one.
    Deterministic,
}

/// Factor from a policy's unit actions to the commands of `spec`.
pub fn scale(spec: &EnvSpec) -> f32 {
    window::commands(spec).scale()
}

/// A policy over the lanes that still run, with its work space.
pub struct Network<'a> {
    policy: HostPolicy,
    actions: Actions,
    /// Description of the place, for messages.
    place: &'a (dyn Fn() -> String + Sync),
    streams: LaneStreams,
    /// Factor from the policy's unit actions to the environment's.
    scale: f32,
    act_dim: usize,
    /// The environment's inputs, `[envs, act_dim]`.
    commands: Vec<f32>,
    obs: Vec<f32>,
    out: Vec<f32>,
    action: Vec<f32>,
    log_prob: Vec<f32>,
    scratch: Scratch,
}

impl<'a> Network<'a> {
    /// The policy `params` `[num_params]` for `envs` lanes of the environment `spec`; `stream` names its draws and
    /// `place` names the task in messages.
    pub fn new(
        (layout, params): (&Layout, &[f32]),
        (spec, envs): (&EnvSpec, usize),
        actions: Actions,
        stream: Stream,
        place: &'a (dyn Fn() -> String + Sync),
    ) -> Self {
        let policy = HostPolicy::new(layout, params);
        Network {
            actions,
            place,
            streams: LaneStreams::new(stream, envs),
            scale: scale(spec),
            act_dim: spec.act_dim(),
            commands: vec![0.0; envs * spec.act_dim()],
            obs: Vec::new(),
            out: Vec::new(),
            action: Vec::new(),
            log_prob: Vec::new(),
            scratch: policy.scratch(),
            policy,
        }
    }

    /// Writes the actions and log-probabilities of the live lanes to their places in `row`.
    fn write(&mut self, live: &[usize], row: &mut Row<'_>) {
        let dim = self.act_dim;
        if live.len() == row.reward.len() {
            row.action.copy_from_slice(&self.action);
            row.log_prob.copy_from_slice(&self.log_prob);
            self.commands.iter_mut().zip(&self.action).for_each(|(command, action)| *command = action * self.scale);
            return;
        }
        for (i, &lane) in live.iter().enumerate() {
            let action = &self.action[i * dim..(i + 1) * dim];
            row.action[lane * dim..(lane + 1) * dim].copy_from_slice(action);
            row.log_prob[lane] = self.log_prob[i];
            for (command, a) in self.commands[lane * dim..].iter_mut().zip(action) {
                *command = a * self.scale;
            }
        }
    }
}

impl Actor for Network<'_> {
    fn act(&mut self, t: usize, env: &dyn Batch, live: &[usize], row: &mut Row<'_>) -> Result<(), Diverged> {
        self.out.resize(live.len() * self.policy.outputs(), 0.0);
        self.action.resize(live.len() * self.act_dim, 0.0);
        self.log_prob.resize(live.len(), 0.0);
        let all = env.obs();
        let obs = if live.len() == row.reward.len() {
            all
        } else {
            let obs_dim = env.obs_dim();
            self.obs.clear();
            live.iter().for_each(|&lane| self.obs.extend_from_slice(&all[lane * obs_dim..(lane + 1) * obs_dim]));
            &self.obs
        };
        self.policy.forward(obs, &mut self.out, &mut self.scratch);
        match self.actions {
            Actions::Sampled => {
                self.streams.draw(t as u32);
                let noise = |i: usize| self.streams.uniforms(live[i]);
                self.policy.sample(&self.out, noise, &mut self.action, &mut self.log_prob);
            }
            Actions::Deterministic => {
                self.policy.mode(&self.out, &mut self.action);
                self.log_prob.fill(0.0);
            }
        }
        self.write(live, row);
        Diverged::check(&self.out, "an output of the policy", self.place)?;
        Diverged::check(&self.commands, "an action", self.place)
    }

    fn commands(&self) -> &[f32] {
        &self.commands
    }
}
