//! Linear systems in a graph.

use super::{
    graph::{Graph, Name},
    proto::{Dim, Kind},
};

/// The solutions `[systems, size, columns]` of symmetric positive definite systems whose matrices `[systems, size, size]`
/// and right sides `[systems, size, columns]` stand beside each other, by elimination: in a definite system no row need
/// change its place.
pub fn solve(g: &mut Graph, matrix: &Name, right: &Name, size: usize) -> Name {
    let both = g.concat(&[matrix, right], 2);
    let mut body = Graph::new("elimination_");
    let round = body.input("elimination_round", Kind::Int, &[], "");
    let going = body.input("elimination_going", Kind::Bool, &[], "");
    let dims = [Dim::Any("systems"), Dim::Fixed(size), Dim::Any("width")];
    let m = body.input("elimination_m", Kind::Double, &dims, "");
    let i = body.reshape(&round, &[1]);
    let row = body.gather(&m, &i, 1);
    let pivot = body.gather(&row, &i, 2);
    let column = body.gather(&m, &i, 2);
    let places: Vec<i64> = (0..size as i64).collect();
    let places = body.ints(&places);
    let here = body.op("Equal", &[&places, &i]);
    let here = body.reshape(&here, &[1, size as i64, 1]);
    // the row itself is divided by its pivot, its multiples are taken from all others
    let one = body.double(1.0);
    let less = body.sub(&pivot, &one);
    let factor = body.choose(&here, &less, &column);
    let row = body.div(&row, &pivot);
    let taken = body.matmul(&factor, &row);
    let left = body.sub(&m, &taken);
    body.output(&going, "elimination_go", Kind::Bool, &[], "");
    body.output(&left, "elimination_left", Kind::Double, &dims, "");
    let done = g.repeat(size, &both, body.encode("elimination", ""));
    g.slice(&done, (size as i64, i64::MAX), 2)
}
