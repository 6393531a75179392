//! The two precisions of the kernels: `f32` for training, `f64` for tests.

#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;
use core::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

#[cfg(target_arch = "x86_64")]
use super::wide_dots::dots_avx512;
use super::{
    isa::{Isa, Width},
    wide_dots::GROUP,
};
use crate::vector_math;

/// A module that keeps implementations of [`Lanes`] within this file.
mod sealed {
    /// A trait of this crate alone.
    pub trait Sealed {}
}

/// A vector register of `T`, or a single number as the narrowest of them. Sealed: its implementers are in this file.
///
/// # Safety
/// The methods need the register's instruction set, and pointers to [`COUNT`](Self::COUNT) numbers.
pub trait Lanes<T>: Copy + sealed::Sealed {
    /// Number of numbers in it.
    const COUNT: usize;
    /// A register with `value` in every place.
    unsafe fn splat(value: T) -> Self;
    /// Loads from memory, aligned or not.
    unsafe fn load(from: *const T) -> Self;
    /// Stores to memory, aligned or not.
    unsafe fn store(self, to: *mut T);
    /// `self * a + b`, rounded once.
    unsafe fn fma(self, a: Self, b: Self) -> Self;
}

/// Implements [`Lanes`] by intrinsics.
macro_rules! lanes {
    ($number:ty, $vector:ty, $count:literal, $splat:ident, $load:ident, $store:ident, $fma:ident) => {
        #[cfg(target_arch = "x86_64")]
        impl sealed::Sealed for $vector {}

        #[cfg(target_arch = "x86_64")]
        impl Lanes<$number> for $vector {
            const COUNT: usize = $count;

            #[inline(always)]
            unsafe fn splat(value: $number) -> Self {
                // SAFETY: the caller guarantees it, here and below.
                unsafe { $splat(value) }
            }

            #[inline(always)]
            unsafe fn load(from: *const $number) -> Self {
                unsafe { $load(from) }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut $number) {
                unsafe { $store(to, self) }
            }

            #[inline(always)]
            unsafe fn fma(self, a: Self, b: Self) -> Self {
                unsafe { $fma(self, a, b) }
            }
        }
    };
}

lanes!(f32, __m512, 16, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_fmadd_ps);
lanes!(f64, __m512d, 8, _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_fmadd_pd);
lanes!(f32, __m256, 8, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps);
lanes!(f64, __m256d, 4, _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_fmadd_pd);

impl sealed::Sealed for f32 {}
impl sealed::Sealed for f64 {}

impl<T: Number> Lanes<T> for T {
    const COUNT: usize = 1;

    #[inline(always)]
    unsafe fn splat(value: T) -> T {
        value
    }

    #[inline(always)]
    unsafe fn load(from: *const T) -> T {
        // SAFETY: the caller guarantees it, here and below.
        unsafe { *from }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        unsafe { *to = self }
    }

    #[inline(always)]
    unsafe fn fma(self, a: T, b: T) -> T {
        self.mul_add(a, b)
    }
}

/// A floating-point number, `f32` or `f64`, with the arithmetic of products.
pub trait Number:
    Copy
    + sealed::Sealed
    + Default
    + PartialOrd
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
{
    /// A register of 512 bits.
    #[cfg(target_arch = "x86_64")]
    type Wide512: Lanes<Self>;
    /// A register of 256 bits.
    #[cfg(target_arch = "x86_64")]
    type Wide256: Lanes<Self>;
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;

    /// `self * a + b`, fused where the instruction set has it.
    fn mul_add(self, a: Self, b: Self) -> Self;
}

