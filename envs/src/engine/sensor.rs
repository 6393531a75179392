//! Faults of the sensors, between plant and observation.

use metadrift_random::Purpose;

use crate::{
    engine::{
        delay::DelayLines,
        faults::{Scene, happens, normals},
        gauss::normal,
        lanes::{Column, LANES},
        simd::{Kernel, Proof, Simd},
        used::Used,
        words::{Visit, Words},
    },
    physics::real::Real,
    tasks::{
        channel::{ChannelLayout, sensor},
        settings::SensorFill,
    },
};

const PURPOSES: [Purpose; 2] = [Purpose::Sensor, Purpose::EvaluationSensor];

/// First part of a step's random numbers that belongs to initial observations.
const FIRST_INITIAL: usize = 128;

/// The sensors of a batch, with their memories. A reading is, in this order, scaled, shifted by the bias, disturbed by
/// noise, rounded to the quantum, replaced (stuck: by the last reading; dropped: by the fill), delayed, masked.
#[derive(Clone, Debug)]
pub(crate) struct Sensors {
    /// The first channel of the first sensor.
    first: usize,
    obs_dim: usize,
    fill: SensorFill,
    /// True if readings are noisy, rounded, replaced or delayed, `[obs_dim]`.
    irregular: Vec<bool>,
    /// True if readings are noisy or replaced, `[obs_dim]`.
    random: Vec<bool>,
    masked: bool,
    delay: Option<DelayLines>,
    /// The last reading that passed, `[blocks, obs_dim]`.
    held: Vec<Column>,
}

