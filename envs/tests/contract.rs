//! What every environment and the batch engine promise.

use std::collections::BTreeSet;

use metadrift_envs::{
    ActionSpace, Array, CartPole, Env, EnvKind, Pendulum, ProbeAction, ProbeConstant, ProbeDiscount, ProbeObs,
    ProbePolicy, ProbeSign, Purpose, Schedule, StepView, Stream, Task, VecEnv, channels, unit_f32, with_env,
};
use rand::Rng;

/// What one step hands back.
#[derive(Clone, Debug, PartialEq)]
struct Out {
    obs: Vec<f32>,
    next_obs: Vec<f32>,
    reward: Vec<f32>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
}

fn step<E: Env>(env: &mut VecEnv<E>, actions: &[f32]) -> Out {
    let lanes = env.num_envs();
    let mut out = Out {
        obs: Vec::new(),
        next_obs: vec![f32::NAN; lanes * E::SPEC.obs_dim()],
        reward: vec![f32::NAN; lanes],
        terminated: vec![false; lanes],
        truncated: vec![false; lanes],
    };
    let view = StepView {
        next_obs: &mut out.next_obs,
        reward: &mut out.reward,
        terminated: &mut out.terminated,
        truncated: &mut out.truncated,
    };
    env.step(actions, view);
    out.obs = env.obs().to_vec();
    out
}

fn reset_stream(seed: u64) -> Stream {
    Stream::new(seed, Purpose::Reset).iteration(3).phase(1).task(5)
}

/// A random action for each lane; one and a half times the bound, so that clipping shows.
fn actions<E: Env>(tick: u32, first_lane: usize, lanes: usize) -> Vec<f32> {
    let lane = |lane: usize| {
        let word = Stream::new(9, Purpose::Action).env(lane as u32).block(tick)[0];
        match E::SPEC.action {
            ActionSpace::Discrete(count) => (unit_f32(word) * count as f32).floor(),
            ActionSpace::Box { bound, .. } => (3.0 * unit_f32(word) - 1.5) * bound as f32,
        }
    };
    assert_eq!(E::SPEC.act_dim(), 1);
    (first_lane..first_lane + lanes).map(lane).collect()
}

/// A task with everything perturbed: physics by 10 %, actuator and sensors faulty.
fn perturbed(spec: &metadrift_envs::EnvSpec) -> Task {
    channels(spec).iter().fold(Task::nominal(spec), |task, channel| {
        let value = match channel.default {
            0.0 => 0.07,
            default => default * 0.9,
        };
        task.with(spec, &channel.name, value).unwrap()
    })
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
        let offsets = &self.task.values[E::SPEC.params.len() + 2..];
        (obs.as_ref().iter().zip(offsets)).map(|(obs, offset)| obs + *offset as f32).collect()
    }

    /// (next_obs, reward, terminated, truncated)
    fn step(&mut self, action: f32) -> (Vec<f32>, f32, bool, bool) {
        let params = E::params(|i| self.task.values[i] as f32);
        let [gain, bias] = [0, 1].map(|i| self.task.values[E::SPEC.params.len() + i] as f32);
        let command = E::command(&params, E::Action::from_fn(|_| action));
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
    let tasks = [Task::nominal(&E::SPEC), perturbed(&E::SPEC)];
    let lanes = [5, 30];
    let horizon = E::SPEC.horizon.min(60);
    let stream = reset_stream(1);
    let mut env = VecEnv::<E>::new(&[(&tasks[0], lanes[0]), (&tasks[1], lanes[1])], horizon, stream, 0);
    let mut plain: Vec<PlainLane<E>> = (0..2)
        .flat_map(|t| (0..lanes[t]).map(move |lane| (t, lane)))
        .map(|(t, lane)| {
            let stream = stream.task(stream.task + t as u32).env(lane as u32);
            PlainLane::new(tasks[t].clone(), stream, horizon)
        })
        .collect();
    let (obs_dim, mut ends) = (E::SPEC.obs_dim(), 0);
    let shown = |plain: &[PlainLane<E>]| plain.iter().flat_map(PlainLane::shown).collect();
    assert_eq!(env.obs(), Vec::as_slice(&shown(&plain)));
    for tick in 0..400 {
        let actions = actions::<E>(tick, 0, 35);
        let out = step(&mut env, &actions);
        for (lane, action) in actions.iter().enumerate() {
            let (next_obs, reward, terminated, truncated) = plain[lane].step(*action);
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
        with_env!(*kind, E => follows_the_plain_loop::<E>());
    }
}

/// 64 lanes of a drifting task in batches of `width`: everything that comes out, lane by lane.
fn in_batches<E: Env>(width: usize) -> Vec<Vec<u32>> {
    let drift = Schedule::Sinusoid { mean: 0.5, amplitude: 1.0, period: 50.0, phase: 0.1 };
    let task = perturbed(&E::SPEC).with_drift(&E::SPEC, "actuator_gain", drift).unwrap();
    let mut lanes = Vec::new();
    for first in (0..64).step_by(width) {
        let count = width.min(64 - first);
        let stream = reset_stream(2).env(first as u32);
        let mut env = VecEnv::<E>::new(&[(&task, count)], 40, stream, 17);
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
        });
    }
}

