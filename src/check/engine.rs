//! What the engine does with an environment's tasks: drift, bounds, notifications, memory, ends of episodes.

use metadrift_envs::{
    Autoreset, Clocks, Env, Noise, Notify, NotifyLevel, OnBound, Purpose, Schedule, StepError, StepView, Stream, Task,
    TaskSettings, Timing, VecEnv, channels,
};

use super::{Check, STEPS, action, verdict};

/// A channel that every environment has, with room for schedules: legal from -10 to 10.
const GAIN: &str = "actuator_gain";

/// One schedule of each kind, all within [-10, 10] but for rare values of those without bounds.
const SCHEDULES: &[&str] = &[
    r#"kind = "constant", value = 0.5"#,
    r#"kind = "step", at = 50.0, from = 1.0, to = -1.0"#,
    r#"kind = "steps", at = [20.0, 60.0], values = [1.0, 0.5, 2.0]"#,
    r#"kind = "linear", from = 1.0, to = 2.0, over = 90.0"#,
    r#"kind = "sinusoid", mean = 1.0, amplitude = 0.5, period = 70.0"#,
    r#"kind = "triangle", mean = 1.0, amplitude = 0.5, period = 70.0"#,
    r#"kind = "saw", mean = 1.0, amplitude = 0.5, period = 70.0"#,
    r#"kind = "square", mean = 1.0, amplitude = 0.5, period = 70.0, duty = 0.3"#,
    r#"kind = "exponential", from = 1.0, to = 0.2, rate = 0.05"#,
    r#"kind = "sigmoid", from = 1.0, to = -1.0, midpoint = 100.0, width = 10.0"#,
    r#"kind = "random_walk", start = 1.0, sigma = 0.05"#,
    r#"kind = "ou", mean = 1.0, relax_time = 30.0, stationary_std = 0.3"#,
    r#"kind = "piecewise", law = { law = "uniform", low = 0.5, high = 1.5 }, mean_dwell = 20.0"#,
    r#"kind = "markov", states = [1.0, -1.0, 0.5], mean_dwell = 25.0"#,
    r#"kind = "jumps", start = 1.0, rate = 0.02, size = { law = "normal", mean = 0.0, std = 0.2 }"#,
    r#"kind = "trace", values = [1.0, 0.5, 2.0], every = 40, interpolation = "linear", repeat = true"#,
    r#"kind = "compose", op = "product", of = [{ kind = "constant", value = 2.0 }, { kind = "ou", mean = 1.0, relax_time = 9.0, stationary_std = 0.1 }]"#,
];

pub(super) fn checks<E: Env + Clone>() -> Vec<Check> {
    vec![
        every_schedule_is_followed::<E>(),
        bounds_are_kept::<E>(),
        notifications_err_at_their_rates::<E>(),
        outputs_stay_what_they_are::<E>(),
        finished_lanes_wait::<E>(),
    ]
}

/// A schedule written as in a task file.
fn schedule(text: &str) -> Schedule {
    let table: toml::Table = toml::from_str(&format!("it = {{ {text} }}")).expect("written here");
    table["it"].clone().try_into().expect("written here")
}

/// The environment with its gain on a schedule.
fn drifting<E: Env>(schedule: Schedule, on_bound: Option<OnBound>, notify: Notify) -> Option<Task> {
    let mut task = Task::nominal(&E::SPEC);
    task.settings = TaskSettings { notify, ..TaskSettings::default() };
    let timing = Timing { on_bound, ..Timing::default() };
    task.with_timed_drift(&E::SPEC, GAIN, schedule, timing, Noise::default()).ok()
}

/// One step's outputs.
#[derive(Clone, Debug, PartialEq)]
struct Outputs {
    next_obs: Vec<f32>,
    reward: Vec<f32>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
}

