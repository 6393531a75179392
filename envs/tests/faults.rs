//! Faults of actuator and sensors, one at a time, against what they say they do.

use std::collections::VecDeque;

use crate::rig::{actions, reset_stream, step};
use metadrift_envs::{
    Autoreset, CartPole, Clocks, Env, Pendulum, ProbeConstant, ProbeSign, Purpose, Schedule, SensorFill, StepError,
    StepView, Stream, Task, TaskSettings, VecEnv, obs_dim,
};

fn task<E: Env>(values: &[(&str, f64)]) -> Task {
    let nominal = Task::nominal(&E::SPEC);
    values.iter().fold(nominal, |task, (name, value)| task.with(&E::SPEC, name, *value).unwrap())
}

fn env<E: Env>(task: &Task, lanes: usize) -> VecEnv<E> {
    VecEnv::new(&[(task, lanes)], E::SPEC.horizon, reset_stream(1), Clocks::default())
}

/// The output of the actuator of [`ProbeSign`] for the command 1, `[ticks][lanes]`.
fn delivered(values: &[(&str, f64)], lanes: usize, ticks: usize) -> Vec<Vec<f32>> {
    let mut env = env::<ProbeSign>(&task::<ProbeSign>(values), lanes);
    (0..ticks).map(|_| step(&mut env, &vec![1.0; lanes]).reward).collect()
}

/// Mean and variance.
fn moments(values: &[f32]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    (mean, values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n)
}

#[test]
fn the_actuator_does_what_its_channels_say_in_their_order() {
    let one = |values: &[(&str, f64)]| delivered(values, 3, 2)[1][2];
    assert_eq!(one(&[("actuator_gain", -2.5), ("actuator_bias", 0.25)]), -2.25);
    // the zone is measured after gain and bias
    assert_eq!(one(&[("actuator_gain", 0.25), ("actuator_dead_zone", 0.5)]), 0.0);
    assert_eq!(one(&[("actuator_gain", 0.25), ("actuator_bias", 0.25), ("actuator_dead_zone", 0.5)]), 0.5);
    assert_eq!(one(&[("actuator_gain", -4.0), ("actuator_saturation", 0.75)]), -0.75);
    assert_eq!(one(&[("actuator_gain", 9.0)]), 9.0);
    assert_eq!(one(&[("actuator_drop_prob", 1.0), ("actuator_bias", 0.5)]), 0.5);
    // nothing has come through yet that could be repeated
    assert_eq!(one(&[("actuator_stick_prob", 1.0)]), 0.0);
    // a full command of the pendulum is its torque limit: 0.3 of 2 N m
    let limited = task::<Pendulum>(&[("actuator_saturation", 0.3), ("gravity", 0.0)]);
    let mut pendulum = env::<Pendulum>(&limited, 1);
    let before = pendulum.state(0);
    step(&mut pendulum, &[2.0]);
    // theta'' = 3 u / (m l^2) = 1.8 rad/s^2 for 0.05 s
    assert!((pendulum.state(0)[1] - before[1] - 0.09).abs() < 1e-6);
}

#[test]
fn noise_and_losses_have_their_rates() {
    let noisy = delivered(&[("actuator_noise_std", 0.5), ("actuator_bias", 1.0)], 1000, 100).concat();
    let (mean, variance) = moments(&noisy);
    // five standard errors over 100,000 draws
    assert!((mean - 2.0).abs() < 5.0 * 0.5 / 316.0, "{mean}");
    assert!((variance - 0.25).abs() < 5.0 * 0.25 * (2.0_f64 / 1e5).sqrt(), "{variance}");
    let lost = delivered(&[("actuator_drop_prob", 0.2)], 1000, 100).concat();
    let share = lost.iter().filter(|u| **u == 0.0).count() as f64 / 1e5;
    assert!((share - 0.2).abs() < 5.0 * (0.16_f64 / 1e5).sqrt(), "{share}");
}

/// The torques that reach a pendulum whose command at tick t is t / 1000, read off its motion.
fn torques(values: &[(&str, f64)], ticks: usize) -> Vec<f32> {
    let weightless = [&[("gravity", 0.0), ("max_speed", 1000.0)], values].concat();
    let mut pendulum = env::<Pendulum>(&task::<Pendulum>(&weightless), 1);
    let torque = |tick: usize| {
        let before = pendulum.state(0)[1];
        step(&mut pendulum, &[(tick as f32 + 1.0) / 100.0]);
        // 3 u / (m l^2) for 0.05 s, back in units of the command's steps
        ((pendulum.state(0)[1] - before) / 0.15 * 100.0).round()
    };
    (0..ticks).map(torque).collect()
}

