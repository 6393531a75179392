//! An actor with a controller for each lane.

use metadrift_agents::{report::Diverged, rollout::Row};
use metadrift_envs::{Batch, EnvKind, Task};

use super::{Controller, Seen};
use crate::rollout::steps::Actor;

/// Controllers on some tasks, each with the memory of its lane.
pub struct Controlled<'a, C> {
    tasks: &'a [Task],
    /// Number of lanes per task.
    lanes: usize,
    act_dim: usize,
    all: Vec<Lane<C>>,
    /// Commands of all lanes, `[tasks * lanes, act_dim]`.
    commands: Vec<f32>,
}

/// A controller, and the inputs it reads.
struct Lane<C> {
    controller: C,
    /// Ticks of life, over all phases.
    age: u32,
    state: Vec<f32>,
    values: Vec<f64>,
}

impl<'a, C: Controller> Controlled<'a, C> {
    /// An actor for `lanes` lanes on each task of `env`, each with the controller `make(task, lane)`.
    pub fn new(env: EnvKind, (tasks, lanes): (&'a [Task], usize), mut make: impl FnMut(usize, usize) -> C) -> Self {
        let count = tasks.len() * lanes;
        let lane = |controller| Lane { controller, age: 0, state: Vec::new(), values: Vec::new() };
        let all = (0..count).map(|at| lane(make(at / lanes, at % lanes))).collect();
        let act_dim = env.spec().act_dim();
        Controlled { tasks, lanes, act_dim, all, commands: vec![0.0; count * act_dim] }
    }
}

impl<C: Controller> Actor for Controlled<'_, C> {
    fn act(&mut self, _t: usize, env: &dyn Batch, live: &[usize], row: &mut Row<'_>) -> Result<(), Diverged> {
        let obs_dim = row.obs.len() / row.reward.len();
        for &at in live {
            let Lane { controller, age, state, values } = &mut self.all[at];
            let task = &self.tasks[at / self.lanes];
            if values.is_empty() || (controller.looks_at_values() && !task.drifts.is_empty()) {
                *values = task.values_on(&env.clocks(at));
            }
            env.copy_state(at, state);
            let seen = Seen {
                obs: &row.obs[at * obs_dim..(at + 1) * obs_dim],
                state,
                values,
                episode_step: row.episode_step[at],
                place: ((at % self.lanes) as u32, *age),
            };
            controller.act(&seen, &mut self.commands[at * self.act_dim..(at + 1) * self.act_dim]);
            *age += 1;
        }
        Ok(())
    }

    fn commands(&self) -> &[f32] {
        &self.commands
    }
}
