//! The environments themselves: descriptions, channels, spaces, probes.

use std::collections::BTreeSet;

use crate::rig::{Out, actions, reset_stream, step};
use metadrift_envs::{
    Array, CartPole, CartPoleBalance, Channel, Clocks, ComplexOde, DoubleIntegrator, Env, EnvKind, EnvSpec, Initial,
    Navigation, NavigationRotated, Pendulum, ProbeAction, ProbeConstant, ProbeDiscount, ProbeObs, ProbePolicy,
    ProbeSign, Purpose, RewardKind, Stream, Task, VecEnv, channels, replay_kind, with_env,
};

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
        }, _ => unreachable!());
    }
    let error = EnvKind::from_name("pendulun").unwrap_err().to_string();
    assert!(error.contains("no environment `pendulun`; did you mean `pendulum`?"), "{error}");
}

/// The outputs of 200 ticks of 8 lanes.
fn run<E: Env>(task: &Task, seed: u64) -> Vec<Out> {
    let mut env = VecEnv::<E>::new(&[(task, 8)], E::SPEC.horizon, reset_stream(seed), Clocks::default());
    (0..200).map(|tick| step(&mut env, &actions::<E>(tick, 0, 8))).collect()
}

/// A task in which the channel can show, and the same with the channel changed.
fn with_and_without(spec: &EnvSpec, channel: &Channel) -> [Task; 2] {
    let mut base = Task::nominal(spec);
    if channel.name == "target_position" {
        base.settings.reward = Some(RewardKind::Quadratic);
    }
    // random pushes seldom come near a small goal
    if spec.name == DoubleIntegrator::SPEC.name && channel.name.starts_with("goal_") {
        base = base.with(spec, "goal_radius", 0.8).unwrap();
    }
    // and a number that begins near zero seldom gets far
    if spec.name == ComplexOde::SPEC.name && channel.name == "x_limit" {
        base = base.with(spec, "init_x", 10.0).unwrap();
    }
    // a full command is outside any dead zone, and a hold needs something to hold
    let needs = [("actuator_dead_zone", "actuator_gain", 0.2), ("actuator_hold_steps", "actuator_drop_prob", 0.3)];
    for (_, name, value) in needs.into_iter().filter(|(needing, ..)| *needing == channel.name) {
        base = base.with(spec, name, value).unwrap();
    }
    let value = match channel.default {
        _ if ["delay", "steps", "mask"].iter().any(|end| channel.name.ends_with(end)) => channel.bounds.max.min(3.0),
        _ if channel.name == "actuator_saturation" => 0.5,
        0.0 => 0.3,
        default => default * 0.1,
    };
    [base.clone(), base.with(spec, &channel.name, value).unwrap()]
}

#[test]
fn every_channel_changes_something_and_every_run_repeats() {
    fn check<E: Env>() {
        let nominal = Task::nominal(&E::SPEC);
        assert!(run::<E>(&nominal, 4) == run::<E>(&nominal, 4));
        let spread = E::SPEC.params.iter().find(|param| param.name == "init_position");
        let random = spread.map_or(nominal.clone(), |p| nominal.with(&E::SPEC, p.name, 0.1).unwrap());
        assert!(run::<E>(&random, 4) != run::<E>(&random, 5));
        for channel in channels(&E::SPEC) {
            let [base, changed] = with_and_without(&E::SPEC, &channel);
            let outputs = run::<E>(&changed, 4);
            assert!(run::<E>(&base, 4) != outputs, "{}", channel.name);
            assert!(run::<E>(&changed, 4) == outputs, "{}", channel.name);
        }
    }
    check::<CartPole>();
    check::<Pendulum>();
    check::<Navigation>();
    check::<NavigationRotated>();
    check::<DoubleIntegrator>();
    check::<ComplexOde>();
    check::<CartPoleBalance>();
}

/// One move of a point, in f64: (position, reward, arrived).
fn navigate<E: Env>(params: &[(&str, f64)], start: [f64; 2], action: [f64; 2]) -> (Vec<f64>, f64, bool) {
    let path =
        replay_kind(EnvKind::from_name(E::SPEC.name).unwrap(), None, params, Initial::State(&start), &action).unwrap();
    (path.states[0].clone(), path.rewards[0], path.terminated[0])
}

