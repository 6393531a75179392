//! Tasks of labelled examples, new in every iteration.

use std::sync::Arc;

use metadrift_agents::{
    host_policy::HostPolicy,
    layout::{Head, Layout},
    report::Diverged,
    rollout::Rollout,
    settings::Shots,
    source::{Demand, Policies, Source},
    state::{Misfit, State},
    stop,
};
use metadrift_envs::{Purpose, Split, Stream};

use super::{Family, Task};
use crate::config::Experiment;

/// The tasks of an iteration, and the examples of the latest phase with the losses of the networks that were asked.
pub struct Examples {
    family: Arc<dyn Family>,
    shots: Shots,
    phases: usize,
    seed: u64,
    split: Split,
    tasks: Vec<Task>,
    support: Rollout,
    query: Rollout,
    seen: u64,
}

impl Examples {
    /// The source of the tasks of training that the learner of `config` asks for.
    ///
    /// # Panics
    /// If the experiment is not one on examples.
    pub fn new(config: &Experiment) -> Self {
        let Demand::Examples { tasks, shots, phases } = config.demand() else {
            panic!("the learner asks for episodes")
        };
        let family = config.family().expect("the demand is for examples").clone();
        Self::of(family, shots, (tasks, phases), (config.seed, Split::Train))
    }

    /// A source of `tasks` tasks of `split` with that many `phases`.
    pub(super) fn of(
        family: Arc<dyn Family>,
        shots: Shots,
        (tasks, phases): (usize, usize),
        (seed, split): (u64, Split),
    ) -> Self {
        let rollout = |examples| Rollout::of_examples(tasks, examples, family.inputs(), family.head().act_dim());
        let (support, query) = (rollout(shots.support), rollout(shots.query));
        Examples { family, shots, phases, seed, split, tasks: Vec::new(), support, query, seen: 0 }
    }

    /// Shows the examples of phase `phase` with the losses of `policies`.
    fn show(&mut self, phase: usize, policies: Policies<'_>) -> Result<&Rollout, Diverged> {
        let last = phase + 1 == self.phases;
        let (rollout, place) = if last {
            (&mut self.query, self.shots.support..self.shots.support + self.shots.query)
        } else {
            (&mut self.support, 0..self.shots.support)
        };
        let (inputs, act_dim) = (self.family.inputs(), self.family.head().act_dim());
        for ((task, slab), params) in self.tasks.iter().zip(rollout.slabs()).zip(policies.params) {
            stop::check();
            slab.obs.copy_from_slice(&task.inputs[place.start * inputs..place.end * inputs]);
            slab.action.copy_from_slice(&task.labels[place.start * act_dim..place.end * act_dim]);
            answer(policies.layout, params, (slab.obs, slab.action), slab.reward, slab.truncated)?;
            slab.terminated.iter_mut().zip(&*slab.truncated).for_each(|(wrong, right)| *wrong = !right);
            slab.valid_steps.fill(1);
        }
        Ok(rollout)
    }
}

/// Writes minus the loss of the network `params` for every example, and whether its most likely answer is the label: its
/// log-likelihood for a class, minus the squared error for numbers, which are never exactly right.
fn answer(
    layout: &Layout,
    params: &[f32],
    (inputs, labels): (&[f32], &[f32]),
    gain: &mut [f32],
    right: &mut [bool],
) -> Result<(), Diverged> {
    let network = HostPolicy::new(layout, params);
    let width = layout.head().outputs();
    let mut out = vec![0.0; gain.len() * width];
    network.forward(inputs, &mut out, &mut network.scratch());
    let each = labels.chunks(layout.head().act_dim());
    for (((out, label), gain), right) in out.chunks(width).zip(each).zip(gain).zip(right) {
        match layout.head() {
            Head::Gaussian(_) => {
                *gain = -out.iter().zip(label).map(|(y, label)| (y - label).powi(2)).sum::<f32>();
                *right = false;
            }
            Head::Categorical(_) => {
                let class = label[0] as usize;
                let most = out.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let total: f32 = out.iter().map(|logit| (logit - most).exp()).sum();
                *gain = out[class] - most - total.ln();
                *right = out[class] == most;
            }
        }
        Diverged::check(&[*gain], "a loss", || "an example".to_owned())?;
    }
    Ok(())
}

/// Task number `index` of `iteration`.
pub fn draw(family: &dyn Family, shots: Shots, (seed, split): (u64, Split), (iteration, index): (u32, u32)) -> Task {
    let stream = Stream::new(seed, Purpose::TaskDraw).iteration(iteration).task(index).part(split as u8);
    family.draw(split, shots, &mut stream.rng())
}

impl Source for Examples {
    fn begin(&mut self, iteration: u32) -> usize {
        let count = self.query.shape().tasks as u32;
        let of = (self.seed, self.split);
        self.tasks = (0..count).map(|index| draw(&*self.family, self.shots, of, (iteration, index))).collect();
        count as usize
    }

    fn collect(&mut self, phase: usize, policies: Policies<'_>) -> Result<&Rollout, Diverged> {
        if phase == 0 {
            self.seen += (self.tasks.len() * (self.shots.support + self.shots.query)) as u64;
        }
        self.show(phase, policies)
    }

    fn compare(&mut self, phase: usize, policies: Policies<'_>) -> Result<Option<&Rollout>, Diverged> {
        self.show(phase, policies).map(|rollout| Some(&*rollout))
    }

    /// Number of examples seen.
    fn env_steps(&self) -> u64 {
        self.seen
    }

    fn save(&mut self, state: &mut State) {
        state.set("env_steps", self.seen);
    }

    fn load(&mut self, state: &State) -> Result<(), Misfit> {
        self.seen = state.value("env_steps")?;
        Ok(())
    }
}
