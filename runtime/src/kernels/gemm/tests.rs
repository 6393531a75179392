//! Tests of the matrix kernel against the definition of a product.

use super::*;

fn value(i: usize) -> f64 {
    ((i * 37 % 101) as f64 - 50.0) / 7.0
}

/// Adds `a b` to `c`, by the definition.
fn add_product(a: &[f64], b: &[f64], c: &mut [f64], [rows, inner, columns]: [usize; 3]) {
    for (i, k, j) in (0..rows).flat_map(|i| (0..inner).flat_map(move |k| (0..columns).map(move |j| (i, k, j)))) {
        c[i * columns + j] += a[i * inner + k] * b[k * columns + j];
    }
}

#[test]
fn equals_the_definition_for_all_shapes() {
    for (rows, inner, columns) in [
        (1, 1, 1),
        (7, 5, 3),
        (3, 0, 17),
        (6, 64, 64),
        (13, 9, 75),
        (8, 3, 40),
        (64, 48, 2),
        (23, 17, 127),
        (12, 2, 16),
    ] {
        let a: Vec<f64> = (0..rows * inner).map(value).collect();
        let b: Vec<f64> = (0..inner * columns).map(|i| value(i + 11)).collect();
        let a2: Vec<f64> = (0..rows * 2).map(value).collect();
        let b2: Vec<f64> = (0..2 * columns).map(value).collect();
        let transposed: Vec<f64> = (0..rows * inner).map(|n| a[n % rows * inner + n / rows]).collect();
        let row: Vec<f64> = (0..columns).map(value).collect();
        for start in [Start::Zero, Start::Row(&row), Start::Sum] {
            let there = |i: usize| match start {
                Start::Zero => 0.0,
                Start::Row(row) => row[i % columns],
                Start::Sum => 0.5,
            };
            let mut expected: Vec<f64> = (0..rows * columns).map(there).collect();
            add_product(&a, &b, &mut expected, [rows, inner, columns]);
            let mut both = expected.clone();
            add_product(&a2, &b2, &mut both, [rows, 2, columns]);
            for a in [Strided::rows(&a, inner), Strided::transposed(&transposed, rows)] {
                let first = Product { a, b: &b, inner };
                let second = Product { a: Strided::rows(&a2, 2), b: &b2, inner: 2 };
                for isa in Isa::available() {
                    let mut c = vec![0.5; rows * columns];
                    gemm(isa, start, [first], &mut c, [rows, columns]);
                    let mut sum = vec![0.5; rows * columns];
                    gemm(isa, start, [first, second], &mut sum, [rows, columns]);
                    for (c, expected) in c.iter().zip(&expected).chain(sum.iter().zip(&both)) {
                        assert!((c - expected).abs() < 1e-10 * expected.abs().max(1.0), "{rows} {inner} {columns}");
                    }
                }
            }
        }
    }
}
