//! Files in other languages that go with a policy.

/// The header of the C library, `metadrift-runtime-c`.
pub const C_HEADER: &str = include_str!("../export/metadrift.h");

/// A program in C that checks an exported policy by its vectors.
pub const C_CHECK: &str = include_str!("../export/check.c");
