//! The tile: the samples that are computed at a time.

/// Samples in a tile: the activations of one layer of 64 units are then 24 kB, and sixteen rows of six make a tile.
pub const TILE: usize = 96;

/// One number per sample of a tile.
pub type Column<T> = [T; TILE];
