//! Filters: conditions for tasks that some controller can solve.

use serde::{Deserialize, Serialize};

use crate::{
    physics::spec::EnvSpec,
    tasks::{channel::channels, error::TaskError, task::Task},
};

/// Conditions on a drawn task. A task that fails one is drawn anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// Pendulum: smallest ratio of the largest energy at the bottom, `m l^2 w^2 / 6 +
    /// pi u`, to the energy of the upright position over it, `m g l`; w is the largest speed, u
    /// the largest torque. Below 1 no controller swings it up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energy_margin_min: Option<f64>,
    /// Pendulum: largest change of speed in a step at full torque, `3 u dt / (m l^2)` (rad/s).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_step_authority: Option<f64>,
    /// CartPole: largest ratio of wind to the force of a full push.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_wind_share: Option<f64>,
    /// CartPole: largest growth of a fall in a step, `tau sqrt(g / (l (4/3 - m_pole / M)))`;
    /// above 0.3 the time step is too long for the pole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_step_growth: Option<f64>,
    /// Number of tasks that are drawn to test the filter.
    pub max_tries: u32,
}

impl Default for Filter {
    fn default() -> Filter {
        Filter {
            energy_margin_min: None,
            max_step_authority: None,
            max_wind_share: None,
            max_step_growth: None,
            max_tries: 1000,
        }
    }
}

/// A condition that a task does not meet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rejection {
    /// Key of the condition.
    pub condition: &'static str,
    /// Measured value.
    pub value: f64,
}

impl Filter {
    /// Refuses limits that are not positive numbers, and conditions for another environment.
    pub(crate) fn check(&self, env: &str) -> Result<(), TaskError> {
        let invalid =
            |key: &str, problem: String| Err(TaskError::Invalid { path: format!("task.filter.{key}"), problem });
        for (key, of, limit) in self.conditions() {
            let Some(limit) = limit else { continue };
            if of != env {
                return invalid(key, format!("is about {of}, but the environment is {env}"));
            }
            if !limit.is_finite() || limit <= 0.0 {
                return invalid(key, format!("{limit} must be a positive number"));
            }
        }
        if !(1..=10_000).contains(&self.max_tries) {
            return invalid("max_tries", format!("{} must be 1 to 10000", self.max_tries));
        }
        Ok(())
    }

    /// Returns true if a condition that is set depends on a channel.
    pub(crate) fn looks_at(&self, spec: &EnvSpec, channel: &str) -> bool {
        let mut set = self.conditions().into_iter().filter(|(.., limit)| limit.is_some()).map(|(key, ..)| key);
        let length = |key: &str| key == "energy_margin_min" && channel == "length";
        let reads = |key: &str| {
            WORST.iter().any(|(env, of, corner)| {
                *env == spec.name && *of == key && corner.iter().any(|(name, _)| *name == channel)
            })
        };
        set.any(|key| length(key) || reads(key))
    }

    fn conditions(&self) -> [(&'static str, &'static str, Option<f64>); 4] {
        [
            ("energy_margin_min", "pendulum", self.energy_margin_min),
            ("max_step_authority", "pendulum", self.max_step_authority),
            ("max_wind_share", "cartpole", self.max_wind_share),
            ("max_step_growth", "cartpole", self.max_step_growth),
        ]
    }

    /// The first condition that the task fails, wherever its drifts may take it: at any time, by any
    /// clock, each channel independently of the others.
    pub(crate) fn reject(&self, spec: &EnvSpec, task: &Task) -> Option<Rejection> {
        let measured = if task.drifts.is_empty() { solvability(spec, &task.values) } else { worst(spec, task) };
        let fails = |(condition, value): &(&'static str, f64)| match *condition {
            "energy_margin_min" => self.energy_margin_min.is_some_and(|least| *value < least),
            "max_step_authority" => self.max_step_authority.is_some_and(|most| *value > most),
            "max_wind_share" => self.max_wind_share.is_some_and(|most| *value > most),
            _ => self.max_step_growth.is_some_and(|most| *value > most),
        };
        measured.into_iter().find(fails).map(|(condition, value)| Rejection { condition, value })
    }
}

