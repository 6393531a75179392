//! The description of a world.

use metadrift_envs::TaskSettings;
use serde::{Deserialize, de::IntoDeserializer};

/// The description of a world. As text, which `metadrift export` writes, it has lines of words: the name of a field, and its
/// value.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// Name of the environment.
    pub env: String,
    /// Time limit (steps per episode).
    pub horizon: u32,
    /// Seed of the initial states and of the drawn commands.
    pub seed: u32,
    /// Values of the channels that are not at their defaults, by name. Nothing drifts by itself.
    pub values: Vec<(String, f64)>,
    /// The channels that may be changed.
    pub channels: Vec<String>,
    /// Settings of the task besides its channels. Nothing is announced.
    pub settings: TaskSettings,
}

impl Setup {
    /// The description in a text.
    ///
    /// # Errors
    /// On a line that is none of a description, and without the first two fields.
    pub fn parse(text: &str) -> Result<Setup, String> {
        let mut setup = Setup {
            env: String::new(),
            horizon: 0,
            seed: 0,
            values: Vec::new(),
            channels: Vec::new(),
            settings: TaskSettings::default(),
        };
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            setup.read(&words).ok_or_else(|| format!("`{line}` is not a line of the description of a world"))?;
        }
        if setup.horizon == 0 {
            return Err("the description of a world names no time limit of episodes".into());
        }
        Ok(setup)
    }

    /// Takes in a line.
    fn read(&mut self, words: &[&str]) -> Option<()> {
        let settings = &mut self.settings;
        match *words {
            ["env", name] => self.env = name.into(),
            ["horizon", steps] => self.horizon = steps.parse().ok()?,
            ["seed", seed] => self.seed = seed.parse().ok()?,
            ["value", name, value] => self.values.push((name.into(), value.parse().ok()?)),
            ["channel", name] => self.channels.push(name.into()),
            ["observe_actions", count] => settings.observe_actions = count.parse().ok()?,
            ["integrator", name] => settings.integrator = Some(named(name)?),
            ["reward", name] => settings.reward = Some(named(name)?),
            ["sensor_fill", name] => settings.sensor_fill = named(name)?,
            _ => return None,
        }
        Some(())
    }
}

/// The variant of an enum by its name in task files.
fn named<'a, T: Deserialize<'a>>(name: &'a str) -> Option<T> {
    let name: serde::de::value::StrDeserializer<'a, serde::de::value::Error> = name.into_deserializer();
    T::deserialize(name).ok()
}
