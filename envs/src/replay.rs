//! Replay of recorded actions in `f64`: the reference that the batch is checked against.

use crate::{
    gymnasium_seed::seeded_state,
    physics::env::{Array, Env},
    tasks::error::TaskError,
};

/// A trajectory in `f64`, one entry a step. It ends with its first terminated step.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// States after each step, `[steps, state_dim]`.
    pub states: Vec<Vec<f64>>,
    /// Observations of those states, rounded as Gymnasium rounds them, `[steps, obs_dim]`.
    pub observations: Vec<Vec<f32>>,
    /// Rewards, `[steps]`.
    pub rewards: Vec<f64>,
    /// True if the step ended the episode, `[steps]`.
    pub terminated: Vec<bool>,
}

/// The initial state of a replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initial<'a> {
    /// The state itself, `[state_dim]`.
    State(&'a [f64]),
    /// The initial state of Gymnasium's `reset(seed=...)`, to the bit.
    Seed(u64),
}

/// Applies `actions` one after the other, with a healthy actuator and healthy sensors, until they
/// run out or the episode terminates.
pub fn replay<E: Env>(
    params: &E::Params<f64>,
    initial_state: E::State<f64>,
    actions: impl IntoIterator<Item = E::Action<f64>>,
) -> Trajectory {
    let mut trajectory =
        Trajectory { states: Vec::new(), observations: Vec::new(), rewards: Vec::new(), terminated: Vec::new() };
    let mut state = initial_state;
    for action in actions {
        let command = E::command(params, action);
        let transition = E::step(params, state, command, command);
        state = transition.state;
        let obs = E::observe(params, state);
        trajectory.states.push(state.as_ref().to_vec());
        let rounded = obs.as_ref().iter().map(|component| *component as f32);
        trajectory.observations.push(rounded.collect());
        trajectory.rewards.push(transition.reward);
        trajectory.terminated.push(transition.terminated);
        if transition.terminated {
            break;
        }
    }
    trajectory
}

pub(crate) fn replay_flat<E: Env>(
    params: &E::Params<f64>,
    initial: Initial<'_>,
    actions: &[f64],
) -> Result<Trajectory, TaskError> {
    let state_dim = E::State::<f64>::LEN;
    let act_dim = E::Action::<f64>::LEN;
    let wrong = |path: &str, found: usize, expected: String| TaskError::Invalid {
        path: path.to_string(),
        problem: format!("{found} numbers where {} takes {expected}", E::SPEC.name),
    };
    let initial_state = match initial {
        Initial::Seed(seed) => seeded_state::<E>(params, seed),
        Initial::State(state) if state.len() == state_dim => E::State::<f64>::from_fn(|i| state[i]),
        Initial::State(state) => return Err(wrong("initial_state", state.len(), state_dim.to_string())),
    };
    if !actions.len().is_multiple_of(act_dim) {
        let expected = format!("{act_dim} a step");
        return Err(wrong("actions", actions.len(), expected));
    }
    if let Some(at) = actions.iter().position(|action| !E::SPEC.action.contains(*action)) {
        return Err(TaskError::Invalid {
            path: format!("actions[{at}]"),
            problem: format!("{} is not in {:?}", actions[at], E::SPEC.action),
        });
    }
    let actions = actions.chunks(act_dim).map(|action| E::Action::<f64>::from_fn(|i| action[i]));
    Ok(replay::<E>(params, initial_state, actions))
}
