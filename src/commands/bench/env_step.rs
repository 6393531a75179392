//! Environment steps per second on one thread: random actions, autoreset, all outputs written.

use std::{hint::black_box, time::Duration};

use metadrift_envs::{
    ActionSpace, Clocks, EnvKind, EnvSpec, Purpose, Schedule, StepView, Stream, Task, TaskError, unit_f32,
};
use rand::Rng;

use super::{Row, rates, subject::Subject};

/// Arrays of random actions that are used in turn.
const RING: usize = 8;

/// Differences between the lanes.
#[derive(Clone, Copy)]
pub(super) enum Variant {
    /// None: all lanes run the same unperturbed task.
    Nominal,
    /// Each lane runs a task of its own, with its own value of one parameter.
    PerLane,
    /// As `PerLane`, but the parameter drifts and the actuator has a gain.
    DriftGain,
    /// As `PerLane`, with a noisy actuator that acts two steps late and loses commands, and a noisy sensor.
    Faults,
}

pub(super) const VARIANTS: [(Variant, &str); 4] = [
    (Variant::Nominal, "nominal"),
    (Variant::PerLane, "per_lane"),
    (Variant::DriftGain, "drift+gain"),
    (Variant::Faults, "faults"),
];

/// Faults of the actuator in [`Variant::Faults`].
const FAULTS: [(&str, f64); 3] = [("actuator_noise_std", 0.1), ("actuator_delay", 2.0), ("actuator_drop_prob", 0.01)];

/// Rows of all variants at each number of lanes.
pub(super) fn measure(subject: &Subject, lanes: &[usize], time: Duration) -> Result<Vec<Row>, TaskError> {
    let mut rows = Vec::new();
    for (variant, name) in VARIANTS {
        for &n in lanes {
            let tasks = tasks(subject, variant, n)?;
            let speeds = speeds(subject.kind, &tasks, n, time);
            rows.push(Row::new(("env_step", subject.name(), name, "steps/s"), n, 1, speeds));
        }
    }
    Ok(rows)
}

/// The tasks of `lanes` lanes: one for all of them, or one each.
fn tasks(subject: &Subject, variant: Variant, lanes: usize) -> Result<Vec<Task>, TaskError> {
    let spec = subject.kind.spec();
    let param = subject.param;
    let task = |lane: usize| {
        let share = (lane as f64 + 0.5) / lanes as f64;
        let value = subject.low + (subject.high - subject.low) * share;
        let nominal = Task::nominal(spec);
        match variant {
            Variant::Nominal => Ok(nominal),
            Variant::PerLane => nominal.with(spec, param, value),
            Variant::DriftGain => {
                let there = Schedule::Linear { from: value, to: subject.high, start: 0.0, over: 1000.0, returns: true };
                nominal.with(spec, "actuator_gain", 0.8 + 0.4 * share)?.with_drift(spec, param, there)
            }
            Variant::Faults => {
                let sensor = format!("sensor_{}_noise_std", spec.observations[0]);
                let mut faults = FAULTS.into_iter().chain([(sensor.as_str(), 0.01)]);
                faults.try_fold(nominal.with(spec, param, value)?, |task, (name, value)| task.with(spec, name, value))
            }
        }
    };
    let count = if matches!(variant, Variant::Nominal) { 1 } else { lanes };
    (0..count).map(task).collect()
}

/// Steps per second, summed over the lanes.
fn speeds(kind: EnvKind, tasks: &[Task], lanes: usize, time: Duration) -> Vec<f64> {
    let each = lanes / tasks.len();
    let tasks: Vec<(&Task, usize)> = tasks.iter().map(|task| (task, each)).collect();
    let spec = kind.spec();
    let resets = Stream::new(1, Purpose::Reset);
    let mut env = kind.dynamics().batch(&tasks, spec.horizon, resets, Clocks::default());
    let actions = random_actions(spec, lanes);
    let mut next_obs = vec![0.0; lanes * spec.obs_dim()];
    let mut reward = vec![0.0; lanes];
    let (mut terminated, mut truncated) = (vec![false; lanes], vec![false; lanes]);
    let mut tick = 0;
    rates(lanes, time, || {
        let out = StepView {
            next_obs: &mut next_obs,
            reward: &mut reward,
            terminated: &mut terminated,
            truncated: &mut truncated,
        };
        env.step(black_box(&actions[tick % RING]), out);
        black_box((env.obs(), &next_obs, &reward, &terminated, &truncated));
        tick += 1;
    })
}

/// Random actions, `[RING][lanes * act_dim]`.
fn random_actions(spec: &EnvSpec, lanes: usize) -> Vec<Vec<f32>> {
    let mut rng = Stream::new(1, Purpose::Action).rng();
    let mut draw = || match spec.action {
        ActionSpace::Discrete(count) => (unit_f32(rng.next_u32()) * count as f32).floor(),
        ActionSpace::Box { bound, .. } => (2.0 * unit_f32(rng.next_u32()) - 1.0) * bound as f32,
    };
    (0..RING).map(|_| (0..lanes * spec.act_dim()).map(|_| draw()).collect()).collect()
}
