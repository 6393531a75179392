//! One tick of a batch of lanes: the loop that has to be fast.
//!
//! Lanes come in blocks of [`LANES`]; within a block every quantity is a column of that many
//! numbers, so the loop over lanes has a constant length and LLVM turns it into vector
//! instructions. The body is compiled three times, for SSE2, AVX2 and AVX-512. Rust contracts no
//! products and sums, so all three give the same bits.

use crate::env::{Array, Env};
use crate::task::ChannelLayout;

/// Lanes in a block: two vectors of AVX-512, so that one computes while the other waits.
pub(crate) const LANES: usize = 32;

/// One number for each lane of a block.
pub(crate) type Column = [f32; LANES];

/// Whole blocks of lanes.
pub(crate) struct Batch<'a> {
    /// `[blocks, channels]`.
    pub channels: &'a [Column],
    /// Whether any sensor offset is not zero.
    pub sensor_offsets: bool,
    /// Steps after which an episode is truncated.
    pub horizon: u32,
    /// `[blocks, state_dim]`.
    pub state: &'a mut [Column],
    /// Steps done in the episode, `[blocks]`.
    pub episode_step: &'a mut [[u32; LANES]],
    /// Observations, `[blocks * LANES, obs_dim]`.
    pub obs: &'a mut [f32],
    /// 1 where the episode has ended, else 0, `[blocks]`.
    pub ended: &'a mut [[u8; LANES]],
}

/// What one tick of whole blocks leads to.
pub(crate) struct Outputs<'a> {
    /// `[blocks * LANES, obs_dim]`.
    pub next_obs: &'a mut [f32],
    /// `[blocks]`.
    pub reward: &'a mut [Column],
    /// `[blocks]`.
    pub terminated: &'a mut [[bool; LANES]],
    /// `[blocks]`.
    pub truncated: &'a mut [[bool; LANES]],
}

/// The instruction set that a batch is stepped with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Simd {
    /// What every x86-64 has (or the only one, elsewhere).
    Baseline,
    /// 256-bit vectors.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 512-bit vectors.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Simd {
    /// All that this machine has, the widest last.
    pub fn available() -> Vec<Simd> {
        let mut available = vec![Simd::Baseline];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                available.push(Simd::Avx2);
            }
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
            {
                available.push(Simd::Avx512);
            }
        }
        available
    }
}

