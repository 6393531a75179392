//! A recurrent policy in plain f32 on the host, with the memory of the lanes that it acts for.

use crate::{
    host_policy::{mode, sample},
    kernels::{
        gru::{GruNet, GruShape, GruState, forward as remember, head as answer},
        isa::Isa,
        tile::{Column, TILE},
    },
    layout::{Head, Layout},
    prelude::*,
    with_isa,
};

/// A recurrent policy with its parameters, and the memory of its lanes.
pub struct RecurrentPolicy {
    head: Head,
    shape: GruShape,
    net: GruNet<f32>,
    isa: Isa,
    lanes: usize,
    obs_dim: usize,
    state: GruState<f32>,
    /// Inputs of the coming step, `[lanes, inputs]`; the part behind the observation tells of the step before.
    inputs: Vec<f32>,
    /// Outputs of a tile of lanes, `[outputs + 1, TILE]`.
    columns: Vec<Column<f32>>,
    /// Outputs of the last step, the value behind those of the policy, `[outputs + 1, lanes]`.
    out: Vec<f32>,
}

impl RecurrentPolicy {
    /// The policy `params` `[num_params]` for `lanes` lanes at the beginning of their lives.
    ///
    /// # Panics
    /// If `layout` is not recurrent, or the parameters are not its.
    pub fn new(layout: &Layout, params: &[f32], lanes: usize) -> Self {
        assert_eq!(params.len(), layout.num_params(), "parameter vector and layout differ");
        let shape = GruShape::new(layout);
        RecurrentPolicy {
            head: layout.head(),
            shape,
            net: GruNet::new(layout, params),
            isa: Isa::detect(),
            lanes,
            obs_dim: layout.obs_dim(),
            state: GruState::new(shape, 1, lanes, false),
            inputs: vec![0.0; lanes * shape.inputs],
            columns: vec![[0.0; TILE]; shape.outputs],
            out: vec![0.0; lanes * shape.outputs],
        }
    }

    /// Takes in the observations `obs` `[lanes, obs_dim]`; the memory of every lane moves on.
    pub fn observe(&mut self, obs: &[f32]) {
        for (input, obs) in self.inputs.chunks_exact_mut(self.shape.inputs).zip(obs.chunks_exact(self.obs_dim)) {
            input[..self.obs_dim].copy_from_slice(obs);
        }
        let isa = self.isa;
        let policy = self;
        with_isa!(isa, [] (policy: &mut RecurrentPolicy) => policy.step_body());
    }

    #[inline(always)]
    fn step_body(&mut self) {
        let hidden = self.shape.hidden;
        remember(self.isa, &self.net, &self.inputs, 1, &mut self.state);
        for first in (0..self.lanes).step_by(TILE) {
            let n = TILE.min(self.lanes - first);
            let h = &self.state.after(self.shape, 1)[first * hidden..(first + n) * hidden];
            answer(self.isa, &self.net, h, n, &mut self.columns);
            for (out, column) in self.out.chunks_exact_mut(self.lanes).zip(&self.columns) {
                out[first..first + n].copy_from_slice(&column[..n]);
            }
        }
        self.state.move_on(self.shape, 1);
    }

    /// Puts all lanes at the beginning of their lives.
    pub fn forget(&mut self) {
        self.state.memory_mut(self.shape).fill(0.0);
        self.inputs.fill(0.0);
    }

    /// The memory of lane `lane` between two steps, with the step before as the coming one will see it.
    pub fn memory(&self, lane: usize) -> Vec<f32> {
        let hidden = self.shape.hidden;
        let before = &self.inputs[lane * self.shape.inputs + self.obs_dim..(lane + 1) * self.shape.inputs];
        [&self.state.memory(self.shape)[lane * hidden..(lane + 1) * hidden], before].concat()
    }

    /// Gives lane `lane` a memory as [`memory`](Self::memory) left it; the coming step begins an episode.
    pub fn recall(&mut self, lane: usize, memory: &[f32]) {
        let hidden = self.shape.hidden;
        let (h, before) = memory.split_at(hidden);
        self.state.memory_mut(self.shape)[lane * hidden..(lane + 1) * hidden].copy_from_slice(h);
        let input = &mut self.inputs[lane * self.shape.inputs..(lane + 1) * self.shape.inputs];
        input[self.obs_dim..].copy_from_slice(before);
        input[self.shape.inputs - 1] = 1.0;
    }

    /// Outputs of the policy's head for what was observed last, `[outputs, lanes]`.
    pub fn out(&self) -> &[f32] {
        &self.out[..self.head.outputs() * self.lanes]
    }

    /// Values of what was observed last, `[lanes]`.
    pub fn values(&self) -> &[f32] {
        &self.out[self.head.outputs() * self.lanes..]
    }

    /// Draws one action per lane, `action` `[lanes, act_dim]`, and its log-probability, `[lanes]`; `noise(lane)` gives four
    /// independent uniforms.
    pub fn sample(&self, noise: impl FnMut(usize) -> [f32; 4], action: &mut [f32], log_prob: &mut [f32]) {
        sample(self.isa, self.head, &self.net.log_std, self.out(), noise, action, log_prob);
    }

    /// Writes the mode of each lane's action distribution to `action` `[lanes, act_dim]`.
    pub fn mode(&self, action: &mut [f32]) {
        mode(self.head, self.out(), action);
    }

    /// Takes in the outcome of a step: actions `[lanes, act_dim]` as they were drawn, rewards, and whether an episode ended,
    /// `[lanes]`.
    pub fn outcome(&mut self, action: &[f32], reward: &[f32], ended: impl Fn(usize) -> bool) {
        let act_dim = self.head.act_dim();
        for (lane, input) in self.inputs.chunks_exact_mut(self.shape.inputs).enumerate() {
            let action = &action[lane * act_dim..(lane + 1) * act_dim];
            before(self.head, action, reward[lane], ended(lane), &mut input[self.obs_dim..]);
        }
    }
}

/// Writes the inputs that tell of the step before: the action (one number for each choice, or the vector), the reward,
/// squeezed into (-1, 1), and 1 where an episode ended with it.
pub fn before(head: Head, action: &[f32], reward: f32, ended: bool, input: &mut [f32]) {
    head.show(action, input);
    input[head.shown()] = reward / (1.0 + reward.abs());
    input[head.shown() + 1] = f32::from(u8::from(ended));
}
