//! The knowledge of an observer before it has seen anything: the physics, and the channels over the tasks of training.

use metadrift_envs::{ActionSpace, Bounds, EnvKind, Purpose, Stream, Task, TaskDistribution, channels};
use nalgebra::{DMatrix, DVector};

use crate::{control::privileged::Actuator, life::Life};

/// Iteration of the task draws from which an observer knows its channels.
const DRAWN: u32 = 3;
/// Number of these tasks, and of ticks of each life that are looked at.
const TASKS: u32 = 256;
const TICKS: u64 = 8;
/// Number of initial states that are drawn.
const STARTS: usize = 16;
/// Number of draws from a belief.
const BELIEFS: usize = 64;
/// Longest delay that is considered (steps).
const LONGEST: f64 = 16.0;
/// Error of every reading beside the sensor's own noise, in the reading's unit: it covers rounding and curvature.
const ERROR: f64 = 1e-3;

/// One channel over the tasks of training and their lives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub sd: f64,
    /// Smallest value.
    pub least: f64,
    /// Largest value.
    pub most: f64,
}

impl Spread {
    /// The four numbers as a policy stores them.
    pub fn to_numbers(self) -> [f32; 4] {
        [self.mean, self.sd, self.least, self.most].map(|number| number as f32)
    }

    /// The spread of these four numbers.
    pub fn of_numbers(numbers: &[f32]) -> Spread {
        let [mean, sd, least, most] = [0, 1, 2, 3].map(|k| f64::from(numbers[k]));
        Spread { mean, sd, least, most }
    }
}

/// The spread of every channel over the lives `life` of tasks from `tasks`, `[channels]`.
pub fn spreads(tasks: &TaskDistribution, seed: u64, life: &Life) -> Vec<Spread> {
    let mut seen: Vec<Vec<f64>> = Vec::new();
    for index in 0..TASKS {
        let task: Task = tasks.sample(seed, DRAWN, index);
        let ticks = if task.drifts.is_empty() { 1 } else { TICKS };
        let at = |k| task.values_on(&life.clocks(u64::from(index), k * life.ticks() / TICKS));
        // a task that stands still counts as often as one that moves
        let values: Vec<Vec<f64>> = (0..ticks).map(at).collect();
        (0..TICKS / ticks).for_each(|_| seen.extend(values.iter().cloned()));
    }
    let count = seen.len() as f64;
    let spread = |channel: usize| {
        let column = || seen.iter().map(|values| values[channel]);
        let mean = column().sum::<f64>() / count;
        let variance = column().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        let (least, most) = (column().fold(f64::INFINITY, f64::min), column().fold(f64::NEG_INFINITY, f64::max));
        Spread { mean, sd: if least == most { 0.0 } else { variance.sqrt() }, least, most }
    };
    (0..seen[0].len()).map(spread).collect()
}

/// A channel that the observer estimates.
#[derive(Clone, Copy, Debug)]
pub struct Unknown {
    /// Index of the channel.
    pub channel: usize,
    /// Mean and standard deviation before anything is seen.
    pub mean: f64,
    /// Standard deviation before anything is seen.
    pub sd: f64,
    /// Smallest and largest value that an estimate may take.
    pub range: [f64; 2],
}

/// A linear sensor of one reading.
#[derive(Clone, Copy, Debug)]
struct Sensor {
    scale: usize,
    bias: usize,
    masked: bool,
}

/// The model of a preset's tasks.
#[derive(Clone, Debug)]
pub struct Model {
    /// The environment.
    pub env: EnvKind,
    /// Every channel at its mean, `[channels]`.
    base: Vec<f64>,
    /// The estimated channels.
    pub unknown: Vec<Unknown>,
    /// The delays of commands that occur (steps).
    pub delays: Vec<usize>,
    /// The first of the actuator's channels.
    first: usize,
    sensors: Vec<Sensor>,
    /// Standard deviations of the readings' errors, `[observations]`.
    pub errors: Vec<f64>,
    /// Standard deviation of the actuator's noise.
    pub actuator_noise: f64,
    /// Initial states, `[starts, state_dim]`.
    pub starts: Vec<Vec<f64>>,
    /// Covariance of initial states, `[state_dim, state_dim]`.
    pub start_spread: DMatrix<f64>,
    /// Standard normal numbers, `[beliefs, unknown]`.
    pub beliefs: DMatrix<f64>,
    /// Root mean square of every effect over the channels' spreads, `[effects]`.
    pub typical: Vec<f64>,
}