#[test]
fn navigation_moves_and_pays_as_it_says() {
    let close = |found: &[f64], expected: &[f64]| {
        assert!(found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-12), "{found:?} {expected:?}");
    };
    // a 3-4-5 triangle is left: goal (0.3, 0.4), reached point (0, 0); the moves are clipped to 0.1
    let (state, reward, arrived) = navigate::<Navigation>(&[], [0.1, -0.1], [-0.7, 0.1]);
    close(&state, &[0.0, 0.0]);
    close(&[reward], &[-0.5]);
    assert!(!arrived);
    let (_, reward, arrived) = navigate::<Navigation>(&[], [0.25, 0.35], [0.058, 0.042]);
    close(&[reward], &[-(0.008_f64.powi(2) * 2.0).sqrt()]);
    assert!(arrived);
    // near along one axis only is not there
    assert!(!navigate::<Navigation>(&[], [0.25, 0.35], [0.058, 0.03]).2);
    // a quarter turn to the left takes (0.1, 0.05) to (-0.05, 0.1)
    let quarter = [("rotation", std::f64::consts::FRAC_PI_2)];
    close(&navigate::<NavigationRotated>(&quarter, [0.0, 0.0], [0.1, 0.05]).0, &[-0.05, 0.1]);
    close(&navigate::<NavigationRotated>(&[], [0.0, 0.0], [0.1, 0.05]).0, &[0.1, 0.05]);
    let params = NavigationRotated::params(|index| NavigationRotated::SPEC.params[index].default);
    close(&NavigationRotated::observe(&params, [0.1, 0.6]), &[0.2, -0.2]);
}

#[test]
fn navigation_has_the_returns_of_the_literature() {
    // meta_learning.md 2.3: standing still earns about -38.4 over goals in the square (100 times the
    // mean distance, 0.3826), going straight to the goal about -0.5
    let lanes = 2000;
    let tasks: Vec<Task> = (0..lanes)
        .map(|lane| {
            let [u, v, ..] = Stream::new(1, Purpose::TaskDraw).env(lane).uniforms(0).map(f64::from);
            let task = Task::nominal(&Navigation::SPEC).with(&Navigation::SPEC, "goal_x", u - 0.5).unwrap();
            task.with(&Navigation::SPEC, "goal_y", v - 0.5).unwrap()
        })
        .collect();
    let mean_return = |straight: bool| {
        let all: Vec<(&Task, usize)> = tasks.iter().map(|task| (task, 1)).collect();
        let mut env = VecEnv::<Navigation>::new(&all, 100, reset_stream(1), Clocks::default());
        let mut running = vec![true; tasks.len()];
        let mut total = 0.0;
        for _ in 0..100 {
            let way = |lane: usize, k: usize| {
                if straight { tasks[lane].values[k] as f32 - env.obs()[2 * lane + k] } else { 0.0 }
            };
            let actions: Vec<f32> = (0..2 * tasks.len()).map(|i| way(i / 2, i % 2)).collect();
            let out = step(&mut env, &actions);
            for (running, (reward, arrived)) in running.iter_mut().zip(out.reward.iter().zip(&out.terminated)) {
                total += if *running { f64::from(*reward) } else { 0.0 };
                *running &= !arrived;
            }
        }
        total / f64::from(lanes)
    };
    let still = mean_return(false);
    let straight = mean_return(true);
    assert!((still + 38.26).abs() < 1.6, "{still}");
    assert!((-0.6..-0.4).contains(&straight), "{straight}");
}

#[test]
fn observations_stay_in_their_space_over_many_random_steps() {
    fn extremes<E: Env>() -> Vec<f32> {
        let task = Task::nominal(&E::SPEC);
        let mut env = VecEnv::<E>::new(&[(&task, 100)], E::SPEC.horizon, reset_stream(6), Clocks::default());
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
fn initial_states_have_gymnasiums_ranges() {
    let spread = |values: Vec<f32>| {
        let low = values.iter().copied().fold(f32::INFINITY, f32::min);
        let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        (low, high, mean)
    };
    let lanes = 10_000;
    let task = Task::nominal(&CartPole::SPEC);
    let env = VecEnv::<CartPole>::new(&[(&task, lanes)], 500, reset_stream(1), Clocks::default());
    for k in 0..4 {
        let (low, high, mean) = spread(env.obs().iter().skip(k).step_by(4).copied().collect());
        assert!((-0.05..-0.0499).contains(&low) && (0.0499..=0.05).contains(&high));
        // five standard errors of a uniform law: width / sqrt(12 n)
        assert!(mean.abs() < 0.1 / (12.0 * lanes as f32).sqrt() * 5.0, "{mean}");
    }
    let task = Task::nominal(&Pendulum::SPEC);
    let env = VecEnv::<Pendulum>::new(&[(&task, lanes)], 200, reset_stream(1), Clocks::default());
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

/// Rewards and last observations of lanes that always take `action`, by initial observation.
fn probe<E: Env>(task: &Task, action: f32) -> BTreeSet<(i8, i8, i8, bool)> {
    let mut env = VecEnv::<E>::new(&[(task, 50)], E::SPEC.horizon, reset_stream(1), Clocks::default());
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
    let mut env = VecEnv::<ProbeDiscount>::new(&[(&task, 1)], 9, reset_stream(1), Clocks::default());
    step(&mut env, &[0.0]);
    let second = step(&mut env, &[0.0]);
    assert_eq!((second.reward[0], second.terminated[0]), (1.0, true));
    assert_eq!(second.obs, [0.0]);
}
