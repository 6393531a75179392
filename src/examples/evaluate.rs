//! Losses on held-out tasks of examples, after 0, 1, … K adaptation steps.

use metadrift_agents::{
    agent::Agent,
    layout::Head,
    report::Diverged,
    rollout::Rollout,
    source::{Policies, Source},
};
use serde::Serialize;

use super::Examples;
use crate::{
    config::Experiment,
    evaluate::Protocol,
    stats::{bootstrap_mean, mean},
};

/// A figure over tasks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Mean over tasks.
    pub mean: f64,
    /// 95 % bootstrap interval over tasks.
    pub ci95: [f64; 2],
}

impl Figure {
    fn of(values: &[f64], seed: u64) -> Self {
        Figure { mean: mean(values), ci95: bootstrap_mean(values, seed) }
    }
}

/// A group of tasks, such as a domain of text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Number of its tasks.
    pub tasks: usize,
    /// Accuracy after 0, 1, … steps.
    pub accuracy: Vec<Figure>,
    /// Accuracy of the nearest mean of the support inputs.
    pub nearest_mean: Figure,
}

/// The network after some steps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Number of adaptation steps.
    pub adapt_steps: usize,
    /// Mean loss on the query examples: squared error of numbers, minus the log-likelihood of classes.
    pub loss: Figure,
    /// Share of the query examples whose most likely class is the label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<Figure>,
}

/// The result of an evaluation, in the shape of its JSON form.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExamplesEvaluation {
    /// Name of the configuration.
    pub preset: String,
    /// Number of training iterations, if known.
    pub iteration: Option<u64>,
    /// The split of the tasks.
    pub split: &'static str,
    /// Seed of tasks and bootstrap.
    pub seed: u64,
    /// Number of tasks.
    pub tasks: usize,
    /// Number of support examples.
    pub support: usize,
    /// Number of query examples.
    pub query: usize,
    /// After 0, 1, … steps on the same support examples.
    pub curve: Vec<Point>,
    /// Share of the query examples that are nearest to the mean support input of their class: the baseline that learns
    /// nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest_mean: Option<Figure>,
    /// The same by groups of tasks, if there are several kinds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
}

/// Evaluates `agent` with the adaptation of training on held-out tasks of `config`.
///
/// # Errors
/// If an adapted network is not finite.
///
/// # Panics
/// If the experiment is not one on examples.
pub fn evaluate(config: &Experiment, agent: &dyn Agent, protocol: &Protocol) -> Result<ExamplesEvaluation, Diverged> {
    let family = config.family().expect("an experiment on examples").clone();
    let shots = config.examples.as_ref().expect("an experiment on examples").shots();
    let Protocol { split, tasks, seed, draw, .. } = *protocol;
    let adapt_steps = agent.adapts().steps(protocol.adapt_steps);
    let mut source = Examples::of(family.clone(), shots, (tasks, adapt_steps + 1), (seed, split));
    source.begin(draw);
    let mut agent = agent.duplicate();
    agent.begin(tasks);
    let (mut curve, mut rights) = (Vec::new(), Vec::new());
    let classes = matches!(family.head(), Head::Categorical(_));
    for steps in 0..=adapt_steps {
        let query = source.collect(adapt_steps, agent.policies())?;
        let losses: Vec<f64> = query.returns().iter().map(|gain| -gain).collect();
        let right = classes.then(|| shares_right(query));
        let accuracy = right.as_ref().map(|right| Figure::of(right, seed));
        rights.extend(right);
        curve.push(Point { adapt_steps: steps, loss: Figure::of(&losses, seed), accuracy });
        if steps < adapt_steps {
            let policies: Policies<'_> = agent.policies();
            let support = source.compare(0, policies)?.expect("examples can be shown again").clone();
            agent.adapt(&support)?;
        }
    }
    let nearest = if classes { source.nearest_means() } else { Vec::new() };
    let of_tasks = source.groups();
    let group = |(index, name): (usize, &String)| {
        let members: Vec<usize> = (0..tasks).filter(|task| of_tasks[*task] == index).collect();
        let figure = |all: &Vec<f64>| Figure::of(&members.iter().map(|task| all[*task]).collect::<Vec<_>>(), seed);
        (!members.is_empty()).then(|| Group {
            name: name.clone(),
            tasks: members.len(),
            accuracy: rights.iter().map(figure).collect(),
            nearest_mean: figure(&nearest),
        })
    };
    Ok(ExamplesEvaluation {
        preset: config.name.clone(),
        iteration: None,
        split: split.name(),
        seed,
        tasks,
        support: shots.support,
        query: shots.query,
        curve,
        nearest_mean: classes.then(|| Figure::of(&nearest, seed)),
        groups: family.groups(split).iter().enumerate().filter_map(group).collect(),
    })
}

