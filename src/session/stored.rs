//! The configuration stored in a run's folder.

use std::path::Path;

use metadrift_agents::{agent::is_adapted, ranges::check};

use crate::{
    checkpoint::{self, Checkpoint, Which},
    config::{ConfigError, Experiment},
    failure::{During, Result, WrongUsage, code},
    message,
    run_dir::{Manifest, RunDir, RunDirError, read_own, task_digests},
};

/// The configuration stored in run folder `dir`. Callers that use the run also call [`warn_of_changes`].
///
/// # Errors
/// If it cannot be read or is not valid.
pub fn read_config(dir: &Path) -> Result<Experiment> {
    read_config_with(dir, None)
}

/// [`read_config`] with the data of its examples in folder `data`, if one is given: they may have moved.
///
/// # Errors
/// As [`read_config`]; if the data are not those of the run's training.
pub fn read_config_with(dir: &Path, data: Option<&Path>) -> Result<Experiment> {
    let path = dir.join("config.toml");
    if !path.exists() {
        return Err(RunDirError::NotARun { dir: dir.to_owned(), missing: "config.toml" }.into());
    }
    let text = read_own(&path, MAX_CONFIG_BYTES)?;
    let text = String::from_utf8(text).during(|| format!("{} is not UTF-8", path.display()))?;
    let table = toml::from_str::<toml::Table>(&text).unwrap_or_default();
    if data.is_some() && !table.contains_key("examples") {
        let message = format!("--data is for tasks of examples, but {} has an environment", dir.display());
        return Err(WrongUsage(message).into());
    }
    let moved = data.map(|data| format!("examples.data={}", toml::Value::from(data.display().to_string())));
    let config = Experiment::parse(&path.display().to_string(), &text, &Vec::from_iter(moved))?;
    if let Some(examples) = &config.examples
        && let Some(manifest) = Manifest::read_if_there(dir)?
        && !manifest.tasks.is_empty()
        && manifest.tasks != task_digests(&config)?
    {
        let folder = examples.data.as_ref().map_or_else(String::new, |data| data.display().to_string());
        let message =
            format!("{folder}: these are not the data of the run's training; --data DIR names another folder");
        return Err(ConfigError::Data { message, code: code::FILE }.into());
    }
    Ok(config)
}

/// Warns if the configuration in run folder `dir` is not the one that the program wrote there.
///
/// # Errors
/// If the configuration or the manifest cannot be read.
pub fn warn_of_changes(dir: &Path) -> Result<()> {
    let path = dir.join("config.toml");
    let text = read_own(&path, MAX_CONFIG_BYTES)?;
    if Manifest::read_if_there(dir)?.is_some_and(|manifest| !manifest.wrote(&text)) {
        let shown = path.display();
        message::warn(&format!(
            "{shown} was changed after the run wrote it; the results may not match the trained policy"
        ));
    }
    Ok(())
}

/// Largest size of a run's config.toml (B).
const MAX_CONFIG_BYTES: u64 = 16 << 20;

/// The configuration with another number of iterations, which must not be below `done`.
pub(super) fn extended(config: &Experiment, iterations: u64, done: u64) -> Result<Experiment> {
    let legal = "at least as many as the run has done";
    check("iterations", iterations, iterations >= done, legal).map_err(ConfigError::from)?;
    Ok(config.with_iterations(iterations)?)
}

/// The checkpoint `which` of a training run; damaged ones that are newer are warned of. The policy of an adapted folder is
/// not trained: that would lose the adaptation.
///
/// # Errors
/// If there is no such checkpoint, or it holds an adapted policy.
pub(super) fn to_resume(run: &RunDir, which: Which) -> Result<Checkpoint> {
    let (chosen, skipped) = checkpoint::choose(&run.checkpoints(), which)?;
    skipped.iter().for_each(|s| message::warn(&format!("skipped a damaged checkpoint: {s}")));
    if !is_adapted(&chosen.state()) {
        return Ok(chosen);
    }
    let message = format!(
        "{} holds an adapted policy: resume the run that it was adapted from, or go on with `metadrift adapt`",
        run.shown().display()
    );
    Err(WrongUsage(message).into())
}
