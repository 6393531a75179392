//! Clocks: the counts of a lane's time, one of which each drift follows.

use serde::{Deserialize, Serialize};

/// The counts of a lane's time. Each drift names the clock it follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clocks {
    /// Steps done in the current episode.
    pub episode_step: u64,
    /// Ticks of the task's life; they run on across episodes and adaptation rounds.
    pub lifetime_step: u64,
    /// Episodes this lane has finished.
    pub episode: u64,
    /// Tasks before this one in the same life.
    pub task: u64,
    /// Adaptation steps done.
    pub adapt_round: u64,
}

/// The count that a drift follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// The clock [`Clocks::episode_step`]: every episode is alike.
    EpisodeStep,
    /// The clock [`Clocks::lifetime_step`].
    #[default]
    LifetimeStep,
    /// The clock [`Clocks::episode`]: constant within an episode.
    Episode,
    /// The clock [`Clocks::task`]: constant within a task.
    Task,
    /// The clock [`Clocks::adapt_round`]: constant between two adaptation steps.
    AdaptRound,
}

impl Clock {
    /// The reading of this clock.
    #[inline]
    pub fn read(self, clocks: &Clocks) -> u64 {
        match self {
            Clock::EpisodeStep => clocks.episode_step,
            Clock::LifetimeStep => clocks.lifetime_step,
            Clock::Episode => clocks.episode,
            Clock::Task => clocks.task,
            Clock::AdaptRound => clocks.adapt_round,
        }
    }

    /// Returns true if lanes of one task can have different readings.
    pub fn per_lane(self) -> bool {
        matches!(self, Clock::EpisodeStep | Clock::Episode)
    }
}