impl Model {
    /// The model of tasks of `env` whose channels have `spreads`, `[channels]`.
    pub fn new(env: EnvKind, spreads: &[Spread]) -> Model {
        let all = channels(env.spec());
        let place = |name: &str| all.iter().position(|channel| channel.name == name).expect("a channel of every one");
        let first = place("actuator_gain");
        let sensor = |obs: &str| {
            let of = |fault: &str| place(&format!("sensor_{obs}_{fault}"));
            let mean = |fault: &str| spreads[of(fault)].mean;
            let error = mean("noise_std").hypot(mean("quantum") / 12.0_f64.sqrt()).hypot(ERROR);
            (Sensor { scale: of("scale"), bias: of("bias"), masked: mean("mask") >= 0.5 }, error)
        };
        let (sensors, errors): (Vec<Sensor>, Vec<f64>) = env.spec().observations.iter().map(|obs| sensor(obs)).unzip();
        let estimated = |channel: usize| {
            let affects_actions = ["gain", "bias", "dead_zone", "saturation"];
            let of_actuator = affects_actions.iter().any(|name| channel == place(&format!("actuator_{name}")));
            channel < first || of_actuator || sensors.iter().any(|s| channel == s.scale || channel == s.bias)
        };
        let unknown = (0..spreads.len()).filter(|channel| estimated(*channel) && spreads[*channel].sd > 0.0);
        let unknown: Vec<Unknown> = unknown
            .map(|channel| {
                let Spread { mean, sd, least, .. } = spreads[channel];
                let Bounds { min, max, above_min } = all[channel].bounds;
                let low = if above_min { min + 0.1 * (least - min) } else { min };
                Unknown { channel, mean, sd, range: [low, max] }
            })
            .collect();
        let delay = spreads[place("actuator_delay")];
        let delays = (delay.least.round() as usize..=delay.most.min(LONGEST).round() as usize).collect();
        let base: Vec<f64> = spreads.iter().map(|spread| spread.mean).collect();
        let stream = Stream::new(0, Purpose::Belief);
        let start = |k: usize| env.dynamics().initial(&base, stream.uniforms(k as u32).map(f64::from));
        let starts: Vec<Vec<f64>> = (0..STARTS).map(start).collect();
        let mut rng = stream.part(1).rng();
        let mut normal = || rand_distr::Distribution::sample(&rand_distr::StandardNormal, &mut rng);
        let mut model = Model {
            typical: Vec::new(),
            start_spread: covariance(&starts),
            starts,
            beliefs: DMatrix::from_fn(BELIEFS, unknown.len(), |_, _| normal()),
            actuator_noise: spreads[place("actuator_noise_std")].mean,
            env,
            base,
            unknown,
            delays,
            first,
            sensors,
            errors,
        };
        model.typical = model.typical_effects();
        model
    }

    fn typical_effects(&self) -> Vec<f64> {
        let draw = |row: usize| {
            let value = |(k, unknown): (usize, &Unknown)| unknown.mean + unknown.sd * self.beliefs[(row, k)];
            let estimates: Vec<f64> = self.unknown.iter().enumerate().map(value).collect();
            self.effects(&self.starts[0], &self.values(&estimates, 0))
        };
        let drawn: Vec<Vec<DVector<f64>>> = (0..BELIEFS).map(draw).collect();
        let size = |part: usize| drawn.iter().map(|effects| effects[part].norm_squared()).sum::<f64>() / BELIEFS as f64;
        (0..drawn[0].len()).map(|part| size(part).sqrt()).collect()
    }

