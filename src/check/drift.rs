//! What drifts: values at any tick, bounds, notifications.

use metadrift_envs::{
    Channel, Clocks, Env, Noise, NotifyLevel, OnBound, Purpose, Schedule, Stream, Task, Timing, VecEnv, channels,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Check, Stepped, alternatives, verdict};

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
        json!({"kind": "jumps", "start": mean, "rate": 0.1, "size": {"law": "uniform", "low": -amplitude, "high": amplitude}}),
        json!({"kind": "trace", "values": [low, high, mean], "every": 7, "interpolation": "linear", "repeat": true}),
        json!({"kind": "compose", "op": "sum", "of": [part(), {"kind": "constant", "value": 0.0}]}),
    ];
    texts.into_iter().map(|text| (text["kind"].as_str().unwrap_or_default().to_owned(), schedule(text))).collect()
}

fn schedule(text: Value) -> Schedule {
    Schedule::deserialize(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A schedule of one channel, which keeps to `bounds` in the way of `on_bound`.
fn drifting<E: Env>(name: &str, schedule: Schedule, bounds: [f64; 2], on_bound: OnBound) -> Option<Task> {
    let timing = Timing { on_bound: Some(on_bound), bounds: Some(bounds), ..Timing::default() };
    let noise = Noise::of(Stream::new(17, Purpose::Drift));
    Task::nominal(&E::SPEC).with_timed_drift(&E::SPEC, name, schedule, timing, noise).ok()
}

fn at(tick: u64) -> Clocks {
    Clocks { lifetime_step: tick, ..Clocks::default() }
}

/// Ticks that are looked at, one after the other.
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
    let detail = format!("{} channels, {kinds} kinds of schedule, {TICKS} ticks: forwards, backwards, leaping", pairs.len());
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

/// A random schedule that leaves its bounds half of the time.
pub(super) fn bounds_are_followed<E: Env>() -> Check {
    let pairs = legal_pairs::<E>();
    let failure = pairs.iter().find_map(|(channel, pair)| {
        let [low, high] = *pair;
        let text = json!({"kind": "ou", "mean": low, "stationary_std": 2.0 * (high - low), "relax_time": 5});
        let wild = schedule(text);
        let modes = [OnBound::Clamp, OnBound::Reflect, OnBound::Resample];
        if drifting::<E>(&channel.name, wild.clone(), *pair, OnBound::Error).is_some() {
            return Some(format!("{} may leave its bounds where that is an error", channel.name));
        }
        modes.into_iter().find_map(|mode| {
            let Some(task) = drifting::<E>(&channel.name, wild.clone(), *pair, mode) else {
                return Some(format!("{}: {mode:?} is refused", channel.name));
            };
            follows::<E>(&task, *pair).map(|problem| format!("{} with {mode:?}: {problem}", channel.name))
        })
    });
    let detail = format!("{} channels that leave their bounds: error, clamp, reflect, resample; counted", pairs.len());
    verdict("bounds are followed while it runs", detail, failure)
}

/// What is wrong with how the drift of `task` keeps to its bounds over [`TICKS`] steps of two lanes.
fn follows<E: Env>(task: &Task, [low, high]: [f64; 2]) -> Option<String> {
    let drift = &task.drifts[0];
    let evaluate = |tick| drift.evaluate(task.values[drift.channel], &at(tick));
    let values: Vec<(f64, bool)> = (0..TICKS).map(evaluate).collect();
    if let Some((value, _)) = values.iter().find(|(value, _)| !(low..=high).contains(value)) {
        return Some(format!("{value} is outside [{low}, {high}]"));
    }
    let expected = 2 * values.iter().filter(|(_, held)| *held).count() as u64;
    let stream = Stream::new(19, Purpose::Reset);
    let mut env = Stepped::new(VecEnv::<E>::new(&[(task, 2)], E::SPEC.horizon, stream, Clocks::default()));
    (0..TICKS as u32).for_each(|tick| env.step_randomly(19, tick));
    let counted = env.env.corrections();
    (expected == 0 || counted != expected).then(|| format!("held {expected} times, {counted} counted"))
}

/// Flags of a channel that moves at every tick, and of one that never does.
pub(super) fn notifications_err_at_their_rates<E: Env>() -> Check {
    const MISS: f64 = 0.3;
    const FALSE_ALARM: f64 = 0.1;
    const LANES: usize = 64;
    let Some((channel, [low, high])) = legal_pairs::<E>().into_iter().next() else {
        return verdict("notifications err at their rates", "no channel can drift", None);
    };
    let mut still = Task::nominal(&E::SPEC);
    let notify = &mut still.settings.notify;
    (notify.level, notify.miss_prob, notify.false_alarm_prob) = (NotifyLevel::Flag, MISS, FALSE_ALARM);
    let moving = Schedule::Linear { from: low, to: high, start: 0.0, over: 1e4, returns: false };
    let moving = still.clone().with_drift(&E::SPEC, &channel.name, moving).expect("between two legal values");
    let stream = Stream::new(23, Purpose::Reset);
    let tasks = [(&still, LANES), (&moving, LANES)];
    let mut env = Stepped::new(VecEnv::<E>::new(&tasks, E::SPEC.horizon, stream, Clocks::default()));
    let width = env.env.obs_dim();
    let mut flags = [0.0; 2];
    for tick in 0..=TICKS as u32 {
        env.step_randomly(23, tick);
        if tick > 0 {
            // the flag is the last number of a row
            for (lane, row) in env.next_obs.chunks(width).enumerate() {
                flags[lane / LANES] += f64::from(row[width - 1]);
            }
        }
    }
    let count = (TICKS as usize * LANES) as f64;
    let failure = flags.into_iter().zip([FALSE_ALARM, 1.0 - MISS]).find_map(|(flags, expected)| {
        let (share, error) = (flags / count, (expected * (1.0 - expected) / count).sqrt());
        ((share - expected).abs() > 5.0 * error).then(|| format!("{share:.4} of the ticks where {expected} are due"))
    });
    let detail = format!("misses {MISS}, false alarms {FALSE_ALARM}: within 5 standard errors over {count} ticks each");
    verdict("notifications err at their rates", detail, failure)
}
