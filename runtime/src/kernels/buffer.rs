//! Memory aligned to cache lines, so that no 64-byte vector straddles two.

use crate::prelude::*;
use core::ops::{Deref, DerefMut};

/// Numbers per [`Line`].
const LINE: usize = 16;

/// One cache line of `f32`, or two of `f64`.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line<T>([T; LINE]);

/// An aligned array of fixed length.
#[derive(Clone)]
pub struct Buffer<T> {
    lines: Vec<Line<T>>,
    len: usize,
}

impl<T: Copy + Default> Buffer<T> {
    /// An array of `len` zeros.
    pub fn zeros(len: usize) -> Self {
        Buffer { lines: vec![Line([T::default(); LINE]); len.div_ceil(LINE)], len }
    }

    /// A copy of `values`.
    pub fn of(values: &[T]) -> Self {
        let mut buffer = Self::zeros(values.len());
        buffer.copy_from_slice(values);
        buffer
    }
}

impl<T> Deref for Buffer<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        const { assert!(size_of::<Line<T>>() == LINE * size_of::<T>()) };
        // SAFETY: by the assertion there is no padding, so the lines are at least `len` consecutive numbers.
        unsafe { core::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl<T> DerefMut for Buffer<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        const { assert!(size_of::<Line<T>>() == LINE * size_of::<T>()) };
        // SAFETY: as above; any value of `T` may be written to its place.
        unsafe { core::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

/// The transpose `[columns, rows]` of `w` `[rows, columns]`.
pub fn transpose<T: Copy + Default>(w: &[T], columns: usize) -> Buffer<T> {
    let mut transposed = Buffer::zeros(w.len());
    for (j, column) in transposed.chunks_exact_mut(w.len() / columns).enumerate() {
        column.iter_mut().zip(w[j..].iter().step_by(columns)).for_each(|(to, from)| *to = *from);
    }
    transposed
}