    /// The differences that commands make to the state after `state`: of two choices, the second against the first;
    /// else each end of every part of the action against its middle, `[effects][state_dim]`.
    pub fn effects(&self, state: &[f64], values: &[f64]) -> Vec<DVector<f64>> {
        let space = self.env.spec().action;
        let after = |action: &[f64]| DVector::from_vec(self.next(values, state, Some(action), 0.0));
        let [low, high] = space.ends();
        if let ActionSpace::Discrete(_) = space {
            return vec![after(&[high]) - after(&[low])];
        }
        let middle = vec![0.0; space.act_dim()];
        let level = after(&middle);
        let ends = (0..space.act_dim()).flat_map(|part| [(part, low), (part, high)]);
        let effect = |(part, end)| {
            let mut action = middle.clone();
            action[part] = end;
            after(&action) - &level
        };
        ends.map(effect).collect()
    }

    /// The change of the readings in the first step by each part of a full command, `[act_dim][observations]`.
    pub fn reading_effects(&self) -> Vec<Vec<f64>> {
        let space = self.env.spec().action;
        let read =
            |action: &[f64]| self.readings(&self.base, &self.next(&self.base, &self.starts[0], Some(action), 0.0));
        let [low, high] = space.ends();
        let (level, share) = match space {
            ActionSpace::Discrete(_) => (vec![low], 0.5),
            ActionSpace::Box { dim, .. } => (vec![0.0; dim], 1.0),
        };
        let before = read(&level);
        let effect = |part: usize| {
            let mut action = level.clone();
            action[part] = high;
            // between two choices lie two full commands
            read(&action).iter().zip(&before).map(|(after, before)| share * (after - before)).collect()
        };
        (0..space.act_dim()).map(effect).collect()
    }

    /// The channels if the unknown ones have the values `estimates`, and commands this delay, `[channels]`.
    pub fn values(&self, estimates: &[f64], delay: usize) -> Vec<f64> {
        let mut values = self.base.clone();
        for (unknown, estimate) in self.unknown.iter().zip(estimates) {
            values[unknown.channel] = estimate.clamp(unknown.range[0], unknown.range[1]);
        }
        values[self.first + 3] = delay as f64;
        values
    }

    /// The state one step after `state` under `action`, `[state_dim]`; `extra` is added to what the actuator delivers.
    pub fn next(&self, values: &[f64], state: &[f64], action: Option<&[f64]>, extra: f64) -> Vec<f64> {
        let actuator = Actuator::new(&values[self.first..]);
        let mut next = state.to_vec();
        self.env
            .dynamics()
            .foresee(values, &mut next, action, &|command, full| actuator.applied(command, full) + extra);
        next
    }

    /// The readings in `state`, with a masked one as 0, `[observations]`.
    pub fn readings(&self, values: &[f64], state: &[f64]) -> Vec<f64> {
        let healthy = self.env.dynamics().readings(values, state);
        let read = |(sensor, reading): (&Sensor, f64)| {
            if sensor.masked { 0.0 } else { values[sensor.scale] * reading + values[sensor.bias] }
        };
        self.sensors.iter().zip(healthy).map(read).collect()
    }
}

/// Covariance of `starts`, widened: drifting limits make other initial states possible than those drawn.
fn covariance(starts: &[Vec<f64>]) -> DMatrix<f64> {
    let (states, count) = (starts[0].len(), starts.len() as f64);
    let middle: Vec<f64> = (0..states).map(|k| starts.iter().map(|s| s[k]).sum::<f64>() / count).collect();
    DMatrix::from_fn(states, states, |i, j| {
        let product = |s: &Vec<f64>| (s[i] - middle[i]) * (s[j] - middle[j]);
        let wider = if i == j { 1e-4 + 0.1 * middle[i].abs() } else { 0.0 };
        starts.iter().map(product).sum::<f64>() / count + wider
    })
}
