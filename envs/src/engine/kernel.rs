//! One tick of a batch of lanes: the loop that has to be fast.
//!
//! Lanes come in blocks of [`LANES`]; within a block every quantity is a column of that many
//! numbers, so the loop over lanes has a constant length and LLVM turns it into vector
//! instructions. The body is compiled for each instruction set of [`Simd`], with and without the
//! work that only faults need: without it, columns never leave the registers.

use std::marker::PhantomData;

use crate::{
    engine::{
        actuator::Actuators,
        appendix::Appendix,
        columns::{Block, Place},
        drive::{Drive, drive_block},
        faults::Scene,
        interleave::{can_interleave, interleave},
        lanes::{Column, LANES, Lanes},
        sensor::Sensors,
        simd::{Kernel, Proof, Simd},
    },
    physics::{
        env::{Array, Env},
        version::{IntegratorKind, Level, RewardKind, Version},
    },
    tasks::channel::ChannelLayout,
};

/// Whole blocks of lanes.
pub(crate) struct Batch<'a> {
    pub simd: Simd,
    pub scene: Scene<'a>,
    /// The first block of the batch that is stepped.
    pub first: usize,
    /// Version of the physics.
    pub version: Version,
    /// Steps after which an episode is truncated.
    pub horizon: u32,
    /// Physical states, `[blocks, state_dim]`, from `first` on.
    pub state: &'a mut [Column],
    /// Steps done in the episode, `[blocks]`, from `first` on.
    pub episode_step: &'a mut [Lanes<u32>],
    /// Observations, `[blocks * LANES, width]`, from `first` on.
    pub obs: &'a mut [f32],
    /// 1 where the episode has ended, else 0, `[blocks]`, from `first` on.
    pub ended: &'a mut [[u8; LANES]],
    /// Faults of the actuators beyond gain and bias.
    pub actuators: Option<&'a mut Actuators>,
    pub sensors: Option<&'a mut Sensors>,
    /// Columns appended to the readings of the sensors.
    pub appendix: Option<&'a mut Appendix>,
}

/// The results of one tick of whole blocks.
pub(crate) struct Outputs<'a> {
    /// Observations before any reset, `[blocks * LANES, width]`.
    pub next_obs: &'a mut [f32],
    /// Rewards, `[blocks, LANES]`.
    pub reward: &'a mut [[f32; LANES]],
    /// True if the physics ended the episode, `[blocks, LANES]`.
    pub terminated: &'a mut [[bool; LANES]],
    /// True if the time limit ended it, `[blocks, LANES]`.
    pub truncated: &'a mut [[bool; LANES]],
}

/// The versions of the physics that are compiled: a level, and at the highest an integrator.
const PATHS: [(Level, IntegratorKind); 5] = [
    (Level::Base, IntegratorKind::Euler),
    (Level::Extended, IntegratorKind::Euler),
    (Level::Full, IntegratorKind::Euler),
    (Level::Full, IntegratorKind::SemiImplicit),
    (Level::Full, IntegratorKind::Rk4),
];

/// Number of [`PATHS`] that an environment has.
const fn paths<E: Env>() -> usize {
    let mut highest = 1;
    let mut k = 0;
    while k < E::SPEC.params.len() {
        let needed = match E::SPEC.params[k].level {
            Level::Base => 1,
            Level::Extended => 2,
            Level::Full => 3,
        };
        if needed > highest {
            highest = needed;
        }
        k += 1;
    }
    if E::SPEC.variants { PATHS.len() } else { highest }
}

/// Steps the first blocks of `batch`, as many as `out` has; `actions` is
/// `[blocks * LANES, act_dim]`.
pub(crate) fn advance<E: Env>(batch: Batch<'_>, actions: &[f32], out: Outputs<'_>) {
    match (batch.version.level, batch.version.integrator) {
        (Level::Base, _) => advance_path::<E, 0>(batch, actions, out),
        (Level::Extended, _) => advance_path::<E, 1>(batch, actions, out),
        (Level::Full, IntegratorKind::Euler) => advance_path::<E, 2>(batch, actions, out),
        (Level::Full, IntegratorKind::SemiImplicit) => advance_path::<E, 3>(batch, actions, out),
        (Level::Full, IntegratorKind::Rk4) => advance_path::<E, 4>(batch, actions, out),
    }
}

fn advance_path<E: Env, const PATH: usize>(batch: Batch<'_>, actions: &[f32], out: Outputs<'_>) {
    if const { PATH >= paths::<E>() } {
        unreachable!("{} has no such version of its physics", E::SPEC.name)
    } else if batch.actuators.is_none() && batch.sensors.is_none() && batch.appendix.is_none() {
        batch.simd.run(Advance::<E, PATH, true> { batch, actions, out, env: PhantomData });
    } else {
        batch.simd.run(Advance::<E, PATH, false> { batch, actions, out, env: PhantomData });
    }
}

