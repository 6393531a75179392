//! Experience: actors step the environments and write into one shared buffer.
//!
//! [`steps`] holds the only step loop. A job is one task or one group of lanes: its slab of the
//! [`Rollout`](metadrift_agents::rollout::Rollout), its policy, its random streams. Threads take jobs off a closed
//! queue, so results are in place when the last job is done, with equal bytes for any number of threads.

mod actors;
mod collect;
mod identifying;
mod lanes;
mod lives;
mod network;
mod remembering;
pub mod steps;
mod tasks;
pub mod window;

pub use actors::actor;
pub use collect::{Collection, Phase, collect_all, collect_listed, continue_all, continue_rank};
pub use lanes::{GROUP, Lanes};
pub use lives::Lives;
pub use network::{Actions, Network, scale};
pub use tasks::TaskLives;