fn step<E: Env>(env: &mut VecEnv<E>, seed: u64, tick: u32) -> Result<Outputs, StepError> {
    let lanes = env.num_envs();
    let actions: Vec<f32> = (0..lanes).flat_map(|lane| action(E::SPEC.action, seed, lane as u32, tick)).collect();
    let mut out = Outputs {
        next_obs: vec![0.0; env.obs().len()],
        reward: vec![0.0; lanes],
        terminated: vec![false; lanes],
        truncated: vec![false; lanes],
    };
    let view = StepView {
        next_obs: &mut out.next_obs,
        reward: &mut out.reward,
        terminated: &mut out.terminated,
        truncated: &mut out.truncated,
    };
    env.try_step(&actions, view).map(|()| out)
}

fn env<E: Env>(task: &Task, lanes: usize, seed: u64) -> VecEnv<E> {
    VecEnv::new(&[(task, lanes)], E::SPEC.horizon, Stream::new(seed, Purpose::Reset), Clocks::default())
}

/// The values that the engine steps with, as a notification shows them, are those that can be asked for at any tick.
fn every_schedule_is_followed<E: Env>() -> Check {
    let failure = gain::<E>().and_then(|gain| {
        SCHEDULES.iter().find_map(|text| {
            let told = Notify { level: NotifyLevel::Value, ..Notify::default() };
            let Some(task) = drifting::<E>(schedule(text), Some(OnBound::Clamp), told) else {
                return Some(format!("refused: {text}"));
            };
            let (mut env, first) = (env::<E>(&task, 1, 5), E::SPEC.obs_dim());
            (0..STEPS).find_map(|tick| {
                let seen = step(&mut env, 5, tick).ok()?.next_obs[first + gain];
                let asked = task.values_at(u64::from(tick))[gain] as f32;
                (seen != asked).then(|| format!("at tick {tick} the engine has {seen}, {asked} was asked for: {text}"))
            })
        })
    });
    let detail = format!("{} kinds on {GAIN}, {STEPS} ticks, against the value of each tick alone", SCHEDULES.len());
    verdict("the engine follows every schedule", detail, failure)
}

/// Where the gain stands among the channels.
fn gain<E: Env>() -> Option<usize> {
    channels(&E::SPEC).iter().position(|channel| channel.name == GAIN)
}

