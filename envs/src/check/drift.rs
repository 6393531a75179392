//! Checks of drifting channels: values at any tick, by themselves and in the engine, and legal ranges.

use crate::{
    Channel, Clocks, Env, Noise, Notify, NotifyLevel, OnBound, Purpose, Schedule, Stream, Task, Timing, channels,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Check, STEPS, alternatives, stepped::Stepped, verdict};

/// A channel that every environment has, with room for schedules: legal from -10 to 10.
pub(super) const GAIN: &str = "actuator_gain";

/// A channel and two legal values of it.
fn legal_pairs<E: Env>() -> Vec<(Channel, [f64; 2])> {
    let pair = |channel: Channel| {
        let other = *alternatives(&channel).first()?;
        let pair = [channel.default.min(other), channel.default.max(other)];
        Some((channel, pair))
    };
    channels(&E::SPEC).into_iter().filter_map(pair).collect()
}

/// A schedule of every kind that moves between two values, or leaves them; periods and dwells of 5 to 80 ticks.
fn every_kind([low, high]: [f64; 2]) -> Vec<(String, Schedule)> {
    let (mean, amplitude) = (0.5 * (low + high), 0.5 * (high - low));
    let wave = |kind| json!({"kind": kind, "mean": mean, "amplitude": amplitude, "period": 37.5, "phase": 0.2});
    let part = || wave("sinusoid");
    let texts = [
        json!({"kind": "constant", "value": low}),
        json!({"kind": "step", "at": 60, "from": low, "to": high}),
        json!({"kind": "steps", "at": [20, 90], "values": [low, high, mean]}),
        json!({"kind": "linear", "from": low, "to": high, "start": 20, "over": 50, "returns": true}),
        part(),
        wave("triangle"),
        wave("saw"),
        wave("square"),
        json!({"kind": "exponential", "from": low, "to": high, "rate": 0.05}),
        json!({"kind": "sigmoid", "from": low, "to": high, "midpoint": 80, "width": 10}),
        json!({"kind": "random_walk", "start": mean, "sigma": 0.2 * amplitude}),
        json!({"kind": "ou", "mean": mean, "stationary_std": amplitude, "relax_time": 20}),
        json!({"kind": "piecewise", "law": {"law": "uniform", "low": low, "high": high}, "mean_dwell": 15}),
        json!({"kind": "markov", "states": [low, high, mean], "mean_dwell": 15}),
        json!({"kind": "jumps", "start": mean, "rate": 0.1, "size": {"law": "choice", "values": [-amplitude, amplitude]}}),
        json!({"kind": "trace", "values": [low, high, mean], "every": 7, "interpolation": "linear", "repeat": true}),
        json!({"kind": "compose", "op": "sum", "of": [part(), {"kind": "constant", "value": 0.0}]}),
    ];
    texts.into_iter().map(|text| (text["kind"].as_str().unwrap_or_default().to_owned(), schedule(text))).collect()
}