impl Sensors {
    /// Healthy sensors at the start of a batch; `None` if no task has such a fault.
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
        let delays = (0..obs_dim).map(|k| first + k * sensor::COUNT + sensor::DELAY);
        let random = [sensor::NOISE_STD, sensor::DROP_PROB, sensor::STUCK_PROB];
        let irregular = [sensor::NOISE_STD, sensor::QUANTUM, sensor::DELAY, sensor::DROP_PROB, sensor::STUCK_PROB];
        Some(Sensors {
            first,
            obs_dim,
            fill,
            irregular: (0..obs_dim).map(|k| used.any(of(k, &irregular))).collect(),
            random: (0..obs_dim).map(|k| used.any(of(k, &random))).collect(),
            masked: any(sensor::MASK),
            delay: any(sensor::DELAY).then(|| DelayLines::new(blocks * obs_dim, used.longest(delays))),
            held: vec![Column::all(0.0); blocks * obs_dim],
        })
    }

    /// Turns the readings that healthy sensors would show at the start of an episode into those of these sensors.
    pub fn begin(&mut self, scene: &Scene<'_>, block: usize, lane: usize, obs: &mut [f32]) {
        for (k, shown) in obs.iter_mut().enumerate() {
            let of = |fault: usize| scene.channels.column(block, self.first + k * sensor::COUNT + fault)[lane];
            let masked = of(sensor::MASK) >= 0.5;
            *shown = *shown * of(sensor::SCALE) + of(sensor::BIAS);
            if self.irregular[k] {
                *shown = self.show_initial(scene, block, lane, k, *shown);
            }
            if masked {
                *shown = 0.0;
            }
        }
    }

    /// Turns the readings that healthy sensors of a block would show into those of these sensors. It is compiled once
    /// for all environments.
    #[inline(never)]
    pub fn apply(&mut self, simd: Simd, scene: &Scene<'_>, block: usize, obs: &mut [Column]) {
        simd.run(Apply { sensors: self, scene, block, obs });
    }

    #[inline(always)]
    fn sense(&mut self, scene: &Scene<'_>, block: usize, obs: &mut [Column]) {
        for (k, column) in obs.iter_mut().enumerate() {
            let of = |fault: usize| scene.channels.column(block, self.first + k * sensor::COUNT + fault);
            let scale = of(sensor::SCALE);
            let bias = of(sensor::BIAS);
            let mask = of(sensor::MASK);
            for lane in 0..LANES {
                column[lane] = column[lane] * scale[lane] + bias[lane];
            }
            if self.irregular[k] {
                let mut values = *column;
                self.show_all(scene, block, k, &mut values);
                *column = values;
            }
            if self.masked {
                for lane in 0..LANES {
                    column[lane] = if mask[lane] >= 0.5 { 0.0 } else { column[lane] };
                }
            }
        }
    }

    /// Applies noise, rounding, failures and delay of sensor `k` after a step. As in the actuators, every fault is
    /// computed for all lanes.
    #[inline(always)]
    fn show_all(&mut self, scene: &Scene<'_>, block: usize, k: usize, values: &mut Column) {
        let of = |fault: usize| scene.channels.column(block, self.first + k * sensor::COUNT + fault);
        let noise = of(sensor::NOISE_STD);
        let quantum = of(sensor::QUANTUM);
        let delay = of(sensor::DELAY);
        let drop = of(sensor::DROP_PROB);
        let stuck = of(sensor::STUCK_PROB);
        let line = block * self.obs_dim + k;
        if self.random[k] {
            let words = scene.draw_all(block, PURPOSES, k);
            let normal = normals(&words[0], &words[1]);
            let held = &mut self.held[line];
            for lane in 0..LANES {
                let mut value = values[lane].plus_unless_zero(noise[lane], noise[lane] * normal[lane]);
                value = rounded(value, quantum[lane]);
                let fill = if self.fill == SensorFill::Last { held[lane] } else { 0.0 };
                let repeated = if happens(words[3][lane], stuck[lane]) { held[lane] } else { value };
                let dropped = happens(words[2][lane], drop[lane]);
                held[lane] = if dropped { held[lane] } else { repeated };
                values[lane] = if dropped { fill } else { repeated };
            }
        } else {
            for lane in 0..LANES {
                values[lane] = rounded(values[lane], quantum[lane]);
            }
        }
        if let Some(lines) = &mut self.delay {
            lines.pass(line, scene.tick, values, delay);
        }
    }

    /// Applies the faults of sensor `k` to the first reading of an episode: the memory holds no reading.
    #[inline(never)]
    fn show_initial(&mut self, scene: &Scene<'_>, block: usize, lane: usize, k: usize, value: f32) -> f32 {
        let of = |fault: usize| scene.channels.column(block, self.first + k * sensor::COUNT + fault)[lane];
        let mut value = value;
        let mut dropped = false;
        if self.random[k] {
            let words = scene.draw(block * LANES + lane, PURPOSES, FIRST_INITIAL + k);
            let noise = of(sensor::NOISE_STD);
            value = value.plus_unless_zero(noise, noise * normal([words[0], words[1]]));
            dropped = happens(words[2], of(sensor::DROP_PROB));
        }
        let reading = rounded(value, of(sensor::QUANTUM));
        let line = block * self.obs_dim + k;
        self.held[line][lane] = reading;
        let shown = if dropped && self.fill == SensorFill::Zero { 0.0 } else { reading };
        if let Some(lines) = &mut self.delay {
            lines.fill(line, lane, shown, of(sensor::DELAY));
        }
        shown
    }
}

/// The arguments of [`Sensors::apply`].
struct Apply<'a> {
    sensors: &'a mut Sensors,
    scene: &'a Scene<'a>,
    block: usize,
    obs: &'a mut [Column],
}

impl Kernel for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const AVX512: bool>(self, _: Proof<AVX512>) {
        self.sensors.sense(self.scene, self.block, self.obs);
    }
}

/// The nearest multiple of `quantum`, if that is positive.
#[inline(always)]
fn rounded(value: f32, quantum: f32) -> f32 {
    let multiple = Real::floor(value / quantum + 0.5) * quantum;
    if quantum > 0.0 { multiple } else { value }
}

impl Words for Sensors {
    fn words(&mut self, visit: &mut Visit<'_>) {
        self.delay.words(visit);
        self.held.words(visit);
    }
}