#[test]
fn a_lane_does_not_notice_a_faulty_sensor_in_another() {
    let healthy = Task::nominal(&CartPole::SPEC);
    let faulty = perturbed(&CartPole::SPEC);
    let alone = VecEnv::<CartPole>::new(&[(&healthy, 4)], 50, reset_stream(1), 0);
    let mixed = VecEnv::<CartPole>::new(&[(&healthy, 4), (&faulty, 2)], 50, reset_stream(1), 0);
    let (mut alone, mut mixed) = (alone, mixed);
    for tick in 0..200 {
        let actions = actions::<CartPole>(tick, 0, 6);
        let (a, b) = (step(&mut alone, &actions[..4]), step(&mut mixed, &actions));
        let bits = |row: &[f32]| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&a.next_obs), bits(&b.next_obs[..16]));
        assert_eq!(bits(&a.obs), bits(&b.obs[..16]));
    }
}

#[test]
fn specs_are_consistent() {
    let mut names = BTreeSet::new();
    for kind in EnvKind::ALL {
        let spec = kind.spec();
        assert!(names.insert(spec.name));
        assert_eq!(EnvKind::from_name(spec.name).unwrap(), *kind);
        assert!(spec.horizon > 0);
        let all = channels(spec);
        let unique: BTreeSet<&str> = all.iter().map(|channel| channel.name.as_str()).collect();
        assert_eq!(unique.len(), all.len());
        for channel in &all {
            assert!(channel.bounds.contains(channel.default), "{}", channel.name);
        }
        with_env!(*kind, E => {
            assert_eq!(<E as Env>::Obs::<f32>::LEN, spec.obs_dim());
            assert_eq!(<E as Env>::Action::<f32>::LEN, spec.act_dim());
        });
    }
    let error = EnvKind::from_name("pendulun").unwrap_err().to_string();
    assert!(error.contains("no environment `pendulun`; did you mean `pendulum`?"), "{error}");
}

/// The outputs of 200 ticks of 8 lanes.
fn run<E: Env>(task: &Task, seed: u64) -> Vec<Out> {
    let mut env = VecEnv::<E>::new(&[(task, 8)], E::SPEC.horizon, reset_stream(seed), 0);
    (0..200).map(|tick| step(&mut env, &actions::<E>(tick, 0, 8))).collect()
}

#[test]
fn every_channel_changes_something_and_every_run_repeats() {
    fn check<E: Env>() {
        let nominal = Task::nominal(&E::SPEC);
        let base = run::<E>(&nominal, 4);
        assert!(base == run::<E>(&nominal, 4));
        assert!(base != run::<E>(&nominal, 5));
        for channel in channels(&E::SPEC) {
            let value = match channel.default {
                0.0 => 0.3,
                default => default * 0.1,
            };
            let task = nominal.clone().with(&E::SPEC, &channel.name, value).unwrap();
            assert!(base != run::<E>(&task, 4), "{}", channel.name);
        }
    }
    check::<CartPole>();
    check::<Pendulum>();
}

