//! Which vector instructions there are, and code compiled for each.

/// The instruction sets the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// What every processor has; fused multiply-add is a function call there.
    Portable,
    /// 256-bit vectors with fused multiply-add.
    Avx2,
    /// 512-bit vectors.
    Avx512,
}

impl Isa {
    /// The widest that this processor has.
    pub fn detect() -> Isa {
        #[cfg(target_arch = "x86_64")]
        {
            let fused = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if fused && is_x86_feature_detected!("avx512f") {
                return Isa::Avx512;
            }
            if fused {
                return Isa::Avx2;
            }
        }
        Isa::Portable
    }
}

/// Calls `$body` compiled for the instruction set `$isa`, each `$argument` a variable of that type: the functions it
/// calls must be `#[inline(always)]`.
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
        match $isa {
            // SAFETY: these two come from `Isa::detect`, which found the features.
            #[cfg(target_arch = "x86_64")]
            $crate::native::Isa::Avx512 => unsafe { avx512($($argument),*) },
            #[cfg(target_arch = "x86_64")]
            $crate::native::Isa::Avx2 => unsafe { avx2($($argument),*) },
            _ => $body,
        }
    }};
}
pub(crate) use with_isa;
