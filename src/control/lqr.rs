//! Linear-quadratic regulators of an environment's own model.

use metadrift_envs::{Array, Env};
use nalgebra::{RowSVector, SMatrix, SVector};

/// Gain `K` of the command `u = -K x` that minimises the sum of `x' Q x + R u^2` under `x' = A x + B u`; `None` if the
/// Riccati equation has no stabilising solution (the command has no effect, or numbers overflow).
///
/// It uses the structure-preserving doubling algorithm of Chu, Fan, Lin and Wang (2004), which converges quadratically.
pub fn gain<const N: usize>(
    a: &SMatrix<f64, N, N>,
    b: &SVector<f64, N>,
    q: &SMatrix<f64, N, N>,
    r: f64,
) -> Option<RowSVector<f64, N>> {
    let identity = SMatrix::<f64, N, N>::identity();
    let mut step = *a;
    let mut control = b * b.transpose() / r;
    let mut cost = *q;
    for _ in 0..60 {
        let inverse = invert(identity + control * cost)?;
        let next_cost = cost + step.transpose() * cost * inverse * step;
        let next_control = control + step * inverse * control * step.transpose();
        let change = (next_cost - cost).amax();
        (step, control, cost) = (step * inverse * step, next_control, next_cost);
        if !change.is_finite() {
            return None;
        }
        if change <= 1e-12 * cost.amax() {
            let weight = r + (b.transpose() * cost * b)[0];
            return Some(b.transpose() * cost * a / weight);
        }
    }
    None
}

/// The regulator of an environment's model; it is recomputed only when the model changes.
#[derive(Clone, Debug)]
pub struct Regulator<const N: usize> {
    /// The channel values of the current gain.
    values: Vec<f64>,
    gain: RowSVector<f64, N>,
    by_action: SVector<f64, N>,
}

impl<const N: usize> Regulator<N> {
    /// A regulator without a model.
    pub(crate) fn new() -> Regulator<N> {
        Regulator { values: Vec::new(), gain: RowSVector::zeros(), by_action: SVector::zeros() }
    }

    /// The gain at `target` with these weights on the state and on the applied input, and the effect of a unit input in
    /// one step. If the values leave nothing to regulate, the last gain stays.
    pub fn at<E: Env>(
        &mut self,
        values: &[f64],
        target: [f64; N],
        cost: [f64; N],
        effort: f64,
    ) -> (RowSVector<f64, N>, SVector<f64, N>) {
        if self.values != values {
            let params = E::params(|index| values[index]);
            let (a, b) = linearise::<E, N>(&params, target, 0.0);
            if let Some(gain) = gain(&a, &b, &SMatrix::from_diagonal(&cost.into()), effort) {
                self.gain = gain;
            }
            self.by_action = b;
            self.values = values.to_vec();
        }
        (self.gain, self.by_action)
    }
}

/// The inverse by Gauss-Jordan with row pivoting: `nalgebra` needs more bounds than `Env` has for matrices of a generic
/// size.
fn invert<const N: usize>(matrix: SMatrix<f64, N, N>) -> Option<SMatrix<f64, N, N>> {
    let mut left = matrix;
    let mut right = SMatrix::<f64, N, N>::identity();
    for column in 0..N {
        let pivot = (column..N).max_by(|i, j| left[(*i, column)].abs().total_cmp(&left[(*j, column)].abs()))?;
        left.swap_rows(column, pivot);
        right.swap_rows(column, pivot);
        let scale = left[(column, column)];
        if scale == 0.0 || !scale.is_finite() {
            return None;
        }
        for k in 0..N {
            left[(column, k)] /= scale;
            right[(column, k)] /= scale;
        }
        for row in (0..N).filter(|row| *row != column) {
            let factor = left[(row, column)];
            for k in 0..N {
                left[(row, k)] -= factor * left[(column, k)];
                right[(row, k)] -= factor * right[(column, k)];
            }
        }
    }
    Some(right)
}

/// Jacobians of a step of `E` by its state and by the actuator's output, from central differences.
pub fn linearise<E: Env, const N: usize>(
    params: &E::Params<f64>,
    state: [f64; N],
    applied: f64,
) -> (SMatrix<f64, N, N>, SVector<f64, N>) {
    const STEP: f64 = 1e-5;
    let next = |state: [f64; N], applied: f64| -> SVector<f64, N> {
        let action = E::Action::from_fn(|_| applied);
        let next = E::step(params, E::State::from_fn(|k| state[k]), action, action).state;
        SVector::from_fn(|k, _| next.as_ref()[k])
    };
    let mut by_state = SMatrix::<f64, N, N>::zeros();
    for k in 0..N {
        let moved = |by: f64| std::array::from_fn(|i| if i == k { state[i] + by } else { state[i] });
        by_state.set_column(k, &((next(moved(STEP), applied) - next(moved(-STEP), applied)) / (2.0 * STEP)));
    }
    let by_action: SVector<f64, N> = (next(state, applied + STEP) - next(state, applied - STEP)) / (2.0 * STEP);
    (by_state, by_action)
}

#[cfg(test)]
mod tests {
    use super::*;
    use metadrift_envs::{Pendulum, Task};

    #[test]
    fn the_gain_is_that_worked_out_by_hand() {
        // x' = x + u, Q = R = 1: P = 1 + P - P^2 / (1 + P), so P is the golden ratio and K = P / (1 + P)
        let one = SMatrix::<f64, 1, 1>::identity();
        let k = gain(&one, &SVector::<f64, 1>::new(1.0), &one, 1.0).unwrap()[0];
        assert!((k - (5.0_f64.sqrt() - 1.0) / 2.0).abs() < 1e-12, "{k}");
        assert_eq!(gain(&(one * 2.0), &SVector::<f64, 1>::new(0.0), &one, 1.0), None, "nothing can be steered");
    }

    #[test]
    fn the_gain_solves_the_riccati_equation_of_a_double_integrator() {
        // from NumPy: 10^5 plain Riccati iterations with dt = 0.1, Q = diag(1, 0.1), R = 0.01
        let a = SMatrix::<f64, 2, 2>::new(1.0, 0.1, 0.0, 1.0);
        let b = SVector::<f64, 2>::new(0.005, 0.1);
        let q = SMatrix::<f64, 2, 2>::new(1.0, 0.0, 0.0, 0.1);
        let k = gain(&a, &b, &q, 0.01).unwrap();
        assert!((k[0] - 7.612957972736013).abs() < 1e-9 && (k[1] - 4.584934989172313).abs() < 1e-9, "{k}");
    }

    #[test]
    fn the_jacobians_of_the_pendulum_are_those_of_its_equations() {
        // upright: acceleration 15 theta + 3 u, dt 0.05, semi-implicit
        let params = Pendulum::params(|index| Task::nominal(&Pendulum::SPEC).values[index]);
        let (a, b) = linearise::<Pendulum, 2>(&params, [0.0, 0.0], 0.0);
        let expected = SMatrix::<f64, 2, 2>::new(1.0 + 0.0375, 0.05, 0.75, 1.0);
        assert!((a - expected).amax() < 1e-8 && (b - SVector::<f64, 2>::new(0.0075, 0.15)).amax() < 1e-8, "{a} {b}");
    }
}
