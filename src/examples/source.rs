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

    /// Group of each task, `[tasks]`.
    pub(super) fn groups(&self) -> Vec<usize> {
        self.tasks.iter().map(|task| task.group).collect()
    }

    /// Share of the query examples of each task that are nearest to the mean support input of their own class, `[tasks]`.
    pub(super) fn nearest_means(&self) -> Vec<f64> {
        self.tasks.iter().map(|task| nearest_mean(task, self.family.inputs(), self.shots.support)).collect()
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
    let (width, examples) = (layout.head().outputs(), gain.len());
    // `[outputs, examples]`
    let mut outputs = vec![0.0; examples * width];
    network.forward(inputs, &mut outputs, &mut network.scratch());
    let mut out = vec![0.0; width];
    let each = labels.chunks(layout.head().act_dim());
    for (at, ((label, gain), right)) in each.zip(gain).zip(right).enumerate() {
        out.iter_mut().enumerate().for_each(|(k, out)| *out = outputs[k * examples + at]);
        match layout.head() {
            Head::Gaussian(_) | Head::StateGaussian(_) => {
                *gain = -out.iter().zip(label).map(|(y, label)| (y - label).powi(2)).sum::<f32>();
                *right = false;
            }
            Head::Categorical(_) => {
                let class = label[0] as usize;
                let most = out.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let total: f32 = out.iter().map(|logit| (logit - most).exp()).sum();
                *gain = out[class] - most - total.ln();
                // of equals, the first
                *right = out.iter().position(|logit| *logit == most) == Some(class);
            }
        }
        Diverged::check(&[*gain], "a loss", || "an example".to_owned())?;
    }
    Ok(())
}

/// Share of the examples behind the first `support` ones that are nearest to the mean input of their own class.
fn nearest_mean(task: &Task, inputs: usize, support: usize) -> f64 {
    let classes = task.labels.iter().fold(0.0, |most: f32, label| most.max(*label)) as usize + 1;
    let mut means = vec![vec![0.0f32; inputs]; classes];
    let (known, asked) = task.inputs.split_at(support * inputs);
    for (input, label) in known.chunks(inputs).zip(&task.labels) {
        means[*label as usize].iter_mut().zip(input).for_each(|(sum, x)| *sum += x);
    }
    // all classes have the same number of members
    let scale = classes as f32 / support as f32;
    let distance = |input: &[f32], class: usize| {
        input.iter().zip(&means[class]).map(|(x, sum)| (x - scale * sum).powi(2)).sum::<f32>()
    };
    let nearest = |input| (0..classes).min_by(|a, b| distance(input, *a).total_cmp(&distance(input, *b)));
    let right = asked.chunks(inputs).zip(&task.labels[support..]);
    let right = right.filter(|(input, label)| nearest(input) == Some(**label as usize)).count();
    right as f64 / (task.labels.len() - support) as f64
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
        self.show(phase, policies).map(Some)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mean_is_by_hand() {
        // classes around 0 and 4; means 0.5 and 4
        let inputs = vec![0.0, 1.0, 3.0, 5.0, 2.0, 2.5, 3.5];
        let labels = vec![0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0];
        assert!((nearest_mean(&Task { inputs, labels, group: 0 }, 1, 4) - 2.0 / 3.0).abs() < 1e-12);
    }
}
