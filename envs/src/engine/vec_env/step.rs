//! One tick of a batch.

use std::ops::Range;

use super::{Autoreset, StepError, StepView, VecEnv};
use crate::{
    engine::{
        faults::Scene,
        kernel::{Batch, Outputs, advance},
        lanes::{LANES, Lanes},
        simd::{Kernel, Proof, Simd},
        streams::Streams,
    },
    physics::{env::Env, spec::ActionSpace},
};

impl<E: Env> VecEnv<E> {
    /// Steps every lane once; `actions` is `[envs, act_dim]`. Afterwards [`VecEnv::obs`] shows the
    /// initial observation of the lanes that were reset, and `out.next_obs` their true last one.
    ///
    /// # Panics
    /// On a [`StepError`] of [`VecEnv::try_step`], and on a slice of the wrong length.
    pub fn step(&mut self, actions: &[f32], out: StepView<'_>) {
        if let Err(error) = self.try_step(actions, out) {
            panic!("{error}");
        }
    }

    /// Steps every lane once, as [`VecEnv::step`] does, for actions that may not be legal.
    ///
    /// # Errors
    /// On an action that is not in the action space (NaN, an infinite number, an index that is not whole or out of
    /// range), and on a lane whose episode has ended where autoreset is off. Nothing is stepped.
    ///
    /// # Panics
    /// On a slice of the wrong length.
    pub fn try_step(&mut self, actions: &[f32], mut out: StepView<'_>) -> Result<(), StepError> {
        self.check_lengths(actions, &out);
        check_actions(self.simd, E::SPEC.action, actions)?;
        let finished = match self.autoreset {
            Autoreset::SameStep => Vec::new(),
            Autoreset::NextStep => self.finished().collect(),
            Autoreset::Disabled => match self.finished().next() {
                Some(lane) => return Err(StepError::Finished { lane }),
                None => Vec::new(),
            },
        };
        self.apply_drifts();
        self.advance_all(actions, &mut out);
        self.ticks = self.ticks.checked_add(1).expect("2^32 ticks");
        if self.autoreset == Autoreset::SameStep {
            self.reset_ended();
        }
        for lane in finished {
            self.reset_lane(lane);
            let row = lane * self.width..(lane + 1) * self.width;
            out.next_obs[row.clone()].copy_from_slice(&self.obs()[row]);
            out.reward[lane] = 0.0;
            out.terminated[lane] = false;
            out.truncated[lane] = false;
        }
        Ok(())
    }

    /// Starts new episodes in the lanes marked true, `[envs]`, whether theirs have ended or not.
    ///
    /// # Panics
    /// If `mask` is not of that length.
    pub fn reset_lanes(&mut self, mask: &[bool]) {
        assert_eq!(mask.len(), self.num_envs, "mask of {} lanes", self.num_envs);
        for lane in (0..self.num_envs).filter(|lane| mask[*lane]) {
            self.reset_lane(lane);
        }
    }

    /// Steps all blocks; the last one goes through the tail if its lanes do not fill it.
    fn advance_all(&mut self, actions: &[f32], out: &mut StepView<'_>) {
        let lanes = self.num_envs / LANES * LANES;
        let (actions, tail_actions) = actions.split_at(lanes * Self::ACT_DIM);
        let (next_obs, tail_obs) = out.next_obs.split_at_mut(lanes * self.width);
        let (reward, tail_reward) = out.reward.as_chunks_mut();
        let (terminated, tail_terminated) = out.terminated.as_chunks_mut();
        let (truncated, tail_truncated) = out.truncated.as_chunks_mut();
        self.advance(0, actions, Outputs { next_obs, reward, terminated, truncated });
        if lanes == self.num_envs {
            return;
        }
        let mut tail = std::mem::take(&mut self.tail);
        tail.actions[..tail_actions.len()].copy_from_slice(tail_actions);
        let outputs = Outputs {
            next_obs: &mut tail.next_obs,
            reward: &mut tail.reward,
            terminated: &mut tail.terminated,
            truncated: &mut tail.truncated,
        };
        self.advance(lanes / LANES, &tail.actions, outputs);
        let rest = self.num_envs - lanes;
        tail_obs.copy_from_slice(&tail.next_obs[..tail_obs.len()]);
        tail_reward.copy_from_slice(&tail.reward[0][..rest]);
        tail_terminated.copy_from_slice(&tail.terminated[0][..rest]);
        tail_truncated.copy_from_slice(&tail.truncated[0][..rest]);
        self.tail = tail;
    }

