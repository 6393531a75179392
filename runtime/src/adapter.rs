//! Adaptation by gradient steps, from episodes that the policy itself has lived through.

use crate::{
    advantage::prepare_own,
    batch::{Batch, Trajectories},
    fault::{Fault, check},
    form::Adaptation,
    kernels::{data::Samples, isa::Isa, pass::Pass},
    layout::Layout,
    loss::InnerLoss,
    policy::{End, Policy},
    prelude::*,
};

/// The change of a policy by one step of adaptation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adapted {
    /// Number of episodes that it learned from.
    pub episodes: usize,
    /// Number of their steps.
    pub samples: usize,
    /// Mean sum of rewards of an episode.
    pub mean_return: f64,
    /// Euclidean length of the change of the parameters.
    pub step_norm: f64,
}

/// The steps that a policy learns from, and its parameters as they are now.
///
/// A step of adaptation takes the episodes recorded since the last one, one for each lane of training: it fits the value
/// baseline, estimates advantages, and takes a step down the loss, as in training, to the bit. The episodes are then
/// forgotten; another adaptation goes on from the adapted policy, with new ones.
///
/// ```
/// use metadrift_runtime::{
///     Adaptation, Adapter, End, Form, Policy, layout::{Head, Layout}, loss::InnerLoss, uniforms, window::Commands,
/// };
///
/// let layout = Layout::new(1, &[4], Head::Categorical(2));
/// let params = layout.init(0.0, || 0.1);
/// let adaptation = Adaptation {
///     loss: InnerLoss::LVC, gamma: 0.9, gae_lambda: 0.9, rates: vec![0.5; params.len()],
///     episodes: 10, horizon: 5, steps: 1,
/// };
/// let commands = Commands::Choices(2);
/// let form = Form { layout, readings: 1, commands, rate_limit: None, params, adaptation: Some(adaptation) };
/// let mut policy = Policy::new(form);
/// let mut adapter = Adapter::new(&policy, 10 * 5)?;
/// let mut command = [0.0];
/// let mut tick = 0;
/// for _ in 0..10 {
///     for step in 0..5 {
///         policy.sample(&[0.0], uniforms(1, tick), &mut command)?;
///         tick += 1;
///         // 1 is the better choice here
///         let end = if step == 4 { End::Stopped } else { End::Going };
///         adapter.record(&mut policy, command[0], &[0.0], end)?;
///     }
/// }
/// let adapted = adapter.adapt(&mut policy)?;
/// assert_eq!((adapted.episodes, adapted.samples), (10, 50));
/// policy.act(&[0.0], &mut command)?;
/// assert_eq!(command, [1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Adapter {
    adaptation: Adaptation,
    layout: Layout,
    readings: usize,
    /// Parameters as they are now, `[num_params]`.
    params: Vec<f32>,
    /// Number of steps that there is room for.
    room: usize,
    obs: Vec<f32>,
    next_obs: Vec<f32>,
    action: Vec<f32>,
    log_prob: Vec<f32>,
    reward: Vec<f32>,
    end: Vec<End>,
    pass: Pass<f32>,
}

impl Adapter {
    /// An adapter for `policy` with room for `steps` steps: the episodes of a step of adaptation, times their length.
    /// Recording allocates nothing.
    ///
    /// # Errors
    /// If the policy does not adapt by gradient steps.
    pub fn new(policy: &Policy, steps: usize) -> Result<Adapter, Fault> {
        let adaptation = policy.adaptation.clone().ok_or(Fault::NoGradient)?;
        let layout = policy.layout().clone();
        let mut adapter = Adapter {
            obs: Vec::new(),
            next_obs: Vec::new(),
            action: Vec::new(),
            log_prob: Vec::new(),
            reward: Vec::new(),
            end: Vec::new(),
            room: 0,
            params: policy.start().to_vec(),
            readings: policy.readings(),
            pass: Pass::new(&layout, Isa::detect()),
            adaptation,
            layout,
        };
        adapter.resize(steps);
        Ok(adapter)
    }

