//! metadrift: meta-reinforcement learning on control tasks whose dynamics drift.
//!
//! The course of an experiment: [`config`] (TOML, or one of the [`presets`]) -> [`session`] (run folder, log,
//! checkpoints) -> [`train`] (a learner and its source) -> [`rollout`] (actors fill a buffer) and `metadrift_agents` (the learner)
//! -> [`evaluate`]. Environments are in `metadrift_envs`; the two meet in this crate ([`registry`]).

// messages go through `message`: the loss of the terminal must not end a run
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod adapt;
pub mod audit;
pub mod checkpoint;
pub mod cli;
pub mod commands;
pub mod config;
pub mod control;
pub mod course;
pub mod device;
pub mod estimators;
pub mod evaluate;
pub mod examples;
pub mod failure;
mod fault;
mod files;
pub mod film;
pub mod guard;
pub mod life;
pub mod live;
pub mod logging;
pub mod memory;
pub mod message;
pub mod onnx;
pub mod optimizer;
pub mod output;
pub mod presets;
mod program;
mod published;
pub mod ranks;
pub mod reference;
pub mod registry;
pub mod render;
pub mod report;
pub mod rollout;
pub mod run_dir;
pub mod session;
mod sharing;
pub mod signals;
pub mod stats;
pub mod study;
pub mod train;
pub mod trained;
pub mod tune;

pub use program::{Own, main_as, main_with, own, own_learner};
