//! Fixed feedback: the same law for every task, a function of the sensors' readings and the last actions.

use metadrift_envs::{ActionSpace, EnvKind, EnvSpec};

use super::{Controller, Seen};

/// Number of its own last actions that a linear law sees.
const HISTORY: usize = 2;

/// A family of fixed laws, each given by its numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Family {
    /// Laws linear in observation, last actions and 1. The sign decides between two indices, the largest output among
    /// more; a vector is scaled to its bound and clipped.
    Linear {
        /// Length of the observation.
        obs_dim: usize,
        /// The space of the actions.
        space: ActionSpace,
    },
    /// Laws for the pendulum: below an angle they pump energy, above it they are linear in sine and angular velocity.
    SwingUp,
}

impl Family {
    /// The family that is searched for `env`; observations may be longer than its own.
    pub fn of(env: EnvKind, obs_dim: usize) -> Family {
        match env {
            EnvKind::Pendulum => Family::SwingUp,
            _ => Family::Linear { obs_dim, space: env.spec().action },
        }
    }

    /// The family in words, for the report.
    pub fn describe(self) -> &'static str {
        match self {
            Family::Linear { .. } => "linear in observation and the last 2 actions",
            Family::SwingUp => "energy pump, linear above a switching angle",
        }
    }

    fn outputs(space: ActionSpace) -> usize {
        match space {
            ActionSpace::Discrete(2) => 1,
            ActionSpace::Discrete(count) => count,
            ActionSpace::Box { dim, .. } => dim,
        }
    }

    /// The starting points of a search, each with the spread of every number. The sign of everything sent to the
    /// actuator occurs both ways.
    pub fn starts(self, spec: &EnvSpec) -> Vec<(Vec<f64>, Vec<f64>)> {
        match self {
            // the numbers are swing, level, kinetic, sine, velocity, cosine of the switch, bias
            Family::SwingUp => {
                let design = [5.0, 1.0, 1.0 / 30.0, -12.0, -3.0, 0.85, 0.0];
                let mirrored = [-5.0, 1.0, 1.0 / 30.0, 12.0, 3.0, 0.85, 0.0];
                let spread = vec![3.0, 0.3, 0.02, 6.0, 2.0, 0.3, 0.3];
                let timid = [0.0, 1.0, 1.0 / 30.0, 0.0, 0.0, 0.85, 0.0];
                [design, mirrored, timid].map(|mean| (mean.to_vec(), spread.clone())).to_vec()
            }
            Family::Linear { obs_dim, space } => {
                let inputs = obs_dim + 1 + HISTORY * spec.act_dim();
                let mut spread = vec![1.0; inputs];
                spread[obs_dim + 1..].fill(0.3);
                if spec.name == "cartpole" {
                    // these are in units of the limits: an angle is small where a position is not
                    spread[..4].copy_from_slice(&[0.3, 0.6, 8.0, 2.0]);
                    let mut design = vec![0.0; inputs];
                    design[..4].copy_from_slice(&[0.1, 0.3, 8.0, 2.0]);
                    let mirrored = design.iter().map(|weight| -weight).collect();
                    return vec![(design, spread.clone()), (mirrored, spread.clone()), (vec![0.0; inputs], spread)];
                }
                let outputs = Family::outputs(space);
                if let Some(weights) = design(spec.name) {
                    let design: Vec<f64> = weights.iter().flat_map(|row| padded(row, inputs)).collect();
                    let mirrored = design.iter().map(|weight| -weight).collect();
                    let spread = spread.repeat(outputs);
                    return vec![
                        (design, spread.clone()),
                        (mirrored, spread.clone()),
                        (vec![0.0; inputs * outputs], spread),
                    ];
                }
                vec![(vec![0.0; inputs * outputs], spread.repeat(outputs))]
            }
        }
    }
}

/// Weights of the observation, a row for each output, of a law that works on the unperturbed environment.
fn design(env: &str) -> Option<&'static [&'static [f64]]> {
    match env {
        "double-integrator-2d" => Some(&[&[-3.0, 0.0, -2.5], &[0.0, -3.0, 0.0, -2.5]]),
        "complex-ode" => Some(&[&[-10.0], &[0.0]]),
        "cartpole-balance" => Some(&[&[1.0, 0.0, 7.0, 1.0, 2.0]]),
        _ => None,
    }
}

/// The numbers of `row`, then zeros up to `length`.
fn padded(row: &[f64], length: usize) -> impl Iterator<Item = f64> {
    row.iter().copied().chain(std::iter::repeat(0.0)).take(length)
}

