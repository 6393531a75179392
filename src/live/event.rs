//! An episode of a life as programs read it, a line of JSON each.

use std::collections::BTreeMap;

use metadrift_agents::runtime::guard::Opinion;
use serde::{Deserialize, Serialize};

use super::{Lived, Slot};

/// An episode.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Number of the life.
    pub life: u32,
    /// Number of the episode.
    pub episode: usize,
    /// Tick of the life at which it begins.
    pub tick: u64,
    /// Ticks of its slot: the time limit.
    pub ticks: u32,
    /// Return of the policy.
    pub r#return: f64,
    /// Return of the controller with full knowledge, if there is one.
    pub oracle_return: Option<f64>,
    /// Return of the policy before any adaptation.
    pub unadapted_return: f64,
    /// Return of the policy that this one is compared with, if there is one.
    pub reference_return: Option<f64>,
    /// Return of random actions.
    pub random_return: f64,
    /// True if the world changed suddenly.
    pub switched: bool,
    /// True if the detector gave an alarm.
    pub detected: bool,
    /// The guard's opinion at the beginning.
    #[serde(with = "opinion")]
    pub guard: Option<Opinion>,
    /// True if an adapted policy acted.
    pub adapted: bool,
    /// Ticks of the sudden changes.
    pub switches: Vec<u64>,
    /// Ticks of the alarms.
    pub alarms: Vec<u64>,
    /// Ticks before which the policy adapted.
    pub adaptations: Vec<u64>,
    /// True values of the parameters that drift or are not as usual: ticks and values, each until the next.
    pub parameters: BTreeMap<String, Vec<(u64, f64)>>,
}

impl Event {
    /// The episode in slot `episode` of a life.
    pub fn new(life: &Lived, episode: usize, slot: &Slot) -> Event {
        let tick = episode as u64 * u64::from(life.horizon);
        let within = tick..tick + u64::from(life.horizon);
        let inside = |points: &[(u64, f64)]| points.iter().copied().filter(|(at, _)| within.contains(at)).collect();
        Event {
            life: life.life,
            episode,
            tick,
            ticks: life.horizon,
            r#return: slot.returned,
            oracle_return: slot.oracle,
            unadapted_return: slot.unadapted,
            reference_return: slot.reference,
            random_return: slot.random,
            switched: !slot.switches.is_empty(),
            detected: !slot.alarms.is_empty(),
            guard: slot.guard,
            adapted: slot.adapted,
            switches: slot.switches.clone(),
            alarms: slot.alarms.clone(),
            adaptations: slot.adaptations.clone(),
            parameters: life.courses.iter().map(|it| (it.name.clone(), inside(&it.points))).collect(),
        }
    }
}

/// A guard's opinion by its name.
mod opinion {
    use metadrift_agents::runtime::guard::Opinion;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub fn serialize<S: Serializer>(opinion: &Option<Opinion>, to: S) -> Result<S::Ok, S::Error> {
        opinion.map(Opinion::name).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Opinion>, D::Error> {
        let name: Option<String> = Option::deserialize(from)?;
        let of = |name: String| Opinion::of(&name).ok_or_else(|| D::Error::custom(format!("no opinion: {name}")));
        name.map(of).transpose()
    }
}
