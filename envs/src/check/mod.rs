//! The contract of an environment, checked on the environment itself.

mod batch;
mod drift;
mod effects;
mod notice;
mod stepped;

use std::sync::OnceLock;

use crate::{Array, Channel, Clocks, Env, EnvKind, Purpose, Schedule, Stream, Task, VecEnv, channels};

use self::stepped::{Stepped, action};

/// One property, and the failure found, if any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The property.
    pub name: &'static str,
    /// Description of the test.
    pub detail: String,
    /// Description of the failure; none if the property holds.
    pub failure: Option<String>,
}

/// Checks everything that can be checked without knowing the dynamics.
pub fn check(env: EnvKind) -> Vec<Check> {
    with_env!(env, E => check_type::<E>(), own => check_own(own.spec().name))
}

/// The checks of environments of other crates, by name.
static OWN: OnceLock<Vec<OwnCheck>> = OnceLock::new();

/// An environment's name and its checks.
pub type OwnCheck = (&'static str, fn() -> Vec<Check>);

/// Makes the checks of environments of other crates known, once in a process.
pub fn register(own: Vec<OwnCheck>) {
    OWN.get_or_init(|| own);
}

fn check_own(name: &str) -> Vec<Check> {
    let found = OWN.get().into_iter().flatten().find(|(known, _)| *known == name);
    found.map_or_else(Vec::new, |(_, check)| check())
}

/// [`check`] for an environment whose type is known.
pub fn check_type<E: Env>() -> Vec<Check> {
    vec![
        seeds_repeat::<E>(),
        seeds_differ::<E>(),
        lanes_stay_apart::<E>(),
        effects::every_channel_acts::<E>(),
        derived_values_follow::<E>(),
        drift::values_can_be_sought::<E>(),
        drift::bounds_are_enforced::<E>(),
        batch::nan_is_refused::<E>(),
        batch::tasks_outlive_resets::<E>(),
        observations_are_finite::<E>(),
        f32_follows_f64::<E>(),
        drift::the_engine_follows::<E>(),
        drift::bounds_are_kept::<E>(),
        notice::flags_err_at_their_rates::<E>(),
        batch::outputs_stay_what_they_are::<E>(),
        batch::finished_lanes_wait::<E>(),
    ]
}

/// Steps of most checks.
const STEPS: u32 = 300;

fn verdict(name: &'static str, detail: impl Into<String>, failure: Option<String>) -> Check {
    Check { name, detail: detail.into(), failure }
}

/// Observations, rewards and ends of `steps` steps: `(before any reset, current)` observations, `[steps, lanes, ..]`.
#[derive(Clone, Debug, Default, PartialEq)]
struct Course {
    next_obs: Vec<f32>,
    obs: Vec<f32>,
    reward: Vec<f32>,
    ends: Vec<(bool, bool)>,
}

impl Course {
    fn bits(&self) -> Vec<u32> {
        let numbers = self.next_obs.iter().chain(&self.obs).chain(&self.reward);
        numbers.map(|x| x.to_bits()).chain(self.ends.iter().map(|(a, b)| u32::from(*a) | u32::from(*b) << 1)).collect()
    }
}

/// Steps `lanes` lanes of each task with random actions.
fn course<E: Env>(tasks: &[&Task], lanes: usize, steps: u32, seed: u64) -> Course {
    let mut batch = Stepped::<E>::new(tasks, lanes, E::SPEC.horizon, seed);
    let mut course = Course { obs: batch.env.obs().to_vec(), ..Course::default() };
    for tick in 0..steps {
        let out = batch.step(tick);
        course.next_obs.extend(&out.next_obs);
        course.reward.extend(&out.reward);
        course.ends.extend(out.terminated.iter().copied().zip(out.truncated.iter().copied()));
        course.obs.extend(batch.env.obs());
    }
    course
}

fn seeds_repeat<E: Env>() -> Check {
    let task = Task::nominal(&E::SPEC);
    let [first, second] = [(), ()].map(|()| course::<E>(&[&task], 5, STEPS, 7).bits());
    let failure = (first != second).then(|| "two runs of seed 7 differ".to_owned());
    verdict("the same seed gives the same bytes", format!("5 lanes, {STEPS} steps, twice"), failure)
}

fn seeds_differ<E: Env>() -> Check {
    let task = Task::nominal(&E::SPEC);
    let state =
        |seed| VecEnv::<E>::new(&[(&task, 1)], 1, Stream::new(seed, Purpose::Reset), Clocks::default()).state(0);
    let params = E::params(|index| task.values[index]);
    let [zero, half] = [0.0, 0.5].map(|u: f64| E::reset(&params, [u; 4]));
    let same = state(1).as_ref() == state(2).as_ref();
    let fixed = zero.as_ref() == half.as_ref();
    let failure = (same && !fixed).then(|| "seeds 1 and 2 begin in the same state".to_owned());
    let detail = if fixed { "initial states are not random here" } else { "initial states of seeds 1 and 2" };
    verdict("another seed gives another start", detail, failure)
}

fn lanes_stay_apart<E: Env>() -> Check {
    let task = Task::nominal(&E::SPEC);
    let other = altered::<E>(&channels(&E::SPEC)[0]).unwrap_or_else(|| task.clone());
    let alone = course::<E>(&[&task], 3, STEPS, 9);
    let beside = course::<E>(&[&task, &other], 3, STEPS, 9);
    let width = alone.reward.len() / STEPS as usize;
    let failed = (0..STEPS as usize).find(|step| {
        let mine = &alone.reward[step * width..][..width];
        let shared = &beside.reward[2 * step * width..][..width];
        mine != shared || alone.ends[step * width..][..width] != beside.ends[2 * step * width..][..width]
    });
    let obs = alone.obs.len() / (STEPS as usize + 1);
    let seen = (0..=STEPS as usize).find(|step| alone.obs[step * obs..][..obs] != beside.obs[2 * step * obs..][..obs]);
    let failure = failed.or(seen).map(|step| format!("step {step} differs where another task shares the batch"));
    verdict("lanes do not touch each other", "3 lanes, alone and beside those of another task", failure)
}

/// The unperturbed task with one channel at another legal value.
fn altered<E: Env>(channel: &Channel) -> Option<Task> {
    let value = *alternatives(channel).first()?;
    Task::nominal(&E::SPEC).with(&E::SPEC, &channel.name, value).ok()
}

/// Other legal values: near and far ones, small and whole ones.
fn alternatives(channel: &Channel) -> Vec<f64> {
    let step = 0.5 * channel.default.abs().max(0.2);
    let values =
        [channel.default + step, channel.default - step, channel.default + 1.0, 0.1 * channel.default, 0.1, 0.5, 3.0];
    values.into_iter().filter(|value| channel.bounds.contains(*value) && *value != channel.default).collect()
}

/// Values computed from others are computed again when these change: a channel set to a value and one that drifts with
/// that constant value give the same course.
fn derived_values_follow<E: Env>() -> Check {
    let all = channels(&E::SPEC);
    let failure = all.iter().find_map(|channel| {
        let set = altered::<E>(channel)?;
        let index = all.iter().position(|other| other.name == channel.name)?;
        let value = set.values[index];
        let nominal = Task::nominal(&E::SPEC);
        let drifting = nominal.with_drift(&E::SPEC, &channel.name, Schedule::Constant { value }).ok()?;
        let same = course::<E>(&[&set], 4, 100, 5).bits() == course::<E>(&[&drifting], 4, 100, 5).bits();
        (!same).then(|| format!("{}: set to {value} it acts otherwise than drifting at {value}", channel.name))
    });
    verdict("nothing derived goes stale", "each channel set, and as a drift of the same value", failure)
}

fn observations_are_finite<E: Env>() -> Check {
    let all = channels(&E::SPEC);
    let mut tasks = vec![("unperturbed".to_owned(), Task::nominal(&E::SPEC))];
    tasks.extend(all.iter().filter_map(|channel| Some((channel.name.clone(), altered::<E>(channel)?))));
    let failure = tasks.iter().find_map(|(name, task)| {
        let course = course::<E>(&[task], 8, 2 * STEPS, 11);
        let bad = course.next_obs.iter().chain(&course.reward).any(|x| !x.is_finite());
        bad.then(|| format!("not finite with {name}"))
    });
    verdict("everything stays finite", format!("{} steps, unperturbed and each channel changed", 2 * STEPS), failure)
}

/// Compares one step from the same state in both widths; over many steps the dynamics may amplify rounding.
/// Observations are compared, because an angle in the state may differ by whole turns.
fn f32_follows_f64<E: Env>() -> Check {
    let task = Task::nominal(&E::SPEC);
    let wide = E::params(|index| task.values[index]);
    let narrow = E::params(|index| task.values[index] as f32);
    let mut worst = 0.0_f64;
    for tick in 0..1000 {
        let uniform = Stream::new(13, Purpose::Reset).uniforms(tick);
        let start = E::reset(&narrow, uniform);
        let act = action(E::SPEC.action, 13, 0, tick);
        let command = E::command(&narrow, E::Action::from_fn(|k| act[k]));
        let next = E::step(&narrow, start, command, command);
        let seen = E::observe(&narrow, next.state);
        let command = E::command(&wide, E::Action::from_fn(|k| f64::from(act[k])));
        let state = E::State::from_fn(|k| f64::from(start.as_ref()[k]));
        let exact = E::step(&wide, state, command, command);
        let expected = E::observe(&wide, exact.state);
        let found = seen.as_ref().iter().chain([&next.reward]);
        for (f32, f64) in found.zip(expected.as_ref().iter().chain([&exact.reward])) {
            worst = worst.max((f64::from(*f32) - f64).abs() / f64.abs().max(1.0));
        }
    }
    let failure = (worst > 1e-5).then(|| format!("a step differs by {worst:.1e}"));
    verdict("f32 follows f64", format!("1000 steps from random states, largest difference {worst:.1e}"), failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environments_hold_what_they_promise() {
        for env in EnvKind::ALL {
            for check in check(*env) {
                assert_eq!(check.failure, None, "{}: {}", env.spec().name, check.name);
            }
        }
    }
}
