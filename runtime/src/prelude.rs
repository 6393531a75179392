//! The names that the standard library brings along by itself.

pub(crate) use alloc::{borrow::ToOwned, boxed::Box, format, string::String, vec, vec::Vec};

#[cfg(not(feature = "std"))]
pub(crate) use crate::math::Exact;
