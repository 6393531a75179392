//! Detection of vector instructions, and compilation of code for each set.

use crate::prelude::*;

/// The instruction sets the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// The instructions of every processor; fused multiply-add is a function call there.
    Portable,
    /// 256-bit vectors with fused multiply-add.
    Avx2,
    /// 512-bit vectors with fused multiply-add.
    Avx512,
}

/// An instruction set of this processor: only this module makes one, after detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(Width);

impl Isa {
    /// The instruction set of every processor.
    pub const PORTABLE: Isa = Isa(Width::Portable);

    /// All instruction sets of this processor, narrowest first.
    pub fn available() -> Vec<Isa> {
        #[allow(unused_mut, reason = "there may be no others")]
        let mut available = vec![Isa::PORTABLE];
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            available.push(Isa(Width::Avx2));
            if is_x86_feature_detected!("avx512f") {
                available.push(Isa(Width::Avx512));
            }
        }
        available
    }

    /// The widest instruction set of this processor.
    pub fn detect() -> Isa {
        *Isa::available().last().expect("every processor has one")
    }

    /// The instruction set's name: `avx512`, `avx2` or `portable`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Width::Portable => "portable",
            Width::Avx2 => "avx2",
            Width::Avx512 => "avx512",
        }
    }

    /// The instruction set's vector width.
    #[inline(always)]
    pub fn width(self) -> Width {
        self.0
    }
}

/// Calls `$body` compiled for the instruction set `$isa`. Each `$argument` is a variable of that type, and the
/// functions in `$body` must be `#[inline(always)]`.
#[doc(hidden)]
#[macro_export]
macro_rules! with_isa {
    ($isa:expr, [$($generics:tt)*] ($($argument:ident: $kind:ty),*) $(-> $result:ty)? => $body:expr) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx2,fma")]
        fn avx512<$($generics)*>($($argument: $kind),*) $(-> $result)? {
            $body
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        fn avx2<$($generics)*>($($argument: $kind),*) $(-> $result)? {
            $body
        }
        match $crate::kernels::isa::Isa::width($isa) {
            // SAFETY: an `Isa` of this width exists only if the processor has the features.
            #[cfg(target_arch = "x86_64")]
            $crate::kernels::isa::Width::Avx512 => unsafe { avx512($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            $crate::kernels::isa::Width::Avx2 => unsafe { avx2($($argument),*) },
            _ => $body,
        }
    }};
}
pub use crate::with_isa;
