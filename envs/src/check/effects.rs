//! Every channel changes something, unless the environment leaves it nothing to change.

use std::collections::BTreeMap;

use crate::{Array, Channel, Env, Purpose, RewardKind, Stream, Task, channels};

use super::{Check, Course, STEPS, alternatives, course, stepped::action, verdict};

const LANES: usize = 16;

pub(super) fn every_channel_acts<E: Env>() -> Check {
    let all = channels(&E::SPEC);
    let [(plain, healthy), (faulty, failing)] = backgrounds::<E>().map(|task| (run::<E>(&task), task));
    let backgrounds = [(plain.bits(), healthy), (faulty.bits(), failing)];
    let reach = Reach::of::<E>(&plain);
    let mut inert = Vec::new();
    let mut excused: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for channel in all.iter().filter(|channel| !acts::<E>(channel, &backgrounds)) {
        match reach.excuse(&channel.name) {
            Some(reason) => excused.entry(reason).or_default().push(&channel.name),
            None => inert.push(channel.name.as_str()),
        }
    }
    let failure = (!inert.is_empty()).then(|| format!("without effect: {}", inert.join(", ")));
    let mut detail = format!("{} channels, each changed, alone and among other faults", all.len());
    for (reason, names) in excused {
        detail += &format!("; no effect {reason}: {}", names.join(", "));
    }
    verdict("every channel has an effect", detail, failure)
}

fn run<E: Env>(task: &Task) -> Course {
    course::<E>(&[task], LANES, STEPS, 3)
}

/// Says whether another value of the channel changes any bit of one task's course.
fn acts<E: Env>(channel: &Channel, backgrounds: &[(Vec<u32>, Task); 2]) -> bool {
    alternatives(channel).iter().any(|value| {
        backgrounds.iter().any(|(bits, background)| {
            let changed = background.clone().with(&E::SPEC, &channel.name, *value);
            changed.is_ok_and(|task| run::<E>(&task).bits() != *bits)
        })
    })
}

/// The unperturbed task, and one with the faults without which others have no effect.
fn backgrounds<E: Env>() -> [Task; 2] {
    let mut faulty = Task::nominal(&E::SPEC);
    if E::SPEC.variants {
        faulty.settings.reward = Some(RewardKind::Quadratic);
    }
    for (name, value) in [("actuator_gain", 0.3), ("actuator_drop_prob", 0.3)] {
        faulty = faulty.clone().with(&E::SPEC, name, value).unwrap_or(faulty);
    }
    [Task::nominal(&E::SPEC), faulty]
}

/// Facts about an environment that leave some faults without effect.
struct Reach {
    /// True if a step depends on the actuator's output.
    reads_actuator: bool,
    /// True if every episode ends after one step.
    one_step: bool,
    /// Sensors whose healthy reading is always 0.
    silent: Vec<&'static str>,
}

impl Reach {
    /// The facts, read from the course of the unperturbed task.
    fn of<E: Env>(plain: &Course) -> Reach {
        let width = E::SPEC.obs_dim();
        let zero = |k: usize| plain.obs.iter().chain(&plain.next_obs).skip(k).step_by(width).all(|x| *x == 0.0);
        let named = E::SPEC.observations.iter().enumerate();
        Reach {
            reads_actuator: reads_actuator::<E>(),
            one_step: plain.ends.iter().all(|(terminated, truncated)| *terminated || *truncated),
            silent: named.filter(|(k, _)| zero(*k)).map(|(_, name)| *name).collect(),
        }
    }

    /// Reason for which a channel may have no effect; none if it must have one.
    fn excuse(&self, channel: &str) -> Option<&'static str> {
        let scales = ["scale", "quantum", "delay", "drop_prob", "stuck_prob", "mask"];
        let is_of = |sensor: &&str| scales.iter().any(|fault| channel == format!("sensor_{sensor}_{fault}"));
        let repeats = ["_hold_steps", "_stuck_prob"].iter().any(|fault| channel.ends_with(fault))
            || (channel.starts_with("sensor_") && channel.ends_with("_delay"));
        if channel.starts_with("actuator_") && !self.reads_actuator {
            Some("where physics does not read the actuator")
        } else if self.one_step && repeats {
            Some("in episodes of one step")
        } else if self.silent.iter().any(is_of) {
            Some("on a reading that is always 0")
        } else {
            None
        }
    }
}

/// Says whether some step from an initial state differs with half of the command, or with none.
fn reads_actuator<E: Env>() -> bool {
    let task = Task::nominal(&E::SPEC);
    let params = E::params(|index| task.values[index]);
    (0..STEPS).any(|tick| {
        let uniform = Stream::new(13, Purpose::Reset).uniforms(tick).map(f64::from);
        let state = E::reset(&params, uniform);
        let act = action(E::SPEC.action, 13, 0, tick);
        let command = E::command(&params, E::Action::from_fn(|k| f64::from(act[k])));
        let [full, half, none] = [1.0, 0.5, 0.0].map(|share| {
            let applied = E::Action::from_fn(|k| share * command.as_ref()[k]);
            let next = E::step(&params, state, command, applied);
            (next.state.as_ref().to_vec(), next.reward, next.terminated)
        });
        full != half || full != none
    })
}
