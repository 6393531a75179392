//! The presets, embedded in the binary.

use crate::config::{Config, ConfigError, nearest};

/// Name and text of every preset; the text is what `metadrift presets show` prints.
pub const PRESETS: &[(&str, &str)] = &[
    ("cartpole-flip", include_str!("../presets/cartpole-flip.toml")),
    ("pendulum-flip", include_str!("../presets/pendulum-flip.toml")),
    ("cartpole-physics", include_str!("../presets/cartpole-physics.toml")),
    ("pendulum-physics", include_str!("../presets/pendulum-physics.toml")),
    ("cartpole-drift", include_str!("../presets/cartpole-drift.toml")),
    ("cartpole-switch", include_str!("../presets/cartpole-switch.toml")),
    ("pendulum-drift-slow", include_str!("../presets/pendulum-drift-slow.toml")),
    ("pendulum-gain", include_str!("../presets/pendulum-gain.toml")),
    ("cartpole-packer", include_str!("../presets/cartpole-packer.toml")),
    ("pendulum-packer", include_str!("../presets/pendulum-packer.toml")),
    ("cartpole-cadm", include_str!("../presets/cartpole-cadm.toml")),
    ("pendulum-cadm", include_str!("../presets/pendulum-cadm.toml")),
    ("cartpole-crssm", include_str!("../presets/cartpole-crssm.toml")),
    ("pendulum-crssm", include_str!("../presets/pendulum-crssm.toml")),
    ("cartpole-delay", include_str!("../presets/cartpole-delay.toml")),
    ("cartpole-delay-history", include_str!("../presets/cartpole-delay-history.toml")),
    ("cartpole-wind", include_str!("../presets/cartpole-wind.toml")),
    ("pendulum-sensor", include_str!("../presets/pendulum-sensor.toml")),
    ("navigation", include_str!("../presets/navigation.toml")),
    ("navigation-rotated", include_str!("../presets/navigation-rotated.toml")),
    ("cartpole-rwrl-easy", include_str!("../presets/cartpole-rwrl-easy.toml")),
    ("cartpole-rwrl-medium", include_str!("../presets/cartpole-rwrl-medium.toml")),
    ("cartpole-rwrl-hard", include_str!("../presets/cartpole-rwrl-hard.toml")),
    ("cartpole-ppo", include_str!("../presets/cartpole-ppo.toml")),
    ("pendulum-ppo", include_str!("../presets/pendulum-ppo.toml")),
    ("cartpole-dr", include_str!("../presets/cartpole-dr.toml")),
    ("pendulum-dr", include_str!("../presets/pendulum-dr.toml")),
    ("cartpole-full", include_str!("../presets/cartpole-full.toml")),
];

/// The text of preset `name`.
///
/// # Errors
/// Names the nearest preset and lists them all.
pub fn text(name: &str) -> Result<&'static str, ConfigError> {
    let found = PRESETS.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| *text).ok_or_else(|| {
        let names: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
        let near = nearest(name, names.iter().copied()).map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
        ConfigError::NotFound(format!(
            "there is no preset `{name}`{near} Presets: {}. A file of your own must end in .toml",
            names.join(", ")
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
        assert!(message.contains("did you mean `cartpole-flip`?") && message.contains("pendulum-physics"), "{message}");
    }
}
