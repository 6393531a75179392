//! Returns on tasks never trained on, after 0, 1, … K adaptation steps.

use std::fmt::Write as _;

use metadrift_agents::maml::{Diverged, Maml};
use metadrift_envs::{Purpose, Split, Task};
use serde::Serialize;

use crate::{
    audit,
    config::{Config, ConfigError},
    rollout::{Actions, Collection, Phase, Rollout, Shape, collect_all},
    stats::Summary,
};

/// What to evaluate on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// Which tasks; never `Train`.
    pub split: Split,
    /// How many.
    pub tasks: usize,
    /// Lanes per task and adaptation step: with one episode per lane, the episodes an adaptation may use.
    pub episodes: usize,
    /// Adaptation steps, K.
    pub adapt_steps: usize,
    /// Seed of tasks, initial states, actions and bootstrap.
    pub seed: u64,
}

/// The outcome, in the shape of its JSON form.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Name of the configuration.
    pub preset: String,
    /// `in-dist` or `ood`.
    pub split: &'static str,
    /// As in [`Protocol`].
    pub seed: u64,
    /// As in [`Protocol`].
    pub tasks: usize,
    /// As in [`Protocol`].
    pub episodes: usize,
    /// One point per number of adaptation steps, from 0.
    pub curve: Vec<Point>,
}

/// Returns per episode after some adaptation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Gradient steps taken.
    pub adapt_steps: usize,
    /// With sampled actions, on the very episodes that the next step adapts on.
    pub stochastic: Summary,
    /// With the most likely action, from the same initial states.
    pub deterministic: Summary,
    /// Mean with the most likely actions, between the best fixed policy (0) and full knowledge (1) as they were
    /// measured for the preset; absent where the tasks are not the preset's or nothing lies between the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalised: Option<f64>,
}

/// Why there is no evaluation.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// The configuration does not hold together.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The policy broke down.
    #[error(transparent)]
    Diverged(#[from] Diverged),
}

/// Evaluates `learner`: the same collection and the same adaptation as in training, on held-out tasks. Changes nothing.
///
/// # Errors
/// If the configuration does not hold together, or an adapted policy is not finite.
pub fn evaluate(
    config: &Config,
    learner: &Maml,
    actors: usize,
    protocol: &Protocol,
) -> Result<Evaluation, EvaluationError> {
    let distribution = config.tasks(protocol.split)?;
    let tasks: Vec<Task> = (0..protocol.tasks).map(|i| distribution.sample(protocol.seed, 0, i as u32)).collect();
    let audit = audit::of(config);
    let audit = audit.as_ref().and_then(|audit| audit.split(protocol.split));
    let mut curve = Vec::new();
    follow(config, learner, actors, protocol, &tasks, |k, stochastic, deterministic| {
        let normalised = audit.and_then(|audit| audit.normalised(deterministic.mean));
        curve.push(Point { adapt_steps: k, stochastic, deterministic, normalised });
    })?;
    Ok(Evaluation {
        preset: config.name.clone(),
        split: protocol.split.name(),
        seed: protocol.seed,
        tasks: protocol.tasks,
        episodes: protocol.episodes,
        curve,
    })
}

/// The parameters that the protocol's adaptation leads to on each of `tasks`, `[tasks][num_params]`.
///
/// # Errors
/// As [`evaluate`].
pub fn adapt(
    config: &Config,
    learner: &Maml,
    actors: usize,
    protocol: &Protocol,
    tasks: &[Task],
) -> Result<Vec<Vec<f32>>, EvaluationError> {
    follow(config, learner, actors, protocol, tasks, |_, _, _| ())
}

/// Adapts step by step and shows the returns with sampled and with most likely actions after each number of steps.
fn follow(
    config: &Config,
    learner: &Maml,
    actors: usize,
    protocol: &Protocol,
    tasks: &[Task],
    mut show: impl FnMut(usize, Summary, Summary),
) -> Result<Vec<Vec<f32>>, EvaluationError> {
    let env = config.env()?;
    let collection = Collection { env, horizon: config.horizon()?, layout: learner.layout(), num_actors: actors };
    let steps = config.phase_steps()?;
    let (obs_dim, act_dim) = (learner.layout().obs_dim(), env.spec().act_dim());
    let mut rollout = Rollout::new(Shape { tasks: tasks.len(), steps, envs: protocol.episodes, obs_dim, act_dim });
    let mut params = vec![learner.meta_params.clone(); tasks.len()];
    for k in 0..=protocol.adapt_steps {
        let start = config.phase_start(0, k)?;
        let phase = |actions| Phase {
            resets: Purpose::EvaluationReset,
            draws: Purpose::EvaluationAction,
            actions,
            ..Phase::training(protocol.seed, 0, start, config.episodes())
        };
        let mut run = |actions| {
            collect_all(&collection, tasks, &params, &phase(actions), &mut rollout)?;
            Ok::<_, Diverged>(Summary::of(&rollout.returns(), protocol.seed))
        };
        // the sampled episodes last: the next step adapts on them
        let deterministic = run(Actions::Deterministic)?;
        let stochastic = run(Actions::Sampled)?;
        show(k, stochastic, deterministic);
        if k < protocol.adapt_steps {
            let (support, _) = rollout.batches(config.ppo.gamma, config.ppo.gae_lambda, actors);
            params = learner.adapt(&params, &support)?;
        }
    }
    Ok(params)
}

impl Evaluation {
    /// A table for people.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{} on {} {} tasks, {} episodes per adaptation step, seed {}\n\n",
            self.preset, self.tasks, self.split, self.episodes, self.seed
        );
        let header = |name| format!("{name:^49}");
        let _ = writeln!(text, "adapt  {}  {}", header("sampled actions"), header("most likely actions"));
        let columns = format!("{:>9} {:>19} {:>9} {:>9}", "mean", "95 % interval", "iqm", "worst 10%");
        let _ = writeln!(text, "steps  {columns}  {columns}");
        for point in &self.curve {
            let cells = |s: &Summary| {
                let interval = format!("[{:.1}, {:.1}]", s.ci95[0], s.ci95[1]);
                format!("{:>9.1} {interval:>19} {:>9.1} {:>9.1}", s.mean, s.iqm, s.worst_decile)
            };
            let _ = writeln!(
                text,
                "{:>5}  {}  {}",
                point.adapt_steps,
                cells(&point.stochastic),
                cells(&point.deterministic)
            );
        }
        for point in &self.curve {
            if let Some(score) = point.normalised {
                let _ = writeln!(
                    text,
                    "after {} steps {score:.2} of the way from the best fixed policy to full knowledge",
                    point.adapt_steps
                );
            }
        }
        text
    }
}