    /// Makes room for `steps` steps, and forgets those recorded before; the parameters stay as they are.
    pub fn resize(&mut self, steps: usize) {
        self.clear();
        self.room = 0;
        self.grow(steps);
    }

    /// Makes room for `steps` more steps, and keeps those recorded before.
    pub fn grow(&mut self, steps: usize) {
        let (obs_dim, act_dim) = (self.layout.obs_dim(), self.layout.head().act_dim());
        self.room += steps;
        let more = self.room - self.end.len();
        self.obs.reserve(more * obs_dim);
        self.next_obs.reserve(more * obs_dim);
        self.action.reserve(more * act_dim);
        self.log_prob.reserve(more);
        self.reward.reserve(more);
        self.end.reserve(more);
    }

    /// Moves the recorded steps of `other`, an adapter for a policy of the same form, behind its own: machines of one kind
    /// learn together. An episode that goes on at its end counts as stopped.
    ///
    /// # Panics
    /// If the policies are of other shapes.
    pub fn append(&mut self, other: &mut Adapter) {
        assert!(self.layout == other.layout, "policies of other shapes");
        if let Some(last) = other.end.last_mut().filter(|end| **end == End::Going) {
            *last = End::Stopped;
        }
        self.obs.append(&mut other.obs);
        self.next_obs.append(&mut other.next_obs);
        self.action.append(&mut other.action);
        self.log_prob.append(&mut other.log_prob);
        self.reward.append(&mut other.reward);
        self.end.append(&mut other.end);
        self.room = self.room.max(self.end.len());
    }

    /// Takes in the outcome of the last command, which [`Policy::sample`] must have drawn, and hands it to the policy; see
    /// [`Policy::outcome`].
    ///
    /// # Errors
    /// As [`Policy::outcome`]; if the command was not drawn, or there is no room.
    pub fn record(&mut self, policy: &mut Policy, reward: f32, observation: &[f32], end: End) -> Result<(), Fault> {
        if self.end.len() == self.room {
            return Err(Fault::Full(self.room));
        }
        let drawn = policy.drawn()?;
        check("the observation", observation, policy.obs_dim())?;
        check("the reward", &[reward], 1)?;
        self.obs.extend_from_slice(drawn.seen);
        self.action.extend_from_slice(drawn.action);
        self.log_prob.push(drawn.log_prob);
        policy.outcome(reward, observation, end)?;
        self.next_obs.extend_from_slice(observation);
        self.next_obs.extend_from_slice(policy.past());
        self.reward.push(reward);
        self.end.push(end);
        Ok(())
    }

    /// Number of steps recorded since the last adaptation.
    pub fn recorded(&self) -> usize {
        self.end.len()
    }

    /// Number of steps that there is room for.
    pub fn room(&self) -> usize {
        self.room
    }

    /// Forgets the steps recorded since the last adaptation.
    pub fn clear(&mut self) {
        for column in [&mut self.obs, &mut self.next_obs, &mut self.action, &mut self.log_prob, &mut self.reward] {
            column.clear();
        }
        self.end.clear();
    }

    /// Takes one step of adaptation on the recorded episodes, forgets these, and hands the new parameters to the policy.
    ///
    /// # Errors
    /// If nothing was recorded, or a parameter would not be finite. The policy stays as it was.
    pub fn adapt(&mut self, policy: &mut Policy) -> Result<Adapted, Fault> {
        let lengths = self.lengths();
        if lengths.is_empty() {
            return Err(Fault::NoSteps);
        }
        let Adaptation { gamma, gae_lambda, loss, .. } = self.adaptation;
        let columns = Columns::new(self, &lengths);
        let (mut batch, _) = prepare_own(&columns.view(), self.readings, gamma, gae_lambda);
        if let Some(normalizer) = self.layout.normalizer() {
            normalizer.apply(&mut batch.obs);
        }
        let gradient = gradient(&mut self.pass, &self.params, &batch, loss);
        let adapted = descend(&self.params, &self.adaptation.rates, &gradient);
        policy.set_params(&adapted)?;
        let change = self.params.iter().zip(&adapted).map(|(old, new)| f64::from(new - old));
        let change = change.map(|change| change * change).sum::<f64>();
        let earned: f64 = self.reward.iter().copied().map(f64::from).sum();
        let told = Adapted {
            episodes: lengths.len(),
            samples: self.end.len(),
            mean_return: earned / lengths.len() as f64,
            step_norm: change.sqrt(),
        };
        self.params = adapted;
        self.clear();
        Ok(told)
    }

