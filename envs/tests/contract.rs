//! The contract of the batch engine, for every environment.

use crate::rig::{actions, reset_stream, step};
use metadrift_envs::{
    Array, CartPole, Clocks, Env, EnvKind, EnvSpec, Initial, Noise, OnBound, Pendulum, ProbeConstant, ProbeSign,
    Purpose, Schedule, StepError, StepView, Stream, Task, Timing, VecEnv, channel_index, channels, replay_kind,
    unit_f32, with_env,
};
use rand::Rng;

/// A task with the channels that `which` accepts perturbed: by 10 %, or by as much as shows.
fn perturbed(spec: &EnvSpec, which: impl Fn(&str) -> bool) -> Task {
    let channels = channels(spec);
    channels.iter().filter(|channel| which(&channel.name)).fold(Task::nominal(spec), |task, channel| {
        let value = match channel.default {
            _ if channel.name.ends_with("_delay") => 2.0,
            _ if channel.name.ends_with("hold_steps") => 3.0,
            0.0 => 0.07,
            default => default * 0.9,
        };
        task.with(spec, &channel.name, value).unwrap()
    })
}

/// The channels that the plain loop below knows: physics, gains, scales and biases.
fn is_plain(channel: &str) -> bool {
    let fault = channel.starts_with("actuator_") || channel.starts_with("sensor_");
    !fault || ["_gain", "_scale", "_bias"].iter().any(|end| channel.ends_with(end))
}

/// One lane by the plainest possible loop, straight from the functions of `E`.
struct PlainLane<E: Env> {
    task: Task,
    stream: Stream,
    horizon: u32,
    ticks: u32,
    episode_step: u32,
    state: E::State<f32>,
}

impl<E: Env> PlainLane<E> {
    fn new(task: Task, stream: Stream, horizon: u32) -> Self {
        let params = E::params(|i| task.values[i] as f32);
        PlainLane {
            state: E::reset(&params, stream.block(0).map(unit_f32)),
            task,
            stream,
            horizon,
            ticks: 0,
            episode_step: 0,
        }
    }

    fn shown(&self) -> Vec<f32> {
        let params = E::params(|i| self.task.values[i] as f32);
        let obs = E::observe(&params, self.state);
        let value = |k: usize, fault: &str| {
            let name = format!("sensor_{}_{fault}", E::SPEC.observations[k]);
            self.task.values[channel_index(&E::SPEC, &name).unwrap()] as f32
        };
        obs.as_ref().iter().enumerate().map(|(k, obs)| obs * value(k, "scale") + value(k, "bias")).collect()
    }

    /// (next_obs, reward, terminated, truncated)
    fn step(&mut self, action: &[f32]) -> (Vec<f32>, f32, bool, bool) {
        let params = E::params(|i| self.task.values[i] as f32);
        let [gain, bias] = [0, 1].map(|i| self.task.values[E::SPEC.params.len() + i] as f32);
        let command = E::command(&params, E::Action::from_fn(|i| action[i]));
        let applied = E::Action::from_fn(|i| gain * command.as_ref()[i] + bias);
        let next = E::step(&params, self.state, command, applied);
        self.state = next.state;
        self.ticks += 1;
        self.episode_step += 1;
        let truncated = self.episode_step == self.horizon;
        let shown = self.shown();
        if next.terminated || truncated {
            self.state = E::reset(&params, self.stream.block(self.ticks).map(unit_f32));
            self.episode_step = 0;
        }
        (shown, next.reward, next.terminated, truncated)
    }
}

