//! Faults of the actuator beyond gain and bias: what comes between command and plant.

use metadrift_random::Purpose;

use crate::{
    engine::{
        delay::DelayLines,
        faults::{Scene, happens, whole},
        lanes::{Column, LANES, Lanes},
        simd::{Kernel, Proof, Simd},
        used::Used,
        words::{Visit, Words},
    },
    physics::real::Real,
    tasks::channel::{ChannelLayout, actuator},
};

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
    /// Whether commands can be noisy.
    noisy: bool,
    /// Whether commands can be lost or repeated.
    fails: bool,
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
            delay: used
                .is(first + actuator::DELAY)
                .then(|| DelayLines::new(blocks * act_dim, used.longest([first + actuator::DELAY]))),
            noisy: used.is(first + actuator::NOISE_STD),
            fails: used.any([actuator::DROP_PROB, actuator::STICK_PROB].map(|c| first + c)),
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
    /// command. Compiled once for all environments.
    #[inline(never)]
    pub fn apply(
        &mut self,
        simd: Simd,
        scene: &Scene<'_>,
        block: usize,
        commands: &[Column],
        full: &Column,
        out: &mut [Column],
    ) {
        simd.run(Apply { actuators: self, scene, block, commands, full, out });
    }

    /// [`Actuators::apply`]: everything is computed for all lanes, and kept where a lane has the fault: without
    /// branches, the loops over lanes vectorise.
    #[inline(always)]
    fn act(&mut self, scene: &Scene<'_>, block: usize, commands: &[Column], full: &Column, out: &mut [Column]) {
        let of = |channel: usize| scene.channels.column(block, self.first + channel);
        let (gain, bias, noise) = (of(actuator::GAIN), of(actuator::BIAS), of(actuator::NOISE_STD));
        let (dead_zone, saturation, delay) = (of(actuator::DEAD_ZONE), of(actuator::SATURATION), of(actuator::DELAY));
        let failure = if self.fails { self.failures(scene, block) } else { [NONE; LANES] };
        for k in 0..self.act_dim {
            let line = block * self.act_dim + k;
            let mut u = commands[k];
            if let Some(lines) = &mut self.delay {
                lines.pass(line, scene.tick, &mut u, delay);
            }
            if self.fails {
                let held = &mut self.held[line];
                for lane in 0..LANES {
                    let repeated = if failure[lane] == REPEATED { held[lane] } else { 0.0 };
                    u[lane] = if failure[lane] == NONE { u[lane] } else { repeated };
                    held[lane] = if failure[lane] == NONE { u[lane] } else { held[lane] };
                }
            }
            for lane in 0..LANES {
                u[lane] = gain[lane] * u[lane] + bias[lane];
            }
            if self.noisy {
                let normal = scene.normals(block, PURPOSES, 1 + k);
                for lane in 0..LANES {
                    u[lane] = u[lane].plus_unless_zero(noise[lane], noise[lane] * normal[lane]);
                }
            }
            for lane in 0..LANES {
                let dead = u[lane].abs() < dead_zone[lane] * full[lane];
                let moved = if dead { 0.0 } else { u[lane] };
                let limit = saturation[lane] * full[lane];
                u[lane] = Real::clamp(moved, -limit, limit);
            }
            out[k] = u;
        }
    }

    /// Which commands fail at this tick, and how. A failure that begins lasts `hold_steps`.
    #[inline(always)]
    fn failures(&mut self, scene: &Scene<'_>, block: usize) -> [u8; LANES] {
        let of = |channel: usize| scene.channels.column(block, self.first + channel);
        let (drop, stick, hold) = (of(actuator::DROP_PROB), of(actuator::STICK_PROB), of(actuator::HOLD_STEPS));
        let [sticks, drops, ..] = scene.draw_all(block, PURPOSES, 0);
        let (failing, sticking) = (&mut self.failing[block], &mut self.sticking[block]);
        let mut failure = [NONE; LANES];
        for lane in 0..LANES {
            let goes_on = failing[lane] > 0;
            let stuck = happens(sticks[lane], stick[lane]);
            let begins = !goes_on & (stuck | happens(drops[lane], drop[lane]));
            sticking[lane] = if begins { stuck } else { sticking[lane] };
            let after_first = whole(hold[lane]).max(1) - 1;
            let left = if begins { after_first } else { 0 };
            failing[lane] = if goes_on { failing[lane] - 1 } else { left };
            let kind = if sticking[lane] { REPEATED } else { LOST };
            failure[lane] = if goes_on | begins { kind } else { NONE };
        }
        failure
    }
}

/// [`Actuators::apply`].
struct Apply<'a> {
    actuators: &'a mut Actuators,
    scene: &'a Scene<'a>,
    block: usize,
    commands: &'a [Column],
    full: &'a Column,
    out: &'a mut [Column],
}

impl Kernel for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const AVX512: bool>(self, _: Proof<AVX512>) {
        self.actuators.act(self.scene, self.block, self.commands, self.full, self.out);
    }
}

/// The command comes through.
const NONE: u8 = 0;
/// None comes through.
const LOST: u8 = 1;
/// The last one comes through again.
const REPEATED: u8 = 2;

impl Words for Actuators {
    fn words(&mut self, visit: &mut Visit<'_>) {
        self.delay.words(visit);
        self.held.words(visit);
        self.failing.words(visit);
        self.sticking.words(visit);
    }
}
