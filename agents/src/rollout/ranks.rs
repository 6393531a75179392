//! Rollouts of which several ranks hold or collect a part each.

use std::ops::Range;

use super::{Rollout, Shape, Slab};
use crate::{
    advantage::Estimate,
    batch::{Batch, Trajectories},
    team::{self, portable::Portable},
};

impl Rollout {
    /// The buffer with room for this rank's tasks alone.
    pub fn of_rank(self) -> Self {
        let held = team::block(self.shape.tasks);
        let shape = Shape { tasks: held.len(), ..self.shape };
        let Rollout { shape: all, own_obs, labelled, horizon, .. } = self;
        Rollout { shape: all, held, own_obs, labelled, ..Rollout::new(shape, horizon) }
    }

    /// The tasks that this rank collects, and their slabs.
    pub fn share_of_rank(&mut self) -> (Range<usize>, Vec<Slab<'_>>) {
        let block = team::block(self.shape.tasks);
        let first = block.start - self.held.start;
        let slabs = self.slabs().into_iter().skip(first).take(block.len()).collect();
        (block, slabs)
    }

    /// Fetches the steps that other ranks have collected, unless this one holds no others than its own.
    ///
    /// # Panics
    /// As [`team::share`].
    pub fn fetch(&mut self) {
        if team::size() == 1 || self.held.len() < self.shape.tasks {
            return;
        }
        let mut parts: Vec<Part> = self.slabs().iter().map(Part::of).collect();
        team::share(&mut parts);
        let mine = team::block(self.shape.tasks);
        let others = self.slabs().into_iter().zip(&parts).enumerate().filter(|(task, _)| !mine.contains(task));
        others.for_each(|(_, (slab, part))| part.write(slab));
    }

    /// A value of each task, `[tasks]`; every rank computes those of the tasks that it holds.
    ///
    /// # Panics
    /// As [`team::share`].
    pub fn per_task<T: Portable>(&self, of: impl Fn(Trajectories<'_>) -> T) -> Vec<T> {
        self.of_all_ranks(self.tasks().map(of).collect())
    }

    /// The values of the tasks of all ranks, `[tasks]`, of which `mine` are those of the tasks held here.
    pub(super) fn of_all_ranks<T: Portable>(&self, mine: Vec<T>) -> Vec<T> {
        if self.held.len() == self.shape.tasks { mine } else { team::every(mine).into_iter().flatten().collect() }
    }

    /// The batches of the tasks held here among empty ones of the others, `[tasks]`.
    pub(super) fn among_all(&self, mine: Vec<Batch>) -> Vec<Batch> {
        let mut all = vec![Batch::default(); self.held.start];
        all.extend(mine);
        all.resize(self.shape.tasks, Batch::default());
        all
    }
}

/// The columns of a slab, as they travel.
struct Part {
    numbers: [Vec<f32>; 6],
    flags: [Vec<bool>; 2],
    counts: [Vec<u32>; 2],
}

impl Part {
    fn of(slab: &Slab<'_>) -> Self {
        let numbers: [&[f32]; 6] = [slab.obs, slab.next_obs, slab.action, slab.log_prob, slab.lesson, slab.reward];
        let flags: [&[bool]; 2] = [slab.terminated, slab.truncated];
        let counts: [&[u32]; 2] = [slab.episode_step, slab.valid_steps];
        Part {
            numbers: numbers.map(<[f32]>::to_vec),
            flags: flags.map(<[bool]>::to_vec),
            counts: counts.map(<[u32]>::to_vec),
        }
    }

    fn write(&self, slab: Slab<'_>) {
        let numbers = [slab.obs, slab.next_obs, slab.action, slab.log_prob, slab.lesson, slab.reward];
        numbers.into_iter().zip(&self.numbers).for_each(|(to, from)| to.copy_from_slice(from));
        let flags = [slab.terminated, slab.truncated];
        flags.into_iter().zip(&self.flags).for_each(|(to, from)| to.copy_from_slice(from));
        let counts = [slab.episode_step, slab.valid_steps];
        counts.into_iter().zip(&self.counts).for_each(|(to, from)| to.copy_from_slice(from));
    }
}

impl Portable for Part {
    fn put(&self, to: &mut Vec<u8>) {
        self.numbers.put(to);
        self.flags.put(to);
        self.counts.put(to);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        Some(Part { numbers: Portable::take(from)?, flags: Portable::take(from)?, counts: Portable::take(from)? })
    }
}

impl Portable for Estimate {
    fn put(&self, to: &mut Vec<u8>) {
        (self.explained_variance, self.value_mean, self.uninformative).put(to);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        let (explained_variance, value_mean, uninformative) = Portable::take(from)?;
        Some(Estimate { explained_variance, value_mean, uninformative })
    }
}
