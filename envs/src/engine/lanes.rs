//! Blocks of lanes: within a block every quantity is a column of numbers, one for each lane.

use std::ops::{Deref, DerefMut};

use crate::engine::words::{Visit, Words};

/// Lanes in a block: two vectors of AVX-512, whose chains of operations fill each other's waits.
pub(crate) const LANES: usize = 32;

/// One value for each lane of a block; no access to all of them straddles two cache lines.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub(crate) struct Lanes<T>([T; LANES]);

/// One number for each lane of a block.
pub(crate) type Column = Lanes<f32>;

impl<T: Copy> Lanes<T> {
    /// A column with the same value for every lane.
    #[inline(always)]
    pub const fn all(value: T) -> Lanes<T> {
        Lanes([value; LANES])
    }

    /// The column of converted values.
    #[inline(always)]
    pub fn convert<U: Copy + Default>(self, f: impl Fn(T) -> U) -> Lanes<U> {
        let mut converted = Lanes::all(U::default());
        for lane in 0..LANES {
            converted[lane] = f(self[lane]);
        }
        converted
    }

    /// The values of blocks of lanes as one slice.
    #[inline(always)]
    pub fn flat(blocks: &[Lanes<T>]) -> &[T] {
        const { assert!(size_of::<Lanes<T>>() == LANES * size_of::<T>()) };
        // SAFETY: by the assertion there is no padding, so these are that many values in a row
        unsafe { std::slice::from_raw_parts(blocks.as_ptr().cast(), blocks.len() * LANES) }
    }

    /// The mutable [`Lanes::flat`].
    #[inline(always)]
    pub fn flat_mut(blocks: &mut [Lanes<T>]) -> &mut [T] {
        const { assert!(size_of::<Lanes<T>>() == LANES * size_of::<T>()) };
        // SAFETY: by the assertion there is no padding, so these are that many values in a row, borrowed for writing;
        // any value of `T` may be written to its place
        unsafe { std::slice::from_raw_parts_mut(blocks.as_mut_ptr().cast(), blocks.len() * LANES) }
    }
}

impl<T> Deref for Lanes<T> {
    type Target = [T; LANES];

    #[inline(always)]
    fn deref(&self) -> &[T; LANES] {
        &self.0
    }
}

impl<T> DerefMut for Lanes<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T; LANES] {
        &mut self.0
    }
}

impl<T: Words> Words for Lanes<T> {
    fn words(&mut self, visit: &mut Visit<'_>) {
        self.0.words(visit);
    }
}
