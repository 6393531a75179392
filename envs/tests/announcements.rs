//! Notifications: their content and their errors, and those at the start of an episode.

use crate::rig::{actions, reset_stream, step};
use metadrift_envs::{
    Autoreset, Clock, Clocks, Env, Noise, Notify, NotifyLevel, Pendulum, Purpose, Schedule, Stream, Task, TaskSettings,
    Timing, VecEnv, channels,
};

/// Gravity (channel 0) from 10 to 20 within ten units of `clock`.
fn ramp(clock: Clock, notify: Notify) -> Task {
    let schedule = Schedule::Linear { from: 10.0, to: 20.0, start: 0.0, over: 10.0, returns: false };
    let timing = Timing { clock, ..Timing::default() };
    let noise = Noise::of(Stream::new(1, Purpose::Drift));
    let task = Task::nominal(&Pendulum::SPEC);
    let mut task = task.with_timed_drift(&Pendulum::SPEC, "gravity", schedule, timing, noise).unwrap();
    task.settings.notify = notify;
    task
}

/// The number that tells of gravity (or the flag) in each observation that a policy acts on: 4 episodes of 3 steps, by
/// episode.
fn told(clock: Clock, notify: Notify) -> Vec<Vec<f32>> {
    let task = ramp(clock, notify);
    let mut env = VecEnv::<Pendulum>::new(&[(&task, 2)], 3, reset_stream(1), Clocks::default());
    let number = |env: &VecEnv<Pendulum>| env.obs()[env.obs_dim() + 3];
    let mut numbers = Vec::new();
    for tick in 0..12 {
        numbers.push(number(&env));
        step(&mut env, &actions::<Pendulum>(tick, 0, 2));
    }
    numbers.chunks(3).map(<[f32]>::to_vec).collect()
}

fn notify(level: NotifyLevel) -> Notify {
    Notify { level, ..Notify::default() }
}

#[test]
fn a_clock_that_restarts_makes_every_episode_alike() {
    // at the steps 0, 1, 2 of an episode gravity is 10, 11, 12; an observation tells of the step before it
    for (level, expected) in [
        (NotifyLevel::Value, [10.0, 10.0, 11.0]),
        (NotifyLevel::Delta, [0.0, 0.0, 1.0]),
        (NotifyLevel::Flag, [0.0, 0.0, 1.0]),
    ] {
        assert_eq!(told(Clock::EpisodeStep, notify(level)), vec![expected.to_vec(); 4], "{level:?}");
    }
    // two steps late, nothing of the change at step 1 arrives before the end
    for (level, expected) in [(NotifyLevel::Value, 10.0), (NotifyLevel::Delta, 0.0), (NotifyLevel::Flag, 0.0)] {
        let late = Notify { delay: 2, ..notify(level) };
        assert_eq!(told(Clock::EpisodeStep, late), vec![vec![expected; 3]; 4], "{level:?}");
    }
}

/// Gravity that never changes is told all the same: the observation of an oracle.
#[test]
fn values_are_told_from_the_start_even_if_they_never_change() {
    let mut task = Task::nominal(&Pendulum::SPEC);
    let gravity = channels(&Pendulum::SPEC).iter().position(|channel| channel.name == "gravity").unwrap();
    task.values[gravity] = 7.5;
    task.settings.notify = notify(NotifyLevel::Value);
    let mut env = VecEnv::<Pendulum>::new(&[(&task, 1)], 3, reset_stream(1), Clocks::default());
    for tick in 0..12 {
        assert_eq!(env.obs()[3 + gravity], 7.5);
        step(&mut env, &actions::<Pendulum>(tick, 0, 1));
    }
}

#[test]
fn a_change_between_episodes_is_told_by_the_initial_observation() {
    let episodes = |first: fn(f32) -> Vec<f32>| (0..4).map(|k| first(k as f32)).collect::<Vec<_>>();
    let values = told(Clock::Episode, notify(NotifyLevel::Value));
    assert_eq!(values, episodes(|k| vec![10.0 + k; 3]));
    let jumps = episodes(|k| vec![if k > 0.0 { 1.0 } else { 0.0 }, 0.0, 0.0]);
    assert_eq!(told(Clock::Episode, notify(NotifyLevel::Flag)), jumps);
    assert_eq!(told(Clock::Episode, notify(NotifyLevel::Delta)), jumps);
    let late = Notify { delay: 2, ..notify(NotifyLevel::Flag) };
    assert_eq!(told(Clock::Episode, late), episodes(|k| vec![0.0, 0.0, if k > 0.0 { 1.0 } else { 0.0 }]));
    let late = Notify { delay: 1, ..notify(NotifyLevel::Value) };
    let old = |k: f32| vec![10.0 + (k - 1.0).max(0.0), 10.0 + k, 10.0 + k];
    assert_eq!(told(Clock::Episode, late), episodes(old));
    let unheard = Notify { miss_prob: 1.0, ..notify(NotifyLevel::Value) };
    assert_eq!(told(Clock::Episode, unheard), vec![vec![10.0; 3]; 4]);
}