    /// Steps the blocks from `first` on, as many as there are outputs for.
    fn advance(&mut self, first: usize, actions: &[f32], outputs: Outputs<'_>) {
        let batch = Batch {
            simd: self.simd,
            scene: Scene { channels: &self.channels, streams: &self.streams, tick: self.ticks },
            first,
            version: self.version,
            horizon: self.horizon,
            state: &mut self.state[first * Self::STATE_DIM..],
            episode_step: &mut self.episode_step[first..],
            obs: &mut Lanes::flat_mut(&mut self.obs)[first * LANES * self.width..],
            ended: &mut self.ended[first..],
            actuators: self.actuators.as_mut(),
            sensors: self.sensors.as_mut(),
            appendix: self.appendix.as_mut(),
        };
        advance::<E>(batch, actions, outputs);
    }

    /// Sets the channels that drift to their values at the current clocks.
    fn apply_drifts(&mut self) {
        if !self.moving.is_empty() {
            let tick = self.clock();
            self.corrections += self.moving.apply(self.simd, &mut self.channels, tick);
        }
        if !self.moving_by_lane.is_empty() {
            self.apply_lane_drifts(0..self.num_envs);
        }
    }

    /// Sets the channels on the clocks of each lane, for some lanes.
    fn apply_lane_drifts(&mut self, lanes: Range<usize>) {
        let mut moving = std::mem::take(&mut self.moving_by_lane);
        let mut channels = std::mem::take(&mut self.channels);
        self.corrections += moving.apply(self.simd, &mut channels, lanes, |lane| self.clocks(lane));
        self.moving_by_lane = moving;
        self.channels = channels;
    }

    /// The lanes whose last step ended their episode.
    fn finished(&self) -> impl Iterator<Item = usize> {
        let ended = &self.ended.as_flattened()[..self.num_envs];
        ended.iter().enumerate().filter(|(_, ended)| **ended != 0).map(|(lane, _)| lane)
    }

    /// Starts new episodes in the lanes whose episodes have ended.
    fn reset_ended(&mut self) {
        let mut group = Group::default();
        // 64 lanes at a time: the number that end among only a few lanes is hard to predict for the processor
        for first in (0..self.ended.len()).step_by(64 / LANES) {
            let blocks = self.ended[first..].iter().take(64 / LANES).enumerate();
            let mut ended = blocks.fold(0, |bits, (k, block)| bits | one_bits(block) << (k * LANES));
            while ended != 0 {
                let lane = first * LANES + ended.trailing_zeros() as usize;
                ended &= ended - 1;
                if lane < self.num_envs && group.push(lane) {
                    self.reset_group(&mut group);
                }
            }
        }
        self.reset_group(&mut group);
    }

    /// Ends the episodes of the lanes of `group`, starts new ones, and empties it.
    fn reset_group(&mut self, group: &mut Group) {
        if group.len > 0 {
            let uniforms = self.simd.run(Uniforms { streams: &self.streams, lanes: &group.lanes, tick: self.ticks });
            for (k, lane) in group.lanes.iter().take(std::mem::take(&mut group.len)).enumerate() {
                let lane = *lane as usize;
                self.episodes[lane] += 1;
                self.start_episode(lane, std::array::from_fn(|number| uniforms[number][k]));
            }
        }
    }

    /// Ends the episode of `lane` and starts a new one.
    fn reset_lane(&mut self, lane: usize) {
        self.episodes[lane] += 1;
        self.start_episode(lane, self.uniforms(lane));
    }

    /// The uniform numbers for the initial state of an episode that starts now.
    pub(super) fn uniforms(&self, lane: usize) -> [f32; 4] {
        self.streams.of(lane).uniforms(self.ticks)
    }

    /// Starts an episode in `lane`, with the channels on its own clocks as they now are.
    #[inline(always)]
    pub(super) fn start_episode(&mut self, lane: usize, uniforms: [f32; 4]) {
        self.episode_step[lane / LANES][lane % LANES] = 0;
        self.ended[lane / LANES][lane % LANES] = 0;
        if !self.moving_by_lane.is_empty() {
            self.apply_lane_drifts(lane..lane + 1);
        }
        self.begin_episode(lane, uniforms);
    }

