//! The kernels: networks forward and backward on tiles of samples, compiled for several instruction sets. Learners build on
//! them; a policy needs [`HostPolicy`](crate::host_policy::HostPolicy) and the like. They may change at any time.
#![allow(missing_docs, reason = "they are shared with the learners, not offered")]

pub mod buffer;
pub mod data;
pub mod dots;
pub mod gates;
pub mod gemm;
pub mod gru;
pub mod head;
pub mod isa;
pub mod mlp;
pub mod net;
pub mod pass;
pub mod products;
pub mod scalar;
pub mod tile;
pub mod wide_dots;
