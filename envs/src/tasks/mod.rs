//! The task language: which channels of an environment are perturbed or drift, and the laws that tasks are drawn from.

pub mod channel;
pub mod clock;
pub mod config;
mod copula;
pub mod distribution;
pub mod drift;
pub mod error;
pub mod filter;
pub mod law;
pub mod noise;
mod normal;
pub mod number;
pub mod overlap;
mod plan;
pub mod schedule;
pub mod settings;
pub mod task;
pub mod variation;