#[test]
fn a_clock_that_runs_on_is_told_as_before() {
    let values: Vec<f32> = told(Clock::LifetimeStep, notify(NotifyLevel::Value)).concat();
    let expected: Vec<f32> = (0..12).map(|tick| 10.0 + (tick as f32 - 1.0).clamp(0.0, 10.0)).collect();
    assert_eq!(values, expected);
}

#[test]
fn every_way_of_starting_an_episode_tells_it() {
    let task = ramp(Clock::EpisodeStep, notify(NotifyLevel::Value));
    let make =
        |mode| VecEnv::<Pendulum>::new(&[(&task, 1)], 3, reset_stream(1), Clocks::default()).with_autoreset(mode);
    let mut next = make(Autoreset::NextStep);
    let shown: Vec<f32> = (0..4).map(|_| step(&mut next, &[0.0]).next_obs[3]).collect();
    assert_eq!(shown, [10.0, 11.0, 12.0, 10.0]);
    let mut by_hand = make(Autoreset::Disabled);
    (0..3).for_each(|_| _ = step(&mut by_hand, &[0.0]));
    assert_eq!(by_hand.obs()[3], 12.0);
    by_hand.reset_lanes(&[true]);
    assert_eq!(by_hand.obs()[3], 10.0);
}

/// The notifications of one lane in 40 ticks of a pendulum whose mass becomes 2 at tick 10, by tick.
fn announced(configure: impl Fn(&mut Notify)) -> Vec<Vec<f32>> {
    let mut settings = TaskSettings::default();
    configure(&mut settings.notify);
    let schedule = Schedule::Step { at: 10.0, from: 1.0, to: 2.0 };
    let still = Task { settings, ..Task::nominal(&Pendulum::SPEC) };
    let task = still.with_drift(&Pendulum::SPEC, "mass", schedule).unwrap();
    let mut env = VecEnv::<Pendulum>::new(&[(&task, 1)], 15, reset_stream(1), Clocks::default());
    (0..40).map(|_| step(&mut env, &[0.0]).next_obs[3..].to_vec()).collect()
}

#[test]
fn changes_are_announced_as_much_as_is_asked_for() {
    let flags = announced(|notify| notify.level = NotifyLevel::Flag);
    assert!((0..40).all(|tick| flags[tick] == [if tick == 10 { 1.0 } else { 0.0 }]));
    let late = announced(|notify| (notify.level, notify.delay) = (NotifyLevel::Flag, 7));
    assert!((0..40).all(|tick| late[tick] == [if tick == 17 { 1.0 } else { 0.0 }]));
    let deltas = announced(|notify| notify.level = NotifyLevel::Delta);
    assert!((0..40).all(|tick| deltas[tick][1] == if tick == 10 { 1.0 } else { 0.0 }));
    let values = announced(|notify| notify.level = NotifyLevel::Value);
    let nominal: Vec<f32> = channels(&Pendulum::SPEC).iter().map(|channel| channel.default as f32).collect();
    assert_eq!(values[9], nominal);
    assert!((0..40).all(|tick| values[tick][1] == if tick < 10 { 1.0 } else { 2.0 }));
    let unheard = announced(|notify| (notify.level, notify.miss_prob) = (NotifyLevel::Value, 1.0));
    assert!(unheard.iter().all(|row| row[1] == 1.0));
    assert!(announced(|_| {}).iter().all(Vec::is_empty));
}

#[test]
fn notifications_err_at_their_rates() {
    let notify = Notify { level: NotifyLevel::Flag, miss_prob: 0.3, false_alarm_prob: 0.1, ..Notify::default() };
    let settings = TaskSettings { notify, ..TaskSettings::default() };
    let moving = Schedule::Sinusoid { mean: 1.0, amplitude: 0.5, period: 777.7, phase: 0.1 };
    let still = Task { settings: settings.clone(), ..Task::nominal(&Pendulum::SPEC) };
    let drifting = still.clone().with_drift(&Pendulum::SPEC, "mass", moving).unwrap();
    let tasks = [(&still, 100), (&drifting, 100)];
    let mut env = VecEnv::<Pendulum>::new(&tasks, 50, reset_stream(1), Clocks::default());
    let mut counts = [0.0; 2];
    for tick in 0..201 {
        let out = step(&mut env, &[0.0; 200]);
        if tick > 0 {
            out.next_obs.chunks(4).enumerate().for_each(|(lane, row)| counts[lane / 100] += f64::from(row[3]));
        }
    }
    for (count, expected) in counts.iter().zip([0.1, 0.7]) {
        let share = count / 20_000.0;
        assert!((share - expected).abs() < 5.0 * (expected * (1.0 - expected) / 20_000.0_f64).sqrt(), "{share}");
    }
}
