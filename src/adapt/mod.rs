//! Adaptation to logged episodes: a log is read, the policy takes one adaptation step on it, and the adapted policy is
//! written as a folder of its own.

mod change;
mod columns;
mod drawn;
mod folder;
mod header;
mod read;
mod trust;
mod write;

use metadrift_agents::{
    agent::{Adapts, Agent},
    host_policy::HostPolicy,
    rollout::Rollout,
};
use metadrift_envs::{Split, Task};
use serde::Serialize;

pub use columns::{Columns, period, period_channel};
pub use folder::{LOG, earlier, refuse_taken, tell, write as write_folder};
pub use read::{Form, Log, LogError, read};
pub use trust::{INSIDE, LEVEL, Likeness, Reference, TASKS};
pub use write::write;

use crate::{
    config::Experiment,
    failure::{Result, WrongUsage},
    live::log::{self, Entry},
    rollout::window,
    trained::Trained,
};

/// The result of an adaptation, in the shape of its JSON form.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Number of logged episodes.
    pub episodes: usize,
    /// Number of their steps.
    pub samples: u64,
    /// Mean return of the logged episodes.
    pub return_before: f64,
    /// KL divergence of the adapted policy from that before, mean over the logged observations (nats).
    pub kl: f64,
    /// Euclidean length of the change of the parameters.
    pub step_norm: f64,
    /// Share of the steps that lie within what the tasks of training showed.
    pub in_range: f64,
    /// Distance to the nearest task of training, in units of the threshold.
    pub ood_score: f64,
    /// Number of steps that a comparison with the tasks of training takes.
    pub steps_needed: usize,
    /// True if the log is like the tasks of training in every respect.
    pub trust: bool,
}

/// An adapted policy.
pub struct Adapted {
    /// The policy.
    pub agent: Box<dyn Agent>,
    /// The change.
    pub report: Report,
    /// The line of the log of adaptations.
    pub entry: Entry,
}

/// Refuses policies that logged episodes cannot adapt.
///
/// # Errors
/// The reason.
pub fn check(config: &Experiment, agent: &dyn Agent) -> Result<()> {
    config.check_control()?;
    let learner = config.learner.name;
    if agent.adapts() != Adapts::ByGradient {
        let message = format!(
            "{learner} adapts while it acts, by its memory, and takes no gradient steps: there is nothing to adapt from a \
             log. Let its policy act on the plant"
        );
        return Err(WrongUsage(message).into());
    }
    let width = window::width(config.env().spec(), agent.policies().layout.window());
    if width > 0 {
        let message = format!(
            "the policy sees {width} numbers of its last transitions (policy.window), which a log does not hold; train \
             one with policy.window = 0"
        );
        return Err(WrongUsage(message).into());
    }
    Ok(())
}

/// The shortest and the longest time of a step (s) on the tasks of training.
pub fn periods(config: &Experiment) -> [f64; 2] {
    let spec = config.env().spec();
    let tasks = (0..TASKS as u32).map(|index| config.tasks(Split::Train).sample(0, 0, index));
    let of_tasks = tasks.map(|task: Task| period(spec, &task.values));
    of_tasks.fold([f64::INFINITY, 0.0], |[low, high], period| [low.min(period), high.max(period)])
}

/// The log `text` in `file` of the policy of `agent`, which has begun one task, with its log-probabilities.
///
/// # Errors
/// At the first fault of the log.
pub fn logged(config: &Experiment, agent: &dyn Agent, (file, text): (&str, &[u8])) -> Result<Log, LogError> {
    let columns = Columns::of(config);
    let own_obs = config.env().spec().obs_dim();
    let form = Form { file, columns: &columns, periods: periods(config), own_obs, horizon: config.horizon() };
    let mut log = read(text, &form)?;
    let policies = agent.policies();
    drawn::complete(&mut log, &HostPolicy::new(policies.layout, &policies.params[0]), &form)?;
    Ok(log)
}

/// Adapts the policy of `run` to the log `text` in `file`; `earlier` are the adaptations that it has behind it.
///
/// # Errors
/// At the first fault of the log, or if an adapted parameter is not finite.
pub fn adapt(run: &Trained, file: (&str, &[u8]), earlier: &[Entry], actors: usize) -> Result<Adapted> {
    let Trained { config, agent, .. } = run;
    let mut agent = agent.duplicate();
    agent.begin(1);
    check(config, &*agent)?;
    let log = logged(config, &*agent, file)?;
    let before = agent.policies().params[0].clone();
    let layout = agent.policies().layout.clone();
    let phase = earlier.len().min(255) as u8;
    let reference = Reference::collect(config, &*agent, actors, log.episodes, phase)?;
    let likeness = reference.likeness(&log.data);
    agent.adapt(&log.data)?;
    let after = &agent.policies().params[0];
    let data = log.data.task(0);
    // without padding
    let obs: Vec<f32> = data.rows().flat_map(|row| data.obs_at(data.obs, row)).copied().collect();
    let report = Report {
        episodes: log.episodes,
        samples: log.data.num_valid(),
        return_before: data.rows().map(|row| f64::from(data.reward[row])).sum::<f64>() / log.episodes as f64,
        kl: change::divergence(&layout, &before, after, &obs),
        step_norm: change::step_norm(&before, after),
        in_range: likeness.in_range,
        ood_score: likeness.score,
        steps_needed: likeness.steps_needed,
        trust: likeness.trust(),
    };
    let entry = entry(&log.data, (&before, after), report.episodes, earlier.last());
    Ok(Adapted { agent, report, entry })
}

/// The line of the log of adaptations for a step from `before` to `after` on `data`.
fn entry(data: &Rollout, (before, after): (&[f32], &[f32]), episodes: usize, last: Option<&Entry>) -> Entry {
    Entry {
        life: 0,
        episode: last.map_or(0, |last| last.episode + 1) + episodes as u32 - 1,
        tick: last.map_or(0, |last| last.tick) + data.num_valid(),
        samples: data.num_valid(),
        data: log::digest(&data.task(0)),
        before: log::digest_of(before),
        after: log::digest_of(after),
        change: false,
        guard: None,
        evidence: None,
        rolled_back: false,
        diverged: false,
    }
}
