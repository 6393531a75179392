//! The path from actions to the output of the actuators.

use crate::{
    engine::{
        actuator::Actuators,
        columns::Block,
        faults::Scene,
        lanes::{Column, LANES},
        simd::Simd,
    },
    physics::env::{Array, Env},
    tasks::channel::{ChannelLayout, actuator},
};

/// The forces on the plants of a block.
pub(crate) struct Drive<E: Env> {
    /// The command, for which effort is charged.
    pub command: E::Action<Column>,
    /// Size of a full command.
    full: Column,
    /// The actuators' output.
    pub applied: E::Action<Column>,
}

impl<E: Env> Drive<E> {
    /// Applies the actuators' other faults.
    #[inline(always)]
    pub fn pass(&mut self, simd: Simd, scene: &Scene<'_>, block: usize, actuators: &mut Actuators) {
        let Drive { command, full, applied } = self;
        actuators.apply(simd, scene, block, command.as_ref(), full, applied.as_mut());
    }
}

/// The commands of a block, and the output of actuators that have only gain and bias.
#[inline(always)]
pub(crate) fn drive_block<E: Env>(channels: Block<'_>, actions: &[f32]) -> Drive<E> {
    let layout = const { ChannelLayout::new(&E::SPEC) };
    let act_dim = E::Action::<f32>::LEN;
    let mut command = E::Action::from_fn(|_| Column::all(0.0));
    let mut applied = E::Action::from_fn(|_| Column::all(0.0));
    let mut full = Column::all(0.0);
    for lane in 0..LANES {
        let params = E::params(|channel| channels.column(channel)[lane]);
        let asked = E::command(&params, E::Action::<f32>::from_fn(|k| actions[lane * act_dim + k]));
        let gain = channels.column(layout.actuator + actuator::GAIN)[lane];
        let bias = channels.column(layout.actuator + actuator::BIAS)[lane];
        for k in 0..act_dim {
            command.as_mut()[k][lane] = asked.as_ref()[k];
            applied.as_mut()[k][lane] = gain * asked.as_ref()[k] + bias;
        }
        full[lane] = E::full_scale(&params);
    }
    Drive { command, full, applied }
}

/// The output of the actuators of a block for these actions; their memories change as in a step.
pub(crate) fn deliver<E: Env>(
    simd: Simd,
    scene: &Scene<'_>,
    block: usize,
    actions: &[f32],
    actuators: Option<&mut Actuators>,
) -> E::Action<Column> {
    let channels = scene.channels.block(block, const { ChannelLayout::new(&E::SPEC).count });
    let mut drive = drive_block::<E>(channels, actions);
    if let Some(actuators) = actuators {
        drive.pass(simd, scene, block, actuators);
    }
    drive.applied
}
