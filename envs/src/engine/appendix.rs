//! Columns appended to the readings of the sensors: the last commands, and notifications of changes.

use crate::{
    engine::{
        announce::Announcer,
        faults::Scene,
        lanes::Column,
        words::{Visit, Words},
    },
    physics::spec::EnvSpec,
    tasks::{settings::TaskSettings, task::Task},
};

/// Length of an observation of an environment under these settings: the readings of its sensors,
/// then the last `observe_actions` commands (the inputs of the actuator, newest first, zeros at
/// the start of an episode), then the columns of the notification: none, one for
/// `flag`, one for each channel for `delta` and `value`.
pub fn obs_dim(spec: &EnvSpec, settings: &TaskSettings) -> usize {
    let actions = settings.observe_actions as usize * spec.act_dim();
    spec.obs_dim() + actions + crate::engine::announce::columns(spec, settings)
}

/// The columns that are appended to the observations of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Appendix {
    /// The last commands, newest first, `[blocks, length]`.
    commands: Vec<Column>,
    /// Number of columns in `commands`.
    length: usize,
    announcer: Option<Announcer>,
}

impl Appendix {
    /// The appendix at the start of a batch; `None` if nothing is appended.
    pub fn new(
        spec: &EnvSpec,
        settings: &TaskSettings,
        blocks: usize,
        announcer: Option<Announcer>,
    ) -> Option<Appendix> {
        let length = settings.observe_actions as usize * spec.act_dim();
        if length == 0 && announcer.is_none() {
            return None;
        }
        Some(Appendix { commands: vec![Column::all(0.0); blocks * length], length, announcer })
    }

    /// Number of appended columns.
    pub fn width(&self) -> usize {
        self.length + self.announcer.as_ref().map_or(0, Announcer::width)
    }

    /// Records the commands of a tick (`[act_dim]`), and detects changes.
    pub fn tick(&mut self, scene: &Scene<'_>, block: usize, commands: &[Column]) {
        let past = &mut self.commands[block * self.length..][..self.length];
        if !past.is_empty() {
            past.copy_within(..self.length - commands.len(), commands.len());
            past[..commands.len()].copy_from_slice(commands);
        }
        if let Some(announcer) = &mut self.announcer {
            announcer.tick(scene, block);
        }
    }

    /// Begins an episode: the memory holds no command, and channels on the lane's own clocks may have jumped.
    pub fn reset(&mut self, scene: &Scene<'_>, block: usize, lane: usize) {
        for column in &mut self.commands[block * self.length..][..self.length] {
            column[lane] = 0.0;
        }
        if let Some(announcer) = &mut self.announcer {
            announcer.reset(scene, block, lane);
        }
    }

    /// Gives a lane another task.
    pub fn renew(&mut self, scene: &Scene<'_>, lane: usize, task: &Task) {
        if let Some(announcer) = &mut self.announcer {
            announcer.renew(scene, lane, task);
        }
    }

    /// Writes the appended columns of a block, after the first `after` numbers of each row.
    pub fn write(&self, block: usize, rows: &mut [f32], after: usize) {
        for (lane, row) in rows.chunks_exact_mut(after + self.width()).enumerate() {
            self.write_row(block, lane, &mut row[after..]);
        }
    }

    /// Writes the appended numbers of one lane.
    pub fn write_row(&self, block: usize, lane: usize, row: &mut [f32]) {
        let (commands, told) = row.split_at_mut(self.length);
        for (shown, column) in commands.iter_mut().zip(&self.commands[block * self.length..]) {
            *shown = column[lane];
        }
        if let Some(announcer) = &self.announcer {
            announcer.write_row(block, lane, told);
        }
    }
}

impl Words for Appendix {
    fn words(&mut self, visit: &mut Visit<'_>) {
        self.commands.words(visit);
        self.announcer.words(visit);
    }
}
