//! Faults of the actuator beyond gain and bias: what comes between command and plant.

use crate::channel::{ChannelLayout, MAX_DELAY, actuator};
use crate::delay::DelayLines;
use crate::faults::{Scene, Used, happens};
use crate::gauss::normal;
use crate::lanes::{Column, LANES, Lanes};
use crate::real::Real;
use crate::rng::Purpose;
use crate::words::{Visit, Words};

const PURPOSES: [Purpose; 2] = [Purpose::Actuator, Purpose::EvaluationActuator];

/// What the actuators of a batch remember. In this order a command is delayed, lost or replaced by
/// the last one, multiplied by the gain, shifted by the bias, disturbed by noise, lost in the dead
/// zone, limited by the saturation.
#[derive(Clone, Debug)]
pub(crate) struct Actuators {
    /// The first of the actuator's channels.
    first: usize,
    act_dim: usize,
    delay: Option<DelayLines>,
    /// Whether commands can be lost, repeated or noisy.
    random: bool,
    /// The last command that came through, `[blocks, act_dim]`.
    held: Vec<Column>,
    /// Steps that a failure goes on, `[blocks]`.
    failing: Vec<Lanes<u32>>,
    /// Whether it repeats the last command (else it delivers none), `[blocks]`.
    sticking: Vec<[bool; LANES]>,
}

impl Actuators {
    /// None if no task has such a fault.
    pub fn new(layout: ChannelLayout, act_dim: usize, blocks: usize, used: &Used) -> Option<Actuators> {
        let first = layout.actuator;
        if !used.any(first + actuator::NOISE_STD..layout.sensors) {
            return None;
        }
        Some(Actuators {
            first,
            act_dim,
            delay: used.is(first + actuator::DELAY).then(|| DelayLines::new(blocks * act_dim, MAX_DELAY)),
            random: used.any([actuator::NOISE_STD, actuator::DROP_PROB, actuator::STICK_PROB].map(|c| first + c)),
            held: vec![Column::all(0.0); blocks * act_dim],
            failing: vec![Lanes::all(0); blocks],
            sticking: vec![[false; LANES]; blocks],
        })
    }

    /// A new episode: no command has been given yet.
    pub fn reset(&mut self, scene: &Scene<'_>, block: usize, lane: usize) {
        self.failing[block][lane] = 0;
        let delay = scene.channels.column(block, self.first + actuator::DELAY)[lane];
        for line in block * self.act_dim..(block + 1) * self.act_dim {
            self.held[line][lane] = 0.0;
            if let Some(lines) = &mut self.delay {
                lines.fill(line, lane, 0.0, delay);
            }
        }
    }

    /// Turns the commands of a block into what the plant gets; `full` is the size of a full
    /// command.
    pub fn apply(&mut self, scene: &Scene<'_>, block: usize, commands: &[Column], full: &Column, out: &mut [Column]) {
        for lane in scene.lanes(block) {
            let of = |channel: usize| scene.channels.column(block, self.first + channel)[lane];
            let (noise, dead_zone, saturation) =
                (of(actuator::NOISE_STD), of(actuator::DEAD_ZONE), of(actuator::SATURATION));
            let (gain, bias, delay) = (of(actuator::GAIN), of(actuator::BIAS), of(actuator::DELAY));
            let failure = if self.random { self.failure(scene, block, lane) } else { None };
            for k in 0..self.act_dim {
                let line = block * self.act_dim + k;
                let mut u = commands[k][lane];
                if let Some(lines) = &mut self.delay {
                    u = lines.pass(line, lane, scene.tick, u, delay);
                }
                match failure {
                    None => self.held[line][lane] = u,
                    Some(Failure::Lost) => u = 0.0,
                    Some(Failure::Repeated) => u = self.held[line][lane],
                }
                u = gain * u + bias;
                if noise > 0.0 {
                    let [a, b, ..] = scene.draw(block * LANES + lane, PURPOSES, 1 + k);
                    u += noise * normal([a, b]);
                }
                if u.abs() < dead_zone * full[lane] {
                    u = 0.0;
                }
                if saturation.is_finite() {
                    let limit = saturation * full[lane];
                    u = Real::clamp(u, -limit, limit);
                }
                out[k][lane] = u;
            }
        }
    }

    /// Whether commands fail at this tick. A failure that begins lasts `hold_steps`.
    fn failure(&mut self, scene: &Scene<'_>, block: usize, lane: usize) -> Option<Failure> {
        let of = |channel: usize| scene.channels.column(block, self.first + channel)[lane];
        let (drop, stick) = (of(actuator::DROP_PROB), of(actuator::STICK_PROB));
        let failing = &mut self.failing[block][lane];
        if *failing > 0 {
            *failing -= 1;
        } else {
            if drop == 0.0 && stick == 0.0 {
                return None;
            }
            let [sticks, drops, ..] = scene.draw(block * LANES + lane, PURPOSES, 0);
            let sticks = happens(sticks, stick);
            if !sticks && !happens(drops, drop) {
                return None;
            }
            self.sticking[block][lane] = sticks;
            *failing = (of(actuator::HOLD_STEPS) + 0.5) as u32 - 1;
        }
        Some(if self.sticking[block][lane] { Failure::Repeated } else { Failure::Lost })
    }
}

impl Words for Actuators {
    fn words(&mut self, visit: &mut Visit<'_>) {
        self.delay.words(visit);
        self.held.words(visit);
        self.failing.words(visit);
        self.sticking.words(visit);
    }
}

/// What becomes of a command that does not come through.
#[derive(Clone, Copy)]
enum Failure {
    Lost,
    Repeated,
}
