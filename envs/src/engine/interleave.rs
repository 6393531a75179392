//! Transposition of columns into rows within the registers of AVX-512: for rows of three numbers, the compiler's own
//! takes ten times as many instructions.

use crate::{
    engine::lanes::{Column, Lanes},
    physics::env::Array,
};

/// Longest row that can be transposed.
const LONGEST: usize = 8;
/// Lanes in a register.
const VECTOR: usize = 16;

/// The source of every number of the rows: lane and column of number `VECTOR * j + i`.
struct Order {
    /// The lane, plus `VECTOR` for the second column; `[j][i]`.
    lane: [[i32; VECTOR]; LONGEST],
    /// A mask of the numbers that lie in column k, one bit each; `[j][k]`.
    of_column: [[u16; LONGEST]; LONGEST],
}

/// The order of rows of `len` numbers.
const fn order(len: usize) -> Order {
    let mut order = Order { lane: [[0; VECTOR]; LONGEST], of_column: [[0; LONGEST]; LONGEST] };
    let mut place = 0;
    while place < len * VECTOR && place < LONGEST * VECTOR {
        let (j, i) = (place / VECTOR, place % VECTOR);
        let (lane, column) = (place / len, place % len);
        order.lane[j][i] = (lane + if column == 1 { VECTOR } else { 0 }) as i32;
        order.of_column[j][column] |= 1 << i;
        place += 1;
    }
    order
}

/// Returns true if [`interleave`] can transpose rows of this length.
pub(crate) const fn can_interleave(len: usize) -> bool {
    cfg!(target_arch = "x86_64") && 2 <= len && len <= LONGEST
}

/// The numbers of rows, one row after the other, from their columns.
///
/// # Safety
/// The processor has AVX-512F.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) unsafe fn interleave<A: Array<Column>>(columns: &A) -> A {
    use std::arch::x86_64::{
        _mm512_load_ps, _mm512_loadu_epi32, _mm512_mask_permutexvar_ps, _mm512_permutex2var_ps, _mm512_store_ps,
    };
    let order = const { &order(A::LEN) };
    let columns = columns.as_ref();
    let mut rows = A::from_fn(|_| Column::all(0.0));
    for (place, row) in Lanes::flat_mut(rows.as_mut()).as_chunks_mut::<VECTOR>().0.iter_mut().enumerate() {
        let first = place / A::LEN * VECTOR;
        let j = place % A::LEN;
        // SAFETY: the processor has AVX-512F, by the contract of this function; every aligned access is to `VECTOR`
        // numbers of a column from a multiple of `VECTOR` on, and columns are aligned to 64 bytes
        unsafe {
            let lane = _mm512_loadu_epi32(order.lane[j].as_ptr());
            let column = |k: usize| _mm512_load_ps(columns[k][first..].as_ptr());
            let mut numbers = _mm512_permutex2var_ps(column(0), lane, column(1));
            for k in 2..A::LEN {
                numbers = _mm512_mask_permutexvar_ps(numbers, order.of_column[j][k], lane, column(k));
            }
            _mm512_store_ps(row.as_mut_ptr(), numbers);
        }
    }
    rows
}

/// A stand-in for processors without AVX-512, never called.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) unsafe fn interleave<A: Array<Column>>(columns: &A) -> A {
    *columns
}