#[test]
fn observations_stay_in_their_space_over_many_random_steps() {
    fn extremes<E: Env>() -> Vec<f32> {
        let task = Task::nominal(&E::SPEC);
        let mut env = VecEnv::<E>::new(&[(&task, 100)], E::SPEC.horizon, reset_stream(6), 0);
        let mut largest = vec![0.0_f32; E::SPEC.obs_dim()];
        for tick in 0..1000 {
            let out = step(&mut env, &actions::<E>(tick, 0, 100));
            for row in out.next_obs.chunks(E::SPEC.obs_dim()) {
                for (largest, obs) in largest.iter_mut().zip(row) {
                    assert!(obs.is_finite());
                    *largest = largest.max(obs.abs());
                }
            }
        }
        largest
    }
    // Gymnasium's spaces: twice the limits for CartPole, (1, 1, 8) for Pendulum
    let [x, _, theta, _] = extremes::<CartPole>()[..] else { panic!() };
    assert!(x < 4.8 && theta > 0.2 && theta < 0.418_879_03, "{x} {theta}");
    let [cos, sin, speed] = extremes::<Pendulum>()[..] else { panic!() };
    assert!(cos <= 1.0 && cos > 0.999 && sin <= 1.0 && sin > 0.999);
    assert!(speed <= 8.0 && speed > 5.0, "{speed}");
}