/// Steps the first blocks of `batch`, as many as `out` has; `actions` is
/// `[blocks * LANES, act_dim]`.
pub(crate) fn advance<E: Env>(simd: Simd, batch: Batch<'_>, actions: &[f32], out: Outputs<'_>) {
    match simd {
        Simd::Baseline => advance_blocks::<E>(batch, actions, out),
        // SAFETY: `Simd::available` lists these only where the processor has the features, and
        // it is the only place they come from
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => unsafe { advance_avx2::<E>(batch, actions, out) },
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => unsafe { advance_avx512::<E>(batch, actions, out) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn advance_avx2<E: Env>(batch: Batch<'_>, actions: &[f32], out: Outputs<'_>) {
    advance_blocks::<E>(batch, actions, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn advance_avx512<E: Env>(batch: Batch<'_>, actions: &[f32], out: Outputs<'_>) {
    advance_blocks::<E>(batch, actions, out);
}

#[inline(always)]
fn advance_blocks<E: Env>(batch: Batch<'_>, actions: &[f32], out: Outputs<'_>) {
    let channels_dim = const { ChannelLayout::new(&E::SPEC).count };
    let state_dim = E::State::<f32>::LEN;
    let obs_dim = LANES * E::Obs::<f32>::LEN;
    let act_dim = LANES * E::Action::<f32>::LEN;
    for block in 0..out.reward.len() {
        let next = step_block::<E>(
            &batch.channels[block * channels_dim..][..channels_dim],
            batch.sensor_offsets,
            &actions[block * act_dim..][..act_dim],
            &batch.state[block * state_dim..][..state_dim],
        );
        batch.state[block * state_dim..][..state_dim].copy_from_slice(next.state.as_ref());
        out.reward[block] = next.reward;
        out.terminated[block] = next.terminated;
        let rows = &mut out.next_obs[block * obs_dim..][..obs_dim];
        for (lane, row) in rows.chunks_exact_mut(E::Obs::<f32>::LEN).enumerate() {
            for (shown, column) in row.iter_mut().zip(next.obs.as_ref()) {
                *shown = column[lane];
            }
        }
        batch.obs[block * obs_dim..][..obs_dim].copy_from_slice(rows);
        let step = batch.episode_step[block].map(|step| step + 1);
        let truncated = step.map(|step| step >= batch.horizon);
        batch.episode_step[block] = step;
        batch.ended[block] = std::array::from_fn(|lane| u8::from(next.terminated[lane] | truncated[lane]));
        out.truncated[block] = truncated;
    }
}

/// The columns that a step of a block leads to.
struct Next<E: Env> {
    state: E::State<Column>,
    obs: E::Obs<Column>,
    reward: Column,
    terminated: [bool; LANES],
}

/// Steps one block. The loop writes to nothing but local columns: they cannot overlap with what
/// it reads, so the compiler needs no scalar version for the case that they do.
#[inline(always)]
fn step_block<E: Env>(channels: &[Column], sensor_offsets: bool, actions: &[f32], current: &[Column]) -> Next<E> {
    let layout = const { ChannelLayout::new(&E::SPEC) };
    let act_dim = E::Action::<f32>::LEN;
    let mut state = E::State::from_fn(|_| [0.0; LANES]);
    let mut obs = E::Obs::from_fn(|_| [0.0; LANES]);
    let mut reward = [0.0; LANES];
    let mut terminated = [false; LANES];
    for lane in 0..LANES {
        let params = E::params(|channel| channels[channel][lane]);
        let before = E::State::<f32>::from_fn(|k| current[k][lane]);
        let action = E::Action::<f32>::from_fn(|k| actions[lane * act_dim + k]);
        let command = E::command(&params, action);
        let gain = channels[layout.actuator_gain][lane];
        let bias = channels[layout.actuator_bias][lane];
        let applied = E::Action::<f32>::from_fn(|k| gain * command.as_ref()[k] + bias);
        let next = E::step(&params, before, command, applied);
        let seen = E::observe(&params, next.state);
        for k in 0..E::State::<f32>::LEN {
            state.as_mut()[k][lane] = next.state.as_ref()[k];
        }
        for k in 0..E::Obs::<f32>::LEN {
            obs.as_mut()[k][lane] = seen.as_ref()[k];
        }
        reward[lane] = next.reward;
        terminated[lane] = next.terminated;
    }
    if sensor_offsets {
        let offsets = &channels[layout.first_sensor_offset..];
        for (column, offset) in obs.as_mut().iter_mut().zip(offsets) {
            for (shown, offset) in column.iter_mut().zip(offset) {
                *shown += offset;
            }
        }
    }
    Next { state, obs, reward, terminated }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CartPole, Pendulum, Purpose, StepView, Stream, Task, VecEnv};

    /// Every bit that 300 random steps of 70 lanes with faulty sensors lead to.
    fn bits<E: Env>(simd: Simd) -> Vec<u32> {
        let task = Task::nominal(&E::SPEC).with(&E::SPEC, "sensor_theta_dot_offset", 0.1).unwrap();
        let stream = Stream::new(3, Purpose::Reset);
        let mut env = VecEnv::<E>::new(&[(&task, 70)], 90, stream, 0);
        env.simd = simd;
        let mut next_obs = vec![0.0; 70 * E::SPEC.obs_dim()];
        let (mut reward, mut terminated, mut truncated) = ([0.0; 70], [false; 70], [false; 70]);
        let mut bits = Vec::new();
        for tick in 0..300 {
            let draw = |lane| Stream::new(3, Purpose::Action).env(lane).block(tick)[0];
            let actions: Vec<f32> = (0..70).map(|lane| (draw(lane) % 2) as f32).collect();
            let out = StepView {
                next_obs: &mut next_obs,
                reward: &mut reward,
                terminated: &mut terminated,
                truncated: &mut truncated,
            };
            env.step(&actions, out);
            let numbers = next_obs.iter().chain(&reward).chain(env.obs());
            bits.extend(numbers.map(|number| number.to_bits()));
            bits.extend((terminated.iter().chain(&truncated)).map(|flag| u32::from(*flag)));
        }
        bits
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        for simd in Simd::available() {
            assert_eq!(bits::<CartPole>(simd), bits::<CartPole>(Simd::Baseline));
            assert_eq!(bits::<Pendulum>(simd), bits::<Pendulum>(Simd::Baseline));
        }
    }
}
