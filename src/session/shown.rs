//! A run as people see it: its first lines, its progress line, and the settings that TensorBoard compares runs by.

use super::Session;
use crate::{
    config::{Config, Learner},
    logging::{Hparam, ProgressLine},
    message,
    train::Report,
};

/// The lines a run begins with.
pub(super) fn headline(session: &Session) -> String {
    let config = session.trainer.config();
    let r = &config.rollout;
    let size = match config.learner {
        Learner::Maml => {
            let steps = config.maml.inner_steps;
            let plural = if steps == 1 { "" } else { "s" };
            format!("{} tasks x {} lanes, {steps} inner step{plural}", r.num_tasks, r.num_envs)
        }
        Learner::Ppo => format!("plain PPO, {} lanes", r.num_envs),
    };
    let begin = match session.resumed {
        None => format!("Training {}", config.name),
        Some(at) => format!("Resuming {} at iteration {}", config.name, at.iteration + 1),
    };
    format!(
        "{begin} ({}, {} parameters) on {} ({} backend), {} actor{}, seed {}\n{}\n\
         Watch: tensorboard --logdir {}",
        size,
        session.trainer.learner().layout().num_params(),
        session.manifest.device,
        format!("{:?}", session.manifest.backend).to_lowercase(),
        session.options.actors,
        if session.options.actors == 1 { "" } else { "s" },
        config.seed,
        config.description,
        message::quoted(session.run.path()),
    )
}

/// One iteration for the progress line.
pub(super) fn progress_line(iteration: u64, report: &Report) -> ProgressLine {
    let find = |values: &[(&str, f64)], name| values.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
    ProgressLine {
        iteration,
        return_unadapted: report.return_unadapted,
        return_post: report.return_post,
        kl: find(&report.metrics, "kl/meta"),
        steps_per_second: find(&report.timing, "steps_per_second").unwrap_or(0.0),
        seconds: find(&report.timing, "time/iteration_s").unwrap_or(0.0),
    }
}

/// The settings that runs are compared by, flat.
pub(super) fn hparams(config: &Config) -> Vec<(String, Hparam)> {
    let table = toml::Table::try_from(config).expect("a configuration always has a TOML form");
    let mut flat = Vec::new();
    for (section, value) in &table {
        match value {
            toml::Value::Table(keys) if section != "task" => {
                flat.extend(keys.iter().filter_map(|(key, v)| Some((format!("{section}.{key}"), hparam(v)?))));
            }
            other => flat.extend(hparam(other).map(|v| (section.clone(), v))),
        }
    }
    flat
}

fn hparam(value: &toml::Value) -> Option<Hparam> {
    match value {
        toml::Value::String(s) => Some(Hparam::Text(s.clone())),
        toml::Value::Integer(i) => Some(Hparam::Number(*i as f64)),
        toml::Value::Float(f) => Some(Hparam::Number(*f)),
        toml::Value::Boolean(b) => Some(Hparam::Bool(*b)),
        toml::Value::Array(a) => Some(Hparam::Text(format!("{a:?}"))),
        _ => None,
    }
}