/// The measures of [`Filter`] for channel values of an environment, by their keys.
pub fn solvability(spec: &EnvSpec, values: &[f64]) -> Vec<(&'static str, f64)> {
    let all = channels(spec);
    let get = |name: &str| all.iter().position(|c| c.name == name).map_or(0.0, |i| values[i]);
    let gain = delivered(get);
    match spec.name {
        "pendulum" => {
            let inertia = get("mass") * get("length").powi(2);
            let torque = get("max_torque") * gain;
            let energy = inertia * get("max_speed").powi(2) / 6.0 + std::f64::consts::PI * torque;
            let needed = get("mass") * get("gravity") * get("length");
            vec![
                ("energy_margin_min", if needed > 0.0 { energy / needed } else { f64::INFINITY }),
                ("max_step_authority", 3.0 * torque * get("dt") / inertia),
            ]
        }
        "cartpole" => {
            let wind = get("wind_force").abs();
            let force = get("force_mag") * gain;
            let share = if wind == 0.0 { 0.0 } else { wind / force };
            let total = get("mass_cart") + get("mass_pole");
            let lever = get("half_length") * (4.0 / 3.0 - get("mass_pole") / total);
            vec![("max_wind_share", share), ("max_step_growth", get("tau") * (get("gravity") / lever).sqrt())]
        }
        _ => Vec::new(),
    }
}

/// Share of a full command that the actuator delivers.
fn delivered(get: impl Fn(&str) -> f64) -> f64 {
    let gain = get("actuator_gain").abs();
    if gain < get("actuator_dead_zone") { 0.0 } else { gain.min(get("actuator_saturation")) }
}

/// The place in a channel's reach that makes a measure worst.
#[derive(Clone, Copy)]
enum End {
    Smallest,
    Largest,
    /// The smallest magnitude.
    Weakest,
    /// The largest magnitude.
    Strongest,
}

use End::{Largest, Smallest, Strongest, Weakest};

/// Channels, each at an end of its reach.
type Corner = &'static [(&'static str, End)];

/// Environment and key of each measure, with its worst corner. Each measure is monotonic in each channel, so the worst
/// is at the ends of their reaches, except for the energy margin over the length: see [`worst_length`].
const WORST: [(&str, &str, Corner); 4] = [
    (
        "pendulum",
        "energy_margin_min",
        &[
            ("gravity", Largest),
            ("mass", Largest),
            ("max_speed", Smallest),
            ("max_torque", Smallest),
            ("actuator_gain", Weakest),
            ("actuator_saturation", Smallest),
            ("actuator_dead_zone", Largest),
        ],
    ),
    (
        "pendulum",
        "max_step_authority",
        &[
            ("max_torque", Largest),
            ("dt", Largest),
            ("mass", Smallest),
            ("length", Smallest),
            ("actuator_gain", Strongest),
            ("actuator_saturation", Largest),
            ("actuator_dead_zone", Smallest),
        ],
    ),
    (
        "cartpole",
        "max_wind_share",
        &[
            ("wind_force", Strongest),
            ("force_mag", Smallest),
            ("actuator_gain", Weakest),
            ("actuator_saturation", Smallest),
            ("actuator_dead_zone", Largest),
        ],
    ),
    (
        "cartpole",
        "max_step_growth",
        &[
            ("tau", Largest),
            ("gravity", Largest),
            ("half_length", Smallest),
            ("mass_pole", Largest),
            ("mass_cart", Smallest),
        ],
    ),
];

/// The measures of [`solvability`] at their worst over all values that the channels of a task reach.
fn worst(spec: &EnvSpec, task: &Task) -> Vec<(&'static str, f64)> {
    let all = channels(spec);
    let index = |name: &str| all.iter().position(|c| c.name == name).expect("a channel of the environment");
    let of_env = WORST.into_iter().filter(|(env, ..)| *env == spec.name);
    let measured = of_env.filter_map(|(_, key, corner)| {
        let mut values = task.values.clone();
        for (name, end) in corner {
            values[index(name)] = end.of(&reach(task, index(name)));
        }
        if key == "energy_margin_min" {
            values[index("length")] = worst_length(&reach(task, index("length")), |name| values[index(name)]);
        }
        solvability(spec, &values).into_iter().find(|(measure, _)| *measure == key)
    });
    measured.collect()
}

/// The length in its reach at which the energy margin `a l + b / l` is smallest: where both terms are
/// equal, `l^2 = 6 pi u / (m w^2)`, or the end next to it.
fn worst_length(reach: &[(f64, f64)], get: impl Fn(&str) -> f64) -> f64 {
    let torque = get("max_torque") * delivered(&get);
    let best = (6.0 * std::f64::consts::PI * torque / get("mass")).sqrt() / get("max_speed");
    best.clamp(Smallest.of(reach), Largest.of(reach))
}

