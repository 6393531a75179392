//! Faults of the sensors: what comes between the plant and the observation.

use crate::channel::{ChannelLayout, MAX_DELAY, sensor};
use crate::delay::DelayLines;
use crate::faults::{Scene, Used, happens};
use crate::gauss::normal;
use crate::lanes::{Column, LANES};
use crate::real::Real;
use crate::rng::Purpose;
use crate::settings::SensorFill;
use crate::words::{Visit, Words};

const PURPOSES: [Purpose; 2] = [Purpose::Sensor, Purpose::EvaluationSensor];

/// Part of the random numbers of a step from which on those of initial observations lie.
const FIRST_INITIAL: usize = 128;

/// Whether readings follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// The first of an episode: nothing has been shown yet.
    Initial,
    /// Any other.
    Next,
}

/// What the sensors of a batch remember. In this order a reading is scaled, shifted by the bias,
/// disturbed by noise, rounded to the quantum, replaced (by the last one or, dropped, by what
/// fills in), delayed, hidden.
#[derive(Clone, Debug)]
pub(crate) struct Sensors {
    /// The first channel of the first sensor.
    first: usize,
    obs_dim: usize,
    fill: SensorFill,
    /// Whether readings are noisy, rounded, replaced or delayed, `[obs_dim]`.
    irregular: Vec<bool>,
    masked: bool,
    delay: Option<DelayLines>,
    /// The last reading that came through, `[blocks, obs_dim]`.
    held: Vec<Column>,
}

impl Sensors {
    /// None if no task has such a fault.
    pub fn new(layout: ChannelLayout, obs_dim: usize, blocks: usize, fill: SensorFill, used: &Used) -> Option<Sensors> {
        assert!(obs_dim <= FIRST_INITIAL, "{obs_dim} sensors where {FIRST_INITIAL} have random numbers of their own");
        if !used.any(layout.sensors..layout.count) {
            return None;
        }
        let first = layout.sensors;
        let of = |k: usize, faults: &[usize]| {
            faults.iter().map(|fault| first + k * sensor::COUNT + fault).collect::<Vec<usize>>()
        };
        let any = |fault: usize| (0..obs_dim).any(|k| used.any(of(k, &[fault])));
        let irregular = [sensor::NOISE_STD, sensor::QUANTUM, sensor::DELAY, sensor::DROP_PROB, sensor::STUCK_PROB];
        Some(Sensors {
            first,
            obs_dim,
            fill,
            irregular: (0..obs_dim).map(|k| used.any(of(k, &irregular))).collect(),
            masked: any(sensor::MASK),
            delay: any(sensor::DELAY).then(|| DelayLines::new(blocks * obs_dim, MAX_DELAY)),
            held: vec![Column::all(0.0); blocks * obs_dim],
        })
    }

    /// The first readings of an episode: what healthy sensors would show becomes what these do.
    pub fn begin(&mut self, scene: &Scene<'_>, block: usize, lane: usize, obs: &mut [f32]) {
        for (k, shown) in obs.iter_mut().enumerate() {
            let of = |fault: usize| scene.channels.column(block, self.first + k * sensor::COUNT + fault)[lane];
            let (scale, bias, masked) = (of(sensor::SCALE), of(sensor::BIAS), of(sensor::MASK) >= 0.5);
            *shown = *shown * scale + bias;
            if self.irregular[k] {
                *shown = self.show(scene, block, lane, k, Reading::Initial, *shown);
            }
            if masked {
                *shown = 0.0;
            }
        }
    }

    /// Turns what healthy sensors of a block would show into what these do.
    #[inline(always)]
    pub fn apply(&mut self, scene: &Scene<'_>, block: usize, obs: &mut [Column]) {
        for (k, column) in obs.iter_mut().enumerate() {
            let of = |fault: usize| scene.channels.column(block, self.first + k * sensor::COUNT + fault);
            let (scale, bias, mask) = (of(sensor::SCALE), of(sensor::BIAS), of(sensor::MASK));
            for lane in 0..LANES {
                column[lane] = column[lane] * scale[lane] + bias[lane];
            }
            if self.irregular[k] {
                for lane in scene.lanes(block) {
                    column[lane] = self.show(scene, block, lane, k, Reading::Next, column[lane]);
                }
            }
            if self.masked {
                for lane in 0..LANES {
                    column[lane] = if mask[lane] >= 0.5 { 0.0 } else { column[lane] };
                }
            }
        }
    }

    /// Noise, rounding, failures and delay of sensor `k`.
    #[inline(never)]
    fn show(&mut self, scene: &Scene<'_>, block: usize, lane: usize, k: usize, reading: Reading, value: f32) -> f32 {
        let of = |fault: usize| scene.channels.column(block, self.first + k * sensor::COUNT + fault)[lane];
        let (noise, quantum) = (of(sensor::NOISE_STD), of(sensor::QUANTUM));
        let (drop, stuck) = (of(sensor::DROP_PROB), of(sensor::STUCK_PROB));
        let initial = reading == Reading::Initial;
        let mut words = [0; 4];
        if noise > 0.0 || drop > 0.0 || stuck > 0.0 {
            let part = if initial { FIRST_INITIAL + k } else { k };
            words = scene.draw(block * LANES + lane, PURPOSES, part);
        }
        let mut value = value;
        if noise > 0.0 {
            value += noise * normal([words[0], words[1]]);
        }
        if quantum > 0.0 {
            value = Real::floor(value / quantum + 0.5) * quantum;
        }
        let line = block * self.obs_dim + k;
        let held = if initial { value } else { self.held[line][lane] };
        if happens(words[2], drop) {
            value = match self.fill {
                SensorFill::Zero => 0.0,
                SensorFill::Last => held,
            };
        } else if !initial && happens(words[3], stuck) {
            value = held;
        } else {
            self.held[line][lane] = value;
        }
        if initial {
            self.held[line][lane] = held;
        }
        let Some(lines) = &mut self.delay else { return value };
        match reading {
            Reading::Initial => {
                lines.fill(line, lane, value, of(sensor::DELAY));
                value
            }
            Reading::Next => lines.pass(line, lane, scene.tick, value, of(sensor::DELAY)),
        }
    }
}

impl Words for Sensors {
    fn words(&mut self, visit: &mut Visit<'_>) {
        self.delay.words(visit);
        self.held.words(visit);
    }
}
