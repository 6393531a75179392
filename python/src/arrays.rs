//! Numpy arrays as slices: they are exported buffers, which stay in place.

use pyo3::{
    buffer::{Element, PyBuffer},
    prelude::*,
};

use crate::refusal::wrong;

/// A C-contiguous array of Python.
pub(crate) struct Array<T>(PyBuffer<T>);

impl<T: Element> Array<T> {
    /// An array of `length` numbers.
    ///
    /// # Errors
    /// If it has another length or type, or is not contiguous.
    pub fn new(array: &Bound<'_, PyAny>, length: usize) -> PyResult<Self> {
        let buffer = PyBuffer::get(array)?;
        let found = buffer.item_count();
        match buffer.is_c_contiguous() && found == length {
            true => Ok(Array(buffer)),
            false => Err(wrong(format!("a contiguous array of {length} numbers belongs where {found} are"))),
        }
    }

    /// An array of `length` numbers to write to.
    ///
    /// # Errors
    /// As [`Array::new`], and if it may not be written to.
    pub fn writable(array: &Bound<'_, PyAny>, length: usize) -> PyResult<Self> {
        let array = Self::new(array, length)?;
        if array.0.readonly() { Err(wrong("an array to write to is read-only")) } else { Ok(array) }
    }

    /// The numbers.
    pub fn get<'a>(&'a self, _held: Python<'a>) -> &'a [T] {
        // SAFETY: the buffer is contiguous, of this type, and stays where it is while it is exported. Whoever holds the
        // interpreter's lock is alone with it.
        unsafe { std::slice::from_raw_parts(self.0.buf_ptr().cast(), self.0.item_count()) }
    }

    /// The numbers, to write to.
    pub fn get_mut<'a>(&'a mut self, _held: Python<'a>) -> &'a mut [T] {
        // SAFETY: as in `get`; `writable` has made sure that it may be written to. Different arrays do not overlap: the package
        // makes them, and never hands over the same one twice.
        unsafe { std::slice::from_raw_parts_mut(self.0.buf_ptr().cast(), self.0.item_count()) }
    }
}
