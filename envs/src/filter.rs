//! Which tasks are worth giving to an agent: those that some controller can solve.

use serde::{Deserialize, Serialize};

use crate::env::EnvSpec;
use crate::task::{Task, TaskError, channels};

/// Conditions on a drawn task. A task that fails one is drawn anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// Pendulum: smallest ratio of the energy that can be had at the bottom, `m l^2 w^2 / 6 +
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
    /// How many tasks are drawn to see whether any pass.
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
    /// What was found.
    pub value: f64,
}

impl Filter {
    /// Refuses limits that make no sense, and conditions for another environment.
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

    fn conditions(&self) -> [(&'static str, &'static str, Option<f64>); 4] {
        [
            ("energy_margin_min", "pendulum", self.energy_margin_min),
            ("max_step_authority", "pendulum", self.max_step_authority),
            ("max_wind_share", "cartpole", self.max_wind_share),
            ("max_step_growth", "cartpole", self.max_step_growth),
        ]
    }

    /// The first condition that the task fails, at its start or at one of 16 moments of the two
    /// episodes' time after it.
    pub(crate) fn reject(&self, spec: &EnvSpec, task: &Task) -> Option<Rejection> {
        let moments = if task.drifts.is_empty() { 1 } else { 17 };
        (0..moments).find_map(|i| {
            let values = task.values_at(i * u64::from(spec.horizon) / 8);
            self.reject_values(spec, &values)
        })
    }

    fn reject_values(&self, spec: &EnvSpec, values: &[f64]) -> Option<Rejection> {
        let measured = solvability(spec, values);
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
    let gain = get("actuator_gain").abs();
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
            let (wind, force) = (get("wind_force").abs(), get("force_mag") * gain);
            let share = if wind == 0.0 { 0.0 } else { wind / force };
            let total = get("mass_cart") + get("mass_pole");
            let lever = get("half_length") * (4.0 / 3.0 - get("mass_pole") / total);
            vec![("max_wind_share", share), ("max_step_growth", get("tau") * (get("gravity") / lever).sqrt())]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CartPole, Env, Pendulum};

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