/// The intervals that a channel of a task can reach.
fn reach(task: &Task, channel: usize) -> Vec<(f64, f64)> {
    let base = task.values[channel];
    let drift = task.drifts.iter().find(|drift| drift.channel == channel);
    drift.map_or_else(|| vec![(base, base)], |drift| drift.reach(base))
}

impl End {
    fn of(self, reach: &[(f64, f64)]) -> f64 {
        let nearest_zero =
            |(low, high): &(f64, f64)| if *low <= 0.0 && *high >= 0.0 { 0.0 } else { low.abs().min(high.abs()) };
        let farthest = |(low, high): &(f64, f64)| low.abs().max(high.abs());
        match self {
            Smallest => reach.iter().map(|piece| piece.0).fold(f64::INFINITY, f64::min),
            Largest => reach.iter().map(|piece| piece.1).fold(f64::NEG_INFINITY, f64::max),
            Weakest => reach.iter().map(nearest_zero).fold(f64::INFINITY, f64::min),
            Strongest => reach.iter().map(farthest).fold(0.0, f64::max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CartPole, Env, Pendulum, Schedule};

    /// A Pendulum whose length swings between two lengths.
    fn swinging(low: f64, high: f64) -> Task {
        let mean = 0.5 * (low + high);
        let amplitude = 0.5 * (high - low);
        let swing = Schedule::Sinusoid { mean, amplitude, period: 1000.0, phase: 0.0 };
        Task::nominal(&Pendulum::SPEC).with_drift(&Pendulum::SPEC, "length", swing).unwrap()
    }

    #[test]
    fn the_worst_measure_is_that_of_the_worst_moment() {
        for (low, high) in [(0.3, 0.5), (0.4, 2.5), (1.5, 3.0)] {
            let task = swinging(low, high);
            let found = worst(&Pendulum::SPEC, &task);
            let lengths = (0..=10_000).map(|i| low + (high - low) * f64::from(i) / 10_000.0);
            // l w^2 / (6 g) + pi u / (m g l) with w = 8, g = 10, u = 2, m = 1
            let margins = lengths.map(|l| l * 64.0 / 60.0 + std::f64::consts::PI * 0.2 / l);
            let least = margins.fold(f64::INFINITY, f64::min);
            assert!((found[0].1 - least).abs() < 1e-6, "{low} {high}: {found:?} {least}");
            assert!((found[1].1 - 0.3 / (low * low)).abs() < 1e-12);
        }
    }

    #[test]
    fn an_inverted_actuator_is_as_strong_as_before_and_a_limited_one_weaker() {
        let spec = &CartPole::SPEC;
        let wind = Task::nominal(spec).with(spec, "wind_force", -4.0).unwrap();
        let share = |task: &Task| worst(spec, task)[0].1;
        let flip = Schedule::Step { at: 7.0, from: 1.0, to: -1.0 };
        assert_eq!(share(&wind.clone().with_drift(spec, "actuator_gain", flip).unwrap()), 0.4);
        let ramp = Schedule::Linear { from: 1.0, to: -1.0, start: 0.0, over: 9.0, returns: false };
        assert_eq!(share(&wind.clone().with_drift(spec, "actuator_gain", ramp).unwrap()), f64::INFINITY);
        let limit = Schedule::Step { at: 7.0, from: 10.0, to: 0.5 };
        assert_eq!(share(&wind.with_drift(spec, "actuator_saturation", limit).unwrap()), 0.8);
    }

    #[test]
    fn measures_match_those_worked_out_by_hand() {
        let pendulum = solvability(&Pendulum::SPEC, &Task::nominal(&Pendulum::SPEC).values);
        // (64 / 6 + 2 pi) / 10 and 3 * 2 * 0.05
        assert!((pendulum[0].1 - 1.694_985_197_384_625_3).abs() < 1e-12 && (pendulum[1].1 - 0.3).abs() < 1e-15);
        let cartpole = solvability(&CartPole::SPEC, &Task::nominal(&CartPole::SPEC).values);
        // 0.02 sqrt(9.8 / (0.5 (4/3 - 0.1/1.1)))
        assert!(cartpole[0].1 == 0.0 && (cartpole[1].1 - 0.079_437_043_641).abs() < 1e-9, "{cartpole:?}");
    }
}