#[test]
fn a_pole_that_falls_on_the_last_step_is_terminated_and_truncated() {
    let task = Task::nominal(&CartPole::SPEC);
    let first_end = |horizon: u32| {
        let stream = Stream::new(1, Purpose::EvaluationReset);
        let mut env = VecEnv::<CartPole>::new(&[(&task, 1)], horizon, stream, 0);
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
    let mut env = VecEnv::<ProbeSign>::new(&tasks, 1, reset_stream(1), 10);
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
fn a_drifting_sensor_shows_its_offset_of_the_tick() {
    let schedule = Schedule::Step { at: 5.0, from: 0.0, to: 0.5 };
    let task =
        Task::nominal(&ProbeConstant::SPEC).with_drift(&ProbeConstant::SPEC, "sensor_signal_offset", schedule).unwrap();
    let mut env = VecEnv::<ProbeConstant>::new(&[(&task, 1)], 1, reset_stream(1), 0);
    assert_eq!(env.obs(), [0.0]);
    for clock in 0..10 {
        let out = step(&mut env, &[0.0]);
        let expected = if clock < 5 { 0.0 } else { 0.5 };
        assert_eq!((out.next_obs[0], out.obs[0]), (expected, expected), "{clock}");
    }
}

/// Rewards and last observations of lanes that always take `action`, by initial observation.
fn probe<E: Env>(task: &Task, action: f32) -> BTreeSet<(i8, i8, i8, bool)> {
    let mut env = VecEnv::<E>::new(&[(task, 50)], E::SPEC.horizon, reset_stream(1), 0);
    let before = env.obs().to_vec();
    let out = step(&mut env, &[action; 50]);
    (0..50)
        .map(|i| {
            let whole = [before[i], out.reward[i], out.next_obs[i]].map(|x| x as i8);
            (whole[0], whole[1], whole[2], out.terminated[i])
        })
        .collect()
}

#[test]
fn probes_have_their_known_answers() {
    let task = Task::nominal(&ProbeSign::SPEC);
    for action in [0.0, 1.0] {
        let sign = if action == 1.0 { 1 } else { -1 };
        let one = |outcome| BTreeSet::from([outcome]);
        assert_eq!(probe::<ProbeConstant>(&task, action), one((0, 1, 0, true)));
        assert_eq!(probe::<ProbeDiscount>(&task, action), one((0, 0, 1, false)));
        assert_eq!(probe::<ProbeAction>(&task, action), one((0, sign, 0, true)));
        assert_eq!(probe::<ProbeObs>(&task, action), BTreeSet::from([(-1, -1, -1, true), (1, 1, 1, true)]));
        assert_eq!(probe::<ProbePolicy>(&task, action), BTreeSet::from([(-1, -sign, -1, true), (1, sign, 1, true)]));
        assert_eq!(probe::<ProbeSign>(&task, action), one((0, sign, 0, true)));
        let inverted = task.clone().with(&ProbeSign::SPEC, "actuator_gain", -1.0).unwrap();
        assert_eq!(probe::<ProbeSign>(&inverted, action), one((0, -sign, 0, true)));
        assert_eq!(probe::<ProbeAction>(&inverted, action), one((0, sign, 0, true)));
    }
    let mut env = VecEnv::<ProbeDiscount>::new(&[(&task, 1)], 9, reset_stream(1), 0);
    step(&mut env, &[0.0]);
    let second = step(&mut env, &[0.0]);
    assert_eq!((second.reward[0], second.terminated[0]), (1.0, true));
    assert_eq!(second.obs, [0.0]);
}

#[test]
fn initial_states_have_gymnasiums_ranges() {
    let spread = |values: Vec<f32>| {
        let low = values.iter().copied().fold(f32::INFINITY, f32::min);
        let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        (low, high, mean)
    };
    let lanes = 10_000;
    let task = Task::nominal(&CartPole::SPEC);
    let env = VecEnv::<CartPole>::new(&[(&task, lanes)], 500, reset_stream(1), 0);
    for k in 0..4 {
        let (low, high, mean) = spread(env.obs().iter().skip(k).step_by(4).copied().collect());
        assert!((-0.05..-0.0499).contains(&low) && (0.0499..=0.05).contains(&high));
        // five standard errors of a uniform law: width / sqrt(12 n)
        assert!(mean.abs() < 0.1 / (12.0 * lanes as f32).sqrt() * 5.0, "{mean}");
    }
    let task = Task::nominal(&Pendulum::SPEC);
    let env = VecEnv::<Pendulum>::new(&[(&task, lanes)], 200, reset_stream(1), 0);
    let column = |k: usize| env.obs().iter().skip(k).step_by(3).copied().collect::<Vec<f32>>();
    let (low, high, mean) = spread(column(2));
    assert!((-1.0..-0.999).contains(&low) && (0.999..=1.0).contains(&high));
    assert!(mean.abs() < 2.0 / (12.0 * lanes as f32).sqrt() * 5.0);
    let angles = column(0).into_iter().zip(column(1)).map(|(cos, sin)| sin.atan2(cos));
    let (low, high, mean) = spread(angles.collect());
    let pi = std::f32::consts::PI;
    assert!(low < -0.999 * pi && high > 0.999 * pi);
    assert!(mean.abs() < 2.0 * pi / (12.0 * lanes as f32).sqrt() * 5.0);
}

#[test]
#[should_panic(expected = "lane 2: action NaN is not in Box")]
fn an_action_that_is_no_number_is_refused() {
    let task = Task::nominal(&Pendulum::SPEC);
    let mut env = VecEnv::<Pendulum>::new(&[(&task, 4)], 200, reset_stream(1), 0);
    step(&mut env, &[0.0, 9.0, f32::NAN, 0.0]);
}

#[test]
#[should_panic(expected = "lane 1: action 2 is not in Discrete(2)")]
fn an_index_out_of_range_is_refused() {
    let task = Task::nominal(&CartPole::SPEC);
    let mut env = VecEnv::<CartPole>::new(&[(&task, 2)], 500, reset_stream(1), 0);
    step(&mut env, &[1.0, 2.0]);
}

#[test]
fn resets_are_value_stable() {
    // frozen: a change here changes every result that was ever published
    let task = Task::nominal(&CartPole::SPEC);
    let env = VecEnv::<CartPole>::new(&[(&task, 1)], 500, reset_stream(1), 0);
    // -0.05 + 0.1 u for u = the top 24 bits of each word, worked out in Python
    let mut rng = reset_stream(1).rng();
    let words: Vec<u32> = (0..4).map(|_| rng.next_u32()).collect();
    assert_eq!(words, [1282593021, 848006270, 1827554593, 2043133671]);
    let expected = [-0.020137310, -0.030255818, -0.007448930, -0.002429593];
    for (obs, expected) in env.obs().iter().zip(expected) {
        assert!((obs - expected).abs() < 1e-8, "{obs} {expected}");
    }
}