/// A ramp that leaves the legal range at 10: to 19 at tick 18.
fn bounds_are_kept<E: Env>() -> Check {
    let ramp = || Schedule::Linear { from: 1.0, to: 19.0, start: 0.0, over: 18.0, returns: false };
    let follow = |on_bound| {
        let task = drifting::<E>(ramp(), Some(on_bound), Notify::default())?;
        let mut env = env::<E>(&task, 3, 5);
        (0..19).try_for_each(|tick| step(&mut env, 5, tick).map(|_| ())).ok()?;
        Some((task.values_at(18)[gain::<E>()?], env.corrections()))
    };
    // the ticks 10 to 18 are beyond, in three lanes; 19 folds back to 1; a ramp has no other draws to take
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
    let wild = schedule(r#"kind = "ou", mean = 9.0, relax_time = 5.0, stationary_std = 2.0"#);
    let Some(task) = drifting::<E>(wild, Some(OnBound::Resample), Notify::default()) else {
        return Some("Resample is refused to a random schedule".into());
    };
    let (mut env, gain) = (env::<E>(&task, 1, 5), gain::<E>()?);
    (0..STEPS).try_for_each(|tick| step(&mut env, 5, tick).map(|_| ())).ok()?;
    let outside = (0..STEPS).find(|tick| task.values_at(u64::from(*tick))[gain].abs() > 10.0);
    let uncounted = (env.corrections() == 0).then(|| "Resample is not counted".to_owned());
    outside.map(|tick| format!("Resample leaves the bounds at tick {tick}")).or(uncounted)
}

/// Shares of ticks that a flag is shown on, with and without a change, within five standard errors of the rates.
fn notifications_err_at_their_rates<E: Env>() -> Check {
    let (miss_prob, false_alarm_prob, lanes) = (0.3, 0.1, 100);
    let notify = Notify { level: NotifyLevel::Flag, miss_prob, false_alarm_prob, ..Notify::default() };
    let share = |schedule| {
        let mut env = env::<E>(&drifting::<E>(schedule, None, notify)?, lanes, 5);
        let width = env.obs_dim();
        let mut flagged = 0.0;
        for tick in 0..=STEPS {
            let out = step(&mut env, 5, tick).ok()?;
            // the first tick has none before it to differ from
            let flags = out.next_obs.chunks(width).map(|row| f64::from(row[width - 1]));
            flagged += if tick > 0 { flags.sum() } else { 0.0 };
        }
        Some(flagged / (lanes as f64 * f64::from(STEPS)))
    };
    let moving = Schedule::Sinusoid { mean: 1.0, amplitude: 0.5, period: 777.7, phase: 0.1 };
    let cases = [(moving, 1.0 - miss_prob), (Schedule::Constant { value: 1.0 }, false_alarm_prob)];
    let failure = cases.into_iter().find_map(|(schedule, expected)| {
        let found = share(schedule)?;
        let error = (expected * (1.0 - expected) / (lanes as f64 * f64::from(STEPS))).sqrt();
        let good = (found - expected).abs() <= 5.0 * error;
        (!good).then(|| format!("{found:.4} of the ticks are announced, expected {expected} +- {:.4}", 5.0 * error))
    });
    let detail = format!("misses {miss_prob}, false alarms {false_alarm_prob}, {lanes} lanes x {STEPS} ticks");
    verdict("notifications err at their rates", detail, failure)
}

/// Neither another step nor another batch changes what a step has written, and a clone goes its own way.
fn outputs_stay_what_they_are<E: Env + Clone>() -> Check {
    let task = Task::nominal(&E::SPEC);
    let (mut one, mut two) = (env::<E>(&task, 5, 5), env::<E>(&task, 5, 6));
    let mut run = || -> Result<Option<&'static str>, StepError> {
        let first = step(&mut one, 5, 0)?;
        let (kept, shown) = (first.clone(), one.obs().to_vec());
        step(&mut two, 6, 0)?;
        if one.obs() != shown {
            return Ok(Some("another batch's step changed the current observations"));
        }
        let mut fork = one.clone();
        let ahead = step(&mut fork, 5, 1)?;
        if one.obs() != shown {
            return Ok(Some("a clone's step changed the original"));
        }
        if step(&mut one, 5, 1)? != ahead {
            return Ok(Some("a clone went another way than the original"));
        }
        Ok((first != kept).then_some("a later step changed earlier outputs"))
    };
    let failure = run().unwrap_or(Some("a legal step was refused")).map(str::to_owned);
    verdict("outputs are nobody else's", "two batches and a clone, step by step", failure)
}

/// With autoreset off a finished lane is not stepped, and a reset leaves its task alone.
fn finished_lanes_wait<E: Env>() -> Check {
    let mut task = Task::nominal(&E::SPEC);
    task.values[gain::<E>().unwrap_or(0)] = 0.5;
    let stream = Stream::new(5, Purpose::Reset);
    let mut env = VecEnv::<E>::new(&[(&task, 2)], 1, stream, Clocks::default()).with_autoreset(Autoreset::Disabled);
    // one step is all there is to an episode
    let first = step(&mut env, 5, 0);
    let refused = step(&mut env, 5, 1);
    env.reset_lanes(&[true, true]);
    let again = step(&mut env, 5, 1);
    let failure = match (first, refused, again) {
        (Ok(_), Err(StepError::Finished { lane: 0 }), Ok(_)) => None,
        (_, Err(StepError::Finished { .. }), _) => Some("a reset lane could not be stepped"),
        _ => Some("a finished lane was stepped"),
    };
    verdict("a finished lane waits for its reset", "autoreset off, episodes of one step", failure.map(str::to_owned))
}
