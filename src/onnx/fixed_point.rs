//! Values at the ends of episodes that agree with the values before them.

use super::{
    baseline::Equations,
    graph::{Graph, Name},
    solve::solve,
};

/// Sweeps of the regression towards them.
const SWEEPS: usize = 4;

/// The regression on features of the state: its weights are linear in the values at the ends.
struct Regression<'a> {
    equations: &'a Equations<'a>,
    /// Weights if all ends have the value 0, `[state, 1]`.
    start: Name,
    /// Change of the weights with the value of each end, `[state, L]`.
    by_ends: Name,
    /// Number of episodes that did not terminate, at least 1, `[]`.
    cut: Name,
}

/// Weights of the features of the state `[state, 1]` by `ridge` `[]` whose values at the ends agree with the fit.
pub(super) fn fixed_point(g: &mut Graph, equations: &Equations<'_>, ridge: &Name) -> Name {
    let regression = Regression::new(g, equations, ridge);
    let size = equations.sizes.state;
    let one = g.double(1.0);
    // the rise of the fitted values at the ends when all of them rise by one
    let raised = regression.sweep(g, &equations.data.alive);
    let raised = g.sub(&raised, &regression.start);
    let raised = regression.mean(g, &raised);
    let kept = g.sub(&one, &raised);
    let least = g.double(1.0 - equations.data.gamma);
    let kept = g.op("Max", &[&kept, &least]);
    let constant: Vec<f64> = (0..size).map(|k| f64::from(u8::from(k == 0))).collect();
    let constant = g.doubles(&[size, 1], &constant);
    let mut weights = g.doubles(&[size, 1], &vec![0.0; size]);
    for round in 0..=SWEEPS {
        if round > 0 {
            let ends = equations.ends(g, &weights);
            weights = regression.sweep(g, &ends);
        }
        let ends = equations.ends(g, &weights);
        let now = g.reduce("ReduceSum", &ends, &[]);
        let now = g.div(&now, &regression.cut);
        let swept = regression.sweep(g, &ends);
        let then = regression.mean(g, &swept);
        let apart = g.sub(&then, &now);
        let shift = g.div(&apart, &kept);
        let shift = g.mul(&constant, &shift);
        weights = g.add(&weights, &shift);
    }
    weights
}

impl<'a> Regression<'a> {
    fn new(g: &mut Graph, equations: &'a Equations<'a>, ridge: &Name) -> Self {
        let size = equations.sizes.state;
        let part = |g: &mut Graph, of: &Name, axis: i64| g.slice(of, (0, size as i64), axis);
        let gram = equations.summed(g, &equations.gram);
        let gram = part(g, &gram, 0);
        let gram = part(g, &gram, 1);
        // the constant is not penalised
        let place = |at: usize| f64::from(u8::from(at / size == at % size && at > 0));
        let penalty: Vec<f64> = (0..size * size).map(place).collect();
        let penalty = g.doubles(&[size, size], &penalty);
        let weight = g.mul(ridge, &equations.data.count);
        let penalty = g.mul(&penalty, &weight);
        let gram = g.add(&gram, &penalty);
        let target = equations.summed(g, &equations.target);
        let target = part(g, &target, 0);
        let tail = part(g, &equations.tail, 1);
        let tail = g.transpose(&tail, &[1, 0]);
        let right = g.concat(&[&target, &tail], 1);
        let (gram, right) = (g.unsqueeze(&gram, &[0]), g.unsqueeze(&right, &[0]));
        let solved = solve(g, &gram, &right, size);
        let solved = g.reshape(&solved, &[size as i64, -1]);
        let (one, alive) = (g.double(1.0), g.reduce("ReduceSum", &equations.data.alive, &[]));
        Regression {
            equations,
            start: g.slice(&solved, (0, 1), 1),
            by_ends: g.slice(&solved, (1, i64::MAX), 1),
            cut: g.op("Max", &[&alive, &one]),
        }
    }

    /// Weights if episodes end with the values `ends` `[L]`.
    fn sweep(&self, g: &mut Graph, ends: &Name) -> Name {
        let ends = g.unsqueeze(ends, &[1]);
        let raised = g.matmul(&self.by_ends, &ends);
        g.add(&self.start, &raised)
    }

    /// The mean of the values of `weights` at the ends that did not terminate.
    fn mean(&self, g: &mut Graph, weights: &Name) -> Name {
        let value = g.matmul(&self.equations.last, weights);
        let sum = g.reduce("ReduceSum", &value, &[]);
        g.div(&sum, &self.cut)
    }
}
