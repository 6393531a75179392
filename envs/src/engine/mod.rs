//! The engine: many lanes of one environment stepped at once, with drift and faults of actuator and sensors.

mod actuator;
mod announce;
pub mod appendix;
mod columns;
mod delay;
mod drive;
mod faults;
mod gauss;
mod interleave;
mod kernel;
mod lanes;
mod moving;
mod sensor;
mod simd;
pub mod streams;
mod used;
pub mod vec_env;
mod words;
