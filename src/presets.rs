//! The presets, embedded in the binary.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use crate::config::{ConfigError, Experiment, nearest};

/// Longest configuration (B).
const MAX_BYTES: u64 = 1 << 20;

/// Makes a table of presets, and one of their measurements, from the files of these names.
macro_rules! presets {
    ($($name:literal,)*) => {
        /// Name and text of every preset; the text is what `metadrift presets show` prints.
        pub const PRESETS: &[(&str, &str)] = &[$(($name, include_str!(concat!("../presets/", $name, ".toml")))),*];

        /// Name of every preset with its results of `tasks audit`, as JSON.
        pub(crate) const AUDITS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../presets/audit/", $name, ".json")))),*];
    };
}

presets! {
    "cartpole-flip",
    "pendulum-flip",
    "cartpole-sign",
    "cartpole-physics",
    "pendulum-physics",
    "cartpole-physics-one-out",
    "cartpole-physics-far",
    "cartpole-drift",
    "cartpole-switch",
    "cartpole-flip-hidden",
    "cartpole-flip-noisy",
    "cartpole-flip-delay",
    "cartpole-switch-episode",
    "cartpole-alternate",
    "cartpole-drift-sensor",
    "pendulum-switch-hidden",
    "navigation-moving",
    "pendulum-drift-slow",
    "pendulum-gain",
    "cartpole-packer",
    "pendulum-packer",
    "cartpole-cadm",
    "pendulum-cadm",
    "cartpole-cadm-moderate",
    "cartpole-cadm-extreme",
    "pendulum-cadm-moderate",
    "pendulum-cadm-extreme",
    "cartpole-crssm",
    "pendulum-crssm",
    "cartpole-delay",
    "cartpole-delay-history",
    "cartpole-wind",
    "pendulum-sensor",
    "navigation",
    "navigation-rotated",
    "cartpole-full",
    "pendulum-full",
    "cartpole-rwrl-easy",
    "cartpole-rwrl-medium",
    "cartpole-rwrl-hard",
    "pendulum-rwrl-easy",
    "pendulum-rwrl-medium",
    "pendulum-rwrl-hard",
    "double-integrator-aib",
    "double-integrator-friction-aib",
    "complex-ode-aib",
    "cartpole-balance-aib",
    "cartpole-nsgym-mass",
    "cartpole-nsgym-mass-drift",
    "cartpole-nsgym-gravity",
    "cartpole-nominal",
    "pendulum-nominal",
    "cartpole-ppo",
    "pendulum-ppo",
    "cartpole-dr",
    "pendulum-dr",
}

/// Presets with tasks of examples, which have no audit.
pub const EXAMPLES: &[(&str, &str)] = &[
    ("sinusoid", include_str!("../presets/sinusoid.toml")),
    ("omniglot", include_str!("../presets/omniglot.toml")),
    ("entities", include_str!("../presets/entities.toml")),
];

/// Names and texts of all presets.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    PRESETS.iter().chain(EXAMPLES).copied()
}

/// The text of preset `name`.
///
/// # Errors
/// If there is no such preset; the message names the nearest.
pub fn text(name: &str) -> Result<&'static str, ConfigError> {
    let found = all().find(|(known, _)| *known == name);
    found.map(|(_, text)| text).ok_or_else(|| {
        let names: Vec<&str> = all().map(|(name, _)| name).collect();
        let near = nearest(name, names.iter().copied()).map_or(".".into(), |n| format!("; did you mean `{n}`?"));
        let own = "`metadrift presets list` lists them; a file of your own must end in .toml";
        ConfigError::NotFound(format!("there is no preset `{name}`{near} {own}"))
    })
}

/// The configuration that `which` names: a preset, or a path that ends in `.toml`, with `sets` laid over it.
///
/// # Errors
/// As [`text`] and [`Experiment::parse`].
pub fn load(which: &str, sets: &[String]) -> Result<Experiment, ConfigError> {
    if which.ends_with(".toml") {
        let text = read(Path::new(which)).map_err(|source| ConfigError::Unreadable { path: which.into(), source })?;
        Experiment::parse(which, &text, sets)
    } else {
        Experiment::parse(&format!("preset {which}"), text(which)?, sets)
    }
}

/// [`load`] for commands that need an environment.
///
/// # Errors
/// As [`load`], and if the tasks are of examples.
pub fn load_control(which: &str, sets: &[String]) -> Result<Experiment, ConfigError> {
    let config = load(which, sets)?;
    config.check_control().map(|()| config)
}

/// The text of a regular file of at most [`MAX_BYTES`].
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let refuse = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    if !std::fs::metadata(path)?.is_file() {
        return refuse("it is not a regular file");
    }
    let mut text = String::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES { refuse("it is longer than a megabyte") } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metadrift_envs::Split;

    #[test]
    fn every_preset_is_valid_and_named_like_its_file() {
        for (name, text) in all() {
            let config = Experiment::parse(name, text, &[]).unwrap();
            assert_eq!(config.name, name);
            assert!(!config.description.is_empty());
            for split in Split::ALL.into_iter().filter(|_| config.family().is_none()) {
                config.tasks(split);
            }
        }
    }

    #[test]
    fn a_wrong_name_suggests_the_nearest() {
        let message = load("cartpole-flop", &[]).unwrap_err().to_string();
        assert!(message.contains("did you mean `cartpole-flip`? `metadrift presets list`"), "{message}");
    }
}
