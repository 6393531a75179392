//! Experience: actors step the environments with plain-f32 policies and write into one shared buffer.
//!
//! A job is one task: its slab of the [`Rollout`], its parameters, its random streams. Actors take jobs off a closed
//! queue, so results are in place when the last one is done, and equal to the byte for any number of actors.

mod actors;
mod buffer;
mod collect;
mod lanes;

pub use actors::collect_all;
pub use buffer::{Rollout, Shape, Slab};
pub use collect::{Actions, Collection, Episodes, Phase};
pub use lanes::{GROUP, Lanes, Life};