fn follows_the_plain_loop<E: Env>() {
    let tasks = [Task::nominal(&E::SPEC), perturbed(&E::SPEC, is_plain)];
    let lanes = [5, 30];
    let horizon = E::SPEC.horizon.min(60);
    let stream = reset_stream(1);
    let mut env = VecEnv::<E>::new(&[(&tasks[0], lanes[0]), (&tasks[1], lanes[1])], horizon, stream, Clocks::default());
    let mut plain: Vec<PlainLane<E>> = (0..2)
        .flat_map(|t| (0..lanes[t]).map(move |lane| (t, lane)))
        .map(|(t, lane)| {
            let stream = stream.task(stream.task + t as u32).env(lane as u32);
            PlainLane::new(tasks[t].clone(), stream, horizon)
        })
        .collect();
    let obs_dim = E::SPEC.obs_dim();
    let mut ends = 0;
    let shown = |plain: &[PlainLane<E>]| plain.iter().flat_map(PlainLane::shown).collect();
    assert_eq!(env.obs(), Vec::as_slice(&shown(&plain)));
    for tick in 0..400 {
        let actions = actions::<E>(tick, 0, 35);
        let out = step(&mut env, &actions);
        for (lane, action) in actions.chunks(E::SPEC.act_dim()).enumerate() {
            let (next_obs, reward, terminated, truncated) = plain[lane].step(action);
            assert_eq!(out.next_obs[lane * obs_dim..][..obs_dim], next_obs);
            assert_eq!(out.reward[lane], reward);
            assert_eq!(out.terminated[lane], terminated);
            assert_eq!(out.truncated[lane], truncated);
            assert_eq!(env.episode_step()[lane], plain[lane].episode_step);
            ends += usize::from(terminated || truncated);
        }
        // after a reset this is the initial observation, in the same task
        assert_eq!(out.obs, Vec::as_slice(&shown(&plain)));
    }
    assert_eq!(env.clock(), 400);
    assert!(ends >= 35 * (400 / 60), "only {ends} episodes ended");
}

#[test]
fn the_batch_follows_the_plain_loop() {
    for kind in EnvKind::ALL {
        with_env!(*kind, E => follows_the_plain_loop::<E>(), _ => unreachable!());
    }
}

/// 64 lanes of a drifting task in batches of `width`: everything that comes out, lane by lane.
fn in_batches<E: Env>(width: usize) -> Vec<Vec<u32>> {
    let drift = Schedule::Sinusoid { mean: 0.5, amplitude: 1.0, period: 50.0, phase: 0.1 };
    let task = perturbed(&E::SPEC, |_| true).with_drift(&E::SPEC, "actuator_gain", drift).unwrap();
    let mut lanes = Vec::new();
    for first in (0..64).step_by(width) {
        let count = width.min(64 - first);
        let stream = reset_stream(2).env(first as u32);
        let mut env =
            VecEnv::<E>::new(&[(&task, count)], 40, stream, Clocks { lifetime_step: 17, ..Clocks::default() });
        let mut bits = vec![Vec::new(); count];
        for tick in 0..150 {
            let out = step(&mut env, &actions::<E>(tick, first, count));
            for (lane, bits) in bits.iter_mut().enumerate() {
                let row = lane * E::SPEC.obs_dim()..(lane + 1) * E::SPEC.obs_dim();
                bits.extend(out.obs[row.clone()].iter().map(|x| x.to_bits()));
                bits.extend(out.next_obs[row].iter().map(|x| x.to_bits()));
                bits.push(out.reward[lane].to_bits());
                bits.push(u32::from(out.terminated[lane]) + 2 * u32::from(out.truncated[lane]));
            }
        }
        lanes.extend(bits);
    }
    lanes
}

#[test]
fn results_do_not_depend_on_the_batch_split() {
    for kind in EnvKind::ALL {
        with_env!(*kind, E => {
            let whole = in_batches::<E>(64);
            for width in [1, 3, 64] {
                for (lane, bits) in in_batches::<E>(width).iter().enumerate() {
                    let same = bits.iter().zip(&whole[lane]).take_while(|(a, b)| a == b).count();
                    assert_eq!(same, whole[lane].len(), "{kind:?} lane {lane} by {width}");
                }
            }
        }, _ => unreachable!());
    }
}

