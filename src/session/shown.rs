//! The display of a run: its first lines, its progress line, and the settings in TensorBoard's comparison of runs.

use metadrift_agents::{backend::BackendChoice, native};

use super::Session;
use crate::{
    config::Experiment,
    logging::{Hparam, ProgressLine},
    message, registry,
    train::Report,
};

/// The first lines of a run.
pub(super) fn headline(session: &Session) -> String {
    let config = session.trainer.config();
    let size = (config.learner.size)(config.settings());
    let begin = match session.resumed {
        None => format!("Training {}", config.name),
        Some(at) => format!("Resuming {} at iteration {}", config.name, at.iteration + 1),
    };
    let data = config.family().map_or_else(String::new, |family| family.data());
    let about: Vec<&str> = [config.description.as_str(), &data].into_iter().filter(|line| !line.is_empty()).collect();
    format!(
        "{begin} ({}, {} parameters) on {} ({} backend), {} actor{}, seed {}\n{}\n\
         Watch: tensorboard --logdir {}",
        size,
        registry::policy(config).num_params(),
        session.manifest.device,
        format!("{:?}", session.manifest.backend).to_lowercase(),
        session.options.actors,
        if session.options.actors == 1 { "" } else { "s" },
        config.seed,
        about.join("\n"),
        message::quoted(session.run.logdir()),
    )
}

/// One iteration for the progress line.
pub(super) fn progress_line((iteration, done): (u64, f64), report: &Report) -> ProgressLine {
    let find = |values: &[(&str, f64)], name| values.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
    ProgressLine {
        iteration,
        done,
        return_unadapted: report.return_unadapted,
        return_post: report.return_post,
        kl: find(&report.metrics, "kl/meta"),
        steps_per_second: find(&report.timing, "steps_per_second").unwrap_or(0.0),
        seconds: find(&report.timing, "time/iteration_s").unwrap_or(0.0),
    }
}

/// The reason why gradients take longer than a user may expect, if they do.
pub(super) fn slowness(
    backend: BackendChoice,
    asked: Option<BackendChoice>,
    config: &Experiment,
) -> Option<&'static str> {
    match backend {
        BackendChoice::Native => (native::instructions() == "portable").then_some(
            "this processor has no AVX2 with fused multiply-add: the portable kernels take several times as long",
        ),
        _ => (asked.unwrap_or_default() == BackendChoice::Auto && config.maml.tasks_per_chunk > 1).then_some(
            "maml.tasks_per_chunk asks for several tasks at once, so the gradients come from libtorch: on a CPU that takes \
             several times as long as the native backend",
        ),
    }
}

/// The settings in the comparison of runs. Settings without influence on the result are left out.
pub(super) fn hparams(config: &Experiment) -> Vec<(String, Hparam)> {
    let says_nothing = |key: &str| {
        let section = key.split('.').next().unwrap_or_default();
        ["description", "role", "checkpoint", "log"].contains(&section)
    };
    let settings = config.flat().into_iter().filter(|(key, _)| !says_nothing(key));
    settings.map(|(key, value)| (key, hparam(&value))).collect()
}

fn hparam(value: &toml::Value) -> Hparam {
    match value {
        toml::Value::String(s) => Hparam::Text(s.clone()),
        toml::Value::Integer(i) => Hparam::Number(*i as f64),
        toml::Value::Float(f) => Hparam::Number(*f),
        toml::Value::Boolean(b) => Hparam::Bool(*b),
        other => Hparam::Text(other.to_string().chars().take(LONGEST_LIST).collect()),
    }
}

/// Length up to which a list is shown as a setting (characters).
const LONGEST_LIST: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets;

    #[test]
    fn the_laws_of_the_tasks_are_settings_too() {
        let config = presets::load("cartpole-physics", &[]).unwrap();
        let settings = hparams(&config);
        let find = |key: &str| settings.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone());
        assert_eq!(find("task.env"), Some(Hparam::Text("cartpole".into())));
        assert_eq!(find("maml.inner_steps"), Some(Hparam::Number(1.0)));
        assert_eq!(find("policy.hidden"), Some(Hparam::Text("[64, 64]".into())));
        assert!(settings.iter().any(|(key, _)| key.starts_with("task.vary.") && key.ends_with(".low")), "{settings:?}");
        for silent in ["description", "role", "checkpoint.every", "checkpoint.keep", "checkpoint.tries", "log.x_axis"] {
            assert_eq!(find(silent), None);
        }
    }
}