/// A number that networks compute with: `f32`, and `f64` where there is a standard library.
pub trait Scalar: Number {
    /// The number nearest to a literal or a setting.
    fn of(value: f64) -> Self;
    /// A number of stored experience in this precision.
    fn of_f32(value: f32) -> Self;
    /// The number for statistics.
    fn to_f64(self) -> f64;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// e to this power.
    fn exp(self) -> Self;
    /// Natural logarithm of a positive number.
    fn ln(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Inner products of up to sixteen `rows`, `[_, inputs]`, with `w` `[inputs]`; 0 for missing rows.
    #[inline(always)]
    fn dots(_isa: Isa, rows: &[Self], w: &[Self]) -> [Self; GROUP] {
        dots(rows, w)
    }
}

/// The inner product of each of up to sixteen `rows`, `[_, inputs]`, with `w` `[inputs]`. It has sixteen sums of every
/// sixteenth product; each four of them are added as `(0 + 2) + (1 + 3)`, and the results as `(0 + 1) + (2 + 3)`.
#[inline(always)]
pub fn dots<T: Scalar>(rows: &[T], w: &[T]) -> [T; GROUP] {
    let mut dots = [T::ZERO; GROUP];
    for (dot, row) in dots.iter_mut().zip(rows.chunks_exact(w.len())) {
        let mut sums = [T::ZERO; GROUP];
        for (x, w) in row.chunks(GROUP).zip(w.chunks(GROUP)) {
            for (sum, (x, w)) in sums.iter_mut().zip(x.iter().zip(w)) {
                *sum = x.mul_add(*w, *sum);
            }
        }
        let fours: [T; 4] = core::array::from_fn(|i| {
            let [a, b, c, d] = core::array::from_fn(|k| sums[4 * i + k]);
            (a + c) + (b + d)
        });
        *dot = (fours[0] + fours[1]) + (fours[2] + fours[3]);
    }
    dots
}

impl Number for f32 {
    #[cfg(target_arch = "x86_64")]
    type Wide512 = __m512;
    #[cfg(target_arch = "x86_64")]
    type Wide256 = __m256;
    const ZERO: f32 = 0.0;
    const ONE: f32 = 1.0;

    #[inline(always)]
    fn mul_add(self, a: f32, b: f32) -> f32 {
        #[cfg(feature = "std")]
        {
            f32::mul_add(self, a, b)
        }
        #[cfg(not(feature = "std"))]
        crate::math::Exact::mul_add(self, a, b)
    }
}

impl Scalar for f32 {
    #[inline(always)]
    fn of(value: f64) -> f32 {
        value as f32
    }

    #[inline(always)]
    fn of_f32(value: f32) -> f32 {
        value
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self.into()
    }

    #[inline(always)]
    fn tanh(self) -> f32 {
        vector_math::tanh(self)
    }

    #[inline(always)]
    fn exp(self) -> f32 {
        vector_math::exp(self)
    }

    #[inline(always)]
    fn ln(self) -> f32 {
        vector_math::ln(self)
    }

    #[inline(always)]
    fn sqrt(self) -> f32 {
        #[cfg(feature = "std")]
        {
            f32::sqrt(self)
        }
        #[cfg(not(feature = "std"))]
        crate::math::Exact::sqrt(self)
    }

    #[inline(always)]
    fn dots(isa: Isa, rows: &[f32], w: &[f32]) -> [f32; GROUP] {
        match isa.width() {
            // SAFETY: an `Isa` of this width exists only if the processor has the features.
            #[cfg(target_arch = "x86_64")]
            Width::Avx512 => unsafe { dots_avx512(rows, w) },
            _ => dots(rows, w),
        }
    }
}

impl Number for f64 {
    #[cfg(target_arch = "x86_64")]
    type Wide512 = __m512d;
    #[cfg(target_arch = "x86_64")]
    type Wide256 = __m256d;
    const ZERO: f64 = 0.0;
    const ONE: f64 = 1.0;

    #[inline(always)]
    fn mul_add(self, a: f64, b: f64) -> f64 {
        #[cfg(feature = "std")]
        {
            f64::mul_add(self, a, b)
        }
        #[cfg(not(feature = "std"))]
        crate::math::Exact::mul_add(self, a, b)
    }
}

#[cfg(feature = "std")]
impl Scalar for f64 {
    #[inline(always)]
    fn of(value: f64) -> f64 {
        value
    }

    #[inline(always)]
    fn of_f32(value: f32) -> f64 {
        value.into()
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }

    #[inline(always)]
    fn tanh(self) -> f64 {
        f64::tanh(self)
    }

    #[inline(always)]
    fn exp(self) -> f64 {
        f64::exp(self)
    }

    #[inline(always)]
    fn ln(self) -> f64 {
        f64::ln(self)
    }

    #[inline(always)]
    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }
}