/// A tick of whole blocks. `PLAIN` means that neither actuators nor sensors have faults and nothing is appended.
struct Advance<'a, E, const PATH: usize, const PLAIN: bool> {
    batch: Batch<'a>,
    actions: &'a [f32],
    out: Outputs<'a>,
    env: PhantomData<E>,
}

impl<E: Env, const PATH: usize, const PLAIN: bool> Kernel for Advance<'_, E, PATH, PLAIN> {
    type Output = ();

    #[inline(always)]
    fn run<const AVX512: bool>(self, proof: Proof<AVX512>) {
        let blocks = self.batch.first + self.out.reward.len();
        let (places, columns) = self.batch.scene.channels.parts(blocks, Self::CHANNELS);
        self.blocks(proof, places, columns);
    }
}

impl<E: Env, const PATH: usize, const PLAIN: bool> Advance<'_, E, PATH, PLAIN> {
    /// Number of channels of the environment.
    const CHANNELS: usize = ChannelLayout::new(&E::SPEC).count;

    /// Steps the blocks with the [parts](crate::engine::columns::Channels::parts) of the scene's channels. They are
    /// passed as arguments so that the compiler may assume no aliasing and read `places` once.
    #[inline(always)]
    fn blocks<const AVX512: bool>(self, _: Proof<AVX512>, places: &[Place], columns: &[Column]) {
        let Advance { mut batch, actions, out, .. } = self;
        let state_dim = E::State::<f32>::LEN;
        let act_dim = LANES * E::Action::<f32>::LEN;
        let (level, integrator) = PATHS[PATH];
        // a constant at every level that pays only Gymnasium's reward
        let reward = if matches!(level, Level::Full) { batch.version.reward } else { RewardKind::Gym };
        let version = Version { level, integrator, reward };
        let appended = batch.appendix.as_ref().map_or(0, |appendix| appendix.width());
        let width = E::Obs::<f32>::LEN + if PLAIN { 0 } else { appended };
        for index in 0..out.reward.len() {
            let block = batch.first + index;
            // SAFETY: `run` took the parts for `CHANNELS` channels and for all blocks up to that of the last output
            let channels = unsafe { Block::of(places, columns, block, Self::CHANNELS) };
            let mut drive = drive_block::<E>(channels, &actions[index * act_dim..][..act_dim]);
            if !PLAIN && let Some(actuators) = &mut batch.actuators {
                drive.pass(batch.simd, &batch.scene, block, actuators);
            }
            let state = &mut batch.state[index * state_dim..][..state_dim];
            let mut next = step_block::<E, AVX512, PLAIN>(version, channels, &drive, state);
            state.copy_from_slice(next.state.as_ref());
            if !PLAIN && let Some(sensors) = &mut batch.sensors {
                sensors.apply(batch.simd, &batch.scene, block, next.obs.as_mut());
            }
            let rows = &mut out.next_obs[index * LANES * width..][..LANES * width];
            let shown = &mut batch.obs[index * LANES * width..][..LANES * width];
            let rows_at_once = const { AVX512 && can_interleave(E::Obs::<f32>::LEN) };
            if PLAIN || (rows_at_once && batch.appendix.is_none()) {
                if rows_at_once {
                    // SAFETY: here `AVX512` is true, so a `Proof<true>` has been handed over
                    next.obs = unsafe { interleave(&next.obs) };
                }
                rows.copy_from_slice(Lanes::flat(next.obs.as_ref()));
                shown.copy_from_slice(Lanes::flat(next.obs.as_ref()));
            } else {
                write_rows::<E>(rows, width, &next.obs);
                if let Some(appendix) = &mut batch.appendix {
                    appendix.tick(&batch.scene, block, drive.command.as_ref());
                    appendix.write(block, rows, E::Obs::<f32>::LEN);
                }
                shown.copy_from_slice(rows);
            }
            out.reward[index] = *next.reward;
            out.terminated[index] = next.terminated;
            let step = &mut batch.episode_step[index];
            let flags = (&mut out.truncated[index], &mut batch.ended[index]);
            count_step(step, batch.horizon, &next.terminated, flags);
        }
    }
}

/// Counts a step of the episodes of a block; sets the flags of those that the time limit truncates, and of those that
/// have ended.
#[inline(always)]
fn count_step(
    step: &mut Lanes<u32>,
    horizon: u32,
    terminated: &[bool; LANES],
    (truncated, ended): (&mut [bool; LANES], &mut [u8; LANES]),
) {
    let mut cut = [false; LANES];
    let mut over = [0; LANES];
    for lane in 0..LANES {
        step[lane] += 1;
        cut[lane] = step[lane] >= horizon;
        over[lane] = u8::from(terminated[lane] | cut[lane]);
    }
    *truncated = cut;
    *ended = over;
}

