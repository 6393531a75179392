//! One task's hot loop: observe, act, step, write.

use metadrift_agents::{
    host_policy::{HostPolicy, Scratch},
    layout::Layout,
    maml::Diverged,
    stop,
};
use metadrift_envs::{ActionSpace, Clocks, EnvKind, LaneStreams, Purpose, StepView, Stream, Task};

use super::buffer::Slab;

/// What stays the same from phase to phase.
#[derive(Clone, Debug)]
pub struct Collection<'a> {
    /// Which environment.
    pub env: EnvKind,
    /// Time limit of an episode (steps).
    pub horizon: u32,
    /// Shape of the policy.
    pub layout: &'a Layout,
    /// Actor threads.
    pub num_actors: usize,
}

/// How long a lane runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Episodes {
    /// To the end of this many episodes; what follows in the slab is padding.
    Count(u32),
    /// From episode to episode until the buffer is full.
    Endless,
}

/// How actions follow from the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actions {
    /// Drawn from its distribution.
    Sampled,
    /// The most likely one.
    Deterministic,
}

/// Which stretch of which tasks' lives is collected: names the random streams and sets the clock.
#[derive(Clone, Copy, Debug)]
pub struct Phase {
    /// Seed of the run, or of the evaluation.
    pub seed: u64,
    /// Iteration of the meta-loop.
    pub iteration: u32,
    /// How many adaptation steps came before.
    pub index: u8,
    /// Where the lanes of the first task start; tasks count on from there.
    pub start: Clocks,
    /// Stream of the initial states.
    pub resets: Purpose,
    /// Stream of the actions.
    pub draws: Purpose,
    /// Sampled or deterministic.
    pub actions: Actions,
    /// How long each lane runs.
    pub episodes: Episodes,
}

impl Phase {
    /// A phase of training: sampled actions. `start.adapt_round` is its number within the iteration.
    pub fn training(seed: u64, iteration: u32, start: Clocks, episodes: Episodes) -> Self {
        Phase {
            seed,
            iteration,
            index: u8::try_from(start.adapt_round).expect("the configuration limits the inner steps"),
            start,
            resets: Purpose::Reset,
            draws: Purpose::Action,
            actions: Actions::Sampled,
            episodes,
        }
    }

    fn stream(&self, purpose: Purpose, task: u32) -> Stream {
        Stream::new(self.seed, purpose).iteration(self.iteration).phase(self.index).task(task)
    }
}

/// Collects one task into `slab`. Lanes that are done are stepped no more by the policy: only live ones are asked for
/// actions, and nothing is written for the others.
pub(super) fn collect(
    c: &Collection<'_>,
    task: &Task,
    index: u32,
    params: &[f32],
    phase: &Phase,
    mut slab: Slab<'_>,
) -> Result<(), Diverged> {
    crate::fault::trip("actor");
    let (envs, obs_dim) = (slab.envs, slab.obs.len() / slab.reward.len());
    let steps = slab.reward.len() / envs;
    let start = Clocks { task: phase.start.task + u64::from(task.id.index), ..phase.start };
    let resets = phase.stream(phase.resets, index);
    let mut env = c.env.dynamics().batch(&[(task, envs)], c.horizon, resets, start);
    let mut policy =
        LivePolicy::new(HostPolicy::new(c.layout, params), phase.stream(phase.draws, index), c.env.spec(), envs);
    let mut episodes_left = vec![if let Episodes::Count(n) = phase.episodes { n } else { u32::MAX }; envs];
    slab.valid_steps.fill(steps as u32);
    for t in 0..steps {
        stop::check();
        let rows = t * envs..(t + 1) * envs;
        let of_obs = rows.start * obs_dim..rows.end * obs_dim;
        slab.obs[of_obs.clone()].copy_from_slice(env.obs());
        slab.episode_step[rows.clone()].copy_from_slice(env.episode_step());
        policy.act(t as u32, phase.actions, env.obs(), &mut slab, rows.start);
        policy.check(|| format!("task {index}, phase {}", phase.index))?;
        env.step(
            &policy.commands,
            StepView {
                next_obs: &mut slab.next_obs[of_obs],
                reward: &mut slab.reward[rows.clone()],
                terminated: &mut slab.terminated[rows.clone()],
                truncated: &mut slab.truncated[rows.clone()],
            },
        );
        let (terminated, truncated) = (&slab.terminated[rows.clone()], &slab.truncated[rows]);
        if terminated.iter().zip(truncated).fold(false, |any, (terminated, truncated)| any | terminated | truncated) {
            policy.live.retain(|&lane| {
                episodes_left[lane] -= u32::from(terminated[lane] || truncated[lane]);
                if episodes_left[lane] == 0 {
                    slab.valid_steps[lane] = t as u32 + 1;
                }
                episodes_left[lane] > 0
            });
        }
        if policy.live.is_empty() {
            break;
        }
    }
    clear_padding(&mut slab, steps, obs_dim);
    Ok(())
}