/// Share of the examples of each task that were answered right, `[tasks]`.
fn shares_right(rollout: &Rollout) -> Vec<f64> {
    let share = |right: &[bool]| right.iter().filter(|right| **right).count() as f64 / right.len() as f64;
    rollout.tasks().map(|task| share(task.truncated)).collect()
}

impl ExamplesEvaluation {
    /// The result for people.
    pub fn to_text(&self) -> String {
        let after = self.iteration.map(|n| format!("network after iteration {n}\n")).unwrap_or_default();
        let mut text = format!(
            "{}: {} {} tasks, {} support and {} query examples each, seed {}\n{after}\nsteps      loss     95 % interval",
            self.preset, self.tasks, self.split, self.support, self.query, self.seed
        );
        let classes = self.curve.iter().any(|point| point.accuracy.is_some());
        text += if classes { "   accuracy     95 % interval\n" } else { "\n" };
        for Point { adapt_steps, loss, accuracy } in &self.curve {
            text += &format!("{adapt_steps:>5}  {:>8.4}  [{:.4}, {:.4}]", loss.mean, loss.ci95[0], loss.ci95[1]);
            if let Some(Figure { mean, ci95: [low, high] }) = accuracy {
                text += &format!("   {mean:>8.4}  [{low:.4}, {high:.4}]");
            }
            text.push('\n');
        }
        if let Some(Figure { mean, ci95: [low, high] }) = &self.nearest_mean {
            text += &format!("\nby the nearest mean of the support inputs: {mean:.4}  [{low:.4}, {high:.4}]\n");
        }
        for Group { name, tasks, accuracy, nearest_mean } in &self.groups {
            let Some(Figure { mean, ci95: [low, high] }) = accuracy.last() else { continue };
            let nearest = nearest_mean.mean;
            text += &format!("{name} ({tasks} tasks): {mean:.4}  [{low:.4}, {high:.4}], nearest mean {nearest:.4}\n");
        }
        text
    }

    /// Names and values for the log, `eval/<split>/...`.
    pub fn scalars(&self) -> Vec<(String, f64)> {
        let of_point = |point: &Point| {
            let name = |what: &str| format!("eval/{}/{what}/step_{}", self.split, point.adapt_steps);
            let accuracy = point.accuracy.as_ref().map(|accuracy| (name("accuracy"), accuracy.mean));
            [(name("loss"), point.loss.mean)].into_iter().chain(accuracy).collect::<Vec<_>>()
        };
        self.curve.iter().flat_map(of_point).collect()
    }

    /// The result as CSV, a row for each number of steps.
    pub fn to_csv(&self) -> String {
        let mut text = "adapt_steps,loss,loss_low,loss_high,accuracy,accuracy_low,accuracy_high\n".to_owned();
        for Point { adapt_steps, loss, accuracy } in &self.curve {
            let accuracy = accuracy.as_ref().map(|a| format!("{},{},{}", a.mean, a.ci95[0], a.ci95[1]));
            let (mean, [low, high]) = (loss.mean, loss.ci95);
            text += &format!("{adapt_steps},{mean},{low},{high},{}\n", accuracy.unwrap_or_else(|| ",,".to_owned()));
        }
        text
    }
}