/// One law of a family.
#[derive(Clone, Debug)]
pub struct Feedback<'a> {
    family: Family,
    numbers: &'a [f64],
    history: Vec<f64>,
}

impl<'a> Feedback<'a> {
    /// The law with these numbers.
    pub fn new(family: Family, numbers: &'a [f64]) -> Self {
        Feedback { family, numbers, history: Vec::new() }
    }

    fn linear(&mut self, obs: &[f32], space: ActionSpace, first: bool, action: &mut [f32]) {
        let inputs = obs.len() + 1 + HISTORY * action.len();
        if first {
            self.history = vec![0.0; HISTORY * action.len()];
        }
        let output = |row: &[f64]| {
            let seen: f64 = row.iter().zip(obs).map(|(w, x)| w * f64::from(*x)).sum();
            let done: f64 = row[obs.len() + 1..].iter().zip(&self.history).map(|(w, a)| w * a).sum();
            seen + row[obs.len()] + done
        };
        let outputs: Vec<f64> = self.numbers.chunks(inputs).map(output).collect();
        match space {
            ActionSpace::Discrete(2) => action[0] = f32::from(outputs[0] > 0.0),
            ActionSpace::Discrete(_) => {
                let best = (0..outputs.len()).max_by(|i, j| outputs[*i].total_cmp(&outputs[*j]));
                action[0] = best.unwrap_or(0) as f32;
            }
            ActionSpace::Box { bound, .. } => {
                for (part, output) in action.iter_mut().zip(&outputs) {
                    *part = (output.clamp(-1.0, 1.0) * bound) as f32;
                }
            }
        }
        self.history.rotate_right(action.len());
        for (past, now) in self.history.iter_mut().zip(&*action) {
            *past = match space {
                ActionSpace::Discrete(count) => 2.0 * f64::from(*now) / (count - 1) as f64 - 1.0,
                ActionSpace::Box { bound, .. } => f64::from(*now) / bound,
            };
        }
    }
}

impl Controller for Feedback<'_> {
    fn looks_at_values(&self) -> bool {
        false
    }

    fn act(&mut self, seen: &Seen<'_>, action: &mut [f32]) {
        match self.family {
            Family::Linear { space, .. } => self.linear(seen.obs, space, seen.episode_step == 0, action),
            Family::SwingUp => {
                let &[swing, level, kinetic, sine, velocity, switch, bias] = self.numbers else {
                    unreachable!("a swing-up law has seven numbers");
                };
                let [cos, sin, speed] = [0, 1, 2].map(|k| f64::from(seen.obs[k]));
                let torque = if cos > switch {
                    sine * sin + velocity * speed
                } else {
                    swing * speed * (level - cos - kinetic * speed * speed)
                };
                action[0] = (torque + bias) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(law: &mut Feedback<'_>, obs: &[f32], episode_step: u32, action: &mut [f32]) {
        law.act(&Seen { obs, state: &[], values: &[], episode_step, place: (0, 0) }, action);
    }

    #[test]
    fn a_linear_law_weighs_observation_one_and_the_last_actions() {
        let family = Family::Linear { obs_dim: 2, space: ActionSpace::Box { dim: 1, bound: 2.0 } };
        let numbers = [0.5, -0.25, 0.1, 0.4, 0.2];
        let mut law = Feedback::new(family, &numbers);
        let mut action = [0.0];
        // 0.5 * 1 - 0.25 * 2 + 0.1 = 0.1 of the bound 2; then + 0.4 * 0.1; then + 0.4 * 0.14 + 0.2 * 0.1
        for (step, expected) in [(0, 0.2), (1, 0.28), (2, 2.0 * 0.176), (0, 0.2)] {
            act(&mut law, &[1.0, 2.0], step, &mut action);
            assert!((action[0] - expected).abs() < 1e-6, "{step}: {action:?}");
        }
    }

    #[test]
    fn more_than_two_indices_are_told_apart_by_the_largest_output() {
        let family = Family::Linear { obs_dim: 1, space: ActionSpace::Discrete(3) };
        let numbers = [1.0, 0.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0];
        let mut law = Feedback::new(family, &numbers);
        let mut action = [9.0];
        for (seen, expected) in [(0.6, 0.0), (0.0, 1.0), (-0.6, 2.0)] {
            act(&mut law, &[seen], 0, &mut action);
            assert_eq!(action[0], expected);
        }
    }
}