#[test]
fn commands_come_late_or_again() {
    assert_eq!(torques(&[], 5), [1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(torques(&[("actuator_delay", 3.0)], 6), [0.0, 0.0, 0.0, 1.0, 2.0, 3.0]);
    // failures last two ticks and more: what is delivered is the command of the tick, or the last
    // one that came through, or nothing
    let stuck = torques(&[("actuator_stick_prob", 0.3), ("actuator_hold_steps", 2.0)], 150);
    let mut last = 0.0;
    let mut repeats = 0;
    for (tick, torque) in stuck.iter().enumerate() {
        if *torque == tick as f32 + 1.0 {
            assert!(repeats != 1, "a failure of one tick");
            last = *torque;
            repeats = 0;
        } else {
            assert_eq!(*torque, last);
            repeats += 1;
        }
    }
    assert!(stuck.windows(2).filter(|pair| pair[0] == pair[1]).count() > 40);
    let lost = torques(&[("actuator_drop_prob", 0.3), ("actuator_hold_steps", 2.0)], 150);
    assert!(lost.iter().enumerate().all(|(tick, u)| *u == 0.0 || *u == tick as f32 + 1.0));
}

/// Every fault of the actuator at once, and a gain that drifts on the clock of the episode.
fn all_at_once() -> Task {
    let values = [
        ("gravity", 0.0),
        ("max_speed", 1000.0),
        ("actuator_bias", 0.1),
        ("actuator_noise_std", 0.3),
        ("actuator_delay", 2.0),
        ("actuator_dead_zone", 0.1),
        ("actuator_saturation", 0.6),
        ("actuator_drop_prob", 0.1),
        ("actuator_stick_prob", 0.1),
        ("actuator_hold_steps", 2.0),
    ];
    let ramp = Schedule::Linear { from: 1.5, to: -1.5, start: 0.0, over: 40.0, returns: false };
    let mut task = task::<Pendulum>(&values).with_drift(&Pendulum::SPEC, "actuator_gain", ramp).unwrap();
    task.drifts[0].timing.clock = metadrift_envs::Clock::EpisodeStep;
    task
}

#[test]
fn the_output_that_is_told_ahead_is_the_one_that_moves_the_plant() {
    const LANES: usize = 70;
    let make = |task: &Task| VecEnv::<Pendulum>::new(&[(task, LANES)], 25, reset_stream(1), Clocks::default());
    let faulty = all_at_once();
    let healthy = task::<Pendulum>(&[("gravity", 0.0), ("max_speed", 1000.0)]);
    for task in [&faulty, &healthy] {
        let mut told = make(task);
        let mut untold = make(task);
        let mut limited = 0;
        for tick in 0..60 {
            let actions = actions::<Pendulum>(tick, 0, LANES);
            let delivered = told.delivered(&actions);
            let before: Vec<f32> = (0..LANES).map(|lane| told.state(lane)[1]).collect();
            let out = step(&mut told, &actions);
            // asking has changed nothing
            assert_eq!(out, step(&mut untold, &actions));
            for lane in 0..LANES {
                // 3 u / (m l^2) for 0.05 s
                let torque = (out.next_obs[lane * 3 + 2] - before[lane]) / 0.15;
                assert!((torque - delivered[lane]).abs() < 1e-3, "tick {tick} lane {lane}: {torque} {delivered:?}");
                limited += usize::from(delivered[lane].abs() == 1.2);
            }
        }
        assert_eq!(limited > 0, task == &faulty);
    }
}

/// The rows of 300 ticks of 40 pendulums: initial ones and what follows, with healthy sensors and
/// with these; the motion is the same.
fn seen(values: &[(&str, f64)], fill: SensorFill) -> [Vec<Vec<f32>>; 2] {
    [&[], values].map(|values| {
        let mut task = task::<Pendulum>(values);
        task.settings.sensor_fill = fill;
        let mut env = VecEnv::<Pendulum>::new(&[(&task, 40)], 1000, reset_stream(1), Clocks::default());
        let mut rows = vec![env.obs().to_vec()];
        rows.extend((0..300).map(|tick| step(&mut env, &actions::<Pendulum>(tick, 0, 40)).next_obs));
        rows
    })
}

/// The readings of `theta_dot`, `[lanes][ticks]`.
fn speeds(rows: &[Vec<f32>]) -> Vec<Vec<f32>> {
    (0..40).map(|lane| rows.iter().map(|row| row[lane * 3 + 2]).collect()).collect()
}

#[test]
fn sensors_show_what_their_channels_say() {
    let both = |values: &[(&str, f64)], fill| seen(values, fill).map(|rows| speeds(&rows));
    let zero = SensorFill::Zero;
    let [truth, shown] = both(&[("sensor_theta_dot_scale", -2.0), ("sensor_theta_dot_bias", 0.5)], zero);
    assert!(truth.concat().iter().zip(shown.concat()).all(|(t, s)| s == t * -2.0 + 0.5));
    let [truth, shown] = both(&[("sensor_theta_dot_quantum", 0.25)], zero);
    for (t, s) in truth.concat().iter().zip(shown.concat()) {
        assert!((s - t).abs() <= 0.125 && (s * 4.0).fract() == 0.0, "{t} {s}");
    }
    let [_, shown] = both(&[("sensor_theta_dot_mask", 1.0), ("sensor_theta_dot_bias", 3.0)], zero);
    assert!(shown.concat().iter().all(|s| *s == 0.0));
    let [truth, shown] = both(&[("sensor_theta_dot_noise_std", 0.3)], zero);
    let errors: Vec<f32> = truth.concat().iter().zip(shown.concat()).map(|(t, s)| s - t).collect();
    let (mean, variance) = moments(&errors);
    let n = errors.len() as f64;
    assert!(mean.abs() < 5.0 * 0.3 / n.sqrt() && (variance - 0.09).abs() < 5.0 * 0.09 * (2.0 / n).sqrt());
    let [truth, shown] = both(&[("sensor_theta_dot_delay", 4.0)], zero);
    for (truth, shown) in truth.iter().zip(&shown) {
        assert!((0..301).all(|tick: usize| shown[tick] == truth[tick.saturating_sub(4)]));
    }
}

#[test]
fn readings_are_lost_or_repeated_at_their_rates() {
    for (name, fill) in
        [("drop_prob", SensorFill::Zero), ("drop_prob", SensorFill::Last), ("stuck_prob", SensorFill::Zero)]
    {
        let [truth, shown] = seen(&[(&format!("sensor_theta_dot_{name}"), 0.25)], fill).map(|rows| speeds(&rows));
        let mut failures = 0;
        for (truth, shown) in truth.iter().zip(&shown) {
            for tick in 1..301 {
                if shown[tick] != truth[tick] {
                    failures += 1;
                    let instead = if name == "drop_prob" && fill == SensorFill::Zero { 0.0 } else { shown[tick - 1] };
                    assert_eq!(shown[tick], instead, "{name}");
                }
            }
        }
        let share = f64::from(failures) / 12_000.0;
        assert!((share - 0.25).abs() < 5.0 * (0.1875_f64 / 12_000.0).sqrt(), "{name} {share}");
    }
}

#[test]
fn a_lane_that_goes_on_shows_next_obs() {
    // also what is random: an observation is made once
    let names = ["noise_std", "quantum", "delay", "drop_prob", "stuck_prob"];
    let values: Vec<(String, f64)> = names.iter().map(|name| (format!("sensor_theta_{name}"), 0.6)).collect();
    let values: Vec<(&str, f64)> = values.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let mut env = env::<CartPole>(&task::<CartPole>(&values), 50);
    for tick in 0..200 {
        let out = step(&mut env, &actions::<CartPole>(tick, 0, 50));
        for lane in (0..50).filter(|lane| !out.terminated[*lane] && !out.truncated[*lane]) {
            assert_eq!(out.obs[lane * 4..][..4], out.next_obs[lane * 4..][..4]);
        }
    }
}

/// A task of the pendulum with these settings.
fn with_settings(settings: TaskSettings) -> Task {
    Task { settings, ..Task::nominal(&Pendulum::SPEC) }
}

#[test]
fn the_last_commands_are_shown_newest_first() {
    let settings = TaskSettings { observe_actions: 3, ..TaskSettings::default() };
    assert_eq!(obs_dim(&Pendulum::SPEC, &settings), 6);
    let task = with_settings(settings);
    let mut env = VecEnv::<Pendulum>::new(&[(&task, 35)], 7, reset_stream(1), Clocks::default());
    let mut past = VecDeque::from(vec![vec![0.0; 35]; 3]);
    for tick in 0..20 {
        let actions = actions::<Pendulum>(tick, 0, 35);
        let out = step(&mut env, &actions);
        past.push_front(actions.iter().map(|a| a.clamp(-2.0, 2.0)).collect());
        let ended = out.truncated[0];
        for (lane, (last, first)) in out.next_obs.chunks(6).zip(out.obs.chunks(6)).enumerate() {
            let commands: Vec<f32> = past.iter().take(3).map(|row| row[lane]).collect();
            assert_eq!(last[3..], commands);
            assert_eq!(first[3..], if ended { vec![0.0; 3] } else { commands });
        }
        if ended {
            past.iter_mut().for_each(|commands| commands.fill(0.0));
        }
    }
}

#[test]
fn episodes_start_when_the_mode_says() {
    let healthy = Task::nominal(&ProbeConstant::SPEC);
    let mut next = env::<ProbeConstant>(&healthy, 2).with_autoreset(Autoreset::NextStep);
    let rewards: Vec<f32> = (0..4).map(|_| step(&mut next, &[1.0; 2]).reward[1]).collect();
    // every step ends an episode; every other one only starts the next
    assert_eq!(rewards, [1.0, 0.0, 1.0, 0.0]);
    assert_eq!((next.clocks(1).episode, next.clock()), (2, 4));
    let mut disabled = env::<ProbeConstant>(&healthy, 2).with_autoreset(Autoreset::Disabled);
    step(&mut disabled, &[1.0; 2]);
    let try_step = |env: &mut VecEnv<ProbeConstant>, actions: &[f32]| {
        let mut next_obs = [0.0; 2];
        let mut reward = [0.0; 2];
        let mut flags = [[false; 2]; 2];
        let [terminated, truncated] = &mut flags;
        env.try_step(actions, StepView { next_obs: &mut next_obs, reward: &mut reward, terminated, truncated })
    };
    assert_eq!(try_step(&mut disabled, &[1.0; 2]), Err(StepError::Finished { lane: 0 }));
    disabled.reset_lanes(&[true, false]);
    assert_eq!(try_step(&mut disabled, &[1.0; 2]), Err(StepError::Finished { lane: 1 }));
    disabled.reset_lanes(&[true, true]);
    assert_eq!(try_step(&mut disabled, &[1.0; 2]), Ok(()));
    let refused = try_step(&mut env::<ProbeConstant>(&healthy, 2), &[1.0, f32::NAN]);
    assert!(matches!(refused, Err(StepError::Action { lane: 1, .. })));
}

#[test]
fn drift_follows_the_clock_it_names() {
    use metadrift_envs::Clock;
    // the probe pays the gain; the gain is the reading of the clock, in hundredths
    let run = |clock: Clock| {
        let ramp = Schedule::Linear { from: 0.0, to: 1.0, start: 0.0, over: 100.0, returns: false };
        let mut task = Task::nominal(&ProbeSign::SPEC).with_drift(&ProbeSign::SPEC, "actuator_gain", ramp).unwrap();
        task.drifts[0].timing.clock = clock;
        let start = Clocks { lifetime_step: 50, episode: 20, task: 7, adapt_round: 3, ..Clocks::default() };
        let stream = Stream::new(1, Purpose::Reset);
        let mut env = VecEnv::<ProbeSign>::new(&[(&task, 1), (&task, 1)], 1, stream, start);
        (0..4).map(|_| step(&mut env, &[1.0; 2]).reward.iter().map(|r| (r * 100.0).round() as u8).collect()).collect()
    };
    let rows: Vec<Vec<Vec<u8>>> =
        [Clock::LifetimeStep, Clock::EpisodeStep, Clock::Episode, Clock::Task, Clock::AdaptRound].map(run).to_vec();
    assert_eq!(rows[0], [[50, 50], [51, 51], [52, 52], [53, 53]]);
    assert_eq!(rows[1], [[0, 0]; 4]);
    assert_eq!(rows[2], [[20, 20], [21, 21], [22, 22], [23, 23]]);
    assert_eq!(rows[3], [[7, 8]; 4]);
    assert_eq!(rows[4], [[3, 3]; 4]);
}
