//! Channels: the quantities of an environment that can be perturbed, in a fixed order.

use crate::{
    physics::spec::{Bounds, EnvSpec},
    tasks::error::{TaskError, check_finite, nearest_first},
};

/// Largest delay of a command or a reading (steps).
pub(crate) const MAX_DELAY: usize = 64;

/// A saturation that is no limit.
pub(crate) const NO_SATURATION: f64 = 10.0;

/// The faults of an actuator, in channel order; the order in which they act is that of
/// [`crate::engine::vec_env`].
const ACTUATOR: [(&str, &str, &str, f64, Bounds); 9] = [
    (
        "gain",
        "1",
        "share of the command that the actuator delivers; negative: inverted",
        1.0,
        Bounds::closed(-10.0, 10.0),
    ),
    ("bias", "action", "what it adds to that, in units of the command", 0.0, Bounds::closed(-10.0, 10.0)),
    ("noise_std", "action", "standard deviation of the noise it adds", 0.0, Bounds::closed(0.0, 10.0)),
    ("delay", "steps", "steps by which a command comes late", 0.0, Bounds::closed(0.0, MAX_DELAY as f64)),
    (
        "dead_zone",
        "1",
        "share of a full command below which it delivers nothing",
        0.0,
        // [0, 1): the largest f64 below 1
        Bounds::closed(0.0, 1.0 - f64::EPSILON / 2.0),
    ),
    (
        "saturation",
        "1",
        "share of a full command that it delivers at most; 10: no limit",
        NO_SATURATION,
        Bounds::above(0.0, NO_SATURATION),
    ),
    ("drop_prob", "1", "probability per step that commands are lost", 0.0, Bounds::closed(0.0, 1.0)),
    ("stick_prob", "1", "probability per step that it repeats its last command", 0.0, Bounds::closed(0.0, 1.0)),
    ("hold_steps", "steps", "steps that a loss or a repetition lasts", 1.0, Bounds::closed(1.0, 1000.0)),
];

/// The faults of one sensor, in channel order.
const SENSOR: [(&str, &str, &str, f64, Bounds); 8] = [
    ("bias", "observation", "what the sensor adds to", 0.0, Bounds::closed(-100.0, 100.0)),
    ("scale", "1", "factor of the sensor on", 1.0, Bounds::closed(-100.0, 100.0)),
    ("noise_std", "observation", "standard deviation of the noise on", 0.0, Bounds::closed(0.0, 100.0)),
    ("quantum", "observation", "quantisation step of", 0.0, Bounds::closed(0.0, 100.0)),
    ("delay", "steps", "delay of the readings of", 0.0, Bounds::closed(0.0, MAX_DELAY as f64)),
    ("drop_prob", "1", "probability per step of no reading of", 0.0, Bounds::closed(0.0, 1.0)),
    ("stuck_prob", "1", "probability per step of repeating the last reading of", 0.0, Bounds::closed(0.0, 1.0)),
    ("mask", "1", "0.5 or more shows 0 in place of", 0.0, Bounds::closed(0.0, 1.0)),
];

/// Places of the channels of the faults; the physical parameters come before them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChannelLayout {
    /// First channel of the actuator.
    pub actuator: usize,
    /// First channel of the first sensor; the sensors follow each other.
    pub sensors: usize,
    pub count: usize,
}

/// Places of the actuator's channels, counted from [`ChannelLayout::actuator`].
pub(crate) mod actuator {
    pub const GAIN: usize = 0;
    pub const BIAS: usize = 1;
    pub const NOISE_STD: usize = 2;
    pub const DELAY: usize = 3;
    pub const DEAD_ZONE: usize = 4;
    pub const SATURATION: usize = 5;
    pub const DROP_PROB: usize = 6;
    pub const STICK_PROB: usize = 7;
    pub const HOLD_STEPS: usize = 8;
}

/// Places of a sensor's channels, counted from its first.
pub(crate) mod sensor {
    pub const BIAS: usize = 0;
    pub const SCALE: usize = 1;
    pub const NOISE_STD: usize = 2;
    pub const QUANTUM: usize = 3;
    pub const DELAY: usize = 4;
    pub const DROP_PROB: usize = 5;
    pub const STUCK_PROB: usize = 6;
    pub const MASK: usize = 7;
    pub const COUNT: usize = 8;
}

