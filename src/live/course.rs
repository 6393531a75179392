//! The course of a life's world: sudden changes, and the values of its parameters.

use metadrift_envs::channels;

use super::plant::Plant;
use crate::evaluate::jumps;

/// Points of a slot that a parameter has at most, besides sudden changes.
const POINTS: u32 = 20;

/// The course of a parameter over a life.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// Its name.
    pub name: String,
    /// Ticks and values, at the beginning of each slot and wherever it changes suddenly. What moves steadily has further
    /// points, a twentieth of a slot apart.
    pub points: Vec<(u64, f64)>,
}

/// A life's world as it moves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moves {
    /// Ticks at which it changes suddenly.
    pub switches: Vec<u64>,
    /// Values of the drifting channels at the beginning of each slot, `[episodes]`.
    pub regimes: Vec<Vec<f64>>,
    /// The parameters that drift, then those that have another value than usual.
    pub courses: Vec<Course>,
}

impl Moves {
    /// The world of `plant` over `episodes` slots.
    pub fn of(plant: &Plant<'_>, episodes: u32) -> Moves {
        let horizon = u64::from(plant.horizon);
        let ticks = u64::from(episodes) * horizon;
        let drifting: Vec<usize> = plant.task.drifts.iter().map(|drift| drift.channel).collect();
        let values: Vec<Vec<f64>> =
            if drifting.is_empty() { Vec::new() } else { (0..ticks).map(|tick| at(plant, tick, &drifting)).collect() };
        let switches: Vec<u64> = jumps(&values).into_iter().map(|tick| tick as u64).collect();
        let starts = (0..ticks).step_by(plant.horizon as usize);
        let regimes = starts.clone().map(|tick| values.get(tick as usize).cloned().unwrap_or_default()).collect();
        let all = channels(plant.env.spec());
        let moving = drifting.iter().enumerate().map(|(place, channel)| {
            let known = |tick: u64| values[tick as usize][place];
            Course { name: all[*channel].name.clone(), points: points(known, ticks, horizon, &switches) }
        });
        let unusual = all
            .iter()
            .enumerate()
            .filter(|(at, channel)| plant.task.values[*at] != channel.default && !drifting.contains(at));
        let fixed = unusual.map(|(at, channel)| {
            let points = starts.clone().map(|tick| (tick, plant.task.values[at])).collect();
            Course { name: channel.name.clone(), points }
        });
        let courses = moving.chain(fixed).collect();
        Moves { switches, regimes, courses }
    }
}

/// Values of the channels `drifting` at `tick`.
fn at(plant: &Plant<'_>, tick: u64, drifting: &[usize]) -> Vec<f64> {
    let values = plant.task.values_on(&plant.clocks(tick));
    drifting.iter().map(|channel| values[*channel]).collect()
}

/// The points of a course: at the beginning of each slot, and between them those that differ from the one before.
fn points(value: impl Fn(u64) -> f64, ticks: u64, horizon: u64, switches: &[u64]) -> Vec<(u64, f64)> {
    let stride = horizon.div_ceil(u64::from(POINTS));
    let mut points: Vec<(u64, f64)> = Vec::new();
    for tick in 0..ticks {
        let within = tick % horizon;
        let looked = within.is_multiple_of(stride) || switches.binary_search(&tick).is_ok();
        let known = points.last().is_some_and(|(_, last)| *last == value(tick));
        if within == 0 || (looked && !known) {
            points.push((tick, value(tick)));
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::points;

    #[test]
    fn a_sudden_change_has_its_own_tick_and_a_ramp_a_point_each_twentieth() {
        let step = |tick: u64| if tick < 57 { 1.0 } else { -1.0 };
        assert_eq!(points(step, 200, 100, &[57]), [(0, 1.0), (57, -1.0), (100, -1.0)]);
        let ramp = points(|tick| tick as f64, 200, 100, &[]);
        assert_eq!((ramp.len(), ramp[1], ramp[39]), (40, (5, 5.0), (195, 195.0)));
    }
}
