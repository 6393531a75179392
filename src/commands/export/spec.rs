//! `spec.json`: what a controller around an exported policy has to know.

use metadrift_agents::runtime::{Form, VERSION, window::Commands};
use metadrift_envs::{EnvSpec, NotifyLevel, Split, TaskSettings, channels};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    adapt::{Columns, period_channel},
    commands::tasks::differing,
    config::Experiment,
    failure::Result,
    life::Life,
    run_dir::{sha256, task_digests},
};

/// The training that a policy comes from.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Origin {
    /// Folder of the run.
    pub run: String,
    /// Number of training iterations of the policy.
    pub iteration: u64,
    /// True if all iterations of the run are done.
    pub finished: bool,
}

/// The description of `form`, whose file is `policy`.
///
/// # Errors
/// If the tasks cannot be drawn.
pub(super) fn spec(config: &Experiment, origin: &Origin, form: &Form, policy: &[u8]) -> Result<Value> {
    let env = config.env().spec();
    let settings = config.task.settings();
    let adaptation = form.adaptation.as_ref().map(|adaptation| {
        json!({
            "episodes_per_step": adaptation.episodes, "steps": adaptation.steps,
            "gamma": adaptation.gamma, "gae_lambda": adaptation.gae_lambda,
        })
    });
    let remembers = form.adaptation.is_none();
    Ok(json!({
        "format": VERSION,
        "version": env!("CARGO_PKG_VERSION"),
        "preset": config.name,
        "learner": config.learner.name,
        "origin": origin,
        "task_digests": task_digests(config)?,
        "policy": { "file": super::POLICY, "bytes": policy.len(), "sha256": sha256(policy) },
        "sample_period": period(config).map(|(seconds, unit)| json!({ "value": seconds, "unit": unit })),
        "observations": named(observations(env, &settings), &Columns::of(config)),
        "actions": actions(env, form),
        "horizon": Life::evaluation(config).horizon,
        "adapts": if remembers { "by memory, while it acts" } else { "by gradient steps" },
        "adaptation": adaptation,
        "training_ranges": differing(config, Split::Train)?,
    }))
}

/// The observations, each with its column in the logs that `adapt` reads.
fn named(observations: Vec<Value>, columns: &Columns) -> Vec<Value> {
    let with_column = |(k, mut observation): (usize, Value)| {
        observation["column"] = columns.observation(k).into();
        observation
    };
    observations.into_iter().enumerate().map(with_column).collect()
}

/// Duration of a step, if all tasks of training have the same, and its unit.
fn period(config: &Experiment) -> Option<(f64, &'static str)> {
    let spec = config.env().spec();
    let channel = period_channel(spec)?;
    let value = |index| config.tasks(Split::Train).sample(config.seed, 0, index).values[channel];
    let first = value(0);
    (1..16).all(|index| value(index) == first).then(|| (first, channels(spec)[channel].unit))
}

/// The numbers of an observation, in their order; a unit that is not known is null.
fn observations(env: &EnvSpec, settings: &TaskSettings) -> Vec<Value> {
    let reading = |name: &&str| json!({ "name": name, "unit": unit(env.name, name), "kind": "reading" });
    let mut all: Vec<Value> = env.observations.iter().map(reading).collect();
    for age in 1..=settings.observe_actions {
        for k in 0..env.act_dim() {
            let name = format!("command{k}_before{age}");
            all.push(json!({ "name": name, "unit": Value::Null, "kind": "the command so many steps ago, 0 at first" }));
        }
    }
    let notice = |name: String, unit: &str, kind: &str| json!({ "name": name, "unit": unit, "kind": kind });
    match settings.notify.level {
        NotifyLevel::None => {}
        NotifyLevel::Flag => all.push(notice("notified".into(), "1", "1 at a step that announces a change")),
        NotifyLevel::Delta => {
            let of = |c: metadrift_envs::Channel| notice(c.name, c.unit, "the announced change, else 0");
            all.extend(channels(env).into_iter().map(of));
        }
        NotifyLevel::Value => {
            let of = |c: metadrift_envs::Channel| notice(c.name, c.unit, "the announced value");
            all.extend(channels(env).into_iter().map(of));
        }
    }
    all
}

/// Unit of a reading of the environments that come with the program.
fn unit(env: &str, name: &str) -> Option<&'static str> {
    match (env, name) {
        (_, "theta") => Some("rad"),
        (_, "theta_dot") => Some("rad/s"),
        (_, "cos_theta" | "sin_theta") => Some("1"),
        ("cartpole" | "cartpole-balance", "x") => Some("m"),
        ("cartpole" | "cartpole-balance", "x_dot") => Some("m/s"),
        _ => None,
    }
}

/// The command: its kind, and its limits.
fn actions(env: &EnvSpec, form: &Form) -> Value {
    let [low, high] = env.action.ends();
    match form.commands {
        Commands::Choices(count) => json!({ "kind": "choice", "count": count, "smallest": low, "largest": high }),
        Commands::Vector { dim, .. } => {
            let rate = form.rate_limit;
            json!({ "kind": "vector", "dim": dim, "smallest": low, "largest": high, "largest_change": rate })
        }
    }
}
