//! The presets, embedded in the binary.

use crate::config::{Config, ConfigError, nearest};

/// A table of presets, and one of what was measured of them, from files that have their names.
macro_rules! presets {
    ($($name:literal,)*) => {
        /// Name and text of every preset; the text is what `metadrift presets show` prints.
        pub const PRESETS: &[(&str, &str)] = &[$(($name, include_str!(concat!("../presets/", $name, ".toml")))),*];

        /// Name of every preset, and what `tasks audit` measured of it, as JSON.
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
    "pendulum-drift-slow",
    "pendulum-gain",
    "cartpole-packer",
    "pendulum-packer",
    "cartpole-cadm",
    "pendulum-cadm",
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
    "cartpole-nominal",
    "pendulum-nominal",
    "cartpole-ppo",
    "pendulum-ppo",
    "cartpole-dr",
    "pendulum-dr",
}

/// The text of preset `name`.
///
/// # Errors
/// Names the nearest preset.
pub fn text(name: &str) -> Result<&'static str, ConfigError> {
    let found = PRESETS.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| *text).ok_or_else(|| {
        let near = nearest(name, PRESETS.iter().map(|(name, _)| *name)).map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
        ConfigError::NotFound(format!(
            "there is no preset `{name}`{near}. `metadrift presets list` shows all; a file of your own must end in .toml"
        ))
    })
}

/// The configuration that `which` names: a preset, or a path that ends in `.toml`, with `sets` laid over it.
///
/// # Errors
/// As [`text`] and [`Config::parse`].
pub fn load(which: &str, sets: &[String]) -> Result<Config, ConfigError> {
    if which.ends_with(".toml") {
        let text = std::fs::read_to_string(which)
            .map_err(|e| ConfigError::NotFound(format!("cannot read configuration {which}: {e}")))?;
        Config::parse(which, &text, sets)
    } else {
        Config::parse(&format!("preset {which}"), text(which)?, sets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metadrift_envs::Split;

    #[test]
    fn every_preset_is_valid_and_named_like_its_file() {
        for (name, text) in PRESETS {
            let config = Config::parse(name, text, &[]).unwrap();
            assert_eq!(config.name, *name);
            assert!(!config.description.is_empty());
            for split in Split::ALL {
                config.tasks(split).unwrap();
            }
        }
    }

    #[test]
    fn a_wrong_name_suggests_the_nearest() {
        let message = load("cartpole-flop", &[]).unwrap_err().to_string();
        assert!(
            message.contains("did you mean `cartpole-flip`?") && message.contains("metadrift presets list"),
            "{message}"
        );
    }
}