fn schedule(text: Value) -> Schedule {
    Schedule::deserialize(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A task in which one channel follows `schedule`; `on_bound` says what happens at `bounds`.
pub(super) fn drifting<E: Env>(name: &str, schedule: Schedule, bounds: [f64; 2], on_bound: OnBound) -> Option<Task> {
    let timing = Timing { on_bound: Some(on_bound), bounds: Some(bounds), ..Timing::default() };
    let noise = Noise::of(Stream::new(17, Purpose::Drift));
    Task::nominal(&E::SPEC).with_timed_drift(&E::SPEC, name, schedule, timing, noise).ok()
}

fn at(tick: u64) -> Clocks {
    Clocks { lifetime_step: tick, ..Clocks::default() }
}

/// Consecutive ticks that are compared.
const TICKS: u64 = 200;

pub(super) fn values_can_be_sought<E: Env>() -> Check {
    let pairs = legal_pairs::<E>();
    let mut kinds = 0;
    let failure = pairs.iter().find_map(|(channel, pair)| {
        let index = channels(&E::SPEC).iter().position(|other| other.name == channel.name)?;
        let all = every_kind(*pair);
        kinds = all.len();
        all.into_iter().find_map(|(kind, schedule)| {
            let Some(task) = drifting::<E>(&channel.name, schedule, *pair, OnBound::Clamp) else {
                return Some(format!("{}: a {kind} schedule is refused", channel.name));
            };
            let value = |tick: u64| task.values_on(&at(tick))[index].to_bits();
            let forwards: Vec<u64> = (0..TICKS).map(value).collect();
            // 73 is coprime to 200: every tick once, far apart
            let leaps = (0..TICKS).map(|i| i * 73 % TICKS).all(|tick| value(tick) == forwards[tick as usize]);
            let back = (0..TICKS).rev().all(|tick| value(tick) == forwards[tick as usize]);
            let moves = kind == "constant" || forwards.iter().any(|bits| *bits != forwards[0]);
            let problem = match (leaps && back, moves) {
                (false, _) => "depends on the order of asking",
                (_, false) => "does not move",
                _ => return None,
            };
            Some(format!("{} on a {kind} schedule {problem}", channel.name))
        })
    });
    let detail =
        format!("{} channels, {kinds} kinds of schedule, {TICKS} ticks: forwards, backwards, leaping", pairs.len());
    verdict("the value at any tick can be asked for", detail, failure)
}

pub(super) fn bounds_are_enforced<E: Env>() -> Check {
    let failure = channels(&E::SPEC).iter().find_map(|channel| {
        let beyond = [channel.bounds.max * 2.0 + 1.0, channel.bounds.min - 1.0, f64::NAN, f64::INFINITY];
        let taken = beyond.into_iter().find(|v| Task::nominal(&E::SPEC).with(&E::SPEC, &channel.name, *v).is_ok());
        taken.map(|value| format!("{} accepts {value}, legal is {}", channel.name, channel.bounds))
    });
    verdict("illegal values are refused", "beyond both ends, NaN and infinity, every channel", failure)
}

/// Index of the gain among the channels.
fn gain<E: Env>() -> usize {
    channels(&E::SPEC).iter().position(|channel| channel.name == GAIN).expect("every environment has an actuator gain")
}

/// The engine steps with the values that the task gives for each tick alone; a notification shows them.
pub(super) fn the_engine_follows<E: Env>() -> Check {
    let schedules = every_kind([0.5, 1.5]);
    let detail = format!("{} kinds on {GAIN}, {STEPS} ticks, against the value of each tick alone", schedules.len());
    let gain = gain::<E>();
    let first = E::SPEC.obs_dim();
    let failure = schedules.into_iter().find_map(|(kind, schedule)| {
        let Some(mut task) = drifting::<E>(GAIN, schedule, [-10.0, 10.0], OnBound::Clamp) else {
            return Some(format!("a {kind} schedule is refused"));
        };
        task.settings.notify = Notify { level: NotifyLevel::Value, ..Notify::default() };
        let mut batch = Stepped::<E>::plain(&task, 1);
        (0..STEPS).find_map(|tick| {
            let seen = batch.step(tick).next_obs[first + gain];
            let asked = task.values_at(u64::from(tick))[gain] as f32;
            (seen != asked).then(|| format!("{kind}: at tick {tick} the engine has {seen}, {asked} was asked for"))
        })
    });
    verdict("the engine follows every schedule", detail, failure)
}

/// A ramp that leaves the legal range at 10 and reaches 19 at tick 18.
pub(super) fn bounds_are_kept<E: Env>() -> Check {
    let ramp = || Schedule::Linear { from: 1.0, to: 19.0, start: 0.0, over: 18.0, returns: false };
    let follow = |on_bound| {
        let task = drifting::<E>(GAIN, ramp(), [-10.0, 10.0], on_bound)?;
        let mut batch = Stepped::<E>::plain(&task, 3);
        for tick in 0..19 {
            batch.step(tick);
        }
        Some((task.values_at(18)[gain::<E>()], batch.env.corrections()))
    };
    // ticks 10 to 18 are out of range, in three lanes; 19 reflects to 1; a ramp cannot be drawn again
    let expected = [
        (OnBound::Error, None),
        (OnBound::Clamp, Some((10.0, 27))),
        (OnBound::Reflect, Some((1.0, 27))),
        (OnBound::Resample, None),
    ];
    let failure = expected.iter().find_map(|(mode, expected)| {
        let found = follow(*mode);
        (found != *expected).then(|| format!("{mode:?} gives {found:?} for {expected:?} (value, corrections)"))
    });
    let failure = failure.or_else(resampling_stays_inside::<E>);
    verdict("what leaves its bounds is refused, or led back and counted", "error, clamp, reflect, resample", failure)
}

/// A process that is beyond the bound a third of the time.
fn resampling_stays_inside<E: Env>() -> Option<String> {
    let wild = schedule(json!({"kind": "ou", "mean": 9, "relax_time": 5, "stationary_std": 2}));
    let Some(task) = drifting::<E>(GAIN, wild, [-10.0, 10.0], OnBound::Resample) else {
        return Some("Resample is refused to a random schedule".into());
    };
    let mut batch = Stepped::<E>::plain(&task, 1);
    let gain = gain::<E>();
    for tick in 0..STEPS {
        batch.step(tick);
    }
    let outside = (0..STEPS).find(|tick| task.values_at(u64::from(*tick))[gain].abs() > 10.0);
    let uncounted = (batch.env.corrections() == 0).then(|| "Resample is not counted".to_owned());
    outside.map(|tick| format!("Resample leaves the bounds at tick {tick}")).or(uncounted)
}