/// Turns the columns of a block into the first numbers of rows of `width`.
#[inline(always)]
fn write_rows<E: Env>(rows: &mut [f32], width: usize, obs: &E::Obs<Column>) {
    let rows = &mut rows[..LANES * width];
    for lane in 0..LANES {
        for k in 0..E::Obs::<f32>::LEN {
            rows[lane * width + k] = obs.as_ref()[k][lane];
        }
    }
}

/// The results of a step of one block.
struct Next<E: Env> {
    state: E::State<Column>,
    obs: E::Obs<Column>,
    reward: Column,
    terminated: [bool; LANES],
}

/// Steps one block. The loop writes only to local columns, which cannot alias its inputs, so the compiler needs no
/// scalar version for the case that they do.
#[inline(always)]
fn step_block<E: Env, const AVX512: bool, const PLAIN: bool>(
    version: Version,
    channels: Block<'_>,
    drive: &Drive<E>,
    current: &[Column],
) -> Next<E> {
    let mut state = E::State::from_fn(|_| Column::all(0.0));
    let mut obs = E::Obs::from_fn(|_| Column::all(0.0));
    let mut reward = Column::all(0.0);
    let mut terminated = [false; LANES];
    for lane in 0..LANES {
        let params = E::with_version(E::params(|channel| channels.column(channel)[lane]), version);
        let before = E::State::<f32>::from_fn(|k| current[k][lane]);
        let command = E::Action::<f32>::from_fn(|k| drive.command.as_ref()[k][lane]);
        let applied = E::Action::<f32>::from_fn(|k| drive.applied.as_ref()[k][lane]);
        let next = E::step(&params, before, command, applied);
        let seen = E::observe(&params, next.state);
        for k in 0..E::State::<f32>::LEN {
            state.as_mut()[k][lane] = next.state.as_ref()[k];
        }
        for k in 0..E::Obs::<f32>::LEN {
            if const { PLAIN && !(AVX512 && can_interleave(E::Obs::<f32>::LEN)) } {
                // in the order of rows at once: from columns, the compiler would make it one by one
                Lanes::flat_mut(obs.as_mut())[lane * E::Obs::<f32>::LEN + k] = seen.as_ref()[k];
            } else {
                obs.as_mut()[k][lane] = seen.as_ref()[k];
            }
        }
        reward[lane] = next.reward;
        terminated[lane] = next.terminated;
    }
    Next { state, obs, reward, terminated }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CartPole, Clocks, Pendulum, Purpose, StepView, Stream, Task, VecEnv};

    /// All bits of 300 random steps of 70 lanes with these faults.
    fn bits<E: Env>(simd: Simd, faults: &[(&str, f64)], integrator: IntegratorKind) -> Vec<u32> {
        let mut task = Task::nominal(&E::SPEC);
        for (name, value) in faults {
            task = task.with(&E::SPEC, name, *value).unwrap();
        }
        task.settings.integrator = E::SPEC.variants.then_some(integrator);
        let stream = Stream::new(3, Purpose::Reset);
        let mut env = VecEnv::<E>::new(&[(&task, 70)], 90, stream, Clocks::default());
        env.simd = simd;
        let mut next_obs = vec![0.0; 70 * E::SPEC.obs_dim()];
        let mut reward = [0.0; 70];
        let mut terminated = [false; 70];
        let mut truncated = [false; 70];
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
        let euler = IntegratorKind::Euler;
        let sensor = ("sensor_theta_dot_bias", 0.1);
        let noisy = [sensor, ("sensor_theta_dot_noise_std", 0.1), ("actuator_noise_std", 0.2), ("actuator_delay", 1.0)];
        let failing = [
            ("actuator_drop_prob", 0.1),
            ("actuator_stick_prob", 0.1),
            ("actuator_hold_steps", 3.0),
            ("sensor_theta_dot_drop_prob", 0.1),
            ("sensor_theta_dot_stuck_prob", 0.1),
            ("sensor_theta_dot_quantum", 0.05),
            ("sensor_theta_dot_delay", 3.0),
        ];
        let same = |bits: &dyn Fn(Simd) -> Vec<u32>| {
            Simd::available().into_iter().for_each(|simd| assert_eq!(bits(simd), bits(Simd::Baseline)));
        };
        same(&|simd| bits::<CartPole>(simd, &[sensor], euler));
        same(&|simd| bits::<CartPole>(simd, &[("wind_force", 2.0), ("pole_friction", 0.01)], euler));
        for integrator in [euler, IntegratorKind::SemiImplicit, IntegratorKind::Rk4] {
            same(&|simd| bits::<CartPole>(simd, &[("track_tilt", 0.1)], integrator));
        }
        same(&|simd| bits::<CartPole>(simd, &noisy, euler));
        same(&|simd| bits::<CartPole>(simd, &failing, euler));
        same(&|simd| bits::<Pendulum>(simd, &[sensor], euler));
        same(&|simd| bits::<Pendulum>(simd, &[("damping", 0.1)], euler));
        same(&|simd| bits::<Pendulum>(simd, &noisy, euler));
    }
}