impl ChannelLayout {
    pub(crate) const fn new(spec: &EnvSpec) -> ChannelLayout {
        let actuator = spec.params.len();
        let sensors = actuator + ACTUATOR.len();
        ChannelLayout { actuator, sensors, count: sensors + sensor::COUNT * spec.observations.len() }
    }
}

/// A quantity of an environment that tasks may set and let drift.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// Key in configuration files.
    pub name: String,
    /// Unit, `1` for a pure number.
    pub unit: &'static str,
    /// Description in one line.
    pub doc: String,
    /// Value of the unperturbed environment.
    pub default: f64,
    /// Legal values.
    pub bounds: Bounds,
}

/// The channels of an environment: its physical parameters, then the faults of the actuator, then
/// those of each sensor.
pub fn channels(spec: &EnvSpec) -> Vec<Channel> {
    let params = spec.params.iter().map(|param| Channel {
        name: param.name.to_string(),
        unit: param.unit,
        doc: param.doc.to_string(),
        default: param.default,
        bounds: param.bounds,
    });
    let actuator = ACTUATOR.iter().map(|(name, unit, doc, default, bounds)| Channel {
        name: format!("actuator_{name}"),
        unit,
        doc: (*doc).to_string(),
        default: *default,
        bounds: *bounds,
    });
    let sensors = spec.observations.iter().flat_map(|obs| {
        SENSOR.iter().map(move |(name, unit, doc, default, bounds)| Channel {
            name: format!("sensor_{obs}_{name}"),
            unit,
            doc: format!("{doc} {obs}"),
            default: *default,
            bounds: *bounds,
        })
    });
    params.chain(actuator).chain(sensors).collect()
}

/// The default of a channel, without the list of all with their names.
pub(crate) fn default_value(spec: &EnvSpec, channel: usize) -> f64 {
    let layout = ChannelLayout::new(spec);
    match channel {
        _ if channel < layout.actuator => spec.params[channel].default,
        _ if channel < layout.sensors => ACTUATOR[channel - layout.actuator].3,
        _ => SENSOR[(channel - layout.sensors) % sensor::COUNT].3,
    }
}

/// The index of a channel by name.
pub fn channel_index(spec: &EnvSpec, name: &str) -> Result<usize, TaskError> {
    channel_at(spec, name, name)
}

/// The index of a channel by name; `path` says where the name was written.
pub(crate) fn channel_at(spec: &EnvSpec, path: &str, name: &str) -> Result<usize, TaskError> {
    let all = channels(spec);
    all.iter().position(|channel| channel.name == name).ok_or_else(|| TaskError::UnknownChannel {
        path: path.to_string(),
        name: name.to_string(),
        env: spec.name,
        known: nearest_first(name, all.into_iter().map(|channel| channel.name)),
    })
}

/// Refuses a value that is not legal for the channel.
pub(crate) fn check_value(path: &str, channel: &Channel, value: f64) -> Result<(), TaskError> {
    check_finite(path, value)?;
    let Bounds { min, above_min, .. } = channel.bounds;
    if channel.bounds.contains(value) {
        // the engine computes with f32, which has fewer numbers close to the bound
        if above_min && (value as f32) - (min as f32) < f32::MIN_POSITIVE {
            let problem = format!("{value:e} is not above {min} as an f32, which the engine computes with");
            return Err(TaskError::Invalid { path: path.to_string(), problem });
        }
        return Ok(());
    }
    Err(TaskError::OutOfRange {
        path: path.to_string(),
        channel: channel.name.clone(),
        unit: channel.unit,
        value,
        bounds: channel.bounds,
    })
}

/// A specification of one channel, with its key path.
#[derive(Clone, Debug)]
pub(crate) struct Entry<T> {
    pub path: String,
    pub channel: usize,
    pub what: T,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EnvKind;

    #[test]
    fn the_default_of_a_channel_is_that_of_the_list() {
        for kind in EnvKind::ALL {
            let all = channels(kind.spec());
            let defaults: Vec<f64> = (0..all.len()).map(|channel| default_value(kind.spec(), channel)).collect();
            assert_eq!(defaults, all.iter().map(|channel| channel.default).collect::<Vec<_>>(), "{kind:?}");
        }
    }
}
