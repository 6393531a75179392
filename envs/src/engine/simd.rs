//! Loops compiled for several instruction sets, of which the best is chosen at run time.
//!
//! Rust contracts no products and sums, so all of them give the same bits.

/// An instruction set that loops over lanes are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Simd {
    /// The instructions of every x86-64 (or the only set, elsewhere).
    Baseline,
    /// 256-bit vectors.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 512-bit vectors.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// Work that is compiled for each instruction set. `run` must be `#[inline(always)]`, and so must every function that
/// is to be compiled with it.
pub(crate) trait Kernel {
    /// Result of the work.
    type Output;

    /// Does the work; with `Proof<true>`, the instructions of AVX-512 may be used by name.
    fn run<const AVX512: bool>(self, proof: Proof<AVX512>) -> Self::Output;
}

/// Proof that the processor has AVX-512, if `AVX512`. Only [`Simd::run`] can make one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proof<const AVX512: bool>(());

impl Simd {
    /// The instruction sets of this machine, the widest last.
    pub fn available() -> Vec<Simd> {
        let mut available = vec![Simd::Baseline];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                available.push(Simd::Avx2);
            }
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
            {
                available.push(Simd::Avx512);
            }
        }
        available
    }

    /// Does the work with this instruction set.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            Simd::Baseline => kernel.run(Proof::<false>(())),
            // SAFETY: only `Simd::available` makes this variant, and only if the processor has AVX2
            #[cfg(target_arch = "x86_64")]
            Simd::Avx2 => unsafe { run_avx2(kernel) },
            // SAFETY: only `Simd::available` makes this variant, and only if the processor has these parts of AVX-512
            #[cfg(target_arch = "x86_64")]
            Simd::Avx512 => unsafe { run_avx512(kernel) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Proof::<false>(()))
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Proof::<true>(()))
}
