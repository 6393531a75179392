//! Inner products of many rows with few vectors, for the head of a network, whose outputs do not fill a register.

use super::{
    isa::Isa,
    scalar::Scalar,
    tile::{Column, TILE},
    wide_dots::GROUP,
};

const _: () = assert!(TILE.is_multiple_of(GROUP));

/// Adds the inner products of `x` `[n, inputs]` and `w` `[outputs, inputs]` to the head's outputs by column, `out`
/// `[outputs]`.
#[inline(always)]
pub fn add_dots<T: Scalar>(isa: Isa, x: &[T], w: &[T], n: usize, out: &mut [Column<T>]) {
    let inputs = w.len() / out.len();
    for (out, w) in out.iter_mut().zip(w.chunks_exact(inputs)) {
        for first in (0..n).step_by(GROUP) {
            let rows = GROUP.min(n - first);
            let dots = T::dots(isa, &x[first * inputs..][..rows * inputs], w);
            for (out, dot) in out[first..first + GROUP].iter_mut().zip(dots) {
                *out += dot;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::scalar::dots;

    #[test]
    fn every_width_agrees_with_the_definition_and_to_the_bit_between_instruction_sets() {
        let value = |i: usize| (i * 7919 % 2003) as f32 / 1001.0 - 1.0;
        for (rows, inputs) in [(1, 1), (16, 64), (5, 3), (16, 43), (7, 128), (16, 16), (3, 130)] {
            let x: Vec<f32> = (0..rows * inputs).map(value).collect();
            let w: Vec<f32> = (0..inputs).map(|i| value(i + 31)).collect();
            let portable = dots(&x, &w);
            for (row, dot) in x.chunks(inputs).zip(portable) {
                let exact: f64 = row.iter().zip(&w).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
                assert!((f64::from(dot) - exact).abs() < 1e-5, "{inputs}: {dot} {exact}");
            }
            for isa in Isa::available() {
                assert_eq!(f32::dots(isa, &x, &w).map(f32::to_bits), portable.map(f32::to_bits), "{rows} {inputs}");
            }
        }
    }
}