#[test]
fn a_lane_does_not_notice_a_faulty_sensor_in_another() {
    let healthy = Task::nominal(&CartPole::SPEC);
    let faulty = perturbed(&CartPole::SPEC, |_| true);
    let alone = VecEnv::<CartPole>::new(&[(&healthy, 4)], 50, reset_stream(1), Clocks::default());
    let mixed = VecEnv::<CartPole>::new(&[(&healthy, 4), (&faulty, 2)], 50, reset_stream(1), Clocks::default());
    let mut alone = alone;
    let mut mixed = mixed;
    for tick in 0..200 {
        let actions = actions::<CartPole>(tick, 0, 6);
        let (a, b) = (step(&mut alone, &actions[..4]), step(&mut mixed, &actions));
        let bits = |row: &[f32]| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&a.next_obs), bits(&b.next_obs[..16]));
        assert_eq!(bits(&a.obs), bits(&b.obs[..16]));
    }
}

#[test]
fn a_pole_that_falls_on_the_last_step_is_terminated_and_truncated() {
    let task = Task::nominal(&CartPole::SPEC);
    let first_end = |horizon: u32| {
        let stream = Stream::new(1, Purpose::EvaluationReset);
        let mut env = VecEnv::<CartPole>::new(&[(&task, 1)], horizon, stream, Clocks::default());
        (1..).find_map(|count| {
            let out = step(&mut env, &[1.0]);
            let end = (count, out.terminated[0], out.truncated[0]);
            (out.terminated[0] || out.truncated[0]).then_some(end)
        })
    };
    let (fall, terminated, truncated) = first_end(500).unwrap();
    assert!(terminated && !truncated && (5..20).contains(&fall), "{fall}");
    assert_eq!(first_end(fall), Some((fall, true, true)));
    assert_eq!(first_end(fall - 1), Some((fall - 1, false, true)));
}

#[test]
fn drift_follows_the_clock_across_episodes() {
    // the probe pays gain * command after every step, and every step ends its episode
    let schedule = Schedule::Linear { from: 1.0, to: -1.0, start: 20.0, over: 32.0, returns: false };
    let still = Task::nominal(&ProbeSign::SPEC);
    let drifting = still.clone().with_drift(&ProbeSign::SPEC, "actuator_gain", schedule).unwrap();
    let tasks = [(&still, 17), (&drifting, 20), (&still, 3)];
    let mut env =
        VecEnv::<ProbeSign>::new(&tasks, 1, reset_stream(1), Clocks { lifetime_step: 10, ..Clocks::default() });
    for clock in 10..80_u16 {
        assert_eq!(env.clock(), u64::from(clock));
        let reward = step(&mut env, &[1.0; 40]).reward;
        // 1 up to tick 20, then 1 / 16 less a tick, -1 from tick 52 on
        let gain = (1.0 - (f32::from(clock) - 20.0) / 16.0).clamp(-1.0, 1.0);
        assert!(reward[17..37].iter().all(|r| *r == gain), "{clock}: {reward:?}");
        assert!(reward[..17].iter().chain(&reward[37..]).all(|r| *r == 1.0));
    }
}

#[test]
fn values_that_leave_their_bounds_are_corrected_and_counted() {
    // the gain climbs by 0.1 a tick from 1 at tick 0: from tick 6 on it is above 1.5
    let schedule = Schedule::Linear { from: 1.0, to: 3.0, start: 0.0, over: 20.0, returns: false };
    let timing = Timing { on_bound: Some(OnBound::Clamp), bounds: Some([0.0, 1.5]), ..Timing::default() };
    let task = Task::nominal(&ProbeSign::SPEC);
    let task = task.with_timed_drift(&ProbeSign::SPEC, "actuator_gain", schedule, timing, Noise::default()).unwrap();
    let mut env = VecEnv::<ProbeSign>::new(&[(&task, 3)], 1, reset_stream(1), Clocks::default());
    for tick in 0..10_u16 {
        let reward = step(&mut env, &[1.0; 3]).reward;
        let expected = (1.0 + 0.1 * f64::from(tick)).min(1.5) as f32;
        assert!(reward.iter().all(|r| (r - expected).abs() < 1e-6), "{tick}: {reward:?}");
    }
    assert_eq!(env.corrections(), 3 * 4);
}

