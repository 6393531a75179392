//! Notifications at the start of an episode.

mod rig;

use metadrift_envs::{
    Autoreset, Clock, Clocks, Env, Noise, Notify, NotifyLevel, Pendulum, Purpose, Schedule, Stream, Task, Timing,
    VecEnv,
};
use rig::{actions, reset_stream, step};

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