    /// Parameters as they are now, `[num_params]`.
    pub fn params(&self) -> &[f32] {
        &self.params
    }

    /// Puts the policy back to where it was before the first adaptation, and forgets the recorded steps.
    pub fn reset(&mut self, policy: &mut Policy) {
        self.clear();
        self.params.copy_from_slice(policy.start());
        policy.set_params(&self.params).expect("a policy takes its own parameters");
    }

    /// Numbers of steps of the recorded episodes; the last one may go on.
    fn lengths(&self) -> Vec<usize> {
        self.end.split_inclusive(|end| *end != End::Going).map(<[End]>::len).collect()
    }
}

/// Gradient of the loss `inner` at `params` on a batch with normalised observations, `[num_params]`.
fn gradient(pass: &mut Pass<f32>, params: &[f32], batch: &Batch, inner: InnerLoss) -> Vec<f32> {
    pass.inner_gradient(params, &Samples::new(batch), inner).0
}

/// The parameters after a step against `direction` with step sizes `rates`, all `[num_params]`.
pub fn descend<T: crate::kernels::scalar::Scalar>(params: &[T], rates: &[T], direction: &[T]) -> Vec<T> {
    params.iter().zip(rates).zip(direction).map(|((param, rate), d)| *param - *rate * *d).collect()
}

/// The recorded episodes side by side, each a lane, as the learner sees them.
struct Columns {
    lanes: usize,
    obs: Vec<f32>,
    next_obs: Vec<f32>,
    action: Vec<f32>,
    log_prob: Vec<f32>,
    reward: Vec<f32>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    episode_step: Vec<u32>,
    valid_steps: Vec<u32>,
}

impl Columns {
    fn new(from: &Adapter, lengths: &[usize]) -> Columns {
        let lanes = lengths.len();
        let rows = lanes * lengths.iter().max().copied().unwrap_or(0);
        let (obs_dim, act_dim) = (from.layout.obs_dim(), from.layout.head().act_dim());
        let mut all = Columns {
            lanes,
            obs: vec![0.0; rows * obs_dim],
            next_obs: vec![0.0; rows * obs_dim],
            action: vec![0.0; rows * act_dim],
            log_prob: vec![0.0; rows],
            reward: vec![0.0; rows],
            terminated: vec![false; rows],
            truncated: vec![false; rows],
            episode_step: vec![0; rows],
            valid_steps: lengths.iter().map(|length| *length as u32).collect(),
        };
        let steps = lengths.iter().enumerate().flat_map(|(lane, length)| (0..*length).map(move |t| (lane, t)));
        for (step, (lane, t)) in steps.enumerate() {
            let row = t * lanes + lane;
            let put = |to: &mut [f32], from: &[f32], width: usize| {
                to[row * width..][..width].copy_from_slice(&from[step * width..][..width]);
            };
            put(&mut all.obs, &from.obs, obs_dim);
            put(&mut all.next_obs, &from.next_obs, obs_dim);
            put(&mut all.action, &from.action, act_dim);
            put(&mut all.log_prob, &from.log_prob, 1);
            put(&mut all.reward, &from.reward, 1);
            all.terminated[row] = from.end[step] == End::Terminated;
            all.truncated[row] = from.end[step] == End::Stopped;
            all.episode_step[row] = t as u32;
        }
        all
    }

    fn view(&self) -> Trajectories<'_> {
        Trajectories {
            envs: self.lanes,
            obs: &self.obs,
            next_obs: &self.next_obs,
            action: &self.action,
            log_prob: &self.log_prob,
            reward: &self.reward,
            terminated: &self.terminated,
            truncated: &self.truncated,
            episode_step: &self.episode_step,
            valid_steps: &self.valid_steps,
        }
    }
}