/// Zeroes what is not valid, so that equal experience is equal to the byte whatever the buffer held before.
fn clear_padding(slab: &mut Slab<'_>, steps: usize, obs_dim: usize) {
    let act_dim = slab.action.len() / slab.reward.len();
    for env in 0..slab.envs {
        for t in slab.valid_steps[env] as usize..steps {
            let row = t * slab.envs + env;
            slab.obs[row * obs_dim..(row + 1) * obs_dim].fill(0.0);
            slab.next_obs[row * obs_dim..(row + 1) * obs_dim].fill(0.0);
            slab.action[row * act_dim..(row + 1) * act_dim].fill(0.0);
            (slab.log_prob[row], slab.reward[row], slab.episode_step[row]) = (0.0, 0.0, 0);
            (slab.terminated[row], slab.truncated[row]) = (false, false);
        }
    }
}

/// The policy over the lanes that still run, with its work space.
pub(super) struct LivePolicy {
    policy: HostPolicy,
    streams: LaneStreams,
    /// Factor from the policy's unit actions to the environment's.
    scale: f32,
    act_dim: usize,
    live: Vec<usize>,
    /// What the environment gets, `[envs, act_dim]`.
    commands: Vec<f32>,
    obs: Vec<f32>,
    out: Vec<f32>,
    action: Vec<f32>,
    log_prob: Vec<f32>,
    scratch: Scratch,
}

impl LivePolicy {
    pub(super) fn new(policy: HostPolicy, stream: Stream, spec: &metadrift_envs::EnvSpec, envs: usize) -> Self {
        let scale = if let ActionSpace::Box { bound, .. } = spec.action { bound as f32 } else { 1.0 };
        LivePolicy {
            streams: LaneStreams::new(stream, envs),
            scale,
            act_dim: spec.act_dim(),
            live: (0..envs).collect(),
            commands: vec![0.0; envs * spec.act_dim()],
            obs: Vec::new(),
            out: Vec::new(),
            action: Vec::new(),
            log_prob: Vec::new(),
            scratch: policy.scratch(),
            policy,
        }
    }

    /// What the environment gets, `[envs, act_dim]`.
    pub(super) fn commands(&self) -> &[f32] {
        &self.commands
    }

    /// Refuses outputs and actions that are no numbers.
    pub(super) fn check(&self, place: impl Fn() -> String) -> Result<(), Diverged> {
        Diverged::check(&self.out, "an output of the policy", &place)?;
        Diverged::check(&self.commands, "an action", &place)
    }

    /// Acts on `obs` `[envs, obs_dim]` for the live lanes; writes actions and log-probabilities from row `first_row`
    /// of the slab on, and `commands`.
    pub(super) fn act(&mut self, step: u32, actions: Actions, obs: &[f32], slab: &mut Slab<'_>, first_row: usize) {
        let live = &self.live;
        self.out.resize(live.len() * self.policy.outputs(), 0.0);
        self.action.resize(live.len() * self.act_dim, 0.0);
        self.log_prob.resize(live.len(), 0.0);
        let obs = if live.len() == slab.envs {
            obs
        } else {
            let obs_dim = obs.len() / slab.envs;
            self.obs.clear();
            live.iter().for_each(|&lane| self.obs.extend_from_slice(&obs[lane * obs_dim..(lane + 1) * obs_dim]));
            &self.obs
        };
        self.policy.forward(obs, &mut self.out, &mut self.scratch);
        match actions {
            Actions::Sampled => {
                self.streams.draw(step);
                let noise = |i: usize| self.streams.uniforms(live[i]);
                self.policy.sample(&self.out, noise, &mut self.action, &mut self.log_prob);
            }
            Actions::Deterministic => {
                self.policy.mode(&self.out, &mut self.action);
                self.log_prob.fill(0.0);
            }
        }
        self.write(slab, first_row);
    }

    /// The actions and log-probabilities of the live lanes, to where they belong.
    fn write(&mut self, slab: &mut Slab<'_>, first_row: usize) {
        let dim = self.act_dim;
        if self.live.len() == slab.envs {
            slab.action[first_row * dim..][..self.action.len()].copy_from_slice(&self.action);
            slab.log_prob[first_row..][..self.log_prob.len()].copy_from_slice(&self.log_prob);
            self.commands.iter_mut().zip(&self.action).for_each(|(command, action)| *command = action * self.scale);
            return;
        }
        for (i, &lane) in self.live.iter().enumerate() {
            let action = &self.action[i * dim..(i + 1) * dim];
            let row = first_row + lane;
            slab.action[row * dim..(row + 1) * dim].copy_from_slice(action);
            slab.log_prob[row] = self.log_prob[i];
            for (command, a) in self.commands[lane * dim..].iter_mut().zip(action) {
                *command = a * self.scale;
            }
        }
    }
}