    /// Sets `lane` to an initial state and shows it.
    #[inline(always)]
    pub(super) fn begin_episode(&mut self, lane: usize, uniforms: [f32; 4]) {
        let (block, within) = (lane / LANES, lane % LANES);
        let scene = Scene { channels: &self.channels, streams: &self.streams, tick: self.ticks };
        let channels = self.channels.block(block, const { Self::LAYOUT.count });
        let params = E::params(|channel| channels.column(channel)[within]);
        let state = E::reset(&params, uniforms);
        let obs = E::observe(&params, state);
        let columns = &mut self.state[block * Self::STATE_DIM..][..Self::STATE_DIM];
        for (column, value) in columns.iter_mut().zip(state.as_ref()) {
            column[within] = *value;
        }
        let row = &mut Lanes::flat_mut(&mut self.obs)[lane * self.width..][..self.width];
        let (readings, appended) = row.split_at_mut(obs.as_ref().len());
        readings.copy_from_slice(obs.as_ref());
        if let Some(sensors) = &mut self.sensors {
            sensors.begin(&scene, block, within, readings);
        }
        if let Some(actuators) = &mut self.actuators {
            actuators.reset(&scene, block, within);
        }
        if let Some(appendix) = &mut self.appendix {
            appendix.reset(&scene, block, within);
            appendix.write_row(block, within, appended);
        }
    }

    fn check_lengths(&self, actions: &[f32], out: &StepView<'_>) {
        let lengths = [
            ("actions", actions.len(), Self::ACT_DIM),
            ("next_obs", out.next_obs.len(), self.width),
            ("reward", out.reward.len(), 1),
            ("terminated", out.terminated.len(), 1),
            ("truncated", out.truncated.len(), 1),
        ];
        for (name, length, width) in lengths {
            let expected = self.num_envs * width;
            assert_eq!(length, expected, "{name} of {} lanes", self.num_envs);
        }
    }
}

/// A group of lanes that start new episodes together, so that their random numbers are drawn at once.
#[derive(Default)]
struct Group {
    lanes: [u32; GROUP],
    len: usize,
}

/// Largest number of lanes in a group: those of one vector.
const GROUP: usize = 16;

impl Group {
    /// Adds a lane; returns true if the group is then full.
    fn push(&mut self, lane: usize) -> bool {
        self.lanes[self.len] = lane as u32;
        self.len += 1;
        self.len == GROUP
    }
}

/// The bytes 0 and 1 as bits, the first lowest.
fn one_bits(bytes: &[u8; LANES]) -> u64 {
    const { assert!(LANES <= 64 && LANES.is_multiple_of(8)) };
    // the product gathers the lowest bit of every byte in the highest byte
    let eight = |eight: [u8; 8]| u64::from_le_bytes(eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    let (eights, _) = bytes.as_chunks();
    eights.iter().enumerate().fold(0, |bits, (k, bytes)| bits | eight(*bytes) << (8 * k))
}

/// The [`VecEnv::uniforms`] of many lanes.
struct Uniforms<'a> {
    streams: &'a Streams,
    lanes: &'a [u32; GROUP],
    tick: u32,
}

impl Kernel for Uniforms<'_> {
    type Output = [[f32; GROUP]; 4];

    #[inline(always)]
    fn run<const AVX512: bool>(self, _: Proof<AVX512>) -> [[f32; GROUP]; 4] {
        self.streams.uniforms_of(self.lanes, self.tick)
    }
}

/// Refuses numbers that are not in the action space. NaN above all would spread silently.
fn check_actions(simd: Simd, space: ActionSpace, actions: &[f32]) -> Result<(), StepError> {
    let legal = match space {
        ActionSpace::Discrete(count) => simd.run(AllIndices { count: count as f32, actions }),
        ActionSpace::Box { .. } => simd.run(AllFinite { actions }),
    };
    // the space itself has the last word: an index beyond 2^22 is whole without looking so to the vectors
    let wrong = |action: &f32| !space.contains(f64::from(*action));
    match if legal { None } else { actions.iter().position(wrong) } {
        None => Ok(()),
        Some(index) => Err(StepError::Action { lane: index / space.act_dim(), action: actions[index], space }),
    }
}

/// The test that all numbers are whole and in [0, count); NaN fails it.
struct AllIndices<'a> {
    count: f32,
    actions: &'a [f32],
}

impl Kernel for AllIndices<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<const AVX512: bool>(self, _: Proof<AVX512>) -> bool {
        /// The number 1.5 * 2^23: a sum with it is rounded to a whole number, without the call to `floor` of old
        /// processors.
        const ROUNDER: f32 = 12_582_912.0;
        let legal = |x: &f32| (0.0 <= *x) & (*x < self.count) & ((*x + ROUNDER) - ROUNDER == *x);
        self.actions.iter().fold(true, |all, x| all & legal(x))
    }
}

/// The test that all numbers are finite.
struct AllFinite<'a> {
    actions: &'a [f32],
}

impl Kernel for AllFinite<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<const AVX512: bool>(self, _: Proof<AVX512>) -> bool {
        self.actions.iter().fold(true, |all, x| all & (x.abs() <= f32::MAX))
    }
}