#[test]
fn a_drifting_sensor_shows_its_offset_of_the_tick() {
    let schedule = Schedule::Step { at: 5.0, from: 0.0, to: 0.5 };
    let task =
        Task::nominal(&ProbeConstant::SPEC).with_drift(&ProbeConstant::SPEC, "sensor_signal_bias", schedule).unwrap();
    let mut env = VecEnv::<ProbeConstant>::new(&[(&task, 1)], 1, reset_stream(1), Clocks::default());
    assert_eq!(env.obs(), [0.0]);
    for clock in 0..10 {
        let out = step(&mut env, &[0.0]);
        let expected = if clock < 5 { 0.0 } else { 0.5 };
        assert_eq!((out.next_obs[0], out.obs[0]), (expected, expected), "{clock}");
    }
}

#[test]
#[should_panic(expected = "lane 2: action NaN is not in Box")]
fn an_action_that_is_no_number_is_refused() {
    let task = Task::nominal(&Pendulum::SPEC);
    let mut env = VecEnv::<Pendulum>::new(&[(&task, 4)], 200, reset_stream(1), Clocks::default());
    step(&mut env, &[0.0, 9.0, f32::NAN, 0.0]);
}

#[test]
#[should_panic(expected = "lane 1: action 2 is not in Discrete(2)")]
fn an_index_out_of_range_is_refused() {
    let task = Task::nominal(&CartPole::SPEC);
    let mut env = VecEnv::<CartPole>::new(&[(&task, 2)], 500, reset_stream(1), Clocks::default());
    step(&mut env, &[1.0, 2.0]);
}

#[test]
fn only_a_whole_number_is_an_index() {
    let task = Task::nominal(&CartPole::SPEC);
    for action in [0.5, 0.999_999_9, 1e-30, -1e-30, 1.5, -1.0, 2.0, 1e9, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        // in a lane of a whole block and in one behind it
        for lane in [3, 65] {
            let mut env = VecEnv::<CartPole>::new(&[(&task, 66)], 500, reset_stream(1), Clocks::default());
            let mut actions = [1.0; 66];
            actions[lane] = action;
            let mut next_obs = [0.0; 66 * 4];
            let mut reward = [0.0; 66];
            let mut flags = [[false; 66]; 2];
            let [terminated, truncated] = &mut flags;
            let out = StepView { next_obs: &mut next_obs, reward: &mut reward, terminated, truncated };
            let refused = env.try_step(&actions, out);
            assert!(matches!(refused, Err(StepError::Action { lane: at, .. }) if at == lane), "{action}: {refused:?}");
            assert_eq!(env.clock(), 0);
        }
        let action = f64::from(action);
        let replayed = replay_kind(EnvKind::CartPole, None, &[], Initial::State(&[0.0; 4]), &[1.0, action]);
        assert!(replayed.is_err_and(|error| error.to_string().contains("actions[1]")), "{action}");
    }
    let mut env = VecEnv::<CartPole>::new(&[(&task, 3)], 500, reset_stream(1), Clocks::default());
    step(&mut env, &[0.0, 1.0, -0.0]);
}

#[test]
fn resets_are_value_stable() {
    // frozen: a change here changes every result that was ever published
    let task = Task::nominal(&CartPole::SPEC);
    let env = VecEnv::<CartPole>::new(&[(&task, 1)], 500, reset_stream(1), Clocks::default());
    // worked out in Python: Philox of (0, iteration 3, phase 1, task 5 and purpose 3), then
    // -0.05 + 0.1 u for u = the top 24 bits of each word
    let mut rng = reset_stream(1).rng();
    let words: Vec<u32> = (0..4).map(|_| rng.next_u32()).collect();
    assert_eq!(words, [1282593021, 848006270, 1827554593, 2043133671]);
    let expected = [-0.0201373, -0.0302558, -0.0074489, -0.0024296];
    for (obs, expected) in env.obs().iter().zip(expected) {
        assert!((obs - expected).abs() < 1e-7, "{obs} {expected}");
    }
}
