//! Bounds of observations.

use crate::{
    EnvKind, NotifyLevel, TaskDistribution,
    tasks::channel::{ChannelLayout, channels, sensor},
};

/// The least and the largest value of each number of an observation on `tasks` of `env`, `[obs_dim]`; infinite where nothing
/// limits it, and for readings that a sensor shifts, scales, rounds or blurs.
///
/// A reading of CartPole that ends an episode lies within twice the limit, as in Gymnasium: on tasks with forces far beyond
/// the shipped ones a single step may go farther.
pub fn obs_bounds(env: EnvKind, tasks: &TaskDistribution) -> Vec<[f32; 2]> {
    let spec = env.spec();
    let touched = tasks.touched();
    let layout = ChannelLayout::new(spec);
    let widest = channels(spec).into_iter().enumerate();
    let widest = widest.map(|(at, channel)| if touched.contains(&at) { channel.bounds.max } else { channel.default });
    let values: Vec<f64> = widest.collect();
    let falsified = |reading: usize| {
        let first = layout.sensors + reading * sensor::COUNT;
        [sensor::BIAS, sensor::SCALE, sensor::NOISE_STD, sensor::QUANTUM].iter().any(|k| touched.contains(&(first + k)))
    };
    let reach = env.dynamics().reach(&values).into_iter().enumerate();
    let readings = reach.map(|(k, most)| if falsified(k) { f64::INFINITY } else { most });
    let commands = env.dynamics().largest_command(&values);
    let settings = tasks.settings();
    let past = (0..settings.observe_actions).flat_map(|_| &commands).copied();
    let symmetric = readings.chain(past).map(|most| [-most as f32, most as f32]);
    let announced: Vec<[f32; 2]> = match settings.notify.level {
        NotifyLevel::None => Vec::new(),
        NotifyLevel::Flag => vec![[0.0, 1.0]],
        // noise is added to them
        NotifyLevel::Delta | NotifyLevel::Value => vec![[f32::NEG_INFINITY, f32::INFINITY]; layout.count],
    };
    symmetric.chain(announced).collect()
}
