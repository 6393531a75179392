//! Checks of a batch: it refuses invalid actions, keeps its tasks, and leaves its outputs alone.

use crate::{Array, Autoreset, Clocks, Env, Purpose, StepError, Stream, Task, VecEnv, channels};

use super::{
    Check, alternatives,
    stepped::{SEED, Stepped},
    verdict,
};

pub(super) fn nan_is_refused<E: Env>() -> Check {
    let task = Task::nominal(&E::SPEC);
    let failure = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].into_iter().find_map(|value| {
        let [mut tried, mut other] = [(), ()].map(|()| Stepped::<E>::plain(&task, 2));
        let mut actions = tried.actions(0);
        *actions.last_mut()? = value;
        match tried.step_with(&actions) {
            Err(StepError::Action { lane: 1, .. }) => {}
            outcome => return Some(format!("an action of {value} in lane 1 leads to {outcome:?}")),
        }
        for batch in [&mut tried, &mut other] {
            batch.step(1);
        }
        (tried.bits() != other.bits()).then(|| format!("after an action of {value} the batch is another"))
    });
    let detail = "NaN and both infinities: a typed error, nothing stepped";
    verdict("an action that is not a number is refused", detail, failure)
}

/// After a reset the physics are still those of the task, and observations have the same length.
pub(super) fn tasks_outlive_resets<E: Env>() -> Check {
    const HORIZON: u32 = 3;
    let params: Vec<_> = channels(&E::SPEC).into_iter().take(E::SPEC.params.len()).collect();
    let failure = params.iter().find_map(|channel| {
        let value = *alternatives(channel).first()?;
        let mut task = Task::nominal(&E::SPEC).with(&E::SPEC, &channel.name, value).ok()?;
        task.settings.observe_actions = 2;
        let mut batch = Stepped::<E>::new(&[&task], 4, HORIZON, SEED);
        for tick in 0..HORIZON {
            batch.step(tick);
        }
        let actions = batch.actions(HORIZON);
        let width = batch.env.obs_dim();
        let before: Vec<_> = (0..4).map(|lane| batch.env.state(lane)).collect();
        let out = batch.step(HORIZON);
        let params = E::params(|index| task.values[index]);
        let kept = (0..4).all(|lane| {
            let act = &actions[lane * E::SPEC.act_dim()..];
            let command = E::command(&params, E::Action::from_fn(|k| f64::from(act[k])));
            let state = E::State::from_fn(|k| f64::from(before[lane].as_ref()[k]));
            let step = E::step(&params, state, command, command);
            let seen = E::observe(&params, step.state);
            let shown = &out.next_obs[lane * width..];
            let near = |a: f64, b: f32| (a - f64::from(b)).abs() <= 1e-4 * a.abs().max(1.0);
            near(step.reward, out.reward[lane]) && seen.as_ref().iter().zip(shown).all(|(a, b)| near(*a, *b))
        });
        (!kept).then(|| format!("{} = {value} does not outlast an autoreset", channel.name))
    });
    let detail = format!("{} parameters and the settings, a step after an autoreset", params.len());
    verdict("tasks outlive resets", detail, failure)
}

/// No step of another batch changes the outputs of a step, and a restored batch is independent of the original.
pub(super) fn outputs_stay_what_they_are<E: Env>() -> Check {
    let task = Task::nominal(&E::SPEC);
    let mut one = Stepped::<E>::plain(&task, 5);
    let mut two = Stepped::<E>::new(&[&task], 5, E::SPEC.horizon, SEED + 1);
    one.step(0);
    let seen = one.bits();
    two.step(0);
    let touched = one.bits() != seen;
    let mut fork = Stepped::<E>::plain(&task, 5);
    let restored = fork.env.restore(&one.env.save()).is_ok();
    fork.step(1);
    let shared = one.bits() != seen;
    one.step(1);
    let failure = match (touched, shared, one.bits() == fork.bits()) {
        (true, ..) => Some("another batch's step changed what the first shows"),
        (_, true, _) => Some("the step of a restored batch changed the original"),
        (.., same) if !(restored && same) => Some("a restored batch went another way than the original"),
        _ => None,
    };
    let failure = failure.map(str::to_owned);
    verdict("outputs do not alias", "two batches and a restored one, step by step", failure)
}

/// With autoreset off a finished lane is not stepped until it is reset.
pub(super) fn finished_lanes_wait<E: Env>() -> Check {
    let task = Task::nominal(&E::SPEC);
    let stream = Stream::new(SEED, Purpose::Reset);
    // an episode lasts one step
    let env = VecEnv::<E>::new(&[(&task, 2)], 1, stream, Clocks::default()).with_autoreset(Autoreset::Disabled);
    let mut batch = Stepped::of(env, SEED, 2);
    let actions = batch.actions(0);
    let mut step = || batch.step_with(&actions).map(|_| ());
    let first = step();
    let refused = step();
    batch.env.reset_lanes(&[true, true]);
    let again = batch.step_with(&actions).map(|_| ());
    let failure = match (first, refused, again) {
        (Ok(()), Err(StepError::Finished { lane: 0 }), Ok(())) => None,
        (_, Err(StepError::Finished { .. }), _) => Some("a reset lane could not be stepped"),
        _ => Some("a finished lane was stepped"),
    };
    verdict("a finished lane waits for its reset", "autoreset off, episodes of one step", failure.map(str::to_owned))
}
