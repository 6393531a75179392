//! Faults of the actuators between command and plant: delay, losses, noise, dead zone, saturation.

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

/// The actuators of a batch, with their memories. A command is, in this order, delayed, lost or replaced by the last
/// one, multiplied by the gain, shifted by the bias, disturbed by noise, cut by the dead zone, limited by the
/// saturation.
#[derive(Clone, Debug)]
pub(crate) struct Actuators {
    /// The first of the actuator's channels.
    first: usize,
    act_dim: usize,
    delay: Option<DelayLines>,
    /// True if commands can be noisy.
    noisy: bool,
    /// True if commands can be lost or repeated.
    fails: bool,
    /// The last command that passed, `[blocks, act_dim]`.
    held: Vec<Column>,
    /// Remaining steps of the current failure, `[blocks]`.
    failing: Vec<Lanes<u32>>,
    /// True if the failure repeats the last command (else none is delivered), `[blocks]`.
    sticking: Vec<[bool; LANES]>,
}

impl Actuators {
    /// Healthy actuators at the start of a batch; `None` if no task has such a fault.
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

    /// Begins an episode: the memory holds no command.
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

    /// Turns the commands of a block into the inputs of the plant; `full` is the size of a full command. It is compiled
    /// once for all environments.
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

    /// The body of [`Actuators::apply`]. Every fault is computed for all lanes and selected where a lane has it:
    /// without branches, the loops over lanes vectorise.
    #[inline(always)]
    fn act(&mut self, scene: &Scene<'_>, block: usize, commands: &[Column], full: &Column, out: &mut [Column]) {
        let of = |channel: usize| scene.channels.column(block, self.first + channel);
        let gain = of(actuator::GAIN);
        let bias = of(actuator::BIAS);
        let noise = of(actuator::NOISE_STD);
        let dead_zone = of(actuator::DEAD_ZONE);
        let saturation = of(actuator::SATURATION);
        let delay = of(actuator::DELAY);
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

    /// The kind of failure of each lane at this tick. A failure that begins lasts `hold_steps`.
    #[inline(always)]
    fn failures(&mut self, scene: &Scene<'_>, block: usize) -> [u8; LANES] {
        let of = |channel: usize| scene.channels.column(block, self.first + channel);
        let drop = of(actuator::DROP_PROB);
        let stick = of(actuator::STICK_PROB);
        let hold = of(actuator::HOLD_STEPS);
        let [sticks, drops, ..] = scene.draw_all(block, PURPOSES, 0);
        let failing = &mut self.failing[block];
        let sticking = &mut self.sticking[block];
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

/// The arguments of [`Actuators::apply`].
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

/// The command passes.
const NONE: u8 = 0;
/// The command is lost.
const LOST: u8 = 1;
/// The last command that passed is repeated.
const REPEATED: u8 = 2;

impl Words for Actuators {
    fn words(&mut self, visit: &mut Visit<'_>) {
        self.delay.words(visit);
        self.held.words(visit);
        self.failing.words(visit);
        self.sticking.words(visit);
    }
}
