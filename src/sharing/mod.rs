//! Work that several processes share through a folder, on one machine or on many with one file system: studies and searches.

mod lease;
mod lock;

pub use lease::Lease;
pub use lock::Lock;
