//! Values as bytes, for exchanges between ranks on processors of one kind.

use metadrift_runtime::kernels::scalar::Scalar;

use super::Departure;

/// A value that travels between ranks.
pub trait Portable: Sized {
    /// Appends the value to `to`.
    fn put(&self, to: &mut Vec<u8>);

    /// Takes a value off the beginning of `from`; `None` if there is none.
    fn take(from: &mut &[u8]) -> Option<Self>;
}

/// The first `count` bytes.
fn bytes<'a>(from: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = from.split_at_checked(count)?;
    *from = rest;
    Some(taken)
}

/// Implements [`Portable`] for numbers and for lists of them.
macro_rules! numbers {
    ($($number:ty),+) => {$(
        impl Portable for $number {
            fn put(&self, to: &mut Vec<u8>) {
                to.extend_from_slice(&self.to_le_bytes());
            }

            fn take(from: &mut &[u8]) -> Option<Self> {
                bytes(from, size_of::<$number>())?.try_into().ok().map(<$number>::from_le_bytes)
            }
        }
    )+};
}

numbers!(u8, u32, u64, i32, f32, f64);

impl Portable for usize {
    fn put(&self, to: &mut Vec<u8>) {
        (*self as u64).put(to);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        usize::try_from(u64::take(from)?).ok()
    }
}

impl Portable for bool {
    fn put(&self, to: &mut Vec<u8>) {
        u8::from(*self).put(to);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        Some(u8::take(from)? != 0)
    }
}

impl<T: Portable> Portable for Vec<T> {
    fn put(&self, to: &mut Vec<u8>) {
        self.len().put(to);
        self.iter().for_each(|item| item.put(to));
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        let count = usize::take(from)?;
        let mut items = Vec::with_capacity(count.min(from.len()));
        for _ in 0..count {
            items.push(T::take(from)?);
        }
        Some(items)
    }
}

impl Portable for String {
    fn put(&self, to: &mut Vec<u8>) {
        self.len().put(to);
        to.extend_from_slice(self.as_bytes());
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        let count = usize::take(from)?;
        String::from_utf8(bytes(from, count)?.to_vec()).ok()
    }
}

impl<T: Portable, const N: usize> Portable for [T; N] {
    fn put(&self, to: &mut Vec<u8>) {
        self.iter().for_each(|item| item.put(to));
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        let mut items = Vec::with_capacity(N);
        for _ in 0..N {
            items.push(T::take(from)?);
        }
        items.try_into().ok()
    }
}

impl<A: Portable, B: Portable> Portable for (A, B) {
    fn put(&self, to: &mut Vec<u8>) {
        self.0.put(to);
        self.1.put(to);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        Some((A::take(from)?, B::take(from)?))
    }
}

impl<A: Portable, B: Portable, C: Portable> Portable for (A, B, C) {
    fn put(&self, to: &mut Vec<u8>) {
        self.0.put(to);
        self.1.put(to);
        self.2.put(to);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        Some((A::take(from)?, B::take(from)?, C::take(from)?))
    }
}

/// Numbers in the precision of a computation, which travel in that precision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flat<T>(pub Vec<T>);

impl<T: Scalar> Portable for Flat<T> {
    fn put(&self, to: &mut Vec<u8>) {
        self.0.len().put(to);
        let start = to.len();
        to.resize(start + size_of::<T>() * self.0.len(), 0);
        let places = to[start..].chunks_exact_mut(size_of::<T>()).zip(&self.0);
        match size_of::<T>() {
            4 => places.for_each(|(place, x)| place.copy_from_slice(&(x.to_f64() as f32).to_le_bytes())),
            _ => places.for_each(|(place, x)| place.copy_from_slice(&x.to_f64().to_le_bytes())),
        }
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        let count = usize::take(from)?;
        let values = bytes(from, count.checked_mul(size_of::<T>())?)?;
        Some(Flat(match size_of::<T>() {
            4 => values.as_chunks::<4>().0.iter().map(|at| T::of_f32(f32::from_le_bytes(*at))).collect(),
            _ => values.as_chunks::<8>().0.iter().map(|at| T::of(f64::from_le_bytes(*at))).collect(),
        }))
    }
}

impl Portable for Departure {
    fn put(&self, to: &mut Vec<u8>) {
        match self {
            Departure::Stopped(signal) => (0u8, *signal).put(to),
            Departure::Failed { code, message } => (1u8, *code, message.clone()).put(to),
        }
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        match u8::take(from)? {
            0 => Some(Departure::Stopped(i32::take(from)?)),
            1 => Some(Departure::Failed { code: u8::take(from)?, message: String::take(from)? }),
            _ => None,
        }
    }
}
